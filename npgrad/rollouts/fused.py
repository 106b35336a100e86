"""The rollout of a linear softmax policy in a compiled environment as one kernel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import jit, noise
from ..functions import Linear
from ..noise.compiled import fill
from ..policies import ComposedPolicy
from ..types import Array, FloatArray, IntArray
from .base import Live, Record, Segments

if TYPE_CHECKING:
    from .compiled import CompiledSlots

__all__ = ["roll_fused"]

CHUNK = 128  # steps between two visits to Python
EPISODE, T, SEGMENT = 0, 1, 2  # rows of `slots`: what each slot is in
NEXT, SEGMENTS, STEPS = 0, 1, 2  # entries of `counters`: next episode, segments begun, steps done in this call
SEED, END, LIMIT, GREEDY = 0, 1, 2, 3  # entries of `settings`: noise key, last episode + 1, time limit, take the mode
TERMINATED, TRUNCATED = 1, 2  # how a segment ended; 0: it did not
ACTION, RESET, DYNAMICS = noise.ACTION, noise.RESET, noise.DYNAMICS  # a kernel freezes plain numbers


def draw_softmax(y: FloatArray, i: int, u: float, greedy: bool) -> tuple[int, float]:
    """The action of column i of the logits y (K, B) by the inverse distribution function at u, and its log π."""
    best = 0
    for k in range(1, y.shape[0]):
        if y[k, i] > y[best, i]:
            best = k
    total = 0.0
    for k in range(y.shape[0]):
        total += math.exp(y[k, i] - y[best, i])
    act = best
    if not greedy:
        act = 0
        below = math.exp(y[0, i] - y[best, i])  # Σ_{k ≤ act} exp(y_k − max y)
        while act < y.shape[0] - 1 and below <= u * total:
            act += 1
            below += math.exp(y[act, i] - y[best, i])
    return act, y[act, i] - y[best, i] - math.log(total)


@jit.kernel(
    "void(ENV_RESET, ENV_STEP, float64[::1], const(float64[:,::1]), const(float64[::1]), int64[::1], int64[::1],"
    " int64[::1], int64[::1], int64[:,::1], float64[:,::1], float64[:,::1], int64[:,::1], float64[:,:,::1],"
    " int64[:,::1], float64[:,::1], float64[:,::1], int64[::1], int64[::1], float64[:,::1])"
)
def roll_linear_softmax(
    reset: Any,
    step: Any,
    params: FloatArray,
    W: FloatArray,
    b: FloatArray,
    settings: IntArray,
    counters: IntArray,
    reset_kinds: IntArray,
    step_kinds: IntArray,
    slots: IntArray,
    state: FloatArray,
    obs: FloatArray,
    out_segment: IntArray,
    out_obs: FloatArray,
    out_act: IntArray,
    out_rew: FloatArray,
    out_logp: FloatArray,
    segment_episode: IntArray,
    segment_end: IntArray,
    segment_final: FloatArray,
) -> None:
    """Step a block of B slots until all idle or the outputs (n, B, …) are full.

    `slots` (3, B) with row EPISODE −1 where a slot idles, `state` (S, B) and `obs` (d, B) go in and come out.
    """
    n_slots, d, n_actions = state.shape[1], obs.shape[0], W.shape[1]
    episode, t, segment = slots[EPISODE], slots[T], slots[SEGMENT]
    u, y, act = np.empty((1, n_slots)), np.empty((n_actions, n_slots)), np.zeros((1, n_slots))
    u_reset, u_step = np.empty((len(reset_kinds), n_slots)), np.empty((len(step_kinds), n_slots))
    rew, terminated = np.zeros(n_slots), np.zeros(n_slots, dtype=np.bool_)
    free, begun = np.empty(n_slots, dtype=np.int64), np.empty(n_slots, dtype=np.int64)
    begun_episode, zero = np.empty(n_slots, dtype=np.int64), np.zeros(n_slots, dtype=np.int64)
    uniform = np.zeros(1, dtype=np.int64)  # one uniform number draws an action
    n_free = 0
    for i in range(n_slots):
        if episode[i] < 0:
            free[n_free] = i
            n_free += 1

    n = 0
    while True:
        # free slots take the next episodes, as far as there are any
        n_begun = 0
        for k in range(n_free):
            i = free[k]
            episode[i] = -1
            if counters[NEXT] < settings[END]:
                episode[i] = counters[NEXT]
                t[i] = 0
                segment[i] = counters[SEGMENTS]
                segment_episode[segment[i]] = episode[i]
                begun[n_begun] = i
                begun_episode[n_begun] = episode[i]
                n_begun += 1
                counters[NEXT] += 1
                counters[SEGMENTS] += 1
        if n_begun > 0:
            fill(reset_kinds, settings[SEED], RESET, begun_episode[:n_begun], zero[:n_begun], u_reset)
            reset(params, begun[:n_begun], u_reset, state, obs)
        n_running = 0
        for i in range(n_slots):
            if episode[i] >= 0:
                n_running += 1
        if n_running == 0 or n == out_segment.shape[0]:
            break

        # y = x W + b, a ~ softmax(y)
        fill(uniform, settings[SEED], ACTION, episode, t, u)
        for k in range(n_actions):
            for i in range(n_slots):
                y[k, i] = b[k]
            for j in range(d):
                for i in range(n_slots):
                    y[k, i] += obs[j, i] * W[j, k]
        for i in range(n_slots):
            a, out_logp[n, i] = draw_softmax(y, i, u[0, i], settings[GREEDY] != 0)
            out_act[n, i] = a
            act[0, i] = a
        for i in range(n_slots):
            out_segment[n, i] = segment[i] if episode[i] >= 0 else -1
            for j in range(d):
                out_obs[n, i, j] = obs[j, i]

        if len(step_kinds) > 0:
            fill(step_kinds, settings[SEED], DYNAMICS, episode, t, u_step)
        step(params, act, u_step, state, obs, rew, terminated)

        n_free = 0
        for i in range(n_slots):
            out_rew[n, i] = rew[i]
            t[i] += 1
            if episode[i] >= 0 and (terminated[i] or t[i] >= settings[LIMIT]):
                segment_end[segment[i]] = TERMINATED if terminated[i] else TRUNCATED
                for j in range(d):
                    segment_final[segment[i], j] = obs[j, i]
                free[n_free] = i
                n_free += 1
        n += 1
    counters[STEPS] = n


def roll_fused(
    block: CompiledSlots, policy: ComposedPolicy, theta: Array, live: Live, *, seed: int, deterministic: bool
) -> Record:
    """As `loop.roll` with n_steps=None, by the fused kernel; slots begin idle."""
    env, b, d = block.env, block.n_slots, block.obs.shape[0]
    n_episodes = live.end - live.next_episode
    settings = np.array([np.uint64(seed).astype(np.int64), live.end, block.limit, deterministic], dtype=np.int64)
    counters = np.array([live.next_episode, 0, 0], dtype=np.int64)
    slots = np.stack([live.episode, live.t, live.episode])
    function = policy.function
    if not isinstance(function, Linear):
        raise TypeError(f"the fused rollout takes a Linear function, got {type(function).__name__}")
    W, bias = function.split(theta)
    bias = bias if function.bias else np.zeros(function.n_out)
    episode, end = np.zeros(n_episodes, dtype=np.int64), np.zeros(n_episodes, dtype=np.int64)
    final = np.zeros((n_episodes, d))
    reset, step = jit.env_function(env.reset, "reset"), jit.env_function(env.step, "step")
    chunks: list[tuple[Array, ...]] = []
    while not chunks or counters[STEPS] == CHUNK:
        out = (
            np.empty((CHUNK, b), dtype=np.int64),
            np.empty((CHUNK, b, d)),
            np.empty((CHUNK, b), dtype=np.int64),
            np.empty((CHUNK, b)),
            np.empty((CHUNK, b)),
        )
        roll_linear_softmax(
            reset, step, block.params, W, bias, settings, counters, block.kinds["reset"], block.kinds["step"],
            slots, block.state, block.obs, *out, episode, end, final,
        )  # fmt: skip
        chunks.append(tuple(array[: counters[STEPS]] for array in out))
    segments = Segments(list(episode), [0] * n_episodes, list(end == TERMINATED), list(end == TRUNCATED), list(final))
    segment, obs, act, rew, logp = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
    return Record(segment, obs, act, rew, logp, segments)
