"""Residuals: how far two computations are apart, and derivatives and slopes to compare with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ..types import Array, FloatArray

__all__ = ["complex_gradient", "difference", "must", "slope", "worst"]

TINY = 1e-30  # the complex step; its error is of the order TINY²


def difference(got: npt.ArrayLike, expected: npt.ArrayLike) -> float:
    """max |got − expected| / max(1, max |expected|); infinite where shapes differ or a number is not finite.

    Examples
    --------
    >>> difference([1.0, 2.0], [1.0, 2.5]), difference([1.0], 1.0)
    (0.2, inf)
    """
    got, expected = np.asarray(got), np.asarray(expected)
    if got.shape != expected.shape or not (np.isfinite(got).all() and np.isfinite(expected).all()):
        return float("inf")
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    return float(np.abs(got - expected).max(initial=0)) / scale


def worst(*residuals: float) -> float:
    """The largest of several residuals; NaN if one of them is, which no tolerance lets pass.

    Examples
    --------
    >>> worst(1e-16, 0.5), worst(1e-16, float("nan"))
    (0.5, nan)
    """
    return float(np.max(residuals))


def must(condition: object) -> float:
    """0 where the condition holds, else infinity: for the parts of a statement that say "not equal" or "strictly".

    Examples
    --------
    >>> must(1 < 2), must(2 < 1)
    (0.0, inf)
    """
    return 0.0 if condition else float("inf")


def complex_gradient(f: Callable[[Array], npt.ArrayLike], x: FloatArray) -> FloatArray:
    """∂f/∂x_k along the last axis, by complex step: Im f(x + ih e_k)/h, right to rounding where f is analytic.

    Examples
    --------
    >>> complex_gradient(lambda x: x[0] * x[1] ** 2, np.array([2.0, 3.0]))
    array([ 9., 12.])
    """
    columns = [np.imag(f(x + 1j * TINY * (np.arange(len(x)) == k))) / TINY for k in range(len(x))]
    return np.stack(columns, axis=-1)


def slope(steps: npt.ArrayLike, errors: npt.ArrayLike) -> float:
    """The p of error ≈ c · stepᵖ, of both (n,), by least squares in logarithms.

    Examples
    --------
    >>> round(slope([0.1, 0.2, 0.4], [0.01, 0.04, 0.16]), 12)
    2.0
    """
    x, y = np.log(np.asarray(steps)), np.log(np.abs(np.asarray(errors)))
    x = x - x.mean()
    return float(x @ y / (x @ x))
