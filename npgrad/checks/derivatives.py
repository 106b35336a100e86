"""Derivatives of a function given as code: by complex step where that is possible, by central differences elsewhere."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import NotImplementedBy
from ..types import Array, FloatArray

__all__ = ["BY_COMPLEX_STEP", "BY_DIFFERENCES", "Method", "NearKink", "choose"]

TINY = 1e-30  # the complex step: its error is of order TINY², so that only rounding is left
STEPS = 1e-4, 1e-6  # of central differences, extrapolated from h and 2h to fourth order; the second is for kinks nearby


class NearKink(ArithmeticError):
    """Central differences of two steps disagree: the point lies beside a kink."""


@dataclass(frozen=True)
class Method:
    """How derivatives are taken, and how far they can be trusted.

    Parameters
    ----------
    name : str
    tolerance : float
    """

    name: str
    tolerance: float

    def along(self, f: Callable[[Array], Array], x: Array, v: Array) -> FloatArray:
        """d f(x + s v)/ds at s = 0, of the shape of f(x)."""
        if self is BY_COMPLEX_STEP:
            moved = np.asarray(f(x + 1j * TINY * v))
            slope: FloatArray = moved.imag / TINY
            return slope
        at = f(x)
        for h in STEPS:
            before, after = f(x - h * v), f(x + h * v)
            near = (after - before) / (2 * h)
            far = (f(x + 2 * h * v) - f(x - 2 * h * v)) / (4 * h)
            bend = 2 * at - before - after  # of order h² if f is smooth, h beside a kink
            scale = max(1.0, float(np.abs(near).max(initial=0)))
            if max(np.abs(near - far).max(initial=0), np.abs(bend).max(initial=0) / 100 / h) <= 1e-4 * scale:
                extrapolated: FloatArray = near + (near - far) / 3
                return extrapolated
        raise NearKink("differences of several steps disagree: a point lies beside a kink; try another seed")

    def gradient(self, f: Callable[[Array], Array], y: Array) -> FloatArray:
        """∂f_t/∂y_tj for an f that works row by row, (T, K) → (T, K)."""
        T, K = y.shape
        columns = [self.along(f, y, np.tile(np.arange(K) == j, (T, 1))) for j in range(K)]
        return np.stack(columns, axis=1) if columns else np.zeros((T, 0))

    def jacobian_of_rows(self, f: Callable[[Array], Array], x: Array) -> FloatArray:
        """∂f_ti/∂x_tj for an f that works row by row, (T, n) → (T, k): shape (T, k, n)."""
        T, n = x.shape
        return np.stack([self.along(f, x, np.tile(np.arange(n) == j, (T, 1))) for j in range(n)], axis=-1)

    def jacobian(self, f: Callable[[Array], Array], theta: Array, coordinates: Array) -> FloatArray:
        """∂f/∂θ_p for the `coordinates` p, along the last axis."""
        columns = [self.along(f, theta, np.arange(len(theta)) == p) for p in coordinates]
        return np.stack(columns, axis=-1) if columns else np.zeros((*f(theta).shape, 0))


BY_COMPLEX_STEP = Method("complex step", 1e-12)
BY_DIFFERENCES = Method("central differences", 1e-7)


def choose(f: Callable[[Array], Array], x: Array) -> Method:
    """Complex step, if f takes complex numbers and is analytic there; else central differences.

    An f that takes |z| of a complex z, or drops its imaginary part, gives a derivative of its own: central differences
    tell it.

    Examples
    --------
    >>> choose(np.exp, np.ones(3)).name, choose(np.abs, np.ones(3)).name
    ('complex step', 'central differences')
    """
    v = np.cos(1.0 + np.arange(x.size)).reshape(x.shape)  # any direction
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of imaginary parts thrown away: that is what is looked for
            slope = BY_COMPLEX_STEP.along(f, x, v)
            by_differences = BY_DIFFERENCES.along(f, x, v)
    except NotImplementedBy:
        raise
    except Exception:  # whatever the code under check makes of complex numbers
        return BY_DIFFERENCES
    scale = max(1.0, float(np.abs(by_differences).max(initial=0)))
    return BY_COMPLEX_STEP if np.abs(slope - by_differences).max(initial=0) <= 1e-5 * scale else BY_DIFFERENCES
