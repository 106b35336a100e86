"""What `roll_block` is handed beside an environment: how y follows from o, and a from y; compiled where it is wanted.

    forward(product, sizes, theta, x, units, y)    y (K, B) from x (d, B), or from the places of 1s (1, B) of one-hot o
    draw(y, u, scratch, act, logp)                 a (k, B) and log π (B,) from y and noise u; scratch (K + 2, B)

`sizes` are the activation, how many entries of y are constants (which stand at the end of θ), and the widths of x and
of all layers; `product` is `npgrad.jit.product_address`, and `units` room for the hidden ones. What a block does not
use is neither compiled nor loaded.
"""

from __future__ import annotations

from typing import Any

from .. import jit
from ..elementary import tanh
from ..kernels.network import RELU, TANH
from ..kernels.perceptron import AS_IT_IS, TRANSPOSED, multiply, place
from ..types import FloatArray, IntArray
from .draws import draw_gaussian, draw_one_of_two, draw_softmax, take_modes

__all__ = [
    "CONSTANTS",
    "DRAWS",
    "FORWARDS",
    "WIDTHS",
    "gaussian",
    "linear",
    "mean",
    "mode",
    "one_of_two",
    "perceptron",
    "selection",
    "softmax",
]

ACTIVATION, CONSTANTS, WIDTHS = 0, 1, 2  # places in `sizes`


def linear(product: Any, sizes: IntArray, theta: FloatArray, x: FloatArray, units: FloatArray, y: FloatArray) -> None:
    """y = x W + b; θ is W row by row, and b."""
    d, K = sizes[WIDTHS], sizes[WIDTHS + 1]
    for k in range(K):
        start = theta[d * K + k]
        for i in range(x.shape[1]):
            y[k, i] = start
        for j in range(d):
            w = theta[j * K + k]
            for i in range(x.shape[1]):
                y[k, i] += x[j, i] * w


def selection(
    product: Any, sizes: IntArray, theta: FloatArray, x: FloatArray, units: FloatArray, y: FloatArray
) -> None:
    """The same for one-hot o, from the places of the 1s: with no more than the one product that is not zero."""
    d, K = sizes[WIDTHS], sizes[WIDTHS + 1]
    for k in range(K):
        for i in range(y.shape[1]):
            y[k, i] = theta[d * K + k] + theta[int(x[0, i]) * K + k]


def perceptron(
    product: Any, sizes: IntArray, theta: FloatArray, x: FloatArray, units: FloatArray, y: FloatArray
) -> None:
    """z_l = W_lᵀ x_l + b_l, x_{l+1} = φ(z_l), y = (z_L, constants); slots are columns, θ = (W_0, b_0, …, constants)."""
    n_slots, last = x.shape[1], sizes.shape[0] - WIDTHS - 2
    flat = y.reshape(-1)
    source, p, u = place(x, 0), 0, 0  # x_l, and where W_l and x_{l+1} begin
    for layer in range(last + 1):
        n, m = sizes[WIDTHS + layer], sizes[WIDTHS + layer + 1]
        out = units[u : u + m * n_slots] if layer < last else flat[: m * n_slots]
        multiply(product, TRANSPOSED, AS_IT_IS, m, n_slots, n, place(theta, p), source, 0, out, 0)
        activate_columns(sizes[ACTIVATION] if layer < last else -1, out.reshape((m, n_slots)), theta[p + n * m :])
        source, p, u = place(out, 0), p + (n + 1) * m, u + m * n_slots
    for k in range(sizes[CONSTANTS]):
        for i in range(n_slots):
            y[sizes[-1] + k, i] = theta[p + k]


@jit.device
def activate_columns(activation: int, z: FloatArray, b: FloatArray) -> None:
    """φ(z + b) over z, b one number a row; z + b if `activation` is none that there is."""
    for j in range(z.shape[0]):
        if activation == TANH:
            for i in range(z.shape[1]):
                z[j, i] = tanh(z[j, i] + b[j])
        elif activation == RELU:
            for i in range(z.shape[1]):
                z[j, i] = max(z[j, i] + b[j], 0.0)
        else:
            for i in range(z.shape[1]):
                z[j, i] += b[j]


def softmax(y: FloatArray, u: FloatArray, scratch: FloatArray, act: FloatArray, logp: FloatArray) -> None:
    """Of the actions by their weights."""
    draw_softmax(y, u, act, logp, scratch[2:], scratch[0], scratch[1])


def one_of_two(y: FloatArray, u: FloatArray, scratch: FloatArray, act: FloatArray, logp: FloatArray) -> None:
    """Of two actions."""
    draw_one_of_two(y, u, act, logp)


def mode(y: FloatArray, u: FloatArray, scratch: FloatArray, act: FloatArray, logp: FloatArray) -> None:
    """The likeliest action."""
    take_modes(y, act, logp, scratch[0])


def gaussian(y: FloatArray, u: FloatArray, scratch: FloatArray, act: FloatArray, logp: FloatArray) -> None:
    """From diagonal Gaussians."""
    draw_gaussian(y, u, False, act, logp)


def mean(y: FloatArray, u: FloatArray, scratch: FloatArray, act: FloatArray, logp: FloatArray) -> None:
    """The mean of a Gaussian."""
    draw_gaussian(y, u, True, act, logp)


FORWARDS = (linear, selection, perceptron)
DRAWS = (softmax, one_of_two, mode, gaussian, mean)
