"""A3C's actor-learner as a kernel: workers that take turns in a thread, on θ and w that all threads share, lock-free.

Each worker has an environment of its own, and its own ε. One turn is one pass through the pseudo-code's outer loop:

    θ' ← θ, w' ← w
    act by π_θ' until terminal or t − t_start = t_max
    R = 0 if terminal, else V_w'(s_t);   for i = t−1 … t_start:   R ← r_i + γR
        dθ ← dθ + ρ_i (R − V(s_i)) ∇log π(a_i|s_i) + β ∇H(s_i),   dw ← dw − ∂(R − V(s_i))²/∂w'
    θ ← θ + α dθ/√(g + ε),  g ← 0.99 g + 0.01 dθ²  (RMSProp with shared g, or plain), and w likewise

ρ_i = π/b is 1 but for workers that explore: b mixes a softmax with ε of the uniform, or widens a Gaussian's σ by 1 + ε.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import jit
from ..elementary import exp, log
from ..noise.compiled import fill
from ..types import FloatArray, IntArray
from .online_kernels import (
    ACTION,
    DYNAMICS,
    EPISODE,
    GAUSSIAN,
    MAP_HIGH,
    MAP_LOW,
    MAP_OFFSET,
    MAPPED,
    NEXT,
    RESET,
    K,
    T,
    draw,
    n_outputs,
    outputs,
    pull_policy,
    pull_value,
    score_row,
    value,
)

__all__ = ["accumulate", "work"]

ALPHA, ALPHA_V, GAMMA, BETA, SCALE, LONGEST, RMS_DECAY, RMS_EPSILON = 0, 1, 2, 3, 4, 5, 6, 7  # `numbers`
N_NUMBERS = 8
SEED, LIMIT, TURNS, T_MAX, STRIDE = 0, 1, 2, 3, 4  # `settings`
STEPS, ENDED = 0, 1  # `counts`


@jit.device
def explore(spec: IntArray, y: FloatArray, u: FloatArray, epsilon: float, scratch: FloatArray, act: FloatArray) -> Any:
    """act (k, 1) ~ b at the noise u; ρ = π(a)/b(a)."""
    if epsilon == 0.0:
        draw(spec, y, u, scratch, act)
        return 1.0
    n = y.shape[0]
    if spec[GAUSSIAN] != 0:
        k, log_rho = n // 2, 0.0
        for j in range(k):
            z = (1.0 + epsilon) * u[j, 0]
            act[j, 0] = y[j, 0] + exp(y[k + j, 0]) * z
            log_rho += log(1.0 + epsilon) - 0.5 * (z * z - u[j, 0] * u[j, 0])
        return exp(log_rho)
    top, total, below = y[0, 0], 0.0, 0.0
    for i in range(1, n):
        top = max(top, y[i, 0])
    for i in range(n):
        scratch[i, 0] = exp(y[i, 0] - top)
        total += scratch[i, 0]
    chosen = n - 1
    for i in range(n):
        below += (1.0 - epsilon) * scratch[i, 0] / total + epsilon / n
        if u[0, 0] < below:
            chosen = i
            break
    pi = scratch[chosen, 0] / total
    act[0, 0] = chosen
    return pi / ((1.0 - epsilon) * pi + epsilon / n)


@jit.device
def accumulate(
    spec: IntArray,
    numbers: FloatArray,
    sizes: IntArray,
    v_sizes: IntArray,
    given: FloatArray,
    xs: FloatArray,
    acts: FloatArray,
    rews: FloatArray,
    rhos: FloatArray,
    t_start: int,
    x_last: FloatArray,
    terminal: bool,
    theta: FloatArray,
    w: FloatArray,
    d_theta: FloatArray,
    d_w: FloatArray,
) -> None:
    """The pseudo-code's inner loop on n steps: xs (n, d), acts (n, k), rews (n,) and rhos (n,); adds to dθ and dw."""
    n_steps, n = rews.shape[0], n_outputs(spec, sizes)
    units, v_units = np.empty(np.sum(sizes)), np.empty(np.sum(v_sizes))
    slopes, v_slopes = np.empty(units.shape[0]), np.empty(v_units.shape[0])
    y, row = np.empty((n, 1)), np.empty(n)
    R = 0.0 if terminal else value(spec, v_sizes, w, x_last, float(t_start + n_steps), v_units)
    for i in range(n_steps - 1, -1, -1):
        R = rews[i] + numbers[GAMMA] * R
        advantage = R - value(spec, v_sizes, w, xs[i], float(t_start + i), v_units)
        pull_value(spec, v_sizes, w, v_units, v_slopes, 2.0 * advantage, d_w)  # −∂(R − V)²/∂w = 2 (R − V) ∇V
        for j in range(xs.shape[1]):
            units[j] = xs[i, j]
        outputs(spec, sizes, given, theta, units, y)
        score_row(spec, y, acts[i], rhos[i] * advantage, numbers[BETA], row)
        pull_policy(spec, sizes, theta, units, slopes, row, d_theta)


@jit.device
def update(numbers: FloatArray, alpha: float, d: FloatArray, theta: FloatArray, g: FloatArray) -> None:
    """θ ← θ + α d/√(g + ε), element by element and without a lock; longer d are cut to LONGEST first."""
    norm = 0.0
    for p in range(d.shape[0]):
        norm += d[p] * d[p]
    norm = np.sqrt(norm)
    cut = numbers[LONGEST] / norm if norm > numbers[LONGEST] else 1.0
    for p in range(d.shape[0]):
        step = cut * d[p]
        if numbers[RMS_DECAY] > 0.0:
            g[p] = numbers[RMS_DECAY] * g[p] + (1.0 - numbers[RMS_DECAY]) * step * step
            step /= np.sqrt(g[p] + numbers[RMS_EPSILON])
        theta[p] += alpha * step


@jit.kernel(
    "void(ENV_ADDRESS, ENV_ADDRESS, float64[::1], const(int64[::1]), const(int64[::1]), const(float64[::1]),"
    " const(int64[::1]), const(int64[::1]), const(float64[::1]), const(float64[:,::1]), const(int64[::1]),"
    " const(int64[::1]), const(int64[::1]), const(float64[::1]), int64[:,::1], float64[:,:,::1], float64[:,:,::1],"
    " float64[::1], float64[::1], float64[::1], float64[::1], float64[::1], float64[::1], int64[::1], int64[::1])"
)
def work(
    reset: Any,
    step: Any,
    params: FloatArray,
    settings: IntArray,
    spec: IntArray,
    numbers: FloatArray,
    sizes: IntArray,
    v_sizes: IntArray,
    given: FloatArray,
    bounds: FloatArray,
    kinds: IntArray,
    reset_kinds: IntArray,
    step_kinds: IntArray,
    epsilon: FloatArray,
    slots: IntArray,
    state: FloatArray,
    obs: FloatArray,
    running: FloatArray,
    theta: FloatArray,
    w: FloatArray,
    g: FloatArray,
    g_w: FloatArray,
    returns: FloatArray,
    lengths: IntArray,
    counts: IntArray,
) -> None:
    """TURNS of each of B workers, one after the other.

    `slots` (B, 3), `state` (B, S, 1), `obs` (B, d, 1) and `running` (B,), the returns so far, are the workers' own; θ,
    w, and RMSProp's g and g_w are shared. `counts` says how many steps were made and episodes ended.
    """
    reset_env, step_env = jit.as_reset(reset), jit.as_step(step)
    d, k, t_max, n = obs.shape[1], spec[K], settings[T_MAX], n_outputs(spec, sizes)
    my_theta, my_w, d_theta, d_w = np.empty_like(theta), np.empty_like(w), np.empty_like(theta), np.empty_like(w)
    xs, acts, rews, rhos = np.empty((t_max, d)), np.empty((t_max, k)), np.empty(t_max), np.empty(t_max)
    units, y, u, scratch = np.empty(np.sum(sizes)), np.empty((n, 1)), np.empty((len(kinds), 1)), np.empty((n + 3, 1))
    act, x_last, rew, terminated = np.empty((k, 1)), np.empty(d), np.empty(1), np.zeros(1, dtype=np.bool_)
    u_reset, u_step = np.empty((len(reset_kinds), 1)), np.empty((len(step_kinds), 1))
    zero = np.zeros(1, np.int64)
    for _ in range(settings[TURNS]):
        for i in range(slots.shape[0]):
            slot, x = slots[i], obs[i]
            for p in range(theta.shape[0]):
                my_theta[p], d_theta[p] = theta[p], 0.0
            for p in range(w.shape[0]):
                my_w[p], d_w[p] = w[p], 0.0
            if slot[EPISODE] < 0:
                slot[EPISODE], slot[T] = slot[NEXT], 0
                slot[NEXT] += settings[STRIDE]
                running[i] = 0.0
                fill(reset_kinds, settings[SEED], RESET, slot[EPISODE : EPISODE + 1], zero, u_reset)
                reset_env(params, zero, u_reset, state[i], x)
            t_start, m, ended = slot[T], 0, False
            while m < t_max and not ended:
                for j in range(d):
                    xs[m, j] = units[j] = x[j, 0]
                outputs(spec, sizes, given, my_theta, units, y)
                fill(kinds, settings[SEED], ACTION, slot[EPISODE : EPISODE + 1], slot[T : T + 1], u)
                rhos[m] = explore(spec, y, u, epsilon[i], scratch, act)
                for j in range(k):
                    acts[m, j] = act[j, 0]
                    if spec[MAPPED] != 0:
                        act[j, 0] = min(max(act[j, 0] + bounds[MAP_OFFSET, j], bounds[MAP_LOW, j]), bounds[MAP_HIGH, j])
                if len(step_kinds) > 0:
                    fill(step_kinds, settings[SEED], DYNAMICS, slot[EPISODE : EPISODE + 1], slot[T : T + 1], u_step)
                step_env(params, act, u_step, state[i], x, rew, terminated)
                rews[m] = numbers[SCALE] * rew[0]
                running[i] += rew[0]
                slot[T] += 1
                m += 1
                ended = terminated[0] or slot[T] >= settings[LIMIT]
            for j in range(d):
                x_last[j] = x[j, 0]
            accumulate(
                spec, numbers, sizes, v_sizes, given, xs[:m], acts[:m], rews[:m], rhos[:m], t_start, x_last,
                terminated[0], my_theta, my_w, d_theta, d_w,
            )  # fmt: skip
            update(numbers, numbers[ALPHA], d_theta, theta, g)
            update(numbers, numbers[ALPHA_V], d_w, w, g_w)
            counts[STEPS] += m
            if ended:
                returns[counts[ENDED]], lengths[counts[ENDED]] = running[i], slot[T]
                counts[ENDED] += 1
                slot[EPISODE] = -1
