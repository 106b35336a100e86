"""A perceptron on many rows, forward and backward: matrix products by BLAS, all else in loops between them.

    x_0 = x,   z_l = x_l W_l + b_l,   x_{l+1} = φ(z_l),   y = z_L,    θ = (W_0, b_0, …, W_L, b_L), W row by row

`sizes` (L + 2,) are the widths of x_0 … y. `units` holds x_1 … x_L one after the other, (T, n_l) each; x, y, and w are
(T, n) row by row; all are flat. `product` is `npgrad.jit.product_address` of their dtype. Rows are taken in blocks, so
that what one step leaves is in cache for the next; gradients of blocks are added in order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..elementary import tanh
from ..jit import as_double_product, as_single_product, device, kernel
from ..types import Array, IntArray
from .network import RELU, TANH

__all__ = ["BLOCK", "add_gradient", "perceptron_backward", "perceptron_forward", "tanh32"]

BLOCK = 512  # rows
SMALL = 1_000_000  # m n k, up to which OpenBLAS packs nothing where it has AVX-512: up to twice as fast (measured)
FEWEST = 32  # rows, below which it is not (measured)

ROW_MAJOR, AS_IT_IS, TRANSPOSED = 101, 111, 112  # of cblas.h


@device
def tanh32(x: Any) -> Any:
    """tanh x in 32 bits, within 6 units in the last place.

    Lambert's continued fraction x/(1 + x²/(3 + x²/(5 + …))), broken off after the 25: its own error is 4 · 10⁻⁸ at 9.1.
    """
    x = min(max(x, np.float32(-9.1)), np.float32(9.1))
    s = x * x
    p = np.float32(1 / 7905853580625)
    p = p * s + np.float32(1 / 1930611375)
    p = p * s + np.float32(2 / 6194475)
    p = p * s + np.float32(4 / 60375)
    p = p * s + np.float32(3 / 575)
    p = p * s + np.float32(11 / 75)
    p = p * s + np.float32(1)
    q = np.float32(1 / 86877511875)
    q = q * s + np.float32(8 / 526530375)
    q = q * s + np.float32(2 / 382375)
    q = q * s + np.float32(8 / 12075)
    q = q * s + np.float32(11 / 345)
    q = q * s + np.float32(12 / 25)
    q = q * s + np.float32(1)
    return min(max(x * p / q, np.float32(-1)), np.float32(1))


@device
def place(array: Array, start: int) -> Any:
    """Where an entry lies in memory."""
    return np.int64(array.ctypes.data) + start * array.itemsize


@device
def multiply(
    product: Any, left: int, right: int, m: int, n: int, k: int, a: int, b: int, keep: int, c: Array, start: int
) -> None:
    """c ← a b, or c + a b if `keep` is 1: (m, n) from (m, k) and (k, n), after `left` and `right`.

    a and b are addresses, of rows as long as they are wide; c is filled from `start` on. The rows of the batch, of a as
    it is or of both, are taken in runs short enough for small products.
    """
    how = np.int32(ROW_MAJOR), np.int32(left), np.int32(right)
    a_width, b_width, at = (k if left == AS_IT_IS else m), (n if right == AS_IT_IS else k), place(c, start)
    rows, others = (m, n * k) if left == AS_IT_IS else (k, m * n)
    fitting = SMALL // others
    n_runs = (rows + fitting - 1) // fitting if fitting >= FEWEST else 1
    for i in range(n_runs):
        low, high = i * rows // n_runs, (i + 1) * rows // n_runs
        x = a + low * a_width * c.itemsize
        if left == AS_IT_IS:
            m, y, z = high - low, b, at + low * n * c.itemsize
        else:
            k, y, z, keep = high - low, b + low * b_width * c.itemsize, at, min(keep + i, 1)
        if c.itemsize == 4:
            one, beta = np.float32(1), np.float32(keep)
            as_single_product(product)(how[0], how[1], how[2], m, n, k, one, x, a_width, y, b_width, beta, z, n)
        else:
            as_double_product(product)(how[0], how[1], how[2], m, n, k, 1.0, x, a_width, y, b_width, float(keep), z, n)


@device
def activate(activation: int, z: Array, b: Array) -> None:
    """φ(z + b) over z, row by row; z + b if `activation` is none that there is."""
    m, zero = b.shape[0], b.dtype.type(0)
    for r in range(z.shape[0] // m):
        row = z[r * m : (r + 1) * m]
        if activation == TANH and z.itemsize == 4:
            for j in range(m):
                row[j] = tanh32(row[j] + b[j])
        elif activation == TANH:
            for j in range(m):
                row[j] = tanh(row[j] + b[j])
        elif activation == RELU:
            for j in range(m):
                row[j] = max(row[j] + b[j], zero)
        else:
            for j in range(m):
                row[j] += b[j]


@device
def descend(activation: int, D: Array, x: Array) -> None:
    """D ∘ φ'(z) over D, given x = φ(z)."""
    zero, one = D.dtype.type(0), D.dtype.type(1)  # a plain 1 would make doubles of floats
    if activation == TANH:
        for i in range(D.shape[0]):
            D[i] *= one - x[i] * x[i]
    elif activation == RELU:
        for i in range(D.shape[0]):
            D[i] = D[i] if x[i] > zero else zero


@device
def add_rows(D: Array, total: Array) -> None:
    """Σ of the rows of D, added to `total`."""
    m = total.shape[0]
    for r in range(D.shape[0] // m):
        row = D[r * m : (r + 1) * m]
        for j in range(m):
            total[j] += row[j]


@kernel(
    "void(intp, const(int64[::1]), int64, const(float32[::1]), const(float32[::1]), float32[::1], float32[::1])",
    "void(intp, const(int64[::1]), int64, const(float64[::1]), const(float64[::1]), float64[::1], float64[::1])",
)
def perceptron_forward(
    product: Any, sizes: IntArray, activation: int, theta: Array, x: Array, units: Array, y: Array
) -> None:
    """Fill `units` and `y`."""
    last = sizes.shape[0] - 2
    n_rows = y.shape[0] // sizes[last + 1]
    for low in range(0, n_rows, BLOCK):
        rows = min(BLOCK, n_rows - low)
        p, u = 0, 0  # where W_l begins, and x_{l+1}
        source = place(x, low * sizes[0])
        for layer in range(last + 1):
            n, m = sizes[layer], sizes[layer + 1]
            out, first = (units, u + low * m) if layer < last else (y, low * m)
            multiply(product, AS_IT_IS, AS_IT_IS, rows, m, n, source, place(theta, p), 0, out, first)
            c = p + n * m
            activate(activation if layer < last else -1, out[first : first + rows * m], theta[c : c + m])
            source, p, u = place(out, first), c + m, u + n_rows * m


@device
def add_gradient(
    product: Any,
    sizes: IntArray,
    activation: int,
    theta: Array,
    x: Array,
    units: Array,
    w: Array,
    low: int,
    rows: int,
    scratch: Array,
    gradient: Array,
) -> None:
    """Σ_t J_tᵀ w_t of rows t from `low` on, at most BLOCK, added to `gradient` (P,).

    D_L = w,  D_{l−1} = (D_l W_lᵀ) ∘ φ'(z_{l−1});  ∂/∂W_l = x_lᵀ D_l,  ∂/∂b_l = Σ_t D_l. Two D find room in `scratch`.
    """
    last = sizes.shape[0] - 2
    n_rows = w.shape[0] // sizes[last + 1]
    p, u = theta.shape[0], units.shape[0]  # where W_l begins, and x_l
    D, half = place(w, low * sizes[last + 1]), scratch.shape[0] // 2
    for layer in range(last, -1, -1):
        n, m = sizes[layer], sizes[layer + 1]
        c = p - m
        p = c - n * m
        if layer == last:
            add_rows(w[low * m : (low + rows) * m], gradient[c : c + m])
        if layer == 0:
            multiply(product, TRANSPOSED, AS_IT_IS, n, m, rows, place(x, low * n), D, 1, gradient, p)
            break
        u -= n_rows * n
        first = u + low * n
        multiply(product, TRANSPOSED, AS_IT_IS, n, m, rows, place(units, first), D, 1, gradient, p)
        before = scratch[layer % 2 * half : (layer % 2 + 1) * half]
        multiply(product, AS_IT_IS, TRANSPOSED, rows, n, m, D, place(theta, p), 0, before, 0)
        descend(activation, before[: rows * n], units[first : first + rows * n])
        add_rows(before[: rows * n], gradient[p - n : p])
        D = place(before, 0)


@kernel(
    "void(intp, const(int64[::1]), int64, const(float32[::1]), const(float32[::1]), const(float32[::1]), "
    "const(float32[::1]), const(int64[::1]), float32[::1], float32[:,::1])",
    "void(intp, const(int64[::1]), int64, const(float64[::1]), const(float64[::1]), const(float64[::1]), "
    "const(float64[::1]), const(int64[::1]), float64[::1], float64[:,::1])",
)
def perceptron_backward(
    product: Any,
    sizes: IntArray,
    activation: int,
    theta: Array,
    x: Array,
    units: Array,
    w: Array,
    offsets: IntArray,
    scratch: Array,
    out: Array,
) -> None:
    """Jᵀw of each segment into a row of `out` (N, P); `offsets` (N + 1,) are the segments' borders.

    `scratch` has 2 · BLOCK numbers for each unit of the widest hidden layer.
    """
    for i in range(out.shape[0]):
        out[i, :] = 0
        for low in range(offsets[i], offsets[i + 1], BLOCK):
            rows = min(BLOCK, offsets[i + 1] - low)
            add_gradient(product, sizes, activation, theta, x, units, w, low, rows, scratch, out[i])
