"""Nodes and weights of Gauss's rules, computed at first use."""

from __future__ import annotations

import functools

import numpy as np

from ..types import Array, FloatArray

__all__ = ["hermite", "legendre", "panels"]


@functools.cache
def hermite(n: int) -> tuple[FloatArray, FloatArray]:
    """x_i, w_i with E f(ε) = Σ_i w_i f(x_i), ε ~ N(0, 1), exact for polynomials of degree 2n − 1."""
    x, w = np.polynomial.hermite_e.hermegauss(n)
    return _frozen(x), _frozen(w / np.sqrt(2 * np.pi))


@functools.cache
def legendre(n: int) -> tuple[FloatArray, FloatArray]:
    """x_i, w_i with ∫_{−1}^{1} f = Σ_i w_i f(x_i), exact for polynomials of degree 2n − 1."""
    x, w = np.polynomial.legendre.leggauss(n)
    return _frozen(x), _frozen(w)


def panels(edges: Array, n: int) -> tuple[Array, Array]:
    """Gauss–Legendre on each panel between edges of shape (…, E): points and weights of shape (…, (E − 1) n)."""
    x, w = legendre(n)
    half = np.diff(edges)[..., None] / 2
    points = edges[..., :-1, None] + half * (1 + x)
    shape = (*edges.shape[:-1], (edges.shape[-1] - 1) * n)
    return points.reshape(shape), (half * w).reshape(shape)


def _frozen(x: FloatArray) -> FloatArray:
    x.setflags(write=False)
    return x
