"""Demonstrations: trajectories with the spaces they live in, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import InvalidInput
from ..spaces import Box, Discrete, MultiBinary, MultiDiscrete, Space, flat_dim
from ..types import Array, Batch, concatenate
from ..validation import require_shape

__all__ = ["Demonstrations", "action_bounds", "joined"]


@dataclass(frozen=True, eq=False)
class Demonstrations:
    """Episodes of somebody who acts, as an environment gave and took them.

    Parameters
    ----------
    batch : Batch
        ``act`` as the environment takes it, flat: (T,) integers of a Discrete space, else (T, k). ``logp`` is 0 where
        nobody knows it.
    observation_space, action_space : Space
        Of the environment.
    info : mapping, optional
        Where they come from; plain data.
    n_masked : int, optional
        The last columns of obs that are a mask over actions.

    Raises
    ------
    InvalidInput
        If there is no step, shapes do not fit the spaces, or an action is outside its space.

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((3, 2)), act=np.array([0, 1, 0]), rew=np.ones(3), logp=np.zeros(3),
    ...               offsets=np.array([0, 2, 3]), terminated=np.array([True, True]),
    ...               truncated=np.array([False, False]), final_obs=np.zeros((2, 2)))
    >>> Demonstrations(batch, Box(-1.0, 1.0, (2,)), Discrete(2)).n_episodes
    2
    >>> Demonstrations(batch, Box(-1.0, 1.0, (2,)), Discrete(2, start=1))
    Traceback (most recent call last):
    npgrad.errors.InvalidInput: act[0] is 0 (2 of 3 rows are outside), expected one of Discrete(n=2, start=1, ...
    """

    batch: Batch
    observation_space: Space
    action_space: Space
    info: Mapping[str, Any] = field(default_factory=dict)
    n_masked: int = 0

    def __post_init__(self) -> None:
        batch = self.batch
        if not batch.n_steps:
            raise InvalidInput("there is no step in these demonstrations; expected one episode at least")
        width = flat_dim(self.observation_space) + self.n_masked
        require_shape("obs", batch.obs, (None, width), f"the flat observations of {self.observation_space}")
        low, high = action_bounds(self.action_space)
        k = None if isinstance(self.action_space, Discrete) else len(low)
        require_shape("act", batch.act, (batch.n_steps,) if k is None else (batch.n_steps, k))
        if isinstance(self.action_space, Box) or batch.act.dtype.kind in "iub":
            rows = batch.act.reshape(batch.n_steps, -1)
            outside = np.flatnonzero(~((rows >= low) & (rows <= high)).all(axis=1))
        else:
            raise InvalidInput(f"act has dtype {batch.act.dtype}, expected integers of {self.action_space}")
        if len(outside):
            raise InvalidInput(
                f"act[{outside[0]}] is {batch.act[outside[0]]} ({len(outside)} of {batch.n_steps} rows are outside), "
                f"expected one of {self.action_space}; clip what was recorded to what the environment took"
            )

    @property
    def n_episodes(self) -> int:
        """N."""
        return self.batch.n_episodes

    @property
    def n_steps(self) -> int:
        """T, over all episodes."""
        return self.batch.n_steps

    def select(self, episodes: Sequence[int] | slice) -> Demonstrations:
        """Some of the episodes."""
        return replace(self, batch=self.batch.select(episodes))

    def __repr__(self) -> str:
        env = self.info.get("env_id", "")
        return f"Demonstrations({self.n_episodes} episodes, {self.n_steps} steps{' of ' + env if env else ''})"


def action_bounds(space: Space) -> tuple[Array, Array]:
    """The least and the largest number of each column of flat actions, (k,) each.

    Raises
    ------
    InvalidInput
        If the space is composite: no policy acts in one.
    """
    match space:
        case Discrete():
            return np.array([space.start]), np.array([space.start + space.n - 1])
        case MultiDiscrete():
            start, n = (np.broadcast_to(np.ravel(x), len(space.nvec)) for x in (space.start, space.nvec))
            return start, start + n - 1
        case MultiBinary():
            k = flat_dim(space)
            return np.zeros(k, dtype=np.int64), np.ones(k, dtype=np.int64)
        case Box():
            low, high = space.bounds()
            return np.ravel(low), np.ravel(high)
        case _:
            raise InvalidInput(f"actions {space}: expected Discrete, MultiDiscrete, MultiBinary or Box")


def joined(parts: Sequence[Demonstrations]) -> Demonstrations:
    """One of several, of the same spaces, with the info of the first.

    Raises
    ------
    InvalidInput
        If there is none, or spaces differ.
    """
    if not parts:
        raise InvalidInput("no demonstrations to join; expected at least one")
    first = parts[0]
    for other in parts[1:]:
        for name in ("observation_space", "action_space", "n_masked"):
            if getattr(other, name) != getattr(first, name):
                raise InvalidInput(
                    f"demonstrations differ in their {name.replace('_', ' ')}: {getattr(first, name)} and "
                    f"{getattr(other, name)}; join those of one environment"
                )
    return replace(first, batch=concatenate([part.batch for part in parts]))
