"""Features φ(x): maps of observations without parameters, put before a function by `Featured`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from math import comb
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..types import Array
from ..validation import as_float_array, require_shape
from .base import consecutive, set_counts

__all__ = ["Features", "OneHot", "Polynomial", "checked_columns", "require_few"]

MOST = 1_000_000  # features of one map; more is a slip, as in an order-3 Fourier basis of 17 numbers


class Features(Protocol):
    """A map φ of observations: (T, n_in) → (T, n_out) in the float dtype given. It has no parameters."""

    @property
    def n_in(self) -> int:
        """d, columns of obs."""

    @property
    def n_out(self) -> int:
        """Columns of φ."""

    def __call__(self, obs: npt.ArrayLike) -> Array:
        """φ(obs), shape (T, n_out)."""


@dataclass(frozen=True)
class OneHot:
    """Each integer column as a row of zeros with one 1.

        φ_j(x) = 1[x − start = j],   j = 0 … size − 1

    Parameters
    ----------
    sizes : tuple of int, shape (d,)
        How many values each column takes.
    starts : tuple of int, shape (d,), optional
        The smallest value of each column; zeros if not given.

    Raises
    ------
    InvalidInput
        If sizes are below 1 or the lengths differ; when called, if a value is not an integer in its range.

    Examples
    --------
    >>> OneHot(sizes=(3,), starts=(-1,))(np.array([[-1.0], [1.0]]))
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """

    sizes: tuple[int, ...]
    starts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", tuple(int(n) for n in self.sizes))
        object.__setattr__(self, "starts", tuple(int(n) for n in self.starts) or (0,) * len(self.sizes))
        if not self.sizes or min(self.sizes) < 1 or len(self.starts) != len(self.sizes):
            raise InvalidInput(
                f"sizes {self.sizes} and starts {self.starts}: expected one of each per column, sizes of at least 1"
            )

    @property
    def n_in(self) -> int:
        """d, one column for each size."""
        return len(self.sizes)

    @property
    def n_out(self) -> int:
        """The sum of the sizes."""
        return sum(self.sizes)

    def __call__(self, obs: npt.ArrayLike) -> Array:
        """φ(obs), shape (T, n_out)."""
        obs = checked_columns(self, obs)
        phi = np.zeros((len(obs), self.n_out), obs.dtype)
        for column, (size, start, part) in enumerate(
            zip(self.sizes, self.starts, consecutive(self.sizes), strict=True)
        ):
            j = obs[:, column] - start  # x − start
            bad = np.flatnonzero((j != np.floor(j)) | (j < 0) | (j >= size))
            if len(bad):
                got, last = obs[bad[0], column], start + size - 1
                raise InvalidInput(f"obs[{bad[0]}, {column}] is {got}, expected an integer in {start} … {last}")
            phi[np.arange(len(obs)), part.start + j.astype(np.int64)] = 1
        return phi


@dataclass(frozen=True)
class Polynomial:
    """All monomials up to a degree, the constant 1 among them.

        φ_e(x) = Π_j x_j^{e_j},   Σ_j e_j ≤ degree

    Parameters
    ----------
    n_in : int
        d.
    degree : int
        The largest degree.
    interactions : bool
        Whether products of different columns belong; without them the features are 1, x_j, x_j², …

    Raises
    ------
    InvalidInput
        If a count is below 1, or there would be more than a million features.

    Notes
    -----
    Ordered by degree, then by columns: 1, x_1, x_2, x_1², x_1x_2, x_2² for d = 2 and degree 2. As 1 is among them, the
    linear function behind needs no bias. Sutton and Barto 2018, section 9.5.1.

    Examples
    --------
    >>> Polynomial(2, degree=2)(np.array([[2.0, 3.0]]))
    array([[1., 2., 3., 4., 6., 9.]])
    >>> Polynomial(2, degree=2, interactions=False)(np.array([[2.0, 3.0]]))
    array([[1., 2., 3., 4., 9.]])
    """

    n_in: int
    degree: int
    interactions: bool = True

    def __post_init__(self) -> None:
        set_counts(self, n_in=1, degree=1)
        require_few(self.n_out, "lower the degree, or leave out interactions")

    @property
    def n_out(self) -> int:
        """(d + degree choose degree), or 1 + d · degree without interactions."""
        return comb(self.n_in + self.degree, self.degree) if self.interactions else 1 + self.n_in * self.degree

    @cached_property
    def _terms(self) -> list[tuple[int, int]]:
        """Of each monomial but the first: which shorter one it extends, and by which column."""
        place: dict[tuple[int, ...], int] = {(): 0}
        for degree in range(1, self.degree + 1):
            for term in combinations_with_replacement(range(self.n_in), degree):
                if self.interactions or len(set(term)) == 1:
                    place[term] = len(place)
        return [(place[term[:-1]], term[-1]) for term in place if term]

    def __call__(self, obs: npt.ArrayLike) -> Array:
        """φ(obs), shape (T, n_out)."""
        obs = checked_columns(self, obs)
        phi = np.empty((len(obs), self.n_out), obs.dtype)
        phi[:, 0] = 1
        for i, (shorter, j) in enumerate(self._terms, start=1):
            phi[:, i] = phi[:, shorter] * obs[:, j]  # φ_e = φ_{e − e_j} x_j
        return phi


def checked_columns(features: Features, obs: npt.ArrayLike) -> Array:
    """`obs` as an array of floats, after a check of its shape (T, n_in)."""
    x = as_float_array("obs", obs)
    require_shape("obs", x, (None, features.n_in), "one row per step; try obs[None] for a single observation")
    return x


def require_few(n_features: int, remedy: str) -> None:
    """Raise where a map would have so many features that it must be a slip."""
    if n_features > MOST:
        raise InvalidInput(f"this makes {n_features:,} features, expected at most {MOST:,}; {remedy}")
