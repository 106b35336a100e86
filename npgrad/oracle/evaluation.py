"""J, V, Q and A of a policy: backwards in time, or by one linear solve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..types import Array
from .chains import chain, marginals, occupancy, require_proper, stationary_distribution
from .mdp import TabularMDP
from .tables import PolicyOrTable, Spec, alive_table, at_time, probabilities, table_of

__all__ = [
    "Values",
    "average_reward",
    "differential_values",
    "look_ahead",
    "objective",
    "performance_difference",
    "surrogate",
    "values",
]


@dataclass(frozen=True, eq=False)
class Values:
    """V and Q of a policy; with a horizon, of each time.

    Parameters
    ----------
    V : array, shape (T + 1, S) or (S,)
        V_t(s), with V_T = 0.
    Q : array, shape (T, S, A) or (S, A)
        Q_t(s,a).
    """

    V: Array
    Q: Array

    @property
    def A(self) -> Array:
        """A_t(s,a) = Q_t(s,a) − V_t(s), of the shape of Q."""
        V = self.V[:-1] if self.Q.ndim == 3 else self.V
        return np.asarray(self.Q - V[..., None])


def values(mdp: TabularMDP, policy: PolicyOrTable, theta: Array | None = None) -> Values:
    """V, Q and A of a policy (O6).

        Q_t(s,a) = r(s,a) + γ Σ_{s'} p(s'|s,a) V_{t+1}(s'),  V_t(s) = Σ_a π_t(a|s) Q_t(s,a)

    backwards from V_T = 0; without a horizon V = (I − γ P_π)⁻¹ r_π. Values of terminal states are 0.

    Parameters
    ----------
    mdp, policy, theta
        As for `probabilities`.

    Raises
    ------
    InvalidInput
        As `probabilities`; also where γ = 1 without a horizon and the policy never ends an episode.

    Examples
    --------
    >>> from npgrad.oracle import TabularMDP
    >>> coin = TabularMDP([1.0], np.ones((1, 2, 1)), [[1.0, 0.0]], horizon=3)  # r = 1 for action 0
    >>> v = values(coin, [[0.5, 0.5]])
    >>> v.V[:, 0], v.Q[0], v.A[0]
    (array([1.5, 1. , 0.5, 0. ]), array([[2., 1.]]), array([[ 0.5, -0.5]]))
    """
    pi = probabilities(mdp, policy, theta)
    S, A = mdp.n_states, mdp.n_actions
    if mdp.horizon is None:
        if mdp.gamma == 1:
            require_proper(mdp, pi)
        r = (pi * mdp.r).sum(axis=1)
        V = np.linalg.solve(np.eye(S) - mdp.gamma * chain(mdp.P, alive_table(mdp, pi)), r)
        return Values(V, look_ahead(mdp, V))
    V = np.zeros((mdp.horizon + 1, S), dtype=pi.dtype)
    Q = np.zeros((mdp.horizon, S, A), dtype=pi.dtype)
    for t in reversed(range(mdp.horizon)):
        Q[t] = look_ahead(mdp, V[t + 1])
        V[t] = (at_time(pi, t, 2) * Q[t]).sum(axis=1)
    return Values(V, Q)


def look_ahead(mdp: TabularMDP, V: Array) -> Array:
    """r(s,a) + γ Σ_{s'} p(s'|s,a) V(s'), shape (S, A)."""
    S, A = mdp.n_states, mdp.n_actions
    return mdp.r + mdp.gamma * (mdp.P.reshape(S * A, S) @ V).reshape(S, A)


def objective(mdp: TabularMDP, policy: PolicyOrTable, theta: Array | None = None) -> Any:
    """J(θ) = E_{s_0} V_0(s_0) = E Σ_t γ^t r_t, an analytic function of θ: a complex θ gives a complex J (O2, O4, O8).

    Examples
    --------
    >>> from npgrad.oracle import TabularMDP
    >>> coin = TabularMDP([1.0], np.ones((1, 2, 1)), [[1.0, 0.0]], gamma=0.5)
    >>> float(objective(coin, [[0.5, 0.5]]))
    1.0
    """
    V = values(mdp, policy, theta).V
    return mdp.start @ (V if V.ndim == 1 else V[0])


def average_reward(mdp: TabularMDP, policy: PolicyOrTable, theta: Array | None = None) -> Any:
    """J_avg = E_μ[r] of a unichain, whatever the problem's horizon and γ (O3).

    Raises
    ------
    InvalidInput
        As `stationary_distribution`.

    Examples
    --------
    >>> from npgrad.oracle import TabularMDP
    >>> walk = TabularMDP([1.0, 0.0], [[[0.5, 0.5]], [[1.0, 0.0]]], [[0.0], [3.0]], gamma=0.9)
    >>> round(float(average_reward(walk, np.ones((2, 1)))), 12)
    1.0
    """
    pi = probabilities(mdp, policy, theta)
    return stationary_distribution(mdp, pi) @ (pi * mdp.r).sum(axis=1)


def differential_values(mdp: TabularMDP, policy: PolicyOrTable, theta: Array | None = None) -> Values:
    """Differential values h and Q of the average-reward problem, with μᵀh = 0 (P14).

        Q(s,a) = r(s,a) − J_avg + Σ_{s'} p(s'|s,a) h(s'),  h(s) = Σ_a π(a|s) Q(s,a)

    Solved as (I − P_π + 𝟙μᵀ) h = r_π − J_avg 𝟙.

    Examples
    --------
    >>> from npgrad.oracle import TabularMDP
    >>> walk = TabularMDP([1.0, 0.0], [[[0.5, 0.5]], [[1.0, 0.0]]], [[0.0], [3.0]], gamma=0.9)
    >>> differential_values(walk, np.ones((2, 1))).V.round(6)
    array([-0.666667,  1.333333])
    """
    pi = probabilities(mdp, policy, theta)
    mu = stationary_distribution(mdp, pi)
    r = (pi * mdp.r).sum(axis=1)
    J, S = mu @ r, mdp.n_states
    h = np.linalg.solve(np.eye(S) - chain(mdp.P, pi) + mu, r - J)
    return Values(h, mdp.r - J + mdp.P @ h)


def performance_difference(mdp: TabularMDP, new: Spec, old: Spec) -> Any:
    """Σ_t γ^t E_{d_t^{π'}} Σ_a (π'(a|s) − π(a|s)) A_t^π(s,a), which is J(π') − J(π) (O10).

    Parameters
    ----------
    mdp : TabularMDP
    new, old : (policy, theta) or array
        π' and π.

    Examples
    --------
    >>> from npgrad.oracle import TabularMDP
    >>> bandit = TabularMDP([1.0], np.ones((1, 3, 1)), [[2.0, 1.0, -9.0]], horizon=1)
    >>> round(float(performance_difference(bandit, [[0.2, 0.5, 0.3]], [[0.3, 0.4, 0.3]])), 12)
    -0.1
    """
    return _advantage_under(mdp, table_of(mdp, new), table_of(mdp, new), table_of(mdp, old))


def surrogate(mdp: TabularMDP, new: Spec, old: Spec) -> Any:
    """L_π(π') = Σ_t γ^t E_{d_t^π} Σ_a (π'(a|s) − π(a|s)) A_t^π(s,a): the same with the old policy's states (W4, N8).

    Equal to J(π') − J(π) to first order in π' − π.
    """
    return _advantage_under(mdp, table_of(mdp, old), table_of(mdp, new), table_of(mdp, old))


def _advantage_under(mdp: TabularMDP, visits: Array, new: Array, old: Array) -> Any:
    """Σ_t γ^t Σ_s d_t(s) Σ_a (new − old)(a|s) A_t^old(s,a), d that of the policy `visits`."""
    gain = ((new - old) * values(mdp, old).A).sum(axis=-1)  # (S,) or (T, S)
    if mdp.horizon is None:
        return occupancy(mdp, visits) @ gain
    d = marginals(mdp, visits)[:-1] * ~mdp.terminal
    return mdp.gamma ** np.arange(len(d)) @ (d * gain).sum(axis=1)
