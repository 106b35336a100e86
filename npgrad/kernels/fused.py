"""Σ_t Ψ_t log π and its gradient for linear policies, in one pass over the rows: no score is ever stored."""

from __future__ import annotations

from typing import Any

from ..jit import kernel
from ..types import Array, FloatArray, IntArray
from .perceptron import AS_IT_IS, BLOCK, TRANSPOSED, add_rows, multiply, place
from .rows import gaussian_rows, softmax_rows

__all__ = ["linear_surrogate"]


@kernel(
    "float64(intp, const(float32[::1]), const(float32[::1]), const(int64[::1]), const(float64[:,::1]), "
    "const(float64[::1]), float32[:,::1], float32[:,::1], float32[::1], float32[::1], float32[::1])",
    "float64(intp, const(float64[::1]), const(float64[::1]), const(int64[::1]), const(float64[:,::1]), "
    "const(float64[::1]), float64[:,::1], float64[:,::1], float64[::1], float64[::1], float64[::1])",
)
def linear_surrogate(
    product: Any,
    theta: Array,
    x: Array,
    choice: IntArray,
    act: FloatArray,
    psi: FloatArray,
    y: Array,
    score: Array,
    logp: Array,
    z: Array,
    out: Array,
) -> float:
    """Σ_t Ψ_t log π_θ(a_t|o_t), and its gradient Σ_t (x_t, 1)ᵀ Ψ_t ∂log π/∂y_t into `out` (P,).

    y = x W + b of a softmax, with actions `choice` (T,); or, where `act` (T, k) has columns, (x W + b, log σ) of a
    Gaussian. θ is W row by row, b, log σ; x is (T, d), flat. The others are room for BLOCK rows.
    """
    n_rows, k = psi.shape[0], act.shape[1]
    gaussian = k > 0
    K = k if gaussian else y.shape[1]
    d = x.shape[0] // n_rows
    b, value = d * K, 0.0
    out[:] = 0
    for low in range(0, n_rows, BLOCK):
        rows = min(BLOCK, n_rows - low)
        multiply(product, AS_IT_IS, AS_IT_IS, rows, K, d, place(x, low * d), place(theta, 0), 0, z, 0)
        for r in range(rows):
            for j in range(K):
                y[r, j] = z[r * K + j] + theta[b + j]
            if gaussian:
                for j in range(K):
                    y[r, K + j] = theta[b + K + j]
        if gaussian:
            gaussian_rows(y[:rows], act[low : low + rows], logp[:rows], score[:rows])
        else:
            softmax_rows(y[:rows], choice[low : low + rows], logp[:rows], score[:rows])
        for r in range(rows):
            weight = psi[low + r]
            value += weight * logp[r]
            for j in range(K):
                z[r * K + j] = weight * score[r, j]  # D = Ψ ∂log π/∂(x W + b)
            if gaussian:
                for j in range(K):
                    out[b + K + j] += weight * score[r, K + j]
        multiply(product, TRANSPOSED, AS_IT_IS, d, K, rows, place(x, low * d), place(z, 0), 1, out, 0)
        add_rows(z[: rows * K], out[b : b + K])
    return value
