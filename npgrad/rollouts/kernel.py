"""A block of slots in a compiled environment, as one kernel: y = f(x) (or y as it is given), a ~ p(·; y), step.

    slots (2, B)      the episode each slot is in (−1: idle), and its time t
    record            what happened, step by step, slots side by side: rows o, a, r, log π of B numbers each; of a
                      one-hot o, one row with the place of its 1
    stretches (·, 4)  where in `record` a number of steps of equally many slots begins; steps, slots, first of its marks
    marks (·, 4)      from (step, slot) on the rows are those of (segment, t); segment −1: of none
    segments (N, 2)   how each segment ended, and how long it was

A free slot takes the next episode at once. When there are none left and half of the slots idle, the others are packed
together: what happens in a slot depends on its episode alone, so neither changes a bit of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import jit, noise
from ..noise.compiled import fill
from ..types import FloatArray, IntArray
from .draws import hot_entry
from .parts import CONSTANTS, WIDTHS

__all__ = ["roll_block"]

EPISODE, T = 0, 1  # rows of `slots`
START, STEPS, SLOTS, MARK = 0, 1, 2, 3  # columns of `stretches`
HOW, LENGTH = 0, 1  # columns of `segments`
OTHERS = 2  # rows of a step beside o and a
N_COUNTERS = 6
NEXT, RUNNING, WIDTH, STRETCH, MARKS, FULL = 0, 1, 2, 3, 4, 5  # `counters`: next episode, slots that run, all slots, …
SEED, BEGIN, END, LIMIT, GREEDY, MAPPED, ONE_HOT, GIVEN = 0, 1, 2, 3, 4, 5, 6, 7  # `settings`
TERMINATED, TRUNCATED = 1, 2  # how a segment ended; 0: it did not
# streams; as plain integers they would be literals to numba, and `fill` compiled for each
ACTION, RESET, DYNAMICS = (np.int64(stream) for stream in (noise.ACTION, noise.RESET, noise.DYNAMICS))
NARROW = 16  # slots that are not packed further


@jit.kernel(
    "void(ENV_ADDRESS, ENV_ADDRESS, ENV_ADDRESS, ENV_ADDRESS, ENV_ADDRESS, float64[::1], int64[::1], float64[::1],"
    " const(float64[:,::1]), float64[:,::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1],"
    " int64[:,::1], float64[:,::1], float64[:,::1], float64[::1], int64[:,::1], int64[:,::1], int64[:,::1],"
    " float64[:,::1])"
)
def roll_block(
    reset: Any,
    step: Any,
    forward: Any,
    product: Any,
    draw: Any,
    params: FloatArray,
    sizes: IntArray,
    theta: FloatArray,
    bounds: FloatArray,
    given: FloatArray,
    settings: IntArray,
    counters: IntArray,
    kinds: IntArray,
    reset_kinds: IntArray,
    step_kinds: IntArray,
    slots: IntArray,
    state: FloatArray,
    obs: FloatArray,
    record: FloatArray,
    stretches: IntArray,
    marks: IntArray,
    segments: IntArray,
    final: FloatArray,
) -> None:
    """Step the slots until all idle or `record` is full; with GIVEN, once, by `given`, which is y (K, B).

    `forward` and `draw` are of `npgrad.rollouts.parts`; `product`, `sizes` and `theta` are the former's.

    `slots`, `state` (S, B) and `obs` (d, B) go in and come out. `bounds` (3, k) are low, high and offset of the action
    map; `final` (N, d) takes the last observation of each segment.
    """
    reset_slots, step_slots = jit.as_reset(reset), jit.as_step(step)
    y_of, draw_actions = jit.as_forward(forward), jit.as_draw(draw)
    seed, begin, limit = settings[SEED], settings[BEGIN], settings[LIMIT]
    greedy, one_hot, is_given = settings[GREEDY] != 0, settings[ONE_HOT] != 0, settings[GIVEN] != 0
    d, k, n_y = obs.shape[0], bounds.shape[1], sizes[-1] + sizes[CONSTANTS]
    n_units = 0  # hidden ones
    for layer in range(WIDTHS + 1, sizes.shape[0] - 1):
        n_units += sizes[layer]
    w_obs = 1 if one_hot else d
    w_act, w = w_obs + k, w_obs + k + OTHERS
    all_slots, all_state, all_obs, full = slots, state, obs, False
    if counters[MARKS] == 0:
        for i in range(slots.shape[1]):
            mark(marks, counters, 0, i, slots, begin)
    while True:  # once for each width
        n_slots = slots.shape[1]
        episode, t = slots[EPISODE], slots[T]
        u, y = np.empty((len(kinds), n_slots)), given if is_given else np.empty((n_y, n_slots))
        u_reset, u_step = np.empty((len(reset_kinds), n_slots)), np.empty((len(step_kinds), n_slots))
        units = np.empty(n_units * n_slots)
        mapped, scratch = np.empty((k, n_slots)), np.empty((n_y + 2, n_slots))
        terminated, how = np.zeros(n_slots, dtype=np.bool_), np.zeros(n_slots, dtype=np.int64)
        free, episodes, zero = np.empty(n_slots, np.int64), np.empty(n_slots, np.int64), np.zeros(n_slots, np.int64)

        stretch = stretches[counters[STRETCH]]
        n, n_rows, n_free = stretch[STEPS], (len(record) - stretch[START]) // (w * n_slots), 0
        if n_rows < 2:  # a step has a row of its own, and the next o one
            full = True
            break
        until = n_rows - 1
        if is_given:  # one step, or none where y is that of other slots
            until = min(until, n + 1 if given.shape[1] == n_slots else n)
        rows = record[stretch[START] : stretch[START] + n_rows * w * n_slots].reshape((n_rows, w, n_slots))
        seen = obs
        if not one_hot:
            seen = rows[n, :d]
            for j in range(d):
                for i in range(n_slots):
                    seen[j, i] = obs[j, i]
        if counters[NEXT] < settings[END]:
            for i in range(n_slots):
                if episode[i] < 0:
                    free[n_free] = i
                    n_free += 1
        while True:
            n_begun = min(n_free, settings[END] - counters[NEXT])  # free slots take the next episodes
            if n_begun > 0:
                for j in range(n_begun):
                    i = free[j]
                    episodes[j] = episode[i] = counters[NEXT] + j
                    t[i] = 0
                fill(reset_kinds, seed, RESET, episodes[:n_begun], zero[:n_begun], u_reset)
                reset_slots(params, free[:n_begun], u_reset, state, seen)
                counters[NEXT] += n_begun
                counters[RUNNING] += n_begun
            for j in range(n_free):
                mark(marks, counters, n, free[j], slots, begin)
            half_idle = 2 * counters[RUNNING] <= n_slots and n_slots > NARROW
            if n == until or counters[RUNNING] == 0 or half_idle:
                break

            row = rows[n]
            act, rew, logp = row[w_obs:w_act], row[w_act], row[w_act + 1]
            if one_hot:
                hot_entry(seen, row[0])
            if not is_given:
                y_of(product, sizes, theta, row[:w_obs], units, y)
            if not greedy:
                fill(kinds, seed, ACTION, episode, t, u)
            draw_actions(y, u, scratch, act, logp)
            taken = act
            if settings[MAPPED] != 0:
                taken = mapped
                for j in range(k):
                    low, high, offset = bounds[0, j], bounds[1, j], bounds[2, j]
                    for i in range(n_slots):
                        mapped[j, i] = min(max(act[j, i] + offset, low), high)
            if len(step_kinds) > 0:
                fill(step_kinds, seed, DYNAMICS, episode, t, u_step)
            n += 1
            if not one_hot:
                seen = rows[n, :d]
            step_slots(params, taken, u_step, state, seen, rew, terminated)

            n_free = 0
            for low in range(0, n_slots, 32):
                n_ended = 0
                for i in range(low, min(low + 32, n_slots)):
                    t[i] += 1
                    ended = TERMINATED if terminated[i] else TRUNCATED if t[i] >= limit else 0
                    how[i] = ended if episode[i] >= 0 else 0
                    n_ended += how[i]
                if n_ended > 0:
                    for i in range(low, min(low + 32, n_slots)):
                        if how[i] != 0:
                            s = episode[i] - begin
                            segments[s, HOW], segments[s, LENGTH] = how[i], t[i]
                            for j in range(d):
                                final[s, j] = seen[j, i]
                            episode[i] = -1
                            free[n_free] = i
                            n_free += 1
            counters[RUNNING] -= n_free
        stretch[STEPS] = n
        full = n == n_rows - 1
        if not one_hot:
            for j in range(d):
                for i in range(n_slots):
                    obs[j, i] = seen[j, i]
        n_running = counters[RUNNING]
        if 0 < 2 * n_running <= n_slots and n_slots > NARROW:
            width = max(NARROW, (n_running + 7) // 8 * 8)
            old_slots, old_state, old_obs = slots, state, obs
            slots = np.empty((all_slots.shape[0], width), dtype=np.int64)
            state, obs = np.empty((all_state.shape[0], width)), np.empty((d, width))
            pack(old_slots, old_state, old_obs, slots, state, obs)
            s = counters[STRETCH]
            stretches[s + 1, START] = stretches[s, START] + stretches[s, STEPS] * w * n_slots
            stretches[s + 1, STEPS], stretches[s + 1, SLOTS], stretches[s + 1, MARK] = 0, width, counters[MARKS]
            counters[STRETCH] += 1
            for i in range(width):
                mark(marks, counters, stretches[s + 1, STEPS], i, slots, begin)
        if n_running == 0 or full or is_given:
            break
    counters[WIDTH], counters[FULL] = slots.shape[1], 1 if full else 0
    if slots.shape[1] < all_slots.shape[1]:
        for i in range(slots.shape[1]):
            copy_slot(slots, state, obs, i, all_slots, all_state, all_obs, i)


@jit.device
def mark(marks: IntArray, counters: IntArray, n: int, i: int, slots: IntArray, begin: int) -> None:
    """From step n on, what slot i does belongs to the episode it is in."""
    m = counters[MARKS]
    marks[m, 0], marks[m, 1], marks[m, 2], marks[m, 3] = n, i, max(slots[EPISODE, i] - begin, -1), slots[T, i]
    counters[MARKS] += 1


@jit.device
def pack(
    slots: IntArray, state: FloatArray, obs: FloatArray, to_slots: IntArray, to_state: FloatArray, to_obs: FloatArray
) -> None:
    """Copy the running slots into narrower arrays; idle ones behind them have a state that may be stepped on."""
    m = 0
    for i in range(slots.shape[1]):
        if slots[EPISODE, i] >= 0:
            copy_slot(slots, state, obs, i, to_slots, to_state, to_obs, m)
            m += 1
    for j in range(m, to_slots.shape[1]):
        copy_slot(to_slots, to_state, to_obs, j % m, to_slots, to_state, to_obs, j)
        to_slots[EPISODE, j] = -1


@jit.device
def copy_slot(
    slots: IntArray,
    state: FloatArray,
    obs: FloatArray,
    i: int,
    to_slots: IntArray,
    to_state: FloatArray,
    to_obs: FloatArray,
    j: int,
) -> None:
    """Slot i becomes slot j of the others."""
    for r in range(slots.shape[0]):
        to_slots[r, j] = slots[r, i]
    for r in range(state.shape[0]):
        to_state[r, j] = state[r, i]
    for r in range(obs.shape[0]):
        to_obs[r, j] = obs[r, i]
