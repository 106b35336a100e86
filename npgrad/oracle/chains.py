"""Where a policy leads: marginals, occupancies, stationary distributions."""

from __future__ import annotations

import numpy as np

from ..errors import InvalidInput
from ..types import Array
from .graphs import can_reach, closed_classes
from .mdp import TabularMDP
from .tables import PolicyOrTable, Spec, alive_table, at_time, probabilities, table_of

__all__ = [
    "chain",
    "marginals",
    "occupancy",
    "ratio_second_moments",
    "require_proper",
    "state_action_chain",
    "stationary_distribution",
]


def chain(P: Array, pi: Array) -> Array:
    """P_π(s'|s) = Σ_a π(a|s) p(s'|s,a), shape (S, S)."""
    return np.asarray(np.einsum("sa,sax->sx", pi, P))


def state_action_chain(mdp: TabularMDP, policy: PolicyOrTable, theta: Array | None = None) -> Array:
    """𝒯((s',a')|(s,a)) = p(s'|s,a) π(a'|s'), shape (S·A, S·A), row (s,a) (O3).

    Examples
    --------
    >>> from npgrad.oracle import random_mdp
    >>> T = state_action_chain(random_mdp(2, 2, horizon=1, seed=0), np.full((2, 2), 0.5))
    >>> T.shape, T.sum(axis=1)
    ((4, 4), array([1., 1., 1., 1.]))
    """
    pi = _stationary_table(mdp, policy, theta)
    SA = mdp.n_states * mdp.n_actions
    return (mdp.P[..., None] * pi).reshape(SA, SA)


def marginals(mdp: TabularMDP, policy: PolicyOrTable, theta: Array | None = None, *, steps: int | None = None) -> Array:
    """d_t(s) = p(s_t = s) for t = 0 … T, shape (T + 1, S); terminal states keep what has entered them (O2).

        d_0 = start,  d_{t+1} = P_πᵀ d_t

    Parameters
    ----------
    mdp, policy, theta
        As for `probabilities`.
    steps : int, optional
        T; the problem's horizon by default.

    Raises
    ------
    InvalidInput
        If there is neither a horizon nor `steps`.

    Examples
    --------
    >>> from npgrad.oracle import random_mdp
    >>> mdp = random_mdp(3, 2, horizon=4, seed=0)
    >>> marginals(mdp, np.full((3, 2), 0.5)).sum(axis=1)
    array([1., 1., 1., 1., 1.])
    """
    pi = probabilities(mdp, policy, theta)
    T = mdp.horizon if steps is None else steps
    if T is None or (pi.ndim == 3 and len(pi) < T):
        raise InvalidInput("marginals need a number of steps: give steps=, no more than a policy in time has")
    d = np.zeros((T + 1, mdp.n_states), dtype=pi.dtype)
    d[0] = mdp.start
    for t in range(T):
        d[t + 1] = d[t] @ chain(mdp.P, at_time(pi, t, 2))
    return d


def occupancy(mdp: TabularMDP, policy: PolicyOrTable, theta: Array | None = None) -> Array:
    """d_γ(s) = Σ_t γ^t p(s_t = s) over steps on which an action is taken, shape (S,); 0 at terminal states (P15).

    With a horizon Σ_{t<T} γ^t d_t; without, (I − γ P_πᵀ) d_γ = start. Not normalised: at γ = 1 it sums to E[T].

    Examples
    --------
    >>> from npgrad.oracle import random_mdp
    >>> mdp = random_mdp(3, 2, horizon=None, gamma=0.9, seed=0)
    >>> round(float(occupancy(mdp, np.full((3, 2), 0.5)).sum()), 12)  # 1/(1 − γ)
    10.0
    """
    pi = probabilities(mdp, policy, theta)
    alive = ~mdp.terminal
    if mdp.horizon is not None:
        d = marginals(mdp, pi)[:-1]
        return (mdp.gamma ** np.arange(len(d)) @ d) * alive
    if mdp.gamma == 1:
        require_proper(mdp, pi)
    P = chain(mdp.P, alive_table(mdp, pi))
    d = np.linalg.solve(np.eye(len(P)) - mdp.gamma * P.T, mdp.start.astype(P.dtype))
    return np.asarray(d * alive)


def stationary_distribution(mdp: TabularMDP, policy: PolicyOrTable, theta: Array | None = None) -> Array:
    """μ = P_πᵀ μ, Σ μ = 1, of a unichain, shape (S,) (O3).

    Solved as μᵀ (I − P_π + 𝟙𝟙ᵀ) = 𝟙ᵀ, which is regular exactly for a unichain.

    Raises
    ------
    InvalidInput
        If the chain has several closed classes: the long run then depends on the start.

    Examples
    --------
    >>> from npgrad.oracle import TabularMDP
    >>> walk = TabularMDP([1.0, 0.0], [[[0.5, 0.5]], [[1.0, 0.0]]], [[0.0], [1.0]], gamma=0.9)
    >>> stationary_distribution(walk, np.ones((2, 1))).round(6)
    array([0.666667, 0.333333])
    """
    P = chain(mdp.P, _stationary_table(mdp, policy, theta))
    classes = closed_classes(P.real > 0)
    if len(classes) > 1:
        raise InvalidInput(
            f"the chain has {len(classes)} closed classes, the first two {classes[0]} and {classes[1]}; "
            "there is one stationary distribution only in a unichain"
        )
    S = len(P)
    return np.linalg.solve((np.eye(S) - P + 1).T, np.ones(S, P.dtype))


def ratio_second_moments(mdp: TabularMDP, target: Spec, behaviour: Spec) -> Array:
    """E_β[(Π_{k<t} ρ_k)²] for t = 0 … T, ρ_k = π(a_k|s_k)/β(a_k|s_k), shape (T + 1,) (W9).

        start · M_0 M_1 ⋯ M_{t−1} · 𝟙,  M(s,s') = Σ_a π(a|s)²/β(a|s) p(s'|s,a);  after the end ratios are 1

    Parameters
    ----------
    mdp : TabularMDP
        With a horizon.
    target, behaviour : (policy, theta) or array
        π and β; β > 0 wherever π is.

    Raises
    ------
    InvalidInput
        If there is no horizon, or β misses an action of π.

    Examples
    --------
    >>> from npgrad.oracle import TabularMDP
    >>> coin = TabularMDP([1.0], np.ones((1, 2, 1)), [[1.0, 0.0]], horizon=3)
    >>> ratio_second_moments(coin, np.array([[0.9, 0.1]]), np.array([[0.5, 0.5]])).round(6)
    array([1.      , 1.64    , 2.6896  , 4.410944])
    """
    if mdp.horizon is None:
        raise InvalidInput("ratios over an endless trajectory have no second moment; give a horizon")
    pi, beta = table_of(mdp, target), table_of(mdp, behaviour)
    m = [mdp.start]
    for t in range(mdp.horizon):
        p, q = at_time(pi, t, 2), at_time(beta, t, 2)
        if ((p > 0) & (q == 0)).any():
            s, a = np.argwhere((p > 0) & (q == 0))[0]
            raise InvalidInput(
                f"the behaviour never takes action {a} in state {s}, which the target does; ratios need β > 0"
            )
        square = np.where(p > 0, p**2 / np.where(q > 0, q, 1), 0)
        M = np.where(mdp.terminal[:, None], np.eye(mdp.n_states), chain(mdp.P, square))
        m.append(m[-1] @ M)
    return np.asarray(np.sum(m, axis=1))


def require_proper(mdp: TabularMDP, pi: Array) -> None:
    """Raise unless every state reaches a terminal one under `pi`, so that episodes end and values exist at γ = 1."""
    ends = can_reach(chain(mdp.P, pi).real > 0, mdp.terminal)
    if not ends.all():
        raise InvalidInput(
            f"under this policy an episode in state {int(np.flatnonzero(~ends)[0])} never ends, and a sum over it is "
            "not discounted: give a horizon or a discount below 1, or a policy that can leave"
        )


def _stationary_table(mdp: TabularMDP, policy: PolicyOrTable, theta: Array | None) -> Array:
    pi = probabilities(mdp, policy, theta)
    if pi.ndim == 3:
        raise InvalidInput("the policy depends on time; its chain is not homogeneous, so that it has no long run")
    return pi
