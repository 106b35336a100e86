"""What `roll_block` is handed beside an environment: how y follows from o, and a from y; compiled where it is wanted.

    forward(sizes, theta, x, y)            y (K, B) from x (d, B), or from the places of 1s (1, B) where o is one-hot
    draw(y, u, scratch, act, logp)         a (k, B) and log π (B,) from y and noise u; scratch (K + 2, B)

What a block does not use is so neither compiled nor loaded.
"""

from __future__ import annotations

from ..types import FloatArray, IntArray
from .draws import draw_gaussian, draw_one_of_two, draw_softmax, take_modes

__all__ = ["DRAWS", "FORWARDS", "gaussian", "linear", "mean", "mode", "one_of_two", "selection", "softmax"]


def linear(sizes: IntArray, theta: FloatArray, x: FloatArray, y: FloatArray) -> None:
    """y = x W + b; θ is W row by row, and b."""
    d, K = sizes[0], sizes[1]
    for k in range(K):
        start = theta[d * K + k]
        for i in range(x.shape[1]):
            y[k, i] = start
        for j in range(d):
            w = theta[j * K + k]
            for i in range(x.shape[1]):
                y[k, i] += x[j, i] * w


def selection(sizes: IntArray, theta: FloatArray, x: FloatArray, y: FloatArray) -> None:
    """The same for one-hot o, from the places of the 1s: with no more than the one product that is not zero."""
    d, K = sizes[0], sizes[1]
    for k in range(K):
        for i in range(y.shape[1]):
            y[k, i] = theta[d * K + k] + theta[int(x[0, i]) * K + k]


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


FORWARDS = (linear, selection)
DRAWS = (softmax, one_of_two, mode, gaussian, mean)
