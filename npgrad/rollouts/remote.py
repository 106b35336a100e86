"""Rollouts by workers in other processes: whole blocks of slots, so that the bits are those of one process."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import InvalidInput
from ..policies import Policy
from ..spaces import Space
from ..types import Array, Batch, concatenate
from ..workers import Workers, split
from .base import Layout
from .compiled import CompiledRollout
from .gymnasium import GymnasiumRollout
from .make import make_rollout
from .vector import VectorRollout

__all__ = ["RemoteRollout", "RolloutSource", "rollout_of"]


@dataclass(frozen=True)
class RolloutSource:
    """How to make a rollout in another process; the arguments of `make_rollout`."""

    env: str | Callable[[], Any]
    engine: str = "auto"
    n_envs: int | None = None
    fresh: bool = False
    n_blocks: int = 1
    env_kwargs: tuple[tuple[str, Any], ...] = ()

    def make(self) -> CompiledRollout | GymnasiumRollout:
        """The rollout.

        Raises
        ------
        InvalidInput
            If the environment is one that exists already: it cannot be in several processes.
        """
        if isinstance(self.env, str) or callable(self.env):
            kwargs = dict(self.env_kwargs)
            made = make_rollout(self.env, self.engine, self.n_envs, self.fresh, self.n_blocks, **kwargs)
            if not isinstance(made, VectorRollout):
                return made
        raise InvalidInput(f"workers make environments of their own, got {self.env!r}; pass its id, or its function")

    def packed(self) -> bytes:
        """For `rollout_of`."""
        try:
            return pickle.dumps(self, protocol=5)
        except Exception as error:
            raise InvalidInput(
                f"the environment {self.env!r} cannot be sent to workers ({error}); pass an id, as module:Id for one "
                "of your own, or a function that stands in a module"
            ) from error


@lru_cache(maxsize=8)
def rollout_of(packed: bytes) -> CompiledRollout | GymnasiumRollout:
    """The rollout of a packed source, made once a process."""
    source: RolloutSource = pickle.loads(packed)
    return source.make()


@dataclass(frozen=True)
class Share:
    """What a worker is asked for: some blocks of episodes, or some steps of some blocks of slots."""

    source: bytes
    policy: Policy
    theta: Array
    seed: int
    deterministic: bool = False
    layout: Layout | None = None
    n_steps: int = 0
    state: dict[str, Array] | None = None

    @property
    def first(self) -> int:
        """The first episode."""
        return self.layout[1][0][0] if self.layout else 0

    @property
    def end(self) -> int:
        """The one after the last."""
        return self.layout[1][-1][1] if self.layout else 0


def roll_share(share: Share) -> tuple[dict[str, Array], dict[str, Array]]:
    """The arrays of the batch, and of the state after it; in a worker."""
    rollout = rollout_of(share.source)
    after: dict[str, Array] = {}
    if share.layout is not None:
        batch = rollout.episodes(
            share.policy,
            share.theta,
            seed=share.seed,
            first=share.first,
            count=share.end - share.first,
            deterministic=share.deterministic,
            layout=share.layout,
        )
    else:
        batch, after = rollout.steps(
            share.policy, share.theta, seed=share.seed, n_steps=share.n_steps, state=share.state or {}
        )
    return {f.name: getattr(batch, f.name) for f in fields(batch)}, after


def fits(share: Share, result: tuple[dict[str, Array], dict[str, Array]]) -> bool:
    """Whether an answer is one to the question."""
    arrays, _ = result
    return share.layout is None or np.array_equal(arrays["episode"], np.arange(share.first, share.end))


class RemoteRollout:
    """A rollout whose blocks are computed by workers: each gets θ once a call, and gives its part of the batch.

    Parameters
    ----------
    source : RolloutSource
        How a worker makes the environments.
    workers : Workers

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from npgrad.policies import make_policy
    >>> from npgrad.workers import Given
    >>> with ThreadPoolExecutor(2) as executor:
    ...     rollout = RemoteRollout(RolloutSource("CartPole-v1", n_envs=1), Workers(Given(executor, 2)))
    ...     policy = make_policy(rollout, "linear")
    ...     theta = np.zeros(policy.n_params)
    ...     batch = rollout.episodes(policy, theta, seed=0, first=0, count=8)
    >>> here = make_rollout("CartPole-v1", n_envs=1).episodes(policy, theta, seed=0, first=0, count=8)
    >>> np.array_equal(batch.obs, here.obs)
    True
    """

    def __init__(self, source: RolloutSource, workers: Workers) -> None:
        self.here, self.workers = source.make(), workers
        self.source = source.packed()
        self.env_id, self.n_envs, self.n_blocks = self.here.env_id, self.here.n_envs, self.here.n_blocks

    @property
    def observation_space(self) -> Space:
        """What the environment gives."""
        return self.here.observation_space

    @property
    def action_space(self) -> Space:
        """What the environment takes."""
        return self.here.action_space

    @property
    def n_masked(self) -> int:
        """How many of the last columns of obs are a mask over actions."""
        return self.here.n_masked

    def episodes(
        self,
        policy: Policy,
        theta: Array,
        *,
        seed: int,
        first: int,
        count: int,
        deterministic: bool = False,
        executor: Executor | None = None,
    ) -> Batch:
        """The complete episodes first, …, first + count − 1, in that order; the executor of this process is not used.

        Raises
        ------
        WorkerFailure
            If workers are lost again and again.
        InvalidInput, EnvironmentFailure, NonFinite
            As the rollout in a worker.
        """
        return self.gather(self.shares(policy, theta, seed, first, count, deterministic))

    def shares(
        self, policy: Policy, theta: Array, seed: int, first: int, count: int, deterministic: bool
    ) -> list[Share]:
        """What each worker is asked for: some of the blocks."""
        n_slots, blocks = self.here.layout(policy, theta, first, count)
        return [
            Share(self.source, policy, theta, seed, deterministic, (n_slots, blocks[lo:hi]))
            for lo, hi in split(len(blocks), self.workers.n)
        ]

    def gather(self, shares: list[Share]) -> Batch:
        """The batch of all shares."""
        return concatenate([Batch(**arrays) for arrays, _ in self.workers.map(roll_share, shares, fits=fits)])

    def start(self, policy: Policy, theta: Array) -> dict[str, Array]:
        """Where `steps` begins: all slots before their first episode."""
        return self.here.start(policy, theta)

    def steps(
        self,
        policy: Policy,
        theta: Array,
        *,
        seed: int,
        n_steps: int,
        state: dict[str, Array],
        executor: Executor | None = None,
    ) -> tuple[Batch, dict[str, Array]]:
        """`n_steps` of every slot; each share takes along where its slots are, so that any worker can go on with it."""
        shares = [
            Share(
                self.source, policy, theta, seed, n_steps=n_steps,
                state={name: array[lo * self.n_envs : hi * self.n_envs] for name, array in state.items()},
            )
            for lo, hi in split(self.here.n_blocks, self.workers.n)
        ]  # fmt: skip
        batches, after = zip(*self.workers.map(roll_share, shares, fits=fits), strict=True)
        return concatenate([Batch(**arrays) for arrays in batches]), joined(after)

    def close(self) -> None:
        """Close what this process holds; the workers are somebody else's."""
        self.here.close()


def joined(states: tuple[dict[str, Array], ...]) -> dict[str, Array]:
    """States of several shares as one; their actions so far are padded to the longest."""
    if "actions" in states[0]:
        longest = max(state["actions"].shape[1] for state in states)
        states = tuple(s | {"actions": _padded(s["actions"], longest)} for s in states)
    return {name: np.concatenate([state[name] for state in states]) for name in states[0]}


def _padded(actions: Array, longest: int) -> Array:
    more = np.zeros((len(actions), longest - actions.shape[1], *actions.shape[2:]), dtype=actions.dtype)
    return np.concatenate([actions, more], axis=1)
