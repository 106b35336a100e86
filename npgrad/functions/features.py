"""Features φ(x): maps of observations without parameters, put before a function by `Featured`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import InvalidInput
from ..types import Array
from .base import consecutive

__all__ = ["Features", "OneHot"]


class Features(Protocol):
    """A map φ of observations: (T, n_in) → (T, n_out) in the dtype given. It has no parameters."""

    @property
    def n_in(self) -> int:
        """d, columns of obs."""

    @property
    def n_out(self) -> int:
        """Columns of φ."""

    def __call__(self, obs: Array) -> Array:
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

    def __call__(self, obs: Array) -> Array:
        """φ(obs), shape (T, n_out)."""
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
