"""Expectations in one dimension by Gauss's rules; nodes come from NumPy, not from the distributions that are judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..errors import InvalidInput
from ..types import Array, FloatArray
from ..validation import require_finite, require_positive

__all__ = ["integral", "normal_expectation", "normal_nodes"]


def normal_nodes(n: int, dimensions: int = 1) -> tuple[FloatArray, FloatArray]:
    """Nodes z (n^k, k) and weights (n^k,) with E q(ε) = Σ_j w_j q(z_j), ε ~ N(0, I_k), for q of degree < 2n in each.

    Examples
    --------
    >>> z, w = normal_nodes(3, 2)
    >>> z.shape, round(float(w @ (z[:, 0] ** 4 * z[:, 1] ** 2)), 12)
    ((9, 2), 3.0)
    """
    if n < 1 or dimensions < 1:
        raise InvalidInput(f"n is {n} and dimensions {dimensions}, expected at least 1 of each")
    x, w = np.polynomial.hermite_e.hermegauss(n)
    w = w / w.sum()
    z = np.stack(np.meshgrid(*[x] * dimensions, indexing="ij"), axis=-1).reshape(-1, dimensions)
    weights = np.stack(np.meshgrid(*[w] * dimensions, indexing="ij"), axis=-1).reshape(-1, dimensions).prod(axis=1)
    return z, weights


def normal_expectation(f: Callable[[Array], Array], mean: float = 0.0, std: float = 1.0, *, n: int = 80) -> Array:
    """E f(x), x ~ N(mean, std²), by Gauss–Hermite: exact for polynomials of degree 2n − 1 (L2).

    Parameters
    ----------
    f : function
        Takes x (n,), gives (n, …), complex numbers too.
    mean, std : float
    n : int, optional
        Nodes.

    Raises
    ------
    InvalidInput
        If `std` is not positive, or `f` gives another number of rows.

    Examples
    --------
    >>> round(float(normal_expectation(lambda x: x**2, mean=1.0, std=2.0)), 12)
    5.0
    """
    require_positive("std", std)
    z, w = normal_nodes(n)
    return _sum(w, f(mean + std * z[:, 0]))


def integral(f: Callable[[Array], Array], edges: Sequence[float], *, n: int = 40) -> Array:
    """∫ f(x) dx from the first edge to the last, by Gauss–Legendre on each panel between edges (L4, L7, S8).

    Panels should end where f or its derivatives jump, and be short where it is steep.

    Parameters
    ----------
    f : function
        Takes x (m,), gives (m, …).
    edges : sequence of float
        At least two, rising.
    n : int, optional
        Nodes a panel; exact for polynomials of degree 2n − 1.

    Raises
    ------
    InvalidInput
        If edges do not rise, or `f` gives another number of rows.

    Examples
    --------
    >>> round(float(integral(abs, [-1.0, 0.0, 2.0])), 12)
    2.5
    """
    e = np.asarray(edges, dtype=np.float64)
    if e.ndim != 1 or len(e) < 2 or not (np.diff(e) > 0).all():
        raise InvalidInput(f"edges are {edges}, expected at least two finite numbers that rise")
    require_finite("edges", e)
    x, w = np.polynomial.legendre.leggauss(n)
    half = np.diff(e)[:, None] / 2
    points, weights = (e[:-1, None] + half * (1 + x)).ravel(), (half * w).ravel()
    return _sum(weights, f(points))


def _sum(weights: Array, values: Array) -> Array:
    values = np.asarray(values)
    if values.ndim < 1 or len(values) != len(weights):
        raise InvalidInput(f"f gives shape {values.shape} for {len(weights)} points, expected one row for each point")
    return np.tensordot(weights, values, axes=1)
