"""Σ_t Ψ_t log π with its gradient, and the scores of linear policies, in one pass over the rows.

Policies are such that y = (f(x), c): what a perceptron says, of `npgrad.kernels.perceptron`, and constants, which stand
behind its θ. y is that of a softmax, with actions `choice` (T,); or, where `act` (T, k) has columns, of a Gaussian.
x is (T, d), flat; `sizes`, `activation` and `product` are those of the perceptron.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..elementary import exp
from ..jit import device, kernel
from ..types import Array, FloatArray, IntArray
from .perceptron import BLOCK, add_gradient, perceptron_forward
from .rows import gaussian_rows, softmax_rows

__all__ = ["linear_scores", "policy_surrogate"]


@device
def slopes(
    product: Any,
    sizes: IntArray,
    activation: int,
    weights: Array,
    c: Array,
    x: Array,
    choice: IntArray,
    act: FloatArray,
    units: Array,
    f: Array,
    y: Array,
    logp: Array,
    score: Array,
) -> None:
    """f, y, log π and ∂log π/∂y, `score`, of at most BLOCK rows."""
    K = sizes[-1]
    perceptron_forward(product, sizes, activation, weights, x, units, f)
    for r in range(y.shape[0]):
        for j in range(K):
            y[r, j] = f[r * K + j]
        for j in range(c.shape[0]):
            y[r, K + j] = c[j]
    if act.shape[1] > 0:
        gaussian_rows(y, act, logp, score)
    else:
        softmax_rows(y, choice, logp, score)


@kernel(
    "float64(intp, const(int64[::1]), int64, const(float32[::1]), const(float32[::1]), const(int64[::1]), "
    "const(float64[:,::1]), const(float64[::1]), const(int64[::1]), float32[::1], float32[:,::1])",
    "float64(intp, const(int64[::1]), int64, const(float64[::1]), const(float64[::1]), const(int64[::1]), "
    "const(float64[:,::1]), const(float64[::1]), const(int64[::1]), float64[::1], float64[:,::1])",
)
def policy_surrogate(
    product: Any,
    sizes: IntArray,
    activation: int,
    theta: Array,
    x: Array,
    choice: IntArray,
    act: FloatArray,
    psi: FloatArray,
    offsets: IntArray,
    room: Array,
    out: Array,
) -> float:
    """Σ_t Ψ_t log π_θ(a_t|o_t), and Σ_t J_tᵀ Ψ_t ∂log π/∂y_t of each segment into a row of `out` (N, P).

    `offsets` (N + 1,) are the segments' borders. `room` has BLOCK numbers for each hidden unit, and 2 · BLOCK for each
    of the widest layer: were it made here, its pages would be new at every call.
    """
    n_rows, d, K, P, n_hidden = psi.shape[0], sizes[0], sizes[-1], 0, sizes[1:-1].sum()
    for layer in range(sizes.shape[0] - 1):
        P += (sizes[layer] + 1) * sizes[layer + 1]
    weights, c = theta[:P], theta[P:]
    n_y, n_segments, i = K + c.shape[0], out.shape[0], 0
    units, scratch = room[: BLOCK * n_hidden], room[BLOCK * n_hidden :]
    y, score = np.empty((BLOCK, n_y), theta.dtype), np.empty((BLOCK, n_y), theta.dtype)
    f, logp = np.empty(BLOCK * K, theta.dtype), np.empty(BLOCK, theta.dtype)
    value = 0.0
    out[:, :] = 0
    for low in range(0, n_rows, BLOCK):
        high = min(low + BLOCK, n_rows)
        rows = high - low
        here, u, D = x[low * d : high * d], units[: rows * n_hidden], f[: rows * K]
        slopes(
            product, sizes, activation, weights, c, here, choice[low:high], act[low:high], u, D, y[:rows],
            logp[:rows], score[:rows],
        )  # fmt: skip
        for r in range(rows):
            weight = psi[low + r]
            value += weight * logp[r]
            for j in range(K):
                D[r * K + j] = weight * score[r, j]  # Ψ ∂log π/∂f
            for j in range(K, n_y):
                score[r, j] *= weight
        while i < n_segments and offsets[i] < high:
            begin, end = max(offsets[i], low) - low, min(offsets[i + 1], high) - low
            for r in range(begin, end):
                for j in range(K, n_y):
                    out[i, P + j - K] += score[r, j]
            add_gradient(product, sizes, activation, weights, here, u, D, begin, end - begin, scratch, out[i, :P])
            if offsets[i + 1] > high:
                break
            i += 1
    return value


@kernel(
    "void(intp, const(int64[::1]), const(float32[::1]), const(float32[::1]), const(int64[::1]), "
    "const(float64[:,::1]), int64, float32[:,::1])",
    "void(intp, const(int64[::1]), const(float64[::1]), const(float64[::1]), const(int64[::1]), "
    "const(float64[:,::1]), int64, float64[:,::1])",
)
def linear_scores(
    product: Any, sizes: IntArray, theta: Array, x: Array, choice: IntArray, act: FloatArray, first: int, out: Array
) -> None:
    """f_t = (x_t, 1)ᵀ ∂log π/∂y_t of each row into a column of `out` (P, N), from `first` on."""
    d, K = sizes[0], sizes[1]
    P, n_rows = (d + 1) * K, x.shape[0] // d
    weights, c = theta[:P], theta[P:]
    n_y = K + c.shape[0]
    y, score = np.empty((BLOCK, n_y), theta.dtype), np.empty((BLOCK, n_y), theta.dtype)
    f, logp, units = np.empty(BLOCK * K, theta.dtype), np.empty(BLOCK, theta.dtype), np.empty(0, theta.dtype)
    D, column = np.empty((n_y, BLOCK), theta.dtype), np.empty(BLOCK, theta.dtype)
    for low in range(0, n_rows, BLOCK):
        high = min(low + BLOCK, n_rows)
        rows, at = high - low, first + low
        here = x[low * d : high * d]
        if act.shape[1] == c.shape[0] == K:  # a Gaussian whose log σ is c: column by column at once
            perceptron_forward(product, sizes, 0, weights, here, units, f[: rows * K])
            for j in range(K):
                inverse = exp(-np.float64(c[j]))
                for r in range(rows):
                    z = (act[low + r, j] - f[r * K + j]) * inverse
                    D[j, r] = z * inverse
                    D[K + j, r] = z * z - 1
        else:
            slopes(
                product, sizes, 0, weights, c, here, choice[low:high], act[low:high], units, f[: rows * K], y[:rows],
                logp[:rows], score[:rows],
            )  # fmt: skip
            for j in range(n_y):
                for r in range(rows):
                    D[j, r] = score[r, j]
        for j in range(n_y):
            out[d * K + j, at : at + rows] = D[j, :rows]
        for i in range(d):
            for r in range(rows):
                column[r] = here[r * d + i]
            for j in range(K):
                f_i = out[i * K + j, at : at + rows]
                for r in range(rows):
                    f_i[r] = column[r] * D[j, r]
