"""Optimal values: backward induction, policy iteration, value iteration."""

from __future__ import annotations

import numpy as np

from ..errors import InvalidInput
from ..types import Array, IntArray
from .evaluation import Values, look_ahead, values
from .mdp import TabularMDP

__all__ = ["backward_induction", "greedy", "optimal_values", "policy_iteration", "value_iteration"]


def greedy(Q: Array) -> Array:
    """The table of the policy that takes argmax_a Q(s,a), the first of equals; of the shape of Q (O7).

    Examples
    --------
    >>> greedy(np.array([[1.0, 3.0], [2.0, 2.0]]))
    array([[0., 1.],
           [1., 0.]])
    """
    return np.asarray(np.eye(Q.shape[-1])[Q.real.argmax(axis=-1)])


def optimal_values(mdp: TabularMDP) -> Values:
    """V* and Q*: by backward induction with a horizon, else by policy iteration. `greedy` of Q* is an optimal policy.

    Raises
    ------
    InvalidInput
        If without a horizon and at γ = 1 rewards can be collected for ever.

    Examples
    --------
    >>> from npgrad.oracle import from_gymnasium
    >>> lake = from_gymnasium("FrozenLake-v1", horizon=None)
    >>> round(float(optimal_values(lake).V[0]), 12)
    0.823529411765
    """
    return policy_iteration(mdp) if mdp.horizon is None else backward_induction(mdp)


def backward_induction(mdp: TabularMDP) -> Values:
    """V*_t(s) = max_a Q*_t(s,a), backwards from V*_T = 0.

    Raises
    ------
    InvalidInput
        If there is no horizon.
    """
    if mdp.horizon is None:
        raise InvalidInput("backward induction goes back from a horizon, and there is none; use policy_iteration")
    V = np.zeros((mdp.horizon + 1, mdp.n_states))
    Q = np.zeros((mdp.horizon, mdp.n_states, mdp.n_actions))
    for t in reversed(range(mdp.horizon)):
        Q[t] = look_ahead(mdp, V[t + 1])
        V[t] = Q[t].max(axis=1)
    return Values(V, Q)


def policy_iteration(mdp: TabularMDP) -> Values:
    """V* of a problem without a horizon, each policy evaluated by a linear solve (Howard 1960).

    An action changes only where that gains more than rounding; so at γ = 1 policies that end stay such, unless rewards
    can be collected for ever, which raises.
    """
    _require_no_horizon(mdp)
    states = np.arange(mdp.n_states)
    action = _towards_the_end(mdp) if mdp.gamma == 1 else mdp.r.argmax(axis=1)
    while True:
        v = values(mdp, np.eye(mdp.n_actions)[action])
        scale = 1e-12 * max(1.0, np.abs(v.Q).max())
        better = v.Q.argmax(axis=1)
        gains = v.Q[states, better] > v.Q[states, action] + scale
        if not gains.any():
            return v
        action = np.where(gains, better, action)


def value_iteration(mdp: TabularMDP, *, tol: float = 1e-12, max_iterations: int = 1_000_000) -> Values:
    """V* as the limit of V ← max_a [r + γ P V], until it moves by less than `tol`; a check of `policy_iteration`.

    Raises
    ------
    InvalidInput
        If there is a horizon, or V still moves after `max_iterations`.
    """
    _require_no_horizon(mdp)
    V = np.zeros(mdp.n_states)
    for _ in range(max_iterations):
        Q = look_ahead(mdp, V)
        V, before = Q.max(axis=1), V
        if np.abs(V - before).max() < tol:
            return Values(V, Q)
    raise InvalidInput(
        f"V still moves by {np.abs(V - before).max():.2g} after {max_iterations} iterations, expected < {tol}"
    )


def _require_no_horizon(mdp: TabularMDP) -> None:
    if mdp.horizon is not None:
        raise InvalidInput(
            f"the problem has a horizon of {mdp.horizon}, where values depend on time; use backward_induction"
        )


def _towards_the_end(mdp: TabularMDP) -> IntArray:
    """An action for each state that can bring a terminal one nearer: a policy under which every episode ends."""
    edges = mdp.P > 0
    reached = mdp.terminal.copy()
    action = np.zeros(mdp.n_states, dtype=np.int64)
    while not reached.all():
        nearer = np.asarray((edges & reached).any(axis=2))  # (S, A)
        new = nearer.any(axis=1) & ~reached
        action[new] = nearer[new].argmax(axis=1)
        reached |= new
    return action
