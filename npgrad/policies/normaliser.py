"""The observation normaliser: a frozen affine layer, and the running moments it is made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InvalidInput
from ..types import Array, FloatArray

__all__ = ["Moments", "Normaliser"]


@dataclass(frozen=True, eq=False)
class Normaliser:
    """o ↦ clip((o − mean) / std, ±bound).

    Parameters
    ----------
    mean, std : array, shape (d,)
        The affine layer.
    bound : float, optional
        Normalised observations beyond ±bound are cut.

    Raises
    ------
    InvalidInput
        If a deviation is 0 or less: an entry that never varies has nothing to be divided by, give it 1 (`Moments` adds
        ε to its variance).

    Examples
    --------
    >>> Normaliser(mean=np.array([1.0]), std=np.array([2.0]))(np.array([[3.0], [1e9]]))
    array([[ 1.],
           [10.]])
    """

    mean: FloatArray
    std: FloatArray
    bound: float = 10.0

    def __post_init__(self) -> None:
        if not np.all(self.std > 0):
            i = int(np.argmin(np.where(np.isnan(self.std), -np.inf, self.std)))
            raise InvalidInput(f"std[{i}] is {self.std[i]}, expected more than 0; 1 if entry {i} never varies")

    def __call__(self, obs: Array) -> Array:
        """Normalised rows."""
        return np.clip((obs - self.mean) / self.std, -self.bound, self.bound)


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, mean and sum of squared deviations of rows, merged exactly (Chan, Golub and LeVeque 1983).

    Examples
    --------
    >>> a, b = np.array([[1.0], [2.0]]), np.array([[6.0]])
    >>> merged = Moments.of(a).merge(Moments.of(b))
    >>> merged.count, merged.mean, merged.m2 / merged.count
    (3, array([3.]), array([4.66666667]))
    """

    count: int
    mean: FloatArray
    m2: FloatArray

    @classmethod
    def of(cls, rows: Array) -> Moments:
        """Moments of the rows of one array."""
        x = np.asarray(rows, dtype=np.float64)
        if len(x) == 0:
            return cls(0, np.zeros(x.shape[1]), np.zeros(x.shape[1]))
        mean = x.mean(axis=0)
        return cls(len(x), mean, ((x - mean) ** 2).sum(axis=0))

    def merge(self, other: Moments) -> Moments:
        """Moments of both sets of rows together."""
        n = self.count + other.count
        if n == 0:
            return self
        delta = other.mean - self.mean
        mean = self.mean + delta * (other.count / n)
        m2 = self.m2 + other.m2 + delta**2 * (self.count * other.count / n)
        return Moments(n, mean, m2)

    def normaliser(self, epsilon: float = 1e-8) -> Normaliser:
        """The frozen layer: mean and √(variance + ε); the identity before the second row."""
        if self.count < 2:
            return Normaliser(np.zeros_like(self.mean), np.ones_like(self.mean))
        return Normaliser(self.mean, np.sqrt(self.m2 / self.count + epsilon))

    def as_arrays(self) -> dict[str, Array]:
        """For `State`."""
        return {"count": np.asarray(self.count), "mean": self.mean, "m2": self.m2}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array]) -> Moments:
        """The inverse of `as_arrays`."""
        return cls(int(arrays["count"]), arrays["mean"], arrays["m2"])
