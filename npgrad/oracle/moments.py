"""Mean and variance of estimators Σ_t f_t Ψ_t by dynamic programming: no list of trajectories, any number of steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import InvalidInput
from ..policies import Policy
from ..types import Array, FloatArray
from ..validation import require_probability
from .chains import chain, require_proper
from .mdp import TabularMDP
from .tables import PolicyOrTable, alive_table, at_time, probabilities, scores

__all__ = [
    "CausalMoments",
    "Step",
    "Steps",
    "Tail",
    "causal_moments",
    "mean_over",
    "moments_before",
    "no_tail",
    "return_variance",
    "settler",
]


@dataclass(frozen=True, eq=False)
class CausalMoments:
    """Moments of an estimator on one episode; on N of them the mean is the same, and variances are these / N (B10).

    Parameters
    ----------
    mean : array, shape (P,)
        E ĝ.
    variances : array, shape (P,)
        Var ĝ_k of each coordinate.
    covariance : array, shape (P, P), optional
        Cov ĝ, where it was asked for.
    """

    mean: FloatArray
    variances: FloatArray
    covariance: FloatArray | None = None

    @property
    def variance(self) -> float:
        """Var ĝ = tr Cov ĝ = Σ_k Var ĝ_k (B4)."""
        return float(self.variances.sum())


class Step(NamedTuple):
    """What one step at time t draws from: ρ stands for the reward, or what replaces it."""

    pi: Array  # π(a|s), zero where s is terminal, (S, A)
    f: Array  # f(s,a), (S, A, P)
    rho: Array  # Σ_{s'} p ρ, (S, A)
    rho_2: Array  # Σ_{s'} p ρ², (S, A)
    P: Array  # p(s'|s,a), (S·A, S)
    P_rho: Array  # p(s'|s,a) ρ(s,a,s'), (S·A, S)
    b: Array  # b_t(s), (S, 1)


class Steps:
    """The steps of X = Σ_t ω^t f_t (G_t − b_t(s_t)), G_t = Σ_{k≥t} κ^{k−t} ρ_k, by time; arguments as there."""

    def __init__(
        self,
        mdp: TabularMDP,
        policy: Policy,
        theta: Array,
        *,
        baseline: Array | float = 0.0,
        rewards: Array | None = None,
        critic: Array | None = None,
    ) -> None:
        S, A, T = mdp.n_states, mdp.n_actions, mdp.horizon
        self.mdp = mdp
        self.pi, self.f = probabilities(mdp, policy, theta), scores(mdp, policy, theta)
        self.b = _broadcast("baseline", baseline, (S,) if T is None else (T, S))
        self.rho = mdp.R if rewards is None else np.asarray(rewards, dtype=np.float64)
        self.rho = _broadcast("rewards", self.rho, (T or 1, S, A, S) if self.rho.ndim == 4 else (S, A, S))
        self.V = None if critic is None else np.asarray(critic, dtype=np.float64)
        if self.V is not None and self.V.shape != (S,) and (T is None or self.V.shape != (T + 1, S)):
            raise InvalidInput(f"critic has shape {self.V.shape}, expected {(S,)} or (T + 1, {S}): V(s) or V_t(s)")
        if critic is not None and rewards is not None:
            raise InvalidInput("rewards and critic are both given; with a critic, rewards are its TD residuals")

    def at(self, t: int) -> Step:
        """The step at time t; at any time, where there is no horizon."""
        mdp, S = self.mdp, self.mdp.n_states
        rho = self._rewards(t)
        P_rho = mdp.P * rho
        return Step(
            pi=alive_table(mdp, at_time(self.pi, t, 2)),
            f=at_time(self.f, t, 3),
            rho=P_rho.sum(axis=2),
            rho_2=(P_rho * rho).sum(axis=2),
            P=mdp.P.reshape(-1, S),
            P_rho=P_rho.reshape(-1, S),
            b=at_time(self.b, t, 1)[:, None],
        )

    def _rewards(self, t: int) -> Array:
        """ρ_t(s,a,s'), (S, A, S): what was given, or r + γ V_{t+1}(s') − V_t(s) with V = 0 at the end."""
        mdp, V = self.mdp, self.V
        if V is None:
            return at_time(self.rho, t, 3)
        now, after = (V, V) if V.ndim == 1 else (V[t], V[t + 1])
        ends = mdp.terminal | (t + 1 == mdp.horizon)
        return np.asarray(mdp.R + mdp.gamma * np.where(ends, 0, after) - now[:, None, None])


class Tail(NamedTuple):
    """Moments of what comes from s_t on, given s_t."""

    G: Array  # E G, (S,)
    GG: Array  # E G², (S,)
    X: Array  # E X, (S, P)
    GX: Array  # E G X, (S, P)
    XX: Array  # E X_k², (S, P)
    full: Array | None  # E X Xᵀ, (S, P, P)

    def averaged(self, start: Array) -> CausalMoments:
        """Over s_0 ~ start."""
        mean = start @ self.X
        cov = None if self.full is None else np.tensordot(start, self.full, axes=1) - np.outer(mean, mean)
        return CausalMoments(mean, start @ self.XX - mean**2, cov)


def no_tail(S: int, P: int, covariance: bool) -> Tail:
    """What comes behind the end."""
    full = np.zeros((S, P, P)) if covariance else None
    return Tail(np.zeros(S), np.zeros(S), np.zeros((S, P)), np.zeros((S, P)), np.zeros((S, P)), full)


def causal_moments(
    mdp: TabularMDP,
    policy: Policy,
    theta: Array,
    *,
    baseline: Array | float = 0.0,
    discount: float | None = None,
    state_discount: float | None = None,
    rewards: Array | None = None,
    critic: Array | None = None,
    covariance: bool = False,
) -> CausalMoments:
    """Exact moments of ĝ = Σ_t ω^t f_t (G_t − b_t(s_t)), G_t = Σ_{k≥t} κ^{k−t} ρ_k, on one episode (B4).

    With the defaults, reward-to-go: P3, or P4 if the problem's γ < 1. ``state_discount=1`` drops γ^t (P5). ``critic=V``
    and ``discount=γλ`` is GAE (P8), and TD for λ = 0 (P7). ``rewards=Q[..., None], discount=0`` puts Q in place of
    returns (P6). Backwards, with ′ for t + 1 and Y = G − b:

        G = ρ + κ G′,   X = f Y + ω X′
        E GX  = f E[GY] + ω E[ρ X′ + κ G′X′]
        E XXᵀ = f fᵀ E[Y²] + ω (f uᵀ + u fᵀ) + ω² E X′X′ᵀ,   u = E[Y X′]

    Parameters
    ----------
    mdp, policy, theta
        As for `gradient`.
    baseline : float or array, shape (S,), (T, 1) or (T, S), optional
        b_t(s).
    discount, state_discount : float, optional
        κ and ω; the problem's γ by default.
    rewards : array, shape (S, A, S) or (T, S, A, S), or broadcasting to them, optional
        ρ_t(s,a,s'), r(s,a,s') by default.
    critic : array, shape (S,) or (T + 1, S), optional
        V, for ρ_t = r_t + γ V(s_{t+1}) − V(s_t), with V = 0 at terminal states and behind the horizon.
    covariance : bool, optional
        Also the whole (P, P) matrix, at a cost of S·P² numbers.

    Raises
    ------
    InvalidInput
        If shapes disagree, or a sum without end has no discount below 1.

    Examples
    --------
    >>> from npgrad.oracle import from_gymnasium, values
    >>> from npgrad.policies import make_policy
    >>> lake = from_gymnasium("FrozenLake-v1")  # 100 steps
    >>> policy = make_policy(lake, "linear")
    >>> theta = np.zeros(policy.n_params)
    >>> plain = causal_moments(lake, policy, theta)
    >>> with_V = causal_moments(lake, policy, theta, baseline=values(lake, policy, theta).V[:-1])
    >>> round(plain.variance, 6), round(with_V.variance, 6)
    (0.276237, 0.24823)
    """
    steps = Steps(mdp, policy, theta, baseline=baseline, rewards=rewards, critic=critic)
    kappa = mdp.gamma if discount is None else discount
    omega = mdp.gamma if state_discount is None else state_discount
    require_probability("discount", kappa)
    require_probability("state_discount", omega)
    tail = no_tail(mdp.n_states, len(theta), covariance)
    if mdp.horizon is None and max(kappa, omega) == 1:
        require_proper(mdp, steps.pi)
    for t in reversed(range(mdp.horizon or 1)):
        step = steps.at(t)
        tail = moments_before(step, tail, kappa, omega, settler(step, endless=mdp.horizon is None))
    return tail.averaged(mdp.start)


def return_variance(mdp: TabularMDP, policy: PolicyOrTable, theta: Array | None = None) -> float:
    """Var R of R = Σ_t γ^t r_t, and so N Var Ĵ (O5).

        E G² = r² + 2γ r E G′ + γ² E G′²

    Examples
    --------
    >>> from npgrad.oracle import TabularMDP
    >>> coin = TabularMDP([1.0], np.ones((1, 2, 1)), [[1.0, 0.0]], horizon=4)
    >>> return_variance(coin, np.array([[0.5, 0.5]]))
    1.0
    """
    pi, S, gamma = probabilities(mdp, policy, theta), mdp.n_states, mdp.gamma
    if mdp.horizon is None and gamma == 1:
        require_proper(mdp, pi)
    P, P_r = mdp.P.reshape(-1, S), (mdp.P * mdp.R).reshape(-1, S)
    r_2 = (mdp.P * mdp.R**2).sum(axis=2)
    G, GG = np.zeros(S), np.zeros(S)
    for t in reversed(range(mdp.horizon or 1)):
        now = alive_table(mdp, at_time(pi, t, 2))
        step = Step(now, np.zeros(0), mdp.r, r_2, P, P_r, np.zeros(0))
        settle = settler(step, endless=mdp.horizon is None)
        G_next, G_now = settle(mean_over(step, mdp.r), gamma, G)
        crossed = (P_r @ G_next).reshape(r_2.shape)
        _, GG = settle(mean_over(step, r_2 + 2 * gamma * crossed), gamma**2, GG)
        G = G_now
    return float(mdp.start @ GG - (mdp.start @ G) ** 2)


def mean_over(step: Step, x: Array) -> Array:
    """Σ_a π(a|s) x(s,a), (S, A, …) → (S, …)."""
    return np.asarray(np.einsum("sa,sa...->s...", step.pi, x))


Settle = Callable[[Array, float, Array], tuple[Array, Array]]


def settler(step: Step, *, endless: bool) -> Settle:
    """How to close m = c + factor · P_π m′: returns (m′, m).

    With a horizon m′ is the one given; without, m′ = m solves (I − factor · P_π) m = c.
    """
    P = chain(step.P.reshape(*step.pi.shape, -1), step.pi)

    def go_back(c: Array, factor: float, after: Array) -> tuple[Array, Array]:
        return after, c + factor * np.tensordot(P, after, axes=1)

    def solve(c: Array, factor: float, after: Array) -> tuple[Array, Array]:
        m = np.linalg.solve(np.eye(len(P)) - factor * P, c.reshape(len(P), -1)).reshape(c.shape)
        return m, m

    return solve if endless else go_back


def moments_before(step: Step, tail: Tail, kappa: float, omega: float, settle: Settle) -> Tail:
    """Moments from t on, from those from t + 1 on."""
    pi, f, b = step.pi, step.f, step.b

    def ahead(P: Array, m: Array) -> Array:  # Σ_{s'} P(s'|s,a) m(s'), (S, …) → (S, A, …)
        return np.asarray(np.tensordot(P, m, axes=1)).reshape(*pi.shape, *m.shape[1:])

    G_, G = settle(mean_over(step, step.rho), kappa, tail.G)
    EG = step.rho + kappa * ahead(step.P, G_)  # E[G|s,a]
    cross = step.rho_2 + 2 * kappa * ahead(step.P_rho, G_)
    GG_, GG = settle(mean_over(step, cross), kappa**2, tail.GG)
    EGG = cross + kappa**2 * ahead(step.P, GG_)

    EYY = EGG - 2 * b * EG + b**2
    X_, X = settle(mean_over(step, f * (EG - b)[..., None]), omega, tail.X)
    rho_X = ahead(step.P_rho, X_)  # E[ρ X′|s,a]
    GX_, GX = settle(mean_over(step, f * (EGG - b * EG)[..., None] + omega * rho_X), kappa * omega, tail.GX)
    u = rho_X - b[..., None] * ahead(step.P, X_) + kappa * ahead(step.P, GX_)  # E[Y X′|s,a]
    _, XX = settle(mean_over(step, f**2 * EYY[..., None] + 2 * omega * f * u), omega**2, tail.XX)
    if tail.full is None:
        return Tail(G, GG, X, GX, XX, None)
    outer = np.swapaxes(f * (pi * EYY)[..., None], 1, 2) @ f  # Σ_a π f fᵀ E Y²
    fu = np.swapaxes(f * pi[..., None], 1, 2) @ u
    _, full = settle(outer + omega * (fu + np.swapaxes(fu, 1, 2)), omega**2, tail.full)
    return Tail(G, GG, X, GX, XX, full)


def _broadcast(name: str, value: Array | float, shape: tuple[int, ...]) -> Array:
    try:
        return np.broadcast_to(np.asarray(value, dtype=np.float64), shape)
    except ValueError:
        raise InvalidInput(f"{name} has shape {np.shape(value)}, expected one that broadcasts to {shape}") from None
