"""Which baseline b_t(s) makes reward-to-go vary least, how much worse others are, and where variance comes from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InvalidInput
from ..policies import Policy
from ..types import Array, FloatArray
from ..validation import require_in
from .chains import marginals
from .mdp import TabularMDP
from .moments import Steps, causal_moments, mean_over

__all__ = ["StateBaselines", "VarianceParts", "state_baselines", "variance_parts"]


@dataclass(frozen=True, eq=False)
class StateBaselines:
    """Var(b) of ĝ = Σ_t ω^t f_t (G_t − b_t(s_t)) on one episode, as a function of b.

        Var(b) = Var(0) − 2 Σ_{t,s} c_t(s) b_t(s) + Σ_{t,s} w_t(s) b_t(s)²

    Parameters
    ----------
    variance_0 : float
        Var(0), a trace.
    c : array, shape (T, S)
        d_t(s) ω^t E[f_tᵀX | s_t = s], X = Σ_t ω^t f_t G_t.
    w : array, shape (T, S)
        d_t(s) ω^{2t} E[‖f_t‖² | s_t = s].
    """

    variance_0: float
    c: FloatArray
    w: FloatArray

    def best(self, kind: str = "time and state") -> FloatArray:
        """The b of least variance among those of a kind, shape (T, S) (B12); 0 where it does not matter.

        Parameters
        ----------
        kind : {"time and state", "state", "time", "constant"}
            What b may depend on.
        """
        axes = {"time and state": (), "state": (0,), "time": (1,), "constant": (0, 1)}
        require_in("kind", kind, tuple(axes))
        c, w = (x.sum(axis=axes[kind], keepdims=True) for x in (self.c, self.w))
        b = np.divide(c, w, out=np.zeros_like(c), where=w > 0)
        return np.broadcast_to(b, self.c.shape)

    def variance(self, baseline: Array | float) -> float:
        """Var(b) for b of shape (), (S,), (T, 1) or (T, S)."""
        b = np.asarray(baseline)
        return float(self.variance_0 + (self.w * b**2 - 2 * self.c * b).sum())


@dataclass(frozen=True, eq=False)
class VarianceParts:
    """Where tr Var(ω^t f_t (G_t − b_t)) comes from, each of shape (T,): their sum is that variance (B8).

    Parameters
    ----------
    states : array
        Var_s E[· | s_t].
    actions : array
        E Var_a E[· | s_t, a_t].
    rest : array
        E Var[· | s_t, a_t], all that comes later.
    cross : float
        2 Σ_{t<k} of the covariances between times: with it the sum is Var ĝ.
    """

    states: FloatArray
    actions: FloatArray
    rest: FloatArray
    cross: float


def state_baselines(
    mdp: TabularMDP,
    policy: Policy,
    theta: Array,
    *,
    discount: float | None = None,
    state_discount: float | None = None,
) -> StateBaselines:
    """The variance of reward-to-go as a function of its baseline b_t(s), and the best b (B12).

        b*_t(s) = E[f_tᵀX | s_t = s] / (ω^t E[‖f_t‖² | s_t = s])
        E[f_tᵀX | s] = Σ_{k<t} ω^k κ^{t−k} E[f_k | s]ᵀ E[f_t G_t | s]
                       + ω^t E[‖f_t‖² G_t | s] + ω^{t+1} E[f_tᵀX_{t+1} | s]

    Scores have mean zero given the past, so that terms of different times do not meet, and each b_t(s) is free.

    Parameters
    ----------
    mdp : TabularMDP
        With a horizon.
    policy, theta, discount, state_discount
        As for `causal_moments`.

    Raises
    ------
    InvalidInput
        If there is no horizon.

    Notes
    -----
    After Greensmith, Bartlett and Baxter 2004.

    Examples
    --------
    >>> from npgrad.oracle import random_mdp, values
    >>> from npgrad.policies import make_policy
    >>> mdp = random_mdp(3, 2, horizon=4, seed=0)
    >>> policy = make_policy(mdp, "linear")
    >>> theta = np.zeros(policy.n_params)
    >>> var = state_baselines(mdp, policy, theta)
    >>> V = values(mdp, policy, theta).V[:-1]
    >>> bool(var.variance(var.best()) < var.variance(V) < var.variance(0.0))
    True
    """
    kappa, omega, T = _settings(mdp, discount, state_discount)
    source = Steps(mdp, policy, theta)
    d = marginals(mdp, source.pi)[:-1]
    S, P = mdp.n_states, len(theta)

    c, w = np.zeros((T, S)), np.zeros((T, S))
    G, X = np.zeros(S), np.zeros((S, P))  # E G_{t+1}, E X_{t+1} given the state
    to_go = np.zeros((T, S, P))  # E[f_t G_t | s]
    for t in reversed(range(T)):
        step = source.at(t)
        Q = step.rho + kappa * (step.P @ G).reshape(step.pi.shape)
        later = (step.P @ X).reshape(step.f.shape)
        norms = (step.f**2).sum(axis=2)
        w[t] = d[t] * omega ** (2 * t) * mean_over(step, norms)
        c[t] = d[t] * omega ** (2 * t) * mean_over(step, norms * Q + omega * (step.f * later).sum(axis=2))
        to_go[t] = mean_over(step, step.f * Q[..., None])
        X = to_go[t] + omega * mean_over(step, later)
        G = mean_over(step, Q)

    past = np.zeros((S, P))  # d_t(s) Σ_{k<t} ω^k κ^{t−k} E[f_k | s_t = s]
    for t in range(T):
        step = source.at(t)
        c[t] += omega**t * (past * to_go[t]).sum(axis=1)
        here = past[:, None] + omega**t * d[t, :, None, None] * step.f
        past = kappa * step.P.T @ (step.pi[..., None] * here).reshape(-1, P)
    variance = causal_moments(mdp, policy, theta, discount=kappa, state_discount=omega).variance
    return StateBaselines(variance, c, w)


def variance_parts(
    mdp: TabularMDP,
    policy: Policy,
    theta: Array,
    *,
    baseline: Array | float = 0.0,
    discount: float | None = None,
    state_discount: float | None = None,
) -> VarianceParts:
    """The law of total variance for each step of ĝ = Σ_t ω^t f_t (G_t − b_t(s_t)) (B8).

    Parameters
    ----------
    mdp : TabularMDP
        With a horizon.
    policy, theta, baseline, discount, state_discount
        As for `causal_moments`.

    Raises
    ------
    InvalidInput
        If there is no horizon.

    Examples
    --------
    >>> from npgrad.oracle import TabularMDP
    >>> from npgrad.policies import make_policy
    >>> bandit = TabularMDP([1.0], np.ones((1, 2, 1)), [[1.0, 0.0]], horizon=1)
    >>> policy = make_policy(bandit, "linear")
    >>> parts = variance_parts(bandit, policy, np.zeros(policy.n_params))
    >>> parts.states, parts.actions, parts.rest
    (array([0.]), array([0.25]), array([0.]))
    """
    kappa, omega, T = _settings(mdp, discount, state_discount)
    source = Steps(mdp, policy, theta, baseline=baseline)
    d = marginals(mdp, source.pi)[:-1]
    states, actions, rest = np.zeros((3, T))
    G, GG = np.zeros(mdp.n_states), np.zeros(mdp.n_states)
    for t in reversed(range(T)):
        step = source.at(t)
        Q = step.rho + kappa * (step.P @ G).reshape(step.pi.shape)
        Q_2 = step.rho_2 + (2 * kappa * step.P_rho @ G + kappa**2 * step.P @ GG).reshape(step.pi.shape)  # E[G² | s,a]
        norms = (step.f**2).sum(axis=2)
        given_s = mean_over(step, step.f * (Q - step.b)[..., None])  # E[f Y | s]
        by_state = (given_s**2).sum(axis=1)
        scale = omega ** (2 * t)
        states[t] = scale * (d[t] @ by_state - ((d[t] @ given_s) ** 2).sum())
        actions[t] = scale * d[t] @ (mean_over(step, norms * (Q - step.b) ** 2) - by_state)
        rest[t] = scale * d[t] @ mean_over(step, norms * (Q_2 - Q**2))
        G, GG = mean_over(step, Q), mean_over(step, Q_2)
    total = causal_moments(mdp, policy, theta, baseline=baseline, discount=kappa, state_discount=omega).variance
    return VarianceParts(states, actions, rest, total - float(states.sum() + actions.sum() + rest.sum()))


def _settings(mdp: TabularMDP, discount: float | None, state_discount: float | None) -> tuple[float, float, int]:
    """κ, ω and T."""
    if mdp.horizon is None:
        raise InvalidInput("baselines in time need a horizon, and there is none; give one with mdp.replace(horizon=…)")
    kappa = mdp.gamma if discount is None else discount
    omega = mdp.gamma if state_discount is None else state_discount
    return kappa, omega, mdp.horizon
