"""Learning inside kernels, transition by transition: the parts that the online actor-critic and A3C are made of.

`spec` says what the networks are, `sizes` and `v_sizes` how wide (see `npgrad.kernels.network`):

    GAUSSIAN           1: y = (μ, log σ); 0: y are preferences of a softmax
    K                  numbers of an action
    ACTIVATION, V_…    φ of policy and critic
    LOG_STD            where log σ comes from: FROM_NET, FROM_THETA (the last of θ) or GIVEN
    N_NET              how much of θ is the network's
    V_BIAS, QUADRATIC  the critic's network has biases; it sees (x, x², τ, τ², τ³, 1) rather than x
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import jit, noise
from ..elementary import exp, log
from ..kernels.network import backward, forward
from ..noise.compiled import fill
from ..rollouts.draws import draw_gaussian, draw_softmax
from ..types import FloatArray, IntArray

__all__ = ["draw_action", "learn_stream", "learn_transition"]

GAUSSIAN, K, ACTIVATION, LOG_STD, N_NET, V_ACTIVATION, V_BIAS, QUADRATIC, MAPPED = 0, 1, 2, 3, 4, 5, 6, 7, 8  # `spec`
N_SPEC = 9
FROM_NET, FROM_THETA, GIVEN = 0, 1, 2
ALPHA, ALPHA_V, GAMMA, DECAY, DECAY_V, BETA, KAPPA, SCALE, KEEP_DISCOUNT = 0, 1, 2, 3, 4, 5, 6, 7, 8  # `numbers`
EPISODE, T, NEXT = 0, 1, 2  # rows of `slots`
SEED, LIMIT, N_STEPS = 0, 1, 2  # `settings`
DISCOUNT, RETURN = 0, 1  # rows of `running`
ACTION, RESET, DYNAMICS = (np.int64(stream) for stream in (noise.ACTION, noise.RESET, noise.DYNAMICS))
MAP_LOW, MAP_HIGH, MAP_OFFSET = 0, 1, 2  # rows of `bounds`


@jit.device
def outputs(
    spec: IntArray, sizes: IntArray, given: FloatArray, theta: FloatArray, units: FloatArray, y: FloatArray
) -> None:
    """y (K, 1) of the policy, with x_0 at the beginning of `units`."""
    forward(sizes, spec[ACTIVATION], 1, theta, units)
    n, end = sizes[-1], units.shape[0]
    for j in range(n):
        y[j, 0] = units[end - n + j]
    for j in range(y.shape[0] - n):
        y[n + j, 0] = theta[spec[N_NET] + j] if spec[LOG_STD] == FROM_THETA else given[j]


@jit.device
def score_row(spec: IntArray, y: FloatArray, act: FloatArray, psi: float, beta: float, row: FloatArray) -> None:
    """row_k = Ψ ∂log π(a)/∂y_k + β ∂H/∂y_k."""
    n = y.shape[0]
    if spec[GAUSSIAN] != 0:
        k = n // 2
        for j in range(k):
            sigma = exp(y[k + j, 0])
            z = (act[j] - y[j, 0]) / sigma
            row[j] = psi * z / sigma
            row[k + j] = psi * (z * z - 1.0) + beta  # ∂H/∂log σ = 1
        return
    top, total, h = y[0, 0], 0.0, 0.0
    for k in range(1, n):
        top = max(top, y[k, 0])
    for k in range(n):
        row[k] = exp(y[k, 0] - top)
        total += row[k]
    norm = log(total) + top
    for k in range(n):
        row[k] /= total  # π_k
        h -= row[k] * (y[k, 0] - norm)
    for k in range(n):
        pi, chosen = row[k], 1.0 if act[0] == k else 0.0
        row[k] = psi * (chosen - pi) - beta * pi * (y[k, 0] - norm + h)  # ∂H/∂y_k = −π_k (log π_k + H)


@jit.device
def pull_policy(
    spec: IntArray,
    sizes: IntArray,
    theta: FloatArray,
    units: FloatArray,
    slopes: FloatArray,
    row: FloatArray,
    gradient: FloatArray,
) -> None:
    """Add Jᵀ row to `gradient` (P,)."""
    n, end = sizes[-1], units.shape[0]
    for j in range(n):
        slopes[end - n + j] = row[j]
    backward(sizes, spec[ACTIVATION], 1, theta, units, slopes, gradient)
    if spec[LOG_STD] == FROM_THETA:
        for j in range(row.shape[0] - n):
            gradient[spec[N_NET] + j] += row[n + j]


@jit.device
def value(spec: IntArray, v_sizes: IntArray, w: FloatArray, x: FloatArray, t: float, units: FloatArray) -> Any:
    """V_w(x) at time t; `units` are kept for `pull_value`."""
    d = x.shape[0]
    for i in range(d):
        units[i] = x[i]
    if spec[QUADRATIC] != 0:
        for i in range(d):
            units[d + i] = x[i] * x[i]
        tau = t / 100.0
        units[2 * d], units[2 * d + 1], units[2 * d + 2], units[2 * d + 3] = tau, tau * tau, tau * tau * tau, 1.0
    forward(v_sizes, spec[V_ACTIVATION], spec[V_BIAS], w, units)
    return units[-1]


@jit.device
def pull_value(
    spec: IntArray,
    v_sizes: IntArray,
    w: FloatArray,
    units: FloatArray,
    slopes: FloatArray,
    weight: float,
    gradient: FloatArray,
) -> None:
    """Add weight · ∇V to `gradient` (P_w,)."""
    slopes[-1] = weight
    backward(v_sizes, spec[V_ACTIVATION], spec[V_BIAS], w, units, slopes, gradient)


@jit.device
def draw(spec: IntArray, y: FloatArray, u: FloatArray, scratch: FloatArray, act: FloatArray) -> None:
    """act (k, 1) ~ p(·; y) at the noise u; scratch (n_y + 3, 1). The same bits as in a rollout."""
    n = y.shape[0]
    if spec[GAUSSIAN] != 0:
        draw_gaussian(y, u, False, act, scratch[n])
    else:
        draw_softmax(y, u, act, scratch[n], scratch[:n], scratch[n + 1], scratch[n + 2])


@jit.device
def n_outputs(spec: IntArray, sizes: IntArray) -> Any:
    """How many numbers y has."""
    return 2 * spec[K] if spec[GAUSSIAN] != 0 else sizes[-1]


@jit.kernel(
    "void(const(int64[::1]), const(int64[::1]), const(float64[::1]), const(int64[::1]), uint64, int64, int64,"
    " const(float64[::1]), const(float64[::1]), float64[:,::1])"
)
def draw_action(
    spec: IntArray,
    sizes: IntArray,
    given: FloatArray,
    kinds: IntArray,
    seed: int,
    episode: int,
    t: int,
    x: FloatArray,
    theta: FloatArray,
    act: FloatArray,
) -> None:
    """An action at x, as a rollout of that seed draws it at step t of the episode; act (k, 1)."""
    units, n = np.empty(np.sum(sizes)), n_outputs(spec, sizes)
    y, u, scratch = np.empty((n, 1)), np.empty((len(kinds), 1)), np.empty((n + 3, 1))
    place = np.empty((2, 1), dtype=np.int64)
    place[0, 0], place[1, 0] = episode, t
    for i in range(x.shape[0]):
        units[i] = x[i]
    outputs(spec, sizes, given, theta, units, y)
    fill(kinds, seed, ACTION, place[0], place[1], u)
    draw(spec, y, u, scratch, act)


@jit.device
def ascend_trace(theta: FloatArray, z: FloatArray, delta: float, alpha: float, kappa: float) -> None:
    """θ ← θ + α δ z, shortened where κ α max(|δ|, 1) ‖z‖₁ > 1 so that no step overshoots (Elsayed et al. 2024)."""
    step = alpha
    if kappa > 0.0:
        norm = 0.0
        for p in range(z.shape[0]):
            norm += abs(z[p])
        bound = kappa * alpha * max(abs(delta), 1.0) * norm
        step = alpha / max(bound, 1.0)
    for p in range(z.shape[0]):
        theta[p] += step * delta * z[p]


@jit.kernel(
    "float64(const(int64[::1]), const(float64[::1]), const(int64[::1]), const(int64[::1]), const(float64[::1]),"
    " const(float64[::1]), const(float64[::1]), float64, const(float64[::1]), boolean, float64, float64,"
    " float64[::1], float64[::1], float64[::1], float64[::1])"
)
def learn_transition(
    spec: IntArray,
    numbers: FloatArray,
    sizes: IntArray,
    v_sizes: IntArray,
    given: FloatArray,
    x: FloatArray,
    act: FloatArray,
    rew: float,
    x_next: FloatArray,
    terminated: bool,
    t: float,
    discount: float,
    theta: FloatArray,
    w: FloatArray,
    z: FloatArray,
    z_v: FloatArray,
) -> Any:
    """Learn from one transition, which changes θ, w and their traces in place; δ.

    δ = r + γ V(s') − V(s),  z_w ← γλ_w z_w + ∇V,  z ← γλ z + I f,  w ← w + α_w δ z_w,  θ ← θ + α (δ z + β ∇H)
    """
    gamma = numbers[GAMMA]
    units, v_units = np.empty(np.sum(sizes)), np.empty(np.sum(v_sizes))
    slopes, v_slopes = np.empty(units.shape[0]), np.empty(v_units.shape[0])
    n = n_outputs(spec, sizes)
    y, row = np.empty((n, 1)), np.empty(n)
    after = 0.0 if terminated else value(spec, v_sizes, w, x_next, t + 1.0, v_units)
    delta = numbers[SCALE] * rew + gamma * after - value(spec, v_sizes, w, x, t, v_units)
    for p in range(z_v.shape[0]):
        z_v[p] *= gamma * numbers[DECAY_V]
    pull_value(spec, v_sizes, w, v_units, v_slopes, 1.0, z_v)
    for i in range(x.shape[0]):
        units[i] = x[i]
    outputs(spec, sizes, given, theta, units, y)
    for p in range(z.shape[0]):
        z[p] *= gamma * numbers[DECAY]
    score_row(spec, y, act, discount, 0.0, row)
    pull_policy(spec, sizes, theta, units, slopes, row, z)
    if numbers[BETA] != 0.0:
        bonus = np.zeros(theta.shape[0])
        score_row(spec, y, act, 0.0, numbers[ALPHA] * numbers[BETA], row)
        pull_policy(spec, sizes, theta, units, slopes, row, bonus)
        for p in range(theta.shape[0]):
            theta[p] += bonus[p]
    ascend_trace(w, z_v, delta, numbers[ALPHA_V], numbers[KAPPA])
    ascend_trace(theta, z, delta, numbers[ALPHA], numbers[KAPPA])
    return delta


@jit.kernel(
    "int64(ENV_ADDRESS, ENV_ADDRESS, float64[::1], const(int64[::1]), const(int64[::1]), const(float64[::1]),"
    " const(int64[::1]), const(int64[::1]), const(float64[::1]), const(float64[:,::1]), const(int64[::1]),"
    " const(int64[::1]), const(int64[::1]), int64[:,::1], float64[:,::1], float64[:,::1], float64[:,::1],"
    " float64[::1], float64[::1], float64[:,::1], float64[:,::1], float64[::1], int64[::1])"
)
def learn_stream(
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
    slots: IntArray,
    state: FloatArray,
    obs: FloatArray,
    running: FloatArray,
    theta: FloatArray,
    w: FloatArray,
    z: FloatArray,
    z_v: FloatArray,
    returns: FloatArray,
    lengths: IntArray,
) -> int:
    """Act and learn, N_STEPS times in each of B slots; the number of episodes that ended.

    `slots` (3, B), `state` (S, B), `obs` (d, B), `running` (2, B), θ, w, z (B, P) and z_v (B, P_w) go in and come out.
    """
    reset_slots, step_slots = jit.as_reset(reset), jit.as_step(step)
    d, n_slots, k = obs.shape[0], obs.shape[1], spec[K]
    n = n_outputs(spec, sizes)
    units, y = np.empty(np.sum(sizes)), np.empty((n, 1))
    u, scratch = np.empty((len(kinds), 1)), np.empty((n + 3, 1))
    act, taken, rew = np.empty((n_slots, k)), np.empty((k, n_slots)), np.empty(n_slots)
    draws, before, after = np.empty((k, 1)), np.empty((n_slots, d)), np.empty(d)
    terminated = np.zeros(n_slots, dtype=np.bool_)
    u_reset, u_step = np.empty((len(reset_kinds), 1)), np.empty((len(step_kinds), n_slots))
    free, zero, n_ended = np.empty(1, np.int64), np.zeros(1, np.int64), 0
    for _ in range(settings[N_STEPS]):
        for i in range(n_slots):
            if slots[EPISODE, i] < 0:
                place = settings[SEED], reset_kinds, n_slots, i
                begin(reset_slots, params, place, slots, state, obs, free, zero, u_reset)
                running[DISCOUNT, i], running[RETURN, i] = 1.0, 0.0
                z[i, :] = 0.0
                z_v[i, :] = 0.0
            for j in range(d):
                before[i, j] = units[j] = obs[j, i]
            outputs(spec, sizes, given, theta, units, y)
            fill(kinds, settings[SEED], ACTION, slots[EPISODE, i : i + 1], slots[T, i : i + 1], u)
            draw(spec, y, u, scratch, draws)
            for j in range(k):
                act[i, j] = taken[j, i] = draws[j, 0]
                if spec[MAPPED] != 0:
                    taken[j, i] = min(max(draws[j, 0] + bounds[MAP_OFFSET, j], bounds[MAP_LOW, j]), bounds[MAP_HIGH, j])
        if len(step_kinds) > 0:
            fill(step_kinds, settings[SEED], DYNAMICS, slots[EPISODE], slots[T], u_step)
        step_slots(params, taken, u_step, state, obs, rew, terminated)
        for i in range(n_slots):
            for j in range(d):
                after[j] = obs[j, i]
            learn_transition(
                spec, numbers, sizes, v_sizes, given, before[i], act[i], rew[i], after, terminated[i],
                float(slots[T, i]), running[DISCOUNT, i], theta, w, z[i], z_v[i],
            )  # fmt: skip
            if numbers[KEEP_DISCOUNT] != 0.0:
                running[DISCOUNT, i] *= numbers[GAMMA]
            running[RETURN, i] += rew[i]
            slots[T, i] += 1
            if terminated[i] or slots[T, i] >= settings[LIMIT]:
                returns[n_ended], lengths[n_ended] = running[RETURN, i], slots[T, i]
                n_ended += 1
                slots[EPISODE, i] = -1
    return n_ended


@jit.device
def begin(
    reset_slots: Any,
    params: FloatArray,
    place: tuple[int, IntArray, int, int],
    slots: IntArray,
    state: FloatArray,
    obs: FloatArray,
    free: IntArray,
    zero: IntArray,
    u: FloatArray,
) -> None:
    """Slot i takes its next episode, the `stride`-th after its last; free, zero and u are scratch."""
    seed, reset_kinds, stride, i = place
    slots[EPISODE, i], slots[T, i] = slots[NEXT, i], 0
    slots[NEXT, i] += stride
    free[0] = i
    fill(reset_kinds, seed, RESET, slots[EPISODE, i : i + 1], zero, u)
    reset_slots(params, free, u, state, obs)
