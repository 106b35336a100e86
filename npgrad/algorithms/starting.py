"""A run that begins with the θ of a saved agent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..deploy import Agent
from ..deploy.codec import encode
from ..errors import InvalidInput
from ..policies import Policy
from ..policies.normaliser import Moments
from ..types import Array, State

__all__ = ["begin_with", "require_same_policy"]


def begin_with(agent: Agent, policy: Policy, state: State, normalizes: bool) -> State:
    """`state` with the agent's θ, and with its normaliser where the run normalises observations.

    Parameters
    ----------
    agent : Agent
        Of the same policy.
    policy : Policy
        Of the run.
    state : State
        Of the run before its first iteration.
    normalizes : bool
        Whether the run normalises observations by what it sees.

    Raises
    ------
    InvalidInput
        If the agent's policy is another one, or its θ belongs to observations that are normalised otherwise.
    """
    require_same_policy(agent.policy, policy)
    theirs, ours = (getattr(p, "normaliser", None) for p in (agent.policy, policy))
    if (theirs is None) == (normalizes or ours is not None):
        sees, would = ("normalised", "raw") if theirs is not None else ("raw", "normalised")
        raise InvalidInput(
            f"normalize_observations is {normalizes}, so that the policy would see {would} observations, but the "
            f"agent's θ is for {sees} ones; make it {not normalizes}"
        )
    if normalizes and theirs is not None:
        count = int(agent.info.get("timesteps", 0))  # a row a timestep went into mean and deviation
        if count < 2:
            raise InvalidInput("the agent does not say how many timesteps its normaliser has seen; save it from a run")
        moments = Moments(count, theirs.mean, theirs.std**2 * count)
        state = state.with_groups(normaliser=moments.as_arrays())
    return replace(state, theta=np.array(agent.theta, dtype=state.theta.dtype))


def require_same_policy(theirs: Policy, ours: Policy) -> None:
    """Raise unless two policies are the same but for their normalisers.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.spaces import Box, Discrete
    >>> spaces = Box(-1.0, 1.0, (4,)), Discrete(2)
    >>> require_same_policy(make_policy(spaces, "linear"), make_policy(spaces, "mlp"))
    Traceback (most recent call last):
    npgrad.errors.InvalidInput: the agent's policy has function Linear(...), but the run's has MLP(...); give ...
    """
    for name in ("observation_space", "action_space", "function", "distribution", "action_map", "n_masked"):
        a, b = getattr(theirs, name, None), getattr(ours, name, None)
        if not _same(a, b):
            raise InvalidInput(
                f"the agent's policy has {name.replace('_', ' ')} {a}, but the run's has {b}; "
                "give the run the same policy and the same options"
            )
    if type(theirs) is not type(ours) or theirs.n_params != ours.n_params:
        raise InvalidInput(
            f"the agent's policy is a {type(theirs).__name__} of {theirs.n_params} parameters, the run's a "
            f"{type(ours).__name__} of {ours.n_params}; give the run the same policy"
        )


def _same(a: Any, b: Any) -> bool:
    """Whether two parts are described by the same data."""
    ours: dict[str, Array] = {}
    theirs: dict[str, Array] = {}
    try:
        if encode(a, "", ours) != encode(b, "", theirs):
            return False
    except InvalidInput:  # parts of the user's own that have no place in a file
        return a is b or bool(a == b)
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[k], theirs[k]) for k in ours)
