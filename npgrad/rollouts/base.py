"""What a rollout is, and how the rows that a block of slots records become a Batch."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from .. import kernels
from ..policies import Policy
from ..spaces import Space
from ..types import Array, Batch, BoolArray, IntArray

__all__ = ["Live", "Record", "Rollout", "Segments", "blocks_of"]


class Rollout(Protocol):
    """A source of trajectories of one environment.

    Episode e is a function of (environment, seed, e, θ) alone: neither the number of threads nor what ran before
    matters.
    """

    env_id: str
    observation_space: Space
    action_space: Space

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

    def close(self) -> None:
        """Release what the rollout holds."""


@dataclass
class Live:
    """What a block of B slots carries from step to step; it goes in and comes out, so a rollout continues or is saved.

    A slot whose episode ends takes the block's next: `next_episode`, which then rises by `stride`, while below `end`;
    after that it idles with episode −1. Episodes do not depend on their slot, so who takes which does not matter.
    """

    episode: IntArray  # (B,), −1: idle
    t: IntArray  # (B,)
    obs: Array  # (B, d)
    memory: Array  # (B, M)
    next_episode: int
    end: int
    stride: int = 1

    @classmethod
    def idle(cls, n_slots: int, policy: Policy, theta: Array, first: int, end: int, stride: int = 1) -> Live:
        """Slots that have not begun."""
        return cls(
            episode=np.full(n_slots, -1, dtype=np.int64),
            t=np.zeros(n_slots, dtype=np.int64),
            obs=np.zeros((n_slots, policy.n_obs)),
            memory=np.zeros((n_slots, policy.n_memory), dtype=theta.dtype),
            next_episode=first,
            end=end,
            stride=stride,
        )

    @property
    def running(self) -> BoolArray:
        """Which slots have an episode."""
        return self.episode >= 0

    def take(self, lanes: IntArray) -> IntArray:
        """Give the slots `lanes` their next episodes, as far as there are any; return the lanes that begin one."""
        begun = []
        for lane in lanes:
            self.t[lane] = 0
            self.episode[lane] = -1
            if self.next_episode < self.end:
                self.episode[lane] = self.next_episode
                self.next_episode += self.stride
                self.memory[lane] = 0
                begun.append(lane)
        return np.array(begun, dtype=np.int64)


@dataclass
class Segments:
    """One entry for each segment that a block has begun."""

    episode: list[int] = field(default_factory=list)
    start: list[int] = field(default_factory=list)
    terminated: list[bool] = field(default_factory=list)
    truncated: list[bool] = field(default_factory=list)
    final_obs: list[Array] = field(default_factory=list)

    def open(self, episode: int, start: int, obs: Array) -> int:
        """A new segment; its index. `obs` stands for the final observation until `end` gives the true one."""
        self.episode.append(int(episode))
        self.start.append(int(start))
        self.terminated.append(False)
        self.truncated.append(False)
        self.final_obs.append(obs)
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
        """Rows gathered segment by segment, segments in order of episode."""
        order = np.argsort(np.asarray(self.segments.episode), kind="stable")
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        flat = self.segment.reshape(-1)
        ranked = np.where(flat >= 0, rank[flat], -1)
        lengths = np.bincount(ranked[ranked >= 0], minlength=len(order))
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
            episode=np.asarray(self.segments.episode)[order],
            start=np.asarray(self.segments.start)[order],
            terminated=np.asarray(self.segments.terminated)[order],
            truncated=np.asarray(self.segments.truncated)[order],
            final_obs=np.stack(self.segments.final_obs)[order],
        )


def blocks_of(first: int, count: int, size: int) -> list[tuple[int, int]]:
    """The episodes first … first + count − 1 in blocks of `size`, as (first, end).

    Examples
    --------
    >>> blocks_of(10, 5, 2)
    [(10, 12), (12, 14), (14, 15)]
    """
    end = first + count
    return [(lo, min(lo + size, end)) for lo in range(first, end, size)]
