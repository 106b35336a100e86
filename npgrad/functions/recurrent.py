"""A small recurrent function, with backpropagation through time by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..types import Array, BoolArray, FloatArray, IntArray
from .base import CheckedLinearisation, checked_memory, checked_obs, checked_offsets, consecutive, set_counts, times
from .linear import Affine, Linear
from .mlp import orthogonal

__all__ = ["Recurrent", "RecurrentLinearisation"]

UNROLLED = 1 << 15  # rows gone back through at a time; bounds the memory of vjp_rows


@dataclass(frozen=True)
class Recurrent:
    """A simple recurrent network (Elman 1990) with a linear read-out.

        h_t = tanh([x_t, h_{t−1}] W + b),   h_{−1} = 0,   y_t = h_t U + c,    θ = (W, b, U, c)

    h starts at zero at every episode's first row. A segment cut in mid-episode starts there at zero too; `advance`
    goes on from a memory.

    Parameters
    ----------
    n_in, n_out : int
        d and K.
    n_hidden : int
        M, units of h: W is (d + M, M), U is (M, K).
    last_scale : float
        Spectral norm of the first U; small, so that y starts near zero.

    Raises
    ------
    InvalidInput
        If a count is below 1 or the scale negative.

    Notes
    -----
    S13; derived in ``docs/derivations/functions.md``. Backpropagation through time: Werbos 1990. `vjp_rows` goes back
    through each row's own past: O(L²) steps for an episode of L rows.

    Examples
    --------
    >>> f = Recurrent(1, 1, n_hidden=1)
    >>> theta = np.array([0.0, 1.0, 1.0, 1.0, 0.0])  # h_t = tanh(h_{t−1} + 1), y_t = h_t
    >>> f.at(theta, np.zeros((3, 1)), offsets=[0, 2, 3]).y.round(3)
    array([[0.762],
           [0.943],
           [0.762]])
    """

    n_in: int
    n_out: int
    n_hidden: int = 16
    last_scale: float = 0.01

    def __post_init__(self) -> None:
        set_counts(self, n_in=1, n_out=1, n_hidden=1)
        if not 0 <= self.last_scale < np.inf:
            raise InvalidInput(f"last_scale is {self.last_scale}, expected a number of at least 0")

    @cached_property
    def layers(self) -> tuple[Linear, Linear]:
        """The cell's affine map of [x_t, h_{t−1}], and the read-out of h_t."""
        return Linear(self.n_in + self.n_hidden, self.n_hidden), Linear(self.n_hidden, self.n_out)

    @cached_property
    def parts(self) -> tuple[slice, ...]:
        """Where the two layers' parameters stand in θ."""
        return consecutive(layer.n_params for layer in self.layers)

    @cached_property
    def n_params(self) -> int:
        """P = (d + M + 1) M + (M + 1) K."""
        return sum(layer.n_params for layer in self.layers)

    @property
    def n_memory(self) -> int:
        """M: the memory is h."""
        return self.n_hidden

    def init(self, rng: np.random.Generator) -> FloatArray:
        """θ with both halves of W orthogonal, U small and orthogonal, b = c = 0, shape (P,)."""
        theta = np.zeros(self.n_params)
        W, U = (layer.split(theta[part])[0] for layer, part in zip(self.layers, self.parts, strict=True))
        W[: self.n_in] = orthogonal(rng, self.n_in, self.n_hidden)
        W[self.n_in :] = orthogonal(rng, self.n_hidden, self.n_hidden)
        U[:] = self.last_scale * orthogonal(rng, self.n_hidden, self.n_out)
        return theta

    def at(self, theta: Array, obs: npt.ArrayLike, offsets: npt.ArrayLike | None = None) -> RecurrentLinearisation:
        """Linearise at θ (P,) on obs (T, d); h is zero before each of `offsets` (N+1,), None is one episode."""
        x = checked_obs(self, theta, obs)
        return RecurrentLinearisation(self, theta, x, checked_offsets(offsets, len(x)))

    def advance(self, theta: Array, obs: npt.ArrayLike, memory: Array) -> tuple[Array, Array]:
        """One step of B slots from h_{t−1} = memory (B, M): y_t (B, K) and h_t (B, M)."""
        x = checked_obs(self, theta, obs)
        cell, readout = (theta[part] for part in self.parts)
        h = np.tanh(Affine(self.layers[0], cell, np.hstack([x, checked_memory(self, theta, x, memory)])).value())
        return Affine(self.layers[1], readout, h).value(), h


class RecurrentLinearisation(CheckedLinearisation):
    """The network along episodes. All episodes take step t together; the row before row i is row i − 1."""

    def __init__(self, f: Recurrent, theta: Array, x: Array, episodes: IntArray) -> None:
        self._f, self._theta, self._episodes, self._steps = f, theta, episodes, _rows_by_time(episodes)
        xh = np.zeros((len(x), f.n_in + f.n_hidden), theta.dtype)  # [x_t, h_{t−1}]
        xh[:, : f.n_in] = x
        h = np.empty((len(x), f.n_hidden), theta.dtype)
        self._cell, self._readout = self._affines(xh, h)
        W, b = self._cell.W, self._cell.b
        for t, rows in enumerate(self._steps):
            if t > 0:
                xh[rows, f.n_in :] = h[rows - 1]
            h[rows] = np.tanh(xh[rows] @ W + b)  # h_t = tanh([x_t, h_{t−1}] W + b)
        super().__init__(theta, self._readout.value())  # y_t = h_t U + c

    def _affines(self, xh: Array, h: Array) -> tuple[Affine, Affine]:
        (cell, readout), (p, q) = self._f.layers, self._f.parts
        return Affine(cell, self._theta[p], xh), Affine(readout, self._theta[q], h)

    def _backward(self, w: Array, h: Array, steps: list[IntArray]) -> Array:
        """D_t = ∂(wᵀy)/∂z_t = (w_t Uᵀ + D_{t+1} W_hᵀ) ∘ (1 − h_t²), from the last step to the first."""
        W_h = self._cell.W[self._f.n_in :]
        slope = 1 - h * h
        D = self._readout.vjp_x(w)
        for t in reversed(range(len(steps))):
            D[steps[t]] *= slope[steps[t]]
            if t > 0:
                D[steps[t] - 1] += D[steps[t]] @ W_h.T
        return D

    def _vjp(self, w: Array, out: Array) -> None:
        cell, readout = self._f.parts
        self._cell.vjp(self._backward(w, self._readout.x, self._steps), out[cell])
        self._readout.vjp(w, out[readout])

    def _jvp(self, v: Array) -> Array:
        cell, readout = self._f.parts
        W_h = self._cell.W[self._f.n_in :]
        slope = 1 - self._readout.x**2
        dh = self._cell.jvp(v[cell])  # dz_t = [x_t, h_{t−1}] dW + db + dh_{t−1} W_h
        for t, rows in enumerate(self._steps):
            if t > 0:
                dh[rows] += dh[rows - 1] @ W_h
            dh[rows] *= slope[rows]  # dh_t = dz_t ∘ (1 − h_t²)
        return self._readout.jvp(v[readout], dh)

    def _vjp_rows(self, w: Array, out: Array) -> None:
        self._vjp_segments(w, np.arange(len(w) + 1), out)

    def _vjp_segments(self, w: Array, offsets: IntArray, out: Array) -> None:
        cell_part, readout_part = self._f.parts
        out[:] = 0
        for filled, rows, own, past, segments in self._stretches(offsets):
            cell, readout = self._affines(self._cell.x[rows], self._readout.x[rows])
            w_own = np.where(own[:, None], w[rows], 0)
            D = self._backward(w_own, readout.x, _rows_by_time(past))
            sums = np.empty((len(segments) - 1, out.shape[1]), out.dtype)
            cell.vjp_segments(D, segments, sums[:, cell_part])
            readout.vjp_segments(w_own, segments, sums[:, readout_part])
            out[filled] += sums

    def _stretches(self, offsets: IntArray) -> Iterator[tuple[slice, IntArray, BoolArray, IntArray, IntArray]]:
        """Stretches of rows in one segment and one episode, each behind its own copy of the episode's earlier rows.

        Yields, for some stretches at a time: the segments they belong to, the rows, which of these are a stretch's own,
        and the offsets within them of stretches and of segments.
        """
        cuts = np.union1d(self._episodes, offsets)
        begin, end = cuts[:-1], cuts[1:]
        episode = self._episodes[np.searchsorted(self._episodes, begin, side="right") - 1]  # its first row
        segment = np.searchsorted(offsets, begin, side="right") - 1
        length = end - episode
        batch = np.cumsum(length) // UNROLLED
        for k in np.unique(batch):
            a, b = np.searchsorted(batch, [k, k + 1])
            past = np.append(0, np.cumsum(length[a:b]))
            rows = np.arange(past[-1]) + np.repeat(episode[a:b] - past[:-1], length[a:b])
            own = rows >= np.repeat(begin[a:b], length[a:b])
            filled = np.arange(segment[a], segment[b - 1] + 2)
            yield slice(filled[0], filled[-1]), rows, own, past, past[np.searchsorted(segment[a:b], filled)]


def _rows_by_time(episodes: IntArray) -> list[IntArray]:
    """For each t the rows that are some episode's t-th."""
    t = times(episodes)
    return np.split(np.argsort(t, kind="stable"), np.cumsum(np.bincount(t))[:-1]) if len(t) else []
