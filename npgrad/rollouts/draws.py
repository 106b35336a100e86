"""What the rollout kernel computes for all slots side by side: a ~ p(·; y) from given noise.

Arrays have one column a slot. Each loop runs over slots inside and does one thing, so that it vectorises.
"""

from __future__ import annotations

from .. import jit
from ..elementary import exp, log_or_nan
from ..types import FloatArray

__all__ = ["draw_gaussian", "draw_one_of_two", "draw_softmax", "hot_entry", "take_modes"]

HALF_LOG_2PI = 0.9189385332046727  # ½ log 2π


@jit.device
def hot_entry(x: FloatArray, hot: FloatArray) -> None:
    """hot (B,): where each one-hot column of x (d, B) has its 1."""
    for i in range(x.shape[1]):
        hot[i] = 0.0
    for j in range(1, x.shape[0]):
        place = float(j)
        for i in range(x.shape[1]):
            hot[i] += place * x[j, i]


@jit.device
def take_modes(y: FloatArray, act: FloatArray, logp: FloatArray, top: FloatArray) -> None:
    """The modes of a softmax, the first of equals, and their log π; y (K, B), act (1, B), logp and scratch top (B,)."""
    for i in range(y.shape[1]):
        top[i] = y[0, i]
        act[0, i] = 0.0
    for k in range(1, y.shape[0]):
        for i in range(y.shape[1]):
            higher = y[k, i] > top[i]
            top[i] = y[k, i] if higher else top[i]  # max y
            act[0, i] = k if higher else act[0, i]
    for i in range(y.shape[1]):
        logp[i] = 0.0
    for k in range(y.shape[0]):
        for i in range(y.shape[1]):
            logp[i] += exp(y[k, i] - top[i])
    for i in range(y.shape[1]):
        logp[i] = -log_or_nan(logp[i])


@jit.device
def draw_softmax(
    y: FloatArray,
    u: FloatArray,
    act: FloatArray,
    logp: FloatArray,
    weight: FloatArray,
    top: FloatArray,
    total: FloatArray,
) -> None:
    """Actions by the inverse distribution function at u, and their log π; weight, top and total are scratch.

    y and weight (K, B), u (≥ 1, B), act (1, B), the others (B,). u is overwritten.
    """
    n = y.shape[0]
    for i in range(y.shape[1]):
        top[i] = y[0, i]
        total[i] = 0.0
    for k in range(1, n):
        for i in range(y.shape[1]):
            top[i] = y[k, i] if y[k, i] > top[i] else top[i]  # max y
    for k in range(n):
        for i in range(y.shape[1]):
            weight[k, i] = exp(y[k, i] - top[i])
            total[i] += weight[k, i]
    for i in range(y.shape[1]):
        u[0, i] *= total[i]
        act[0, i] = 0.0
    for k in range(n - 1):
        for i in range(y.shape[1]):
            u[0, i] -= weight[k, i]
            act[0, i] += 1.0 if u[0, i] >= 0.0 else 0.0  # Σ_{j≤k} exp(y_j − max y) ≤ u Σ_j: the action is beyond k
    for k in range(n):
        for i in range(y.shape[1]):
            logp[i] = y[k, i] if act[0, i] == k else logp[i]
    for i in range(y.shape[1]):
        logp[i] = (logp[i] - top[i]) - log_or_nan(total[i])


@jit.device
def draw_one_of_two(y: FloatArray, u: FloatArray, act: FloatArray, logp: FloatArray) -> None:
    """What `draw_softmax` gives for two actions, to the bit: y − max y is 0 for one of them, and exp 0 is 1."""
    for i in range(y.shape[1]):
        second = y[1, i] > y[0, i]  # which is the likelier
        less = y[0, i] - y[1, i] if second else y[1, i] - y[0, i]
        w = exp(less)
        beyond = u[0, i] * (1.0 + w) - (w if second else 1.0) >= 0.0
        act[0, i] = 1.0 if beyond else 0.0
        logp[i] = (0.0 if beyond == second else less) - log_or_nan(1.0 + w)


@jit.device
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
