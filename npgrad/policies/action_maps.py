"""Action maps: from the latent action u that a policy draws to what the environment gets.

Scores, KL and Fisher are those of u's distribution; only a density of the mapped action carries the Jacobian.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..distributions import bin_centres, log_jacobian
from ..errors import InvalidInput
from ..types import Array

__all__ = ["ActionMap", "Bins", "Clip", "Identity", "Offset", "Rescale", "Tanh"]

Bounds = tuple[float, ...]
NEAR = 0.999  # tanh u of an action at a bound, where u would be infinite


class ActionMap(Protocol):
    """A map of rows of actions, with the log-determinant of its derivative."""

    def __call__(self, act: Array) -> Array:
        """What the environment gets, for rows of latent actions."""

    def log_derivative(self, act: Array) -> Array:
        """log |det ∂map/∂u| of each row, shape (T,)."""

    def inverse(self, mapped: Array) -> Array:
        """A latent action behind each action of the environment: map(inverse(a)) = a. Cloning alone needs it."""


@dataclass(frozen=True)
class Identity:
    """The environment gets u itself."""

    def __call__(self, act: Array) -> Array:
        """u."""
        return act

    def log_derivative(self, act: Array) -> Array:
        """0."""
        return np.zeros(len(act))

    def inverse(self, mapped: Array) -> Array:
        """u."""
        return mapped


@dataclass(frozen=True)
class Offset:
    """The environment gets start + u: a discrete space that does not begin at 0.

    Examples
    --------
    >>> Offset(3)(np.array([0, 1]))
    array([3, 4])
    """

    start: int | tuple[int, ...]

    def __call__(self, act: Array) -> Array:
        """start + u."""
        mapped: Array = act + np.asarray(self.start)
        return mapped

    def log_derivative(self, act: Array) -> Array:
        """0."""
        return np.zeros(len(act))

    def inverse(self, mapped: Array) -> Array:
        """a − start."""
        latent: Array = mapped - np.asarray(self.start)
        return latent


@dataclass(frozen=True)
class Clip:
    """The environment gets u clipped to [low, high]; densities remain those of u.

    Examples
    --------
    >>> Clip((-1.0,), (1.0,))(np.array([[-3.0], [0.5]]))
    array([[-1. ],
           [ 0.5]])
    """

    low: Bounds
    high: Bounds

    def __post_init__(self) -> None:
        _require_bounds(self.low, self.high, finite=False)

    def __call__(self, act: Array) -> Array:
        """min(max(u, low), high)."""
        low, high = np.asarray(self.low, act.dtype), np.asarray(self.high, act.dtype)
        mapped: Array = np.minimum(np.maximum(act, low), high)
        return mapped

    def log_derivative(self, act: Array) -> Array:
        """0: the clipped action has no density of its own at the bounds, so that of u stands."""
        return np.zeros(len(act))

    def inverse(self, mapped: Array) -> Array:
        """a itself, of the many u that are clipped to a bound the nearest."""
        return mapped


@dataclass(frozen=True)
class Rescale:
    """The environment gets low + (u + 1)/2 · (high − low), clipped to the bounds: [−1, 1] becomes [low, high].

    Examples
    --------
    >>> Rescale((0.0,), (10.0,))(np.array([[-1.0], [0.0], [5.0]]))
    array([[ 0.],
           [ 5.],
           [10.]])
    """

    low: Bounds
    high: Bounds

    def __post_init__(self) -> None:
        _require_bounds(self.low, self.high, finite=True)

    def __call__(self, act: Array) -> Array:
        """low + (u + 1)/2 · (high − low)."""
        low, high = np.asarray(self.low, act.dtype), np.asarray(self.high, act.dtype)
        mapped: Array = np.minimum(np.maximum(low + (act + 1) / 2 * (high - low), low), high)
        return mapped

    def log_derivative(self, act: Array) -> Array:
        """Σ_j log((high_j − low_j)/2), the density inside the bounds."""
        return np.full(len(act), np.sum(np.log((np.asarray(self.high) - np.asarray(self.low)) / 2)))

    def inverse(self, mapped: Array) -> Array:
        """2 (a − low)/(high − low) − 1."""
        return 2 * _share(mapped, self.low, self.high) - 1


@dataclass(frozen=True)
class Tanh:
    """The environment gets low + (tanh u + 1)/2 · (high − low) (S5).

    Examples
    --------
    >>> Tanh((0.0,), (10.0,))(np.array([[-40.0], [0.0]]))
    array([[0.],
           [5.]])
    """

    low: Bounds
    high: Bounds

    def __post_init__(self) -> None:
        _require_bounds(self.low, self.high, finite=True)

    def __call__(self, act: Array) -> Array:
        """low + (tanh u + 1)/2 · (high − low)."""
        low, high = np.asarray(self.low, act.dtype), np.asarray(self.high, act.dtype)
        mapped: Array = low + (np.tanh(act) + 1) / 2 * (high - low)
        return mapped

    def log_derivative(self, act: Array) -> Array:
        """Σ_j log(1 − tanh² u_j) + log((high_j − low_j)/2); log(1 − tanh² u) = 2 (log 2 − u − log(1 + e^{−2u}))."""
        return log_jacobian(act, np.asarray(self.low), np.asarray(self.high))

    def inverse(self, mapped: Array) -> Array:
        """artanh(2 (a − low)/(high − low) − 1); at the bounds, which no u reaches, that of a point near by."""
        latent: Array = np.arctanh(np.clip(2 * _share(mapped, self.low, self.high) - 1, -NEAR, NEAR))
        return latent


@dataclass(frozen=True)
class Bins:
    """The environment gets the centre of bin u_j of as many equal ones between low_j and high_j as `bins` says (S12).

    Examples
    --------
    >>> Bins((2, 5), (0.0, -1.0), (1.0, 1.0))(np.array([[0, 4]]))
    array([[0.25, 0.8 ]])
    """

    bins: tuple[int, ...]
    low: Bounds
    high: Bounds

    def __post_init__(self) -> None:
        _require_bounds(self.low, self.high, finite=True)

    def __call__(self, act: Array) -> Array:
        """low + (u + ½)/bins · (high − low)."""
        return bin_centres(act, self.bins, np.asarray(self.low), np.asarray(self.high))

    def log_derivative(self, act: Array) -> Array:
        """0: the bins keep their probabilities."""
        return np.zeros(len(act))

    def inverse(self, mapped: Array) -> Array:
        """⌊bins (a − low)/(high − low)⌋, the bin that a lies in."""
        bins = np.asarray(self.bins)
        u: Array = np.floor(_share(mapped, self.low, self.high) * bins).astype(np.int64)
        return np.clip(u, 0, bins - 1)


def _share(mapped: Array, low: Bounds, high: Bounds) -> Array:
    """(a − low)/(high − low)."""
    least, most = np.asarray(low), np.asarray(high)
    share: Array = (mapped - least) / (most - least)
    return share


def _require_bounds(low: Bounds, high: Bounds, *, finite: bool) -> None:
    if len(low) != len(high) or not all(a < b for a, b in zip(low, high, strict=True)):
        raise InvalidInput(f"bounds {low} and {high}: expected as many lows as highs, each low below its high")
    if finite and not np.isfinite([*low, *high]).all():
        raise InvalidInput(f"bounds {low} and {high} are not finite, and only finite ones can be rescaled to; use Clip")
