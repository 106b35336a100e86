"""A policy on a table: π(a|s) of all actions, its scores, and sums of scores."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeGuard

import numpy as np

from ..errors import InvalidInput
from ..policies import Policy
from ..spaces import Discrete
from ..types import Array
from .mdp import TabularMDP

__all__ = ["PolicyOrTable", "Spec", "alive_table", "at_time", "probabilities", "scores", "table_of", "weighted_scores"]

PolicyOrTable: TypeAlias = Policy | Array  # a policy, beside its θ, or π(a|s) itself, (S, A) or (T, S, A)
Spec: TypeAlias = tuple[Policy, Array] | Array  # the same as one argument: (policy, θ), or a table


def probabilities(mdp: TabularMDP, policy: PolicyOrTable, theta: Array | None = None) -> Array:
    """π_θ(a|s), shape (S, A), or π_θ(a|s,t), shape (T, S, A), where observations tell the time.

    Parameters
    ----------
    mdp : TabularMDP
    policy : Policy or array
        A memoryless policy over the problem's actions, or such a table, which is checked and returned.
    theta : array, shape (P,), optional
        Parameters of the policy; complex ones give complex "probabilities", for complex-step derivatives.

    Raises
    ------
    InvalidInput
        If the policy does not fit the problem, has a memory, or the table's rows are no distributions.

    Examples
    --------
    >>> from npgrad.oracle import random_mdp
    >>> from npgrad.policies import make_policy
    >>> mdp = random_mdp(2, 3, horizon=2, seed=0)
    >>> policy = make_policy(mdp, "linear")
    >>> probabilities(mdp, policy, np.zeros(policy.n_params)).round(3)
    array([[0.333, 0.333, 0.333],
           [0.333, 0.333, 0.333]])
    """
    if not is_policy(policy):
        return _checked(mdp, np.asarray(policy))
    policy, theta = require_policy(mdp, policy, theta)
    require_memoryless(policy)
    obs, act = _all_pairs(mdp)
    pi: Array = np.exp(policy.at(theta, obs, act).log_prob)
    return pi.reshape(_shape(mdp))


def scores(mdp: TabularMDP, policy: PolicyOrTable, theta: Array | None) -> Array:
    """f(s,a) = ∇_θ log π_θ(a|s), shape (S, A, P), or (T, S, A, P) where observations tell the time.

    Raises
    ------
    InvalidInput
        If the policy does not fit the problem, has a memory, or is a table, which has no θ.
    """
    policy, theta = require_policy(mdp, policy, theta)
    require_memoryless(policy)
    obs, act = _all_pairs(mdp)
    f = policy.at(theta, obs, act).vjp_rows(np.ones(len(act)))
    return f.reshape(*_shape(mdp), policy.n_params)


def weighted_scores(mdp: TabularMDP, policy: PolicyOrTable, theta: Array | None, w: Array) -> Array:
    """Σ w f, shape (P,), for weights of the shape of `probabilities`, or of (T, S, A) where the policy has no time."""
    policy, theta = require_policy(mdp, policy, theta)
    if w.ndim == 3 and not mdp.timed:
        w = w.sum(axis=0)
    obs, act = _all_pairs(mdp)
    return policy.at(theta, obs, act).vjp(w.ravel())


def table_of(mdp: TabularMDP, spec: Spec) -> Array:
    """π(a|s) of ``(policy, theta)`` or of a table."""
    policy, theta = spec if isinstance(spec, tuple) else (spec, None)
    return probabilities(mdp, policy, theta)


def alive_table(mdp: TabularMDP, pi: Array) -> Array:
    """π(a|s) with rows of zeros at terminal states, where nobody acts."""
    return pi * ~mdp.terminal[:, None]


def at_time(x: Array, t: int, ndim: int) -> Array:
    """x_t of an array with a leading time axis; x itself where it has none, that is, has only `ndim` axes."""
    return x if x.ndim == ndim else x[t]


def is_policy(policy: Any) -> TypeGuard[Policy]:
    """Whether it is a policy rather than a table."""
    return hasattr(policy, "at")


def require_policy(mdp: TabularMDP, policy: PolicyOrTable, theta: Array | None) -> tuple[Policy, Array]:
    """`policy` and `theta`, once it is sure that they fit the problem."""
    if not is_policy(policy) or theta is None:
        raise InvalidInput("scores are those of a policy at a θ; expected policy and theta, got a table or no theta")
    space, A, d = policy.action_space, mdp.n_actions, mdp.n_obs
    if not isinstance(space, Discrete) or space.n != A or policy.n_obs != d:
        raise InvalidInput(
            f"the policy takes {policy.n_obs} numbers and acts in {space}, the problem shows {d} and has {A} actions; "
            'make_policy(mdp, "linear") makes one that fits'
        )
    return policy, np.asarray(theta)


def require_memoryless(policy: Policy) -> None:
    """Raise if the policy looks back."""
    if policy.n_memory:
        raise InvalidInput(
            f"the policy remembers {policy.n_memory} numbers, so π(a|s) is no table; enumerate trajectories instead"
        )


def _shape(mdp: TabularMDP) -> tuple[int, ...]:
    lead = (mdp.horizon,) if mdp.timed and mdp.horizon else ()
    return (*lead, mdp.n_states, mdp.n_actions)


def _all_pairs(mdp: TabularMDP) -> tuple[Array, Array]:
    """Observation and action of every (s, a), or (t, s, a), in row-major order."""
    obs = mdp.obs[:-1] if mdp.timed else mdp.obs  # o_T sees no action
    rows = obs.reshape(-1, mdp.n_obs)
    return np.repeat(rows, mdp.n_actions, axis=0), np.tile(np.arange(mdp.n_actions), len(rows))


def _checked(mdp: TabularMDP, pi: Array) -> Array:
    S, A = mdp.n_states, mdp.n_actions
    shapes = [(S, A)] + ([(mdp.horizon, S, A)] if mdp.horizon else [])
    if pi.shape not in shapes or pi.dtype.kind not in "fciub":
        expected = " or ".join(map(str, shapes))
        raise InvalidInput(f"the table of a policy has shape {pi.shape}, expected {expected}: π(a|s)")
    pi = pi.astype(np.result_type(pi, np.float64))
    wrong = (pi.real < 0).any(axis=-1) | ~(np.abs(pi.sum(axis=-1) - 1) <= 1e-9)
    if wrong.any():
        row = np.argwhere(wrong)[0].tolist()
        raise InvalidInput(f"π{row} is {pi[tuple(row)]}, expected probabilities that sum to 1")
    return pi
