"""The rollout of a linear policy in a compiled environment as one kernel: y = x W + b, a ~ p(·; y), step."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import jit, noise
from ..distributions import Categorical, DiagonalGaussian
from ..elementary import exp, log
from ..functions import Concatenated, Constant, Fixed, Function, Linear
from ..noise.compiled import fill
from ..policies import Clip, ComposedPolicy, Identity, Offset, Policy
from ..pool import map_ordered
from ..types import Array, Batch, FloatArray, IntArray
from .base import Live

if TYPE_CHECKING:
    from .compiled import CompiledSlots

__all__ = ["Affine", "Buffers", "affine_of", "assemble", "roll_fused"]

CHUNK = 125  # steps between two visits to Python; no power of two, or rows of all slots share a few cache lines
EPISODE, T, SEGMENT, FIRST = 0, 1, 2, 3  # rows of `slots`: what each slot is in, and its first row in this chunk
NEXT, SEGMENTS, STEPS, RUNS = 0, 1, 2, 3  # entries of `counters`: next episode, and how many were begun, done, written
SEED, END, LIMIT, GREEDY, GAUSSIAN = 0, 1, 2, 3, 4  # entries of `settings`
TERMINATED, TRUNCATED = 1, 2  # how a segment ended; 0: it did not
ACTION, RESET, DYNAMICS = noise.ACTION, noise.RESET, noise.DYNAMICS  # a kernel freezes plain numbers
HALF_LOG_2PI = 0.9189385332046727  # ½ log 2π


def affine(x: FloatArray, W: FloatArray, b: FloatArray, y: FloatArray) -> None:
    """y = x W + b for all slots: x (d, B), W (d, K), b (K,), y (K, B)."""
    for k in range(W.shape[1]):
        for i in range(x.shape[1]):
            y[k, i] = b[k]
        for j in range(W.shape[0]):
            for i in range(x.shape[1]):
                y[k, i] += x[j, i] * W[j, k]


def draw_softmax(
    y: FloatArray, u: FloatArray, greedy: bool, act: FloatArray, logp: FloatArray, weight: FloatArray, total: FloatArray
) -> None:
    """Actions by the inverse distribution function at u, or the modes, and their log π; the last two are scratch.

    y (K, B), u (1, B), act (1, B), logp (B,), weight (K, B), total (B,). u is overwritten.
    """
    n, b = y.shape
    for i in range(b):
        total[i] = y[0, i]
        act[0, i] = 0.0
    for k in range(1, n):
        for i in range(b):
            higher = y[k, i] > total[i]
            total[i] = y[k, i] if higher else total[i]  # max y
            act[0, i] = k if higher else act[0, i]  # the mode, the first of equals
    for k in range(n):
        for i in range(b):
            y[k, i] -= total[i]
            weight[k, i] = exp(y[k, i])
    for i in range(b):
        total[i] = 0.0
    for k in range(n):
        for i in range(b):
            total[i] += weight[k, i]
    for i in range(b):
        logp[i] = 0.0  # y − max y of the mode
    if not greedy:
        for i in range(b):
            u[0, i] *= total[i]
            act[0, i] = 0.0
            logp[i] = y[0, i]
        for k in range(n - 1):
            for i in range(b):
                u[0, i] -= weight[k, i]
                beyond = u[0, i] >= 0.0  # Σ_{j≤k} exp(y_j − max y) ≤ u Σ_j: the action is beyond k
                act[0, i] = k + 1.0 if beyond else act[0, i]
                logp[i] = y[k + 1, i] if beyond else logp[i]
    for i in range(b):
        logp[i] -= log(total[i])


def draw_gaussian(y: FloatArray, z: FloatArray, greedy: bool, act: FloatArray, logp: FloatArray) -> None:
    """a = μ + σ z, or μ, and its log π, with y = (μ, log σ) (2k, B) and z (k, B)."""
    k = act.shape[0]
    for i in range(act.shape[1]):
        logp[i] = 0.0
    for j in range(k):
        for i in range(act.shape[1]):
            z[j, i] = 0.0 if greedy else z[j, i]
            act[j, i] = y[j, i] + exp(y[k + j, i]) * z[j, i]
            logp[i] -= 0.5 * z[j, i] * z[j, i] + y[k + j, i] + HALF_LOG_2PI


@jit.kernel(
    "void(ENV_RESET, ENV_STEP, float64[::1], const(float64[:,::1]), const(float64[::1]), const(float64[:,::1]),"
    " int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[:,::1], float64[:,::1], float64[:,::1],"
    " float64[:,:,::1], float64[:,:,::1], float64[:,::1], float64[:,::1], int64[:,::1], int64[::1], float64[:,::1])"
)
def roll_linear(
    reset: Any,
    step: Any,
    params: FloatArray,
    W: FloatArray,
    b: FloatArray,
    bounds: FloatArray,
    settings: IntArray,
    counters: IntArray,
    kinds: IntArray,
    reset_kinds: IntArray,
    step_kinds: IntArray,
    slots: IntArray,
    state: FloatArray,
    obs: FloatArray,
    out_obs: FloatArray,
    out_act: FloatArray,
    out_rew: FloatArray,
    out_logp: FloatArray,
    runs: IntArray,
    segment_end: IntArray,
    segment_final: FloatArray,
) -> None:
    """Step B slots until all idle or the outputs (B, n, …) are full.

    `slots` (4, B), with EPISODE −1 where a slot idles, `state` (S, B) and `obs` (d, B) go in and come out. A run is a
    stretch of rows of one segment: (slot, first row, rows, segment).
    """
    n_slots, d, n_act = state.shape[1], obs.shape[0], bounds.shape[1]
    episode, t, segment, first = slots[EPISODE], slots[T], slots[SEGMENT], slots[FIRST]
    u, y = np.empty((len(kinds), n_slots)), np.empty((W.shape[1], n_slots))
    u_reset, u_step = np.empty((len(reset_kinds), n_slots)), np.empty((len(step_kinds), n_slots))
    act, mapped, logp = np.empty((n_act, n_slots)), np.empty((n_act, n_slots)), np.empty(n_slots)
    rew, terminated = np.zeros(n_slots), np.zeros(n_slots, dtype=np.bool_)
    weight, total = np.empty(y.shape), np.empty(n_slots)
    free, begun = np.empty(n_slots, dtype=np.int64), np.empty(n_slots, dtype=np.int64)
    begun_episode, zero = np.empty(n_slots, dtype=np.int64), np.zeros(n_slots, dtype=np.int64)
    n_free, n_running = 0, 0
    for i in range(n_slots):
        first[i] = 0
        if episode[i] < 0:
            free[n_free] = i
            n_free += 1
        else:
            n_running += 1

    n = 0
    while True:
        n_begun = 0  # free slots take the next episodes, as far as there are any
        for k in range(n_free):
            i = free[k]
            episode[i] = -1
            if counters[NEXT] < settings[END]:
                episode[i] = counters[NEXT]
                t[i], segment[i], first[i] = 0, counters[SEGMENTS], n
                begun[n_begun], begun_episode[n_begun] = i, episode[i]
                n_begun += 1
                counters[NEXT] += 1
                counters[SEGMENTS] += 1
        if n_begun > 0:
            fill(reset_kinds, settings[SEED], RESET, begun_episode[:n_begun], zero[:n_begun], u_reset)
            reset(params, begun[:n_begun], u_reset, state, obs)
            n_running += n_begun
        if n_running == 0 or n == out_rew.shape[1]:
            break

        affine(obs, W, b, y)
        if settings[GREEDY] == 0:
            fill(kinds, settings[SEED], ACTION, episode, t, u)
        if settings[GAUSSIAN] != 0:
            draw_gaussian(y, u, settings[GREEDY] != 0, act, logp)
        else:
            draw_softmax(y, u, settings[GREEDY] != 0, act, logp, weight, total)
        for j in range(n_act):
            for i in range(n_slots):
                mapped[j, i] = min(max(act[j, i] + bounds[2, j], bounds[0, j]), bounds[1, j])
        for j in range(d):
            for i in range(n_slots):
                out_obs[i, n, j] = obs[j, i]
        for j in range(n_act):
            for i in range(n_slots):
                out_act[i, n, j] = act[j, i]

        if len(step_kinds) > 0:
            fill(step_kinds, settings[SEED], DYNAMICS, episode, t, u_step)
        step(params, mapped, u_step, state, obs, rew, terminated)

        n += 1
        n_free = 0
        for i in range(n_slots):
            out_logp[i, n - 1] = logp[i]
            out_rew[i, n - 1] = rew[i]
            t[i] += 1
            if episode[i] >= 0 and (terminated[i] or t[i] >= settings[LIMIT]):
                segment_end[segment[i]] = TERMINATED if terminated[i] else TRUNCATED
                for j in range(d):
                    segment_final[segment[i], j] = obs[j, i]
                write_run(runs, counters, i, first[i], n, segment[i])
                free[n_free] = i
                n_free += 1
        n_running -= n_free
    for i in range(n_slots):
        if episode[i] >= 0 and first[i] < n:
            write_run(runs, counters, i, first[i], n, segment[i])
    counters[STEPS] = n


def write_run(runs: IntArray, counters: IntArray, slot: int, first: int, end: int, segment: int) -> None:
    """Rows first … end − 1 of a slot belong to a segment."""
    r = counters[RUNS]
    runs[r, 0], runs[r, 1], runs[r, 2], runs[r, 3] = slot, first, end - first, segment
    counters[RUNS] += 1


@jit.kernel(
    "void(const(int64[:,::1]), int64[::1], const(float64[:,:,::1]), const(float64[:,:,::1]), const(float64[:,::1]),"
    " const(float64[:,::1]), float64[:,::1], float64[:,::1], float64[::1], float64[::1])"
)
def gather_runs(
    runs: IntArray,
    cursor: IntArray,
    obs: FloatArray,
    act: FloatArray,
    rew: FloatArray,
    logp: FloatArray,
    out_obs: FloatArray,
    out_act: FloatArray,
    out_rew: FloatArray,
    out_logp: FloatArray,
) -> None:
    """Copy each run of a chunk to where its segment has got to: `cursor` (N,), which advances."""
    for r in range(runs.shape[0]):
        slot, first, length, segment = runs[r, 0], runs[r, 1], runs[r, 2], runs[r, 3]
        to = cursor[segment]
        for n in range(length):
            for j in range(obs.shape[2]):
                out_obs[to + n, j] = obs[slot, first + n, j]
            for j in range(act.shape[2]):
                out_act[to + n, j] = act[slot, first + n, j]
            out_rew[to + n] = rew[slot, first + n]
            out_logp[to + n] = logp[slot, first + n]
        cursor[segment] += length


@dataclass(frozen=True)
class Affine:
    """What the kernel takes of a policy: y = x W + b, the family of p, and the action map as bounds and offset."""

    W: FloatArray
    b: FloatArray
    gaussian: bool
    bounds: FloatArray  # rows low, high, offset; (3, k)


def affine_of(policy: Policy, theta: Array) -> Affine | None:
    """`policy` as the kernel takes it, or None: a softmax or diagonal Gaussian of an affine function of the raw obs."""
    if not isinstance(policy, ComposedPolicy) or policy.normaliser is not None or policy.n_masked:
        return None
    if theta.dtype != np.float64:
        return None
    found = _affine(policy.function, theta)
    if found is None:
        return None
    W, b = found
    match policy.distribution, policy.action_map:
        case Categorical(), Identity() | Offset():
            offset = policy.action_map.start if isinstance(policy.action_map, Offset) else 0
            return Affine(W, b, gaussian=False, bounds=np.array([[-np.inf], [np.inf], [offset]], dtype=np.float64))
        case DiagonalGaussian(k=k), Identity():
            return Affine(W, b, gaussian=True, bounds=np.array([[-np.inf] * k, [np.inf] * k, [0.0] * k]))
        case DiagonalGaussian(k=k), Clip(low=low, high=high):
            return Affine(W, b, gaussian=True, bounds=np.array([low, high, [0.0] * k]))
        case _:
            return None


def _affine(f: Function, theta: Array) -> tuple[FloatArray, FloatArray] | None:
    """W (d, K) and b (K,) of a function that is affine in its input; None for others."""
    match f:
        case Linear():
            W, b = f.split(theta)
            return np.ascontiguousarray(W), b.copy() if f.bias else np.zeros(f.n_out)
        case Constant() | Fixed():
            return np.zeros((f.n_in, f.n_out)), f.at(theta, np.zeros((1, f.n_in))).y[0]
        case Concatenated():
            ends = np.cumsum([part.n_params for part in f.parts])[:-1]
            parts = [_affine(part, own) for part, own in zip(f.parts, np.split(theta, ends), strict=True)]
            if None in parts:
                return None
            Ws, bs = zip(*[part for part in parts if part is not None], strict=True)
            return np.concatenate(Ws, axis=1), np.concatenate(bs)
        case _:
            return None


@dataclass
class Recorded:
    """What a block has recorded: chunks of (obs, act, rew, logp) by slot, and the runs in them, by segment."""

    chunks: list[tuple[Array, ...]]
    runs: list[IntArray]
    end: IntArray
    final: FloatArray

    def lengths(self) -> IntArray:
        """Rows of each segment."""
        out = np.zeros(len(self.end), dtype=np.int64)
        for runs in self.runs:
            np.add.at(out, runs[:, 3], runs[:, 2])
        return out


class Buffers:
    """Chunks that nobody holds, for reuse: fresh memory costs page faults. Threads take and give."""

    def __init__(self, n_slots: int, d: int, k: int) -> None:
        self.shapes = (n_slots, CHUNK, d), (n_slots, CHUNK, k), (n_slots, CHUNK), (n_slots, CHUNK)
        self._free: SimpleQueue[tuple[Array, ...]] = SimpleQueue()

    def take(self) -> tuple[Array, ...]:
        """A chunk of anything."""
        try:
            return self._free.get_nowait()
        except Empty:
            return tuple(np.empty(shape) for shape in self.shapes)

    def give(self, chunk: tuple[Array, ...]) -> None:
        """A chunk is free again."""
        self._free.put(chunk)


def roll_fused(
    block: CompiledSlots, policy: Policy, linear: Affine, live: Live, buffers: Buffers, *, seed: int, greedy: bool
) -> Recorded:
    """The complete episodes that `live`, all idle, has before it."""
    env, b, d = block.env, block.n_slots, block.obs.shape[0]
    first = int(live.next_episode[0])
    n_episodes = live.end - first
    key = np.uint64(seed).astype(np.int64)
    settings = np.array([key, live.end, block.limit, greedy, linear.gaussian], dtype=np.int64)
    counters = np.array([first, 0, 0, 0], dtype=np.int64)
    slots = np.stack([live.episode, live.t, live.t, live.t])
    kinds = noise.kind_codes(policy.draws)
    out = Recorded([], [], np.zeros(n_episodes, dtype=np.int64), np.zeros((n_episodes, d)))
    reset, step = jit.env_function(env.reset, "reset"), jit.env_function(env.step, "step")
    while not out.chunks or counters[STEPS] == CHUNK:
        chunk, runs = buffers.take(), np.empty((b + n_episodes, 4), dtype=np.int64)
        counters[RUNS] = 0
        roll_linear(
            reset, step, block.params, linear.W, linear.b, linear.bounds, settings, counters, kinds,
            block.kinds["reset"], block.kinds["step"], slots, block.state, block.obs, chunk[0], chunk[1], chunk[2],
            chunk[3], runs, out.end, out.final,
        )  # fmt: skip
        out.chunks.append(chunk)
        out.runs.append(runs[: counters[RUNS]])
    return out


def assemble(blocks: list[Recorded], first: int, gaussian: bool, buffers: Buffers, executor: Executor | None) -> Batch:
    """One batch of the episodes of all blocks, in order; gives the chunks back."""
    lengths = [block.lengths() for block in blocks]
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    begins = np.cumsum([0, *map(len, lengths)])
    total, (_, _, d), (_, _, k) = int(offsets[-1]), *buffers.shapes[:2]
    obs, act, rew, logp = np.empty((total, d)), np.empty((total, k)), np.empty(total), np.empty(total)

    def gather(i: int) -> None:
        cursor = offsets[begins[i] : begins[i + 1]].copy()
        for runs, chunk in zip(blocks[i].runs, blocks[i].chunks, strict=True):
            gather_runs(runs, cursor, chunk[0], chunk[1], chunk[2], chunk[3], obs, act, rew, logp)
            buffers.give(chunk)

    map_ordered(gather, range(len(blocks)), executor)
    end = np.concatenate([block.end for block in blocks])
    return Batch(
        obs=obs,
        act=act if gaussian else act[:, 0].astype(np.int64),
        rew=rew,
        logp=logp,
        offsets=offsets,
        terminated=end == TERMINATED,
        truncated=end == TRUNCATED,
        final_obs=np.concatenate([block.final for block in blocks]),
        episode=np.arange(first, first + len(end)),
    )
