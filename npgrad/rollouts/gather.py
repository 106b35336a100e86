"""From what blocks of slots have recorded to one batch, gathered while it is still in the cache."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .. import jit
from ..elementary import to_bits
from ..memory import Memory
from ..types import Array, Batch, FloatArray, IntArray
from .kernel import HOW, LENGTH, MARK, OTHERS, SLOTS, START, STEPS, TERMINATED, TRUNCATED
from .room import require_room

__all__ = ["FEWER", "Gathering", "Recorded", "Shape"]

ROOM = 1.2  # times as many rows as the first block lets expect
FEWER = "fewer episodes an iteration, as n_episodes, will do"
AHEAD, LINE = 2, 8  # rows; and numbers that come into the cache together
MAGNITUDE, INFINITY = (1 << 63) - 1, 0x7FF << 52  # all bits of a double but its sign, and those of infinity


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

    shape: Shape
    segments: IntArray  # (N, 2)
    final: FloatArray  # (N, d)
    records: list[tuple[Array, IntArray, IntArray]] = field(default_factory=list)
    largest: IntArray = field(default_factory=lambda: np.zeros(1, dtype=np.int64))  # bits of |x| of any number

    @property
    def n_rows(self) -> int:
        """Steps of all segments."""
        return int(self.segments[:, LENGTH].sum())


class Gathering:
    """Blocks are filled in any order and from any thread; their rows go out in the order of the blocks.

    Where a block's rows begin is known when all before it are done: then, as far as there is room, they are gathered by
    whoever brought the last of these.

    Parameters
    ----------
    episodes : sequence of (int, int)
        First and end of each block, which follow one another.
    shape : Shape
    memory : Memory
        Where arrays come from.

    Attributes
    ----------
    blocks : list of Recorded
        To be filled.
    """

    def __init__(self, episodes: Sequence[tuple[int, int]], shape: Shape, memory: Memory) -> None:
        self.first, self.end, self.shape, self.memory = episodes[0][0], episodes[-1][1], shape, memory
        n = self.end - self.first
        self._segments, self._final = np.zeros((n, 2), dtype=np.int64), np.zeros((n, shape.d))
        parts = [slice(begin - self.first, end - self.first) for begin, end in episodes]
        self.blocks = [Recorded(shape, self._segments[part], self._final[part]) for part in parts]
        self._done = [False] * len(parts)
        self._rows: tuple[Array, ...] = ()
        self._next = self._filled = self._room = 0  # block to gather next, rows that are taken, rows that there are
        self._lock = threading.Lock()

    def add(self, i: int) -> None:
        """Block i is done."""
        with self._lock:
            self._done[i] = True
            if i == 0:
                n_rows, n_episodes = self.blocks[0].n_rows, len(self.blocks[0].final)
                expected = n_rows * (self.end - self.first) / n_episodes
                require_room(expected, self.shape.row_bytes, FEWER)
                self._room = n_rows if len(self.blocks) == 1 else int(ROOM * expected)
                self._rows = self.shape.rows(self._room, self.memory)
            ready = self._ready()
        for done, at in ready:
            self._gather(done, at)

    def batch(self) -> Batch:
        """The batch of all blocks."""
        lengths, how = self._segments[:, LENGTH], self._segments[:, HOW]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        n = int(offsets[-1])
        if n > self._room:
            self._room, before = n, self._rows
            self._rows = self.shape.rows(n, self.memory)
            for to, of in zip(self._rows, before, strict=True):
                to[: self._filled] = of[: self._filled]
            for done, at in self._ready():
                self._gather(done, at)
        obs, act, choice, rew, logp = (array[:n] for array in self._rows)
        return Batch(
            obs=obs,
            act=choice if self.shape.discrete else act,
            rew=rew,
            logp=logp,
            offsets=offsets,
            terminated=how == TERMINATED,
            truncated=how == TRUNCATED,
            final_obs=self._final,
            episode=np.arange(self.first, self.end),
            finite=all(block.largest[0] < INFINITY for block in self.blocks),
        )

    def _ready(self) -> list[tuple[Recorded, int]]:
        """The blocks that can be gathered now, and where to; to be called by one thread at a time."""
        ready = []
        while self._next < len(self.blocks) and self._done[self._next]:
            block = self.blocks[self._next]
            n_rows = block.n_rows
            if self._filled + n_rows > self._room:
                break
            ready.append((block, self._filled))
            self._filled += n_rows
            self._next += 1
        return ready

    def _gather(self, block: Recorded, at: int) -> None:
        lengths = block.segments[:, LENGTH]
        begins = at + np.cumsum(lengths) - lengths
        one_hot, discrete = self.shape.one_hot, self.shape.discrete
        for record, stretches, marks in block.records:
            gather_rows(record, stretches, marks, begins, block.largest, one_hot, discrete, *self._rows)
        block.records.clear()


@jit.kernel(
    "void(const(float64[::1]), const(int64[:,::1]), const(int64[:,::1]), const(int64[::1]), int64[::1], boolean,"
    " boolean, float64[:,::1], float64[:,::1], int64[::1], float64[::1], float64[::1])"
)
def gather_rows(
    record: FloatArray,
    stretches: IntArray,
    marks: IntArray,
    begins: IntArray,
    largest: IntArray,
    one_hot: bool,
    discrete: bool,
    obs: FloatArray,
    act: FloatArray,
    choice: IntArray,
    rew: FloatArray,
    logp: FloatArray,
) -> None:
    """Copy what `roll_block` recorded to row ``begins[segment] + t`` of the outputs; integer actions go to `choice`.

    `largest` (1,) becomes no less than the bits of |x| of any number x in the record, also where a slot idled.
    """
    d = obs.shape[1]
    w_obs, k = 1 if one_hot else d, 1 if discrete else act.shape[1]
    w = w_obs + k + OTHERS
    obs_by_number, act_by_number = obs.reshape(-1), act.reshape(-1)
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
            size = w * n_slots
            row, most = record[start + n * size : start + (n + 1) * size], largest[0]
            for i in range(size):
                most = max(most, to_bits(row[i]) & MAGNITUDE)
            largest[0] = most
            for i in range(n_slots):
                to = cursor[i]
                if to < 0:
                    continue
                cursor[i] += 1
                jit.prefetch(obs_by_number, (to + AHEAD) * d)  # each slot writes to a place of its own
                if to % LINE == 0:
                    jit.prefetch(rew, to + LINE)
                    jit.prefetch(logp, to + LINE)
                    if discrete:
                        jit.prefetch(choice, to + LINE)
                    else:
                        jit.prefetch(act_by_number, (to + LINE) * k)
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
