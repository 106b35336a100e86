"""A small perceptron inside kernels: one row at a time, forward and backward, on the θ of `npgrad.functions`.

    x_{l+1} = φ(x_l W_l + b_l),   y = x_L W_L + b_L,    θ = (W_0, b_0, …, W_L, b_L), W row by row

`sizes` (L + 2,) are the widths of x_0 … y; no hidden layer is a linear function. `units` holds x_0 … y one after the
other, `slopes` in the same places the ∂L/∂x_l.
"""

from __future__ import annotations

from ..elementary import tanh
from ..jit import device
from ..types import FloatArray, IntArray

__all__ = ["ACTIVATIONS", "IDENTITY", "RELU", "TANH", "backward", "forward"]

IDENTITY, TANH, RELU = 0, 1, 2  # φ
ACTIVATIONS = {"identity": IDENTITY, "tanh": TANH, "relu": RELU}  # by their names in `npgrad.functions`


@device
def forward(sizes: IntArray, activation: int, bias: int, theta: FloatArray, units: FloatArray) -> None:
    """Fill `units` behind x_0, which is given."""
    a, p, last = 0, 0, sizes.shape[0] - 2
    for layer in range(last + 1):
        n, m = sizes[layer], sizes[layer + 1]
        b, c = a + n, p + n * m  # where x_{l+1} and b_l begin
        for j in range(m):
            units[b + j] = theta[c + j] if bias != 0 else 0.0
        for i in range(n):
            x = units[a + i]
            if x != 0.0:  # of one-hot inputs one row is enough
                for j in range(m):
                    units[b + j] += x * theta[p + i * m + j]
        if layer < last:
            for j in range(m):
                if activation == TANH:
                    units[b + j] = tanh(units[b + j])
                elif activation == RELU:
                    units[b + j] = max(units[b + j], 0.0)
        a, p = b, c + (m if bias != 0 else 0)


@device
def backward(
    sizes: IntArray,
    activation: int,
    bias: int,
    theta: FloatArray,
    units: FloatArray,
    slopes: FloatArray,
    gradient: FloatArray,
) -> None:
    """Add Jᵀw to `gradient`, with w at the end of `slopes`, which is filled before it."""
    a, p, last = 0, 0, sizes.shape[0] - 2
    for layer in range(last + 1):
        a += sizes[layer]
        p += (sizes[layer] + (1 if bias != 0 else 0)) * sizes[layer + 1]
    for layer in range(last, -1, -1):
        n, m, b = sizes[layer], sizes[layer + 1], a
        p -= (n + (1 if bias != 0 else 0)) * m
        a, c = b - n, p + n * m
        if layer < last:
            for j in range(m):  # D_l = ∂L/∂x_{l+1} ∘ φ'
                if activation == TANH:
                    slopes[b + j] *= 1.0 - units[b + j] * units[b + j]
                elif activation == RELU and units[b + j] <= 0.0:
                    slopes[b + j] = 0.0
        if bias != 0:
            for j in range(m):
                gradient[c + j] += slopes[b + j]  # ∂L/∂b = D
        for i in range(n):
            x, s = units[a + i], 0.0
            for j in range(m):
                gradient[p + i * m + j] += x * slopes[b + j]  # ∂L/∂W = xᵀD
                s += theta[p + i * m + j] * slopes[b + j]
            slopes[a + i] = s  # ∂L/∂x = D Wᵀ
