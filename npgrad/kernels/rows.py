"""log p and ∂log p/∂y of the two distributions that are used most, in one pass over the rows (S1, S2, S4)."""

from __future__ import annotations

import numpy as np

from ..elementary import exp, log, log_or_nan
from ..jit import kernel
from ..types import Array, FloatArray, IntArray

__all__ = ["gaussian_draw", "gaussian_rows", "softmax_draw", "softmax_rows"]

BLOCK = 128  # rows
HALF_LOG_2PI = 0.5 * float(np.log(2 * np.pi))


@kernel(
    "void(const(float32[:,::1]), const(int64[::1]), float32[::1], float32[:,::1])",
    "void(const(float64[:,::1]), const(int64[::1]), float64[::1], float64[:,::1])",
)
def softmax_rows(y: Array, act: IntArray, logp: Array, score: Array) -> None:
    """log p_a = y_a − log Σ_j exp y_j and ∂log p_a/∂y_i = 1[i = a] − p_i; a y of −∞ has p = 0."""
    n_rows, n = y.shape
    p, total, largest = np.empty((n, BLOCK)), np.empty(BLOCK), np.empty(BLOCK)
    for low in range(0, n_rows, BLOCK):
        size = min(BLOCK, n_rows - low)
        for r in range(size):
            largest[r], total[r] = y[low + r, 0], 0.0
            for i in range(1, n):
                largest[r] = max(largest[r], y[low + r, i])
        for i in range(n):
            for r in range(size):
                p[i, r] = y[low + r, i] - largest[r]
            for r in range(size):  # each loop by itself, so that it vectorises
                p[i, r] = exp(p[i, r])
                total[r] += p[i, r]
        for r in range(size):
            a = act[low + r]
            for i in range(n):
                score[low + r, i] = -p[i, r] / total[r]
            score[low + r, a] += 1
            logp[low + r] = y[low + r, a] - largest[r] - 0.0 * total[r]  # NaN of NaN, here at no cost (measured)
        for r in range(size):
            logp[low + r] -= log(total[r])  # 1 ≤ total ≤ n


@kernel(
    "void(const(float32[:,::1]), const(float64[:,::1]), float32[::1], float32[:,::1])",
    "void(const(float64[:,::1]), const(float64[:,::1]), float64[::1], float64[:,::1])",
)
def gaussian_rows(y: Array, act: FloatArray, logp: Array, score: Array) -> None:
    """log p = Σ_j −½ z_j² − log σ_j − ½ log 2π, z = (a − μ)/σ, ∂/∂μ = z/σ and ∂/∂log σ = z² − 1; y = (μ, log σ)."""
    n_rows, k = act.shape
    last, inverse = np.full(k, np.nan), np.empty(k)  # the log σ_j before, which are often the same, and 1/σ_j
    for t in range(n_rows):
        total = 0.0
        for j in range(k):
            log_std = np.float64(y[t, k + j])
            if log_std != last[j]:
                last[j], inverse[j] = log_std, exp(-log_std)
            z = (act[t, j] - y[t, j]) * inverse[j]
            total += 0.5 * z * z + (log_std + HALF_LOG_2PI)
            score[t, j] = z * inverse[j]
            score[t, k + j] = z * z - 1
        logp[t] = -total


@kernel(
    "void(const(float32[:,::1]), const(float64[:,::1]), int64[::1], float32[::1])",
    "void(const(float64[:,::1]), const(float64[:,::1]), int64[::1], float64[::1])",
)
def softmax_draw(y: Array, noise: FloatArray, act: IntArray, logp: Array) -> None:
    """The first a with Σ_{i≤a} p_i > u, u = noise[:, 0], and log p_a."""
    n_rows, n = y.shape
    p = np.empty(n)
    for t in range(n_rows):
        largest = y[t, 0]
        for i in range(1, n):
            largest = max(largest, y[t, i])
        total = 0.0
        for i in range(n):
            total += exp(np.float64(y[t, i]) - largest)
            p[i] = total  # Σ_{j≤i} p_j times a constant
        a = 0
        for i in range(n - 1):
            a += p[i] <= noise[t, 0] * total
        act[t], logp[t] = a, y[t, a] - largest - log_or_nan(total)


@kernel(
    "void(const(float32[:,::1]), const(float64[:,::1]), float64[:,::1], float32[::1])",
    "void(const(float64[:,::1]), const(float64[:,::1]), float64[:,::1], float64[::1])",
)
def gaussian_draw(y: Array, noise: FloatArray, act: FloatArray, logp: Array) -> None:
    """a = μ + σ ε, ε = noise, and log p = Σ_j −½ ε_j² − log σ_j − ½ log 2π."""
    n_rows, k = act.shape
    for t in range(n_rows):
        total = 0.0
        for j in range(k):
            log_std = np.float64(y[t, k + j])
            act[t, j] = y[t, j] + exp(log_std) * noise[t, j]
            total += 0.5 * noise[t, j] * noise[t, j] + (log_std + HALF_LOG_2PI)
        logp[t] = -total
