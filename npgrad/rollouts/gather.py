"""From what blocks of slots have recorded to one batch, gathered while it is still in the cache."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .. import jit
from ..memory import Memory
from ..types import Array, Batch, FloatArray, IntArray
from .kernel import HOW, LENGTH, MARK, OTHERS, SLOTS, START, STEPS, TERMINATED, TRUNCATED
from .room import require_room

__all__ = ["Gathering", "Recorded", "Shape"]

ROOM = 1.2  # times as many rows as the first block lets expect


@dataclass(frozen=True)
class Shape:
    """Of a step: d numbers of o, k of a; whether o is one-hot, and a an integer."""

    d: int
    k: int
    one_hot: bool
    discrete: bool

    @property
    def n_recorded(self) -> int:
        """Numbers that `roll_block` records of a step."""
        return (1 if self.one_hot else self.d) + self.k + OTHERS

    @property
    def row_bytes(self) -> int:
        """Of a row of the batch."""
        return 8 * (self.d + self.k + 2)

    def rows(self, n: int, memory: Memory) -> tuple[Array, ...]:
        """Arrays of n rows: o, a, a as an integer (one of the two is empty), r, log π."""
        act, choice = (n, 0 if self.discrete else self.k), (n if self.discrete else 0,)
        obs, rew, logp = memory.array((n, self.d)), memory.array((n,)), memory.array((n,))
        return obs, memory.array(act), memory.array(choice, np.int64), rew, logp


@dataclass
class Recorded:
    """What `roll_block` left of N episodes: how segments ended, their o_T, and records with stretches and marks."""

    segments: IntArray
    final: FloatArray
    records: list[tuple[Array, IntArray, IntArray]] = field(default_factory=list)

    @property
    def n_rows(self) -> int:
        """Steps of all segments."""
        return int(self.segments[LENGTH].sum())


class Gathering:
    """Blocks come in as they are done, in any order and from any thread; their rows go out in the order of the blocks.

    Where a block's rows begin is known when all before it are done: then, as far as there is room, they are gathered by
    whoever brought the last of these.

    Parameters
    ----------
    sizes : sequence of int
        Episodes of each block.
    shape : Shape
    memory : Memory
        Where arrays come from.
    """

    def __init__(self, sizes: Sequence[int], shape: Shape, memory: Memory) -> None:
        self.sizes, self.shape, self.memory = sizes, shape, memory
        self._blocks: list[Recorded | None] = [None] * len(sizes)
        self._rows: tuple[Array, ...] = ()
        self._next = self._filled = self._room = 0  # block to gather next, rows that are taken, rows that there are
        self._lock = threading.Lock()

    def add(self, i: int, block: Recorded) -> None:
        """Block i is done."""
        with self._lock:
            self._blocks[i] = block
            if i == 0:
                expected = block.n_rows * sum(self.sizes) / self.sizes[0]
                require_room(expected, self.shape.row_bytes, "fewer episodes an iteration, as n_episodes, will do")
                self._room = block.n_rows if len(self.sizes) == 1 else int(ROOM * expected)
                self._rows = self.shape.rows(self._room, self.memory)
            ready = self._ready()
        for done, at in ready:
            self._gather(done, at)

    def batch(self, first: int) -> Batch:
        """The batch of all blocks, the episodes from `first` on."""
        blocks = [block for block in self._blocks if block is not None]
        n = sum(block.n_rows for block in blocks)
        if n > self._room:
            self._room, before = n, self._rows
            self._rows = self.shape.rows(n, self.memory)
            for to, of in zip(self._rows, before, strict=True):
                to[: self._filled] = of[: self._filled]
            for done, at in self._ready():
                self._gather(done, at)
        obs, act, choice, rew, logp = (array[:n] for array in self._rows)
        segments = np.concatenate([block.segments for block in blocks], axis=1)
        return Batch(
            obs=obs,
            act=choice if self.shape.discrete else act,
            rew=rew,
            logp=logp,
            offsets=np.concatenate([[0], np.cumsum(segments[LENGTH])]),
            terminated=segments[HOW] == TERMINATED,
            truncated=segments[HOW] == TRUNCATED,
            final_obs=np.concatenate([block.final for block in blocks]),
            episode=np.arange(first, first + segments.shape[1]),
        )

    def _ready(self) -> list[tuple[Recorded, int]]:
        """The blocks that can be gathered now, and where to; to be called by one thread at a time."""
        ready = []
        while self._next < len(self._blocks) and (block := self._blocks[self._next]) is not None:
            if self._filled + block.n_rows > self._room:
                break
            ready.append((block, self._filled))
            self._filled += block.n_rows
            self._next += 1
        return ready

    def _gather(self, block: Recorded, at: int) -> None:
        begins = at + np.cumsum(block.segments[LENGTH]) - block.segments[LENGTH]
        for record, stretches, marks in block.records:
            gather_rows(record, stretches, marks, begins, self.shape.one_hot, self.shape.discrete, *self._rows)
        block.records.clear()


@jit.kernel(
    "void(const(float64[::1]), const(int64[:,::1]), const(int64[:,::1]), const(int64[::1]), boolean, boolean,"
    " float64[:,::1], float64[:,::1], int64[::1], float64[::1], float64[::1])"
)
def gather_rows(
    record: FloatArray,
    stretches: IntArray,
    marks: IntArray,
    begins: IntArray,
    one_hot: bool,
    discrete: bool,
    obs: FloatArray,
    act: FloatArray,
    choice: IntArray,
    rew: FloatArray,
    logp: FloatArray,
) -> None:
    """Copy what `roll_block` recorded to row ``begins[segment] + t`` of the outputs; integer actions go to `choice`."""
    d = obs.shape[1]
    w_obs, k = 1 if one_hot else d, 1 if discrete else act.shape[1]
    w = w_obs + k + OTHERS
    for s in range(stretches.shape[0]):
        start, n_steps, n_slots, m = stretches[s, START], stretches[s, STEPS], stretches[s, SLOTS], stretches[s, MARK]
        end = stretches[s + 1, MARK] if s + 1 < stretches.shape[0] else marks.shape[0]
        rows = record[start : start + n_steps * w * n_slots].reshape((n_steps, w, n_slots))
        cursor = np.full(n_slots, -1)  # where the next row of each slot goes
        for n in range(n_steps):
            while m < end and marks[m, 0] == n:
                segment = marks[m, 2]
                cursor[marks[m, 1]] = begins[segment] + marks[m, 3] if segment >= 0 else -1
                m += 1
            for i in range(n_slots):
                to = cursor[i]
                if to < 0:
                    continue
                cursor[i] += 1
                if one_hot:
                    for j in range(d):
                        obs[to, j] = 0.0
                    obs[to, int(rows[n, 0, i])] = 1.0
                else:
                    for j in range(d):
                        obs[to, j] = rows[n, j, i]
                if discrete:
                    choice[to] = int(rows[n, w_obs, i])
                else:
                    for j in range(k):
                        act[to, j] = rows[n, w_obs + j, i]
                rew[to] = rows[n, w_obs + k, i]
                logp[to] = rows[n, w_obs + k + 1, i]
