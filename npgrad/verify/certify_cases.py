"""The small problems that estimators are certified on, and what is exact on them: ∇J, V and who acts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..critics import Values
from ..errors import InvalidInput
from ..oracle import TabularMDP, marginals, probabilities, scores, values
from ..policies import Policy, make_policy
from ..types import Array, Batch, BoolArray, FloatArray, IntArray
from ..validation import require_in, require_probability

__all__ = ["Case", "MakePolicy", "Settings", "exact_gradient", "exact_values", "fixed_cases"]

TARGETS = ("undiscounted", "discounted", "surrogate")
BEHAVIOURS = ("policy", "other")
MakePolicy = str | Callable[[TabularMDP], Policy]


@dataclass(frozen=True)
class Settings:
    """What an estimator is to estimate, and from which data.

    Parameters
    ----------
    target : {"undiscounted", "discounted", "surrogate"}
        ∇J; ∇J_γ; or ∇_θ L_β of the surrogate that ratios of single steps estimate (W4), which is ∇J_γ at β = π_θ.
    gamma : float
        The γ of the estimator.
    n : int
        Episodes a batch.
    behaviour : {"policy", "other"}
        Who acted: π_θ, or another policy β, whose log β(a|s) the batch holds.
    with_values : bool
        Whether the estimator takes a fourth argument, the exact V on the batch; then segments that were cut or
        truncated are among the problems.
    ent_coef : float
        β of an entropy bonus in the objective, J + βE Σ_t γ^t H(π(·|s_t)) (P12).
    policy : str or function
        A kind of `make_policy`, or ``mdp → policy``.

    Raises
    ------
    InvalidInput
        If a value is none of these, or two exclude each other.
    """

    target: str = "undiscounted"
    gamma: float = 1.0
    n: int = 2
    behaviour: str = "policy"
    with_values: bool = False
    ent_coef: float = 0.0
    policy: MakePolicy = "linear"

    def __post_init__(self) -> None:
        require_in("target", self.target, TARGETS)
        require_in("behaviour", self.behaviour, BEHAVIOURS)
        require_in("n", self.n, (1, 2))
        require_probability("gamma", self.gamma)
        if not np.isfinite(self.ent_coef):
            raise InvalidInput(f"ent_coef is {self.ent_coef}, expected a finite number")
        if self.ent_coef and (self.with_values or self.behaviour == "other"):
            raise InvalidInput("ent_coef is for estimators without values on data of their own policy; leave one out")
        if self.target == "discounted" and self.gamma == 1:
            raise InvalidInput('target="discounted" needs the γ of your estimator, as in gamma=0.9')

    @property
    def target_gamma(self) -> float:
        """γ of the objective."""
        return 1.0 if self.target == "undiscounted" else self.gamma


@dataclass(frozen=True, eq=False)
class Case:
    """A problem with few enough trajectories to list all batches of two.

    Parameters
    ----------
    name : str
    mdp : TabularMDP
        Its γ is that of the estimator.
    policy : Policy
    theta : array, shape (P,)
        Where the gradient is taken.
    length : int, optional
        Where episodes are stopped, though they would go on.
    cut : bool, optional
        Whether a stopped one is cut, rather than truncated.
    other : array, shape (S, A), optional
        β(a|s) of off-policy data; by default one that is fixed.
    """

    name: str
    mdp: TabularMDP
    policy: Policy
    theta: FloatArray
    length: int | None = None
    cut: bool = False
    other: FloatArray | None = None

    @property
    def complete(self) -> bool:
        """Whether every episode runs to its end."""
        return self.length is None

    def behaviour(self, settings: Settings) -> Array | None:
        """Who acts: the table of β, or None for the policy itself."""
        if settings.behaviour == "policy":
            return None
        if self.other is not None:
            return self.other
        S, A = self.mdp.n_states, self.mdp.n_actions
        beta = 1.0 + 0.8 * np.sin(1.0 + 2.0 * np.arange(S)[:, None] + 3.0 * np.arange(A))
        return np.asarray(beta / beta.sum(axis=1, keepdims=True))

    def states(self, obs: Array, time: IntArray) -> IntArray:
        """Which state each row of obs shows."""
        table = self.mdp.obs[time] if self.mdp.timed else self.mdp.obs
        same: BoolArray = (obs[:, None] == table).all(axis=-1)
        if (same.sum(axis=1) != 1).any():
            raise InvalidInput(f"on {self.name!r} states look alike, so that V cannot be told from what is observed")
        return np.asarray(same.argmax(axis=1))


def fixed_cases(settings: Settings) -> list[Case]:
    """The problems that `certify` uses: each known mistake shows on at least one of them.

    - one step: one state, three actions;
    - two steps: always two, rewards r(s,a,s');
    - random length: one to three steps, an end that actions hasten;
    - corridor: one to three deterministic steps from two starts, a reward of 4 at its end;
    - cut, truncated: stopped after two of up to four steps; with `with_values` alone.

    Examples
    --------
    >>> [case.name for case in fixed_cases(Settings())]
    ['one step', 'two steps', 'random length', 'corridor']
    """
    problems = [_one_step(), _two_steps(), _random_length(), _corridor()]
    names = ["one step", "two steps", "random length", "corridor"]
    cases = [_case(name, mdp, settings) for name, mdp in zip(names, problems, strict=True)]
    if settings.with_values:
        cases += [_case(name, _longer(), settings, length=2, cut=name == "cut") for name in ("cut", "truncated")]
    return cases


def exact_gradient(case: Case, settings: Settings) -> FloatArray:
    """What the estimator should have for its mean, shape (P,).

        Σ_{t<L} γ^t Σ_s d_t(s) Σ_a π(a|s) Q_t(s,a) f(s,a)

    with d and Q of π_θ: ∇J of the whole problem, or, where episodes are stopped after L steps, the mean of an estimator
    that bootstraps from the exact V there, ∇J_γ − γ^L E[∇V(s_L)] (V4). With d and Q of β it is ∇_θ L_β (W4). An entropy
    bonus adds −β log π(a|s) to the rewards, since E[∇log π] = 0 (P12).

    Examples
    --------
    >>> from npgrad.oracle import gradient
    >>> case = fixed_cases(Settings())[2]
    >>> bool(np.allclose(exact_gradient(case, Settings()), gradient(case.mdp, case.policy, case.theta)))
    True
    """
    mdp = case.mdp.replace(gamma=settings.target_gamma)
    pi = probabilities(mdp, case.policy, case.theta)
    if settings.ent_coef:
        if pi.ndim == 3:
            raise InvalidInput("ent_coef needs a policy that does not observe the time")
        mdp = mdp.replace(R=mdp.R - settings.ent_coef * np.log(pi)[:, :, None])
    beta = case.behaviour(settings) if settings.target == "surrogate" else None
    who = pi if beta is None else beta
    steps = np.arange(_horizon(mdp))
    gamma_t = np.where(steps < (case.length or len(steps)), mdp.gamma**steps, 0.0)
    d = marginals(mdp, who)[:-1]
    w = gamma_t[:, None, None] * d[:, :, None] * pi * values(mdp, who).Q
    f = scores(mdp, case.policy, case.theta)  # (S, A, P), or with time (T, S, A, P)
    return np.asarray(np.tensordot(w if f.ndim == 4 else w.sum(axis=0), f, axes=f.ndim - 1))


def exact_values(case: Case, settings: Settings) -> Callable[[Batch], Values]:
    """The exact V_t(s_t) on a batch: of π_θ, or for the surrogate of β.

    Behind a termination the value counts as 0, whatever a critic says of the last observation: here it says numbers
    far from 0, so that who bootstraps there is found out.

    Examples
    --------
    >>> from npgrad.oracle import trajectories
    >>> case = fixed_cases(Settings(with_values=True))[4]
    >>> t = trajectories(case.mdp, case.policy, case.theta, length=case.length, cut=case.cut)
    >>> V = exact_values(case, Settings(with_values=True))(t.batch)
    >>> V.rows.shape == t.batch.rew.shape, V.final.shape == (len(t),)
    (True, True)
    """
    beta = case.behaviour(settings) if settings.target == "surrogate" else None
    pi = probabilities(case.mdp, case.policy, case.theta) if beta is None else beta
    V = values(case.mdp, pi).V  # (T + 1, S)

    def on(batch: Batch) -> Values:
        end = batch.start + batch.lengths
        s, last = case.states(batch.obs, batch.time), case.states(batch.final_obs, end)
        final = np.where(batch.terminated, 2.0 * np.sin(1.0 + 3.0 * last), V[end, last])
        return Values(V[batch.time, s], final)

    return on


def _case(name: str, mdp: TabularMDP, settings: Settings, length: int | None = None, cut: bool = False) -> Case:
    mdp = mdp.replace(gamma=settings.gamma)
    policy = (
        make_policy(mdp, settings.policy, hidden=(3,)) if isinstance(settings.policy, str) else settings.policy(mdp)
    )
    theta = 0.7 * np.random.default_rng(7).normal(size=policy.n_params)
    return Case(name, mdp, policy, theta, length, cut)


def _one_step() -> TabularMDP:
    return TabularMDP([1.0], np.ones((1, 3, 1)), [[1.5, -0.5, 2.5]], horizon=1)  # type: ignore[arg-type]


def _two_steps() -> TabularMDP:
    P = [[[0.0, 1.0], [0.8, 0.2]], [[0.6, 0.4], [0.0, 1.0]]]
    R = [[[1.0, -2.0], [0.5, 3.0]], [[-1.0, 2.0], [1.5, 0.0]]]
    return TabularMDP([1.0, 0.0], P, R, horizon=2)  # type: ignore[arg-type]


def _random_length() -> TabularMDP:
    P = np.zeros((3, 2, 3))
    P[0, 0, 1] = P[1, 0, 0] = 1.0
    P[0, 1] = [0.0, 0.4, 0.6]
    P[1, 1, 2] = 1.0
    R = [[[0, 1.2, 0], [0, -0.7, 2.0]], [[0.4, 0, 0], [-1.5, 0, 3.0]], [[0, 0, 0], [0, 0, 0]]]
    return TabularMDP([1.0, 0.0, 0.0], P, R, horizon=3, terminal=[False, False, True])  # type: ignore[arg-type]


def _corridor() -> TabularMDP:
    P = np.zeros((3, 2, 3))
    P[[0, 1], 0, [0, 1]] = P[[0, 1], 1, [1, 2]] = 1.0  # stay, go on
    R = [[-0.5, -1.0], [0.3, 4.0], [0, 0]]
    return TabularMDP([0.8, 0.2, 0.0], P, R, horizon=3, terminal=[False, False, True])  # type: ignore[arg-type]


def _longer() -> TabularMDP:
    P = np.zeros((4, 2, 4))
    P[0, 0] = [0.0, 0.6, 0.4, 0.0]
    P[0, 1] = [0.0, 0.0, 0.7, 0.3]
    P[1, 0, 2] = P[2, 0, 1] = 1.0
    P[1, 1] = [0.0, 0.5, 0.0, 0.5]
    P[2, 1] = [0.5, 0.5, 0.0, 0.0]
    R = [[1.0, -0.5], [-1.0, 2.0], [0.5, 1.5], [0.0, 0.0]]
    return TabularMDP([1.0, 0, 0, 0], P, R, horizon=4, terminal=[False] * 3 + [True])  # type: ignore[arg-type]


def _horizon(mdp: TabularMDP) -> int:
    if mdp.horizon is None:
        raise InvalidInput("the problem has no horizon, so its trajectories cannot be listed; give one with replace")
    return mdp.horizon
