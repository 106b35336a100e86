"""What a rollout is, and how the rows that a block of slots records become a Batch."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .. import kernels
from ..errors import InvalidInput
from ..policies import Policy
from ..pool import map_ordered
from ..spaces import Space
from ..types import Array, Batch, BoolArray, IntArray, concatenate

NEVER = np.iinfo(np.int64).max  # the end of the episodes of a rollout that goes on

Layout = tuple[int, list[tuple[int, int]]]  # slots of a block, and the episodes of each block as (first, end)

__all__ = ["NEVER", "Layout", "Live", "Record", "Rollout", "Segments", "blocks_of", "continued", "started"]


class Rollout(Protocol):
    """A source of trajectories of one environment.

    Episode e is a function of (environment, seed, e, θ) alone: neither the number of threads nor what ran before
    matters.
    """

    env_id: str
    n_envs: int

    @property
    def observation_space(self) -> Space:
        """What the environment gives."""

    @property
    def action_space(self) -> Space:
        """What the environment takes."""

    @property
    def n_masked(self) -> int:
        """How many of the last columns of obs are a mask over actions; 0: there is none."""

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
        """The complete episodes first, …, first + count − 1, in that order."""

    def start(self, policy: Policy, theta: Array) -> dict[str, Array]:
        """Where `steps` begins: all slots before their first episode."""

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
        """`n_steps` of every slot, as segments that begin and end where they do, and where to go on from."""

    def close(self) -> None:
        """Release what the rollout holds."""


@dataclass
class Live:
    """What a block of B slots carries from step to step; it goes in and comes out, so a rollout continues or is saved.

    A slot whose episode ends takes another while there is one below `end`, else it idles with episode −1. The next one
    comes from a queue that the slots share (episodes do not depend on their slot, so who takes which does not matter),
    or, by quota, slot k takes every B-th from its own first.
    """

    episode: IntArray  # (B,), −1: idle
    t: IntArray  # (B,)
    obs: Array  # (B, d)
    memory: Array  # (B, M)
    next_episode: IntArray  # (B,); all the same in a queue
    end: int
    quota: int = 0  # how far a slot's episodes are apart; 0: a queue

    @classmethod
    def idle(
        cls,
        n_slots: int,
        policy: Policy,
        theta: Array,
        first: int,
        end: int,
        quota: int = 0,
        obs_dtype: npt.DTypeLike = np.float64,
    ) -> Live:
        """Slots that have not begun."""
        return cls(
            episode=np.full(n_slots, -1, dtype=np.int64),
            t=np.zeros(n_slots, dtype=np.int64),
            obs=np.ones((n_slots, policy.n_obs), dtype=obs_dtype),  # idle slots act too: no mask may be empty
            memory=np.zeros((n_slots, policy.n_memory), dtype=theta.dtype),
            next_episode=first + (np.arange(n_slots) if quota else np.zeros(n_slots, dtype=np.int64)),
            end=end,
            quota=quota,
        )

    @property
    def running(self) -> BoolArray:
        """Which slots have an episode."""
        return self.episode >= 0

    @property
    def waiting(self) -> BoolArray:
        """Which slots idle, but have an episode before them."""
        return (self.episode < 0) & (self.next_episode < self.end)

    def take(self, lanes: IntArray) -> IntArray:
        """Give the slots `lanes` their next episodes, as far as there are any; return the lanes that begin one."""
        begun = []
        for lane in lanes:
            self.t[lane] = 0
            self.episode[lane] = -1
            if self.next_episode[lane] < self.end:
                self.episode[lane] = self.next_episode[lane]
                self.memory[lane] = 0
                if self.quota:
                    self.next_episode[lane] += self.quota
                else:
                    self.next_episode += 1
                begun.append(lane)
        return np.array(begun, dtype=np.int64)

    def arrays(self) -> dict[str, Array]:
        """What `start` and `steps` give: copies."""
        return {name: np.array(getattr(self, name)) for name in ("episode", "t", "obs", "memory", "next_episode")}

    @classmethod
    def of(cls, arrays: dict[str, Array], quota: int) -> Live:
        """The inverse of `arrays`, episodes without end."""
        names = ("episode", "t", "obs", "memory", "next_episode")
        return cls(**{name: np.array(arrays[name]) for name in names}, end=NEVER, quota=quota)


@dataclass
class Segments:
    """One entry for each segment that a block has begun."""

    episode: list[int] = field(default_factory=list)
    start: list[int] = field(default_factory=list)
    terminated: list[bool] = field(default_factory=list)
    truncated: list[bool] = field(default_factory=list)
    final_obs: list[Array | None] = field(default_factory=list)

    def open(self, episode: int, start: int) -> int:
        """A new segment; its index."""
        self.episode.append(int(episode))
        self.start.append(int(start))
        self.terminated.append(False)
        self.truncated.append(False)
        self.final_obs.append(None)
        return len(self.episode) - 1

    def end(self, index: int, terminated: bool, truncated: bool, final_obs: Array) -> None:
        """How the segment ended, and its o_T."""
        self.terminated[index], self.truncated[index] = bool(terminated), bool(truncated)
        self.final_obs[index] = final_obs


@dataclass
class Record:
    """The rows of a block, step by step with slots side by side; `segment` is −1 where a slot idled."""

    segment: IntArray  # (n, B)
    obs: Array  # (n, B, d)
    act: Array  # (n, B) or (n, B, k)
    rew: Array  # (n, B)
    logp: Array  # (n, B)
    segments: Segments

    def batch(self) -> Batch:
        """Rows gathered segment by segment, segments in order of episode; those without a row are left out."""
        flat, s = self.segment.reshape(-1), self.segments
        counts = np.bincount(flat[flat >= 0], minlength=len(s.episode))
        order = np.argsort(np.asarray(s.episode), kind="stable")
        order = order[counts[order] > 0]
        rank = np.full(len(counts), -1)
        rank[order] = np.arange(len(order))
        ranked = np.where(flat >= 0, rank[flat], -1)
        lengths = counts[order]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        rows = np.empty(offsets[-1], dtype=np.int64)
        kernels.segment_rows(ranked, offsets[:-1].copy(), rows)
        n = flat.shape[0]
        return Batch(
            obs=self.obs.reshape(n, -1)[rows],
            act=self.act.reshape((n, *self.act.shape[2:]))[rows],
            rew=self.rew.reshape(n)[rows],
            logp=self.logp.reshape(n)[rows],
            offsets=offsets,
            episode=np.asarray(s.episode)[order],
            start=np.asarray(s.start)[order],
            terminated=np.asarray(s.terminated)[order],
            truncated=np.asarray(s.truncated)[order],
            final_obs=np.stack([obs for i in order if (obs := s.final_obs[i]) is not None]),
        )


def blocks_of(first: int, count: int, size: int) -> list[tuple[int, int]]:
    """The episodes first … first + count − 1 in blocks of `size`, as (first, end).

    Raises
    ------
    InvalidInput
        If there is none.

    Examples
    --------
    >>> blocks_of(10, 5, 2)
    [(10, 12), (12, 14), (14, 15)]
    """
    if count < 1:
        raise InvalidInput(f"count is {count}, expected one episode or more")
    end = first + count
    return [(lo, min(lo + size, end)) for lo in range(first, end, size)]


def started(policy: Policy, theta: Array, n_slots: int, obs_dtype: npt.DTypeLike = np.float64) -> dict[str, Array]:
    """The state of `n_slots` slots before their first episode: slot k takes k, k + n_slots, …."""
    return Live.idle(n_slots, policy, theta, 0, NEVER, quota=n_slots, obs_dtype=obs_dtype).arrays()


def continued(
    block: Callable[[dict[str, Array]], tuple[Batch, dict[str, Array]]],
    state: dict[str, Array],
    n_envs: int,
    executor: Executor | None,
) -> tuple[Batch, dict[str, Array]]:
    """`block` on each run of `n_envs` slots; segments and slots in order of blocks."""
    n_blocks = len(state["t"]) // n_envs
    shares = {name: np.split(array, n_blocks) for name, array in state.items()}
    units = [{name: parts[i] for name, parts in shares.items()} for i in range(n_blocks)]
    done = map_ordered(block, units, executor)
    after = {name: np.concatenate([arrays[name] for _, arrays in done]) for name in done[0][1]}
    return concatenate([batch for batch, _ in done]), after
