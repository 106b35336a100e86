"""A function of the last few observations instead of the last one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..types import Array, FloatArray, IntArray
from .base import Function, Linearisation, checked_memory, checked_obs, checked_offsets, set_counts, times

__all__ = ["Stacked"]


@dataclass(frozen=True)
class Stacked:
    """A function of a window of k observations.

        y_t = f_θ(x_{t−k+1}, …, x_{t−1}, x_t),   x_t = 0 for t < 0

    Windows stay within their episode: before its first row stand zeros. A segment cut in mid-episode starts there with
    zeros too; `advance` goes on from a memory, the last k − 1 observations.

    Parameters
    ----------
    function : Function
        f, with n_in = k d: the oldest observation first.
    k : int
        The length of the window.

    Raises
    ------
    InvalidInput
        If k is below 1 or does not divide the function's n_in.

    Notes
    -----
    S13; derived in ``docs/derivations/functions.md``.

    Examples
    --------
    >>> from npgrad.functions import Linear
    >>> f = Stacked(Linear(2, 1, bias=False), k=2)
    >>> f.at(np.array([-1.0, 1.0]), [[1.0], [5.0], [7.0]]).y  # differences
    array([[1.],
           [4.],
           [2.]])
    """

    function: Function
    k: int

    def __post_init__(self) -> None:
        set_counts(self, k=1)
        if self.function.n_in % self.k:
            raise InvalidInput(f"the function's n_in is {self.function.n_in}, expected a multiple of k = {self.k}")

    @property
    def n_in(self) -> int:
        """d, the function's n_in over k."""
        return self.function.n_in // self.k

    @property
    def n_out(self) -> int:
        """K, that of the function."""
        return self.function.n_out

    @property
    def n_params(self) -> int:
        """P, that of the function."""
        return self.function.n_params

    @property
    def n_memory(self) -> int:
        """(k − 1) d, and the function's own."""
        return (self.k - 1) * self.n_in + self.function.n_memory

    def init(self, rng: np.random.Generator) -> FloatArray:
        """The function's first θ, shape (P,)."""
        return self.function.init(rng)

    def at(self, theta: Array, obs: npt.ArrayLike, offsets: npt.ArrayLike | None = None) -> Linearisation:
        """Linearise the function at θ (P,) on the windows of obs (T, d); offsets (N+1,) mark episodes."""
        x = checked_obs(self, theta, obs)
        episodes = checked_offsets(offsets, len(x))
        return self.function.at(theta, _windows(x, self.k, episodes), episodes)

    def advance(self, theta: Array, obs: npt.ArrayLike, memory: Array) -> tuple[Array, Array]:
        """One step of B slots: obs (B, d), memory (B, M) → y (B, K), memory (B, M)."""
        x = checked_obs(self, theta, obs)
        past, own = np.split(checked_memory(self, theta, x, memory), [(self.k - 1) * self.n_in], axis=1)
        window = np.hstack([past.real, x])  # observations are real, even beside a complex θ
        y, own = self.function.advance(theta, window, own)
        return y, np.hstack([window[:, self.n_in :], own])


def _windows(x: Array, k: int, episodes: IntArray) -> Array:
    """(x_{t−k+1}, …, x_t) of every row, (T, k d)."""
    t = times(episodes)
    windows = np.zeros((len(x), k, x.shape[1]), x.dtype)
    for lag in range(k):
        rows = np.flatnonzero(t >= lag)
        windows[rows, k - 1 - lag] = x[rows - lag]
    return windows.reshape(len(x), k * x.shape[1])
