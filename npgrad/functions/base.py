"""What a function of θ is, and what its linearisation offers: y, Jᵀw, Jv, and Jᵀw by rows and by segments."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..memory import recycled
from ..types import Array, FloatArray, IntArray
from ..validation import require_shape, require_theta

__all__ = ["CheckedLinearisation", "FeedForward", "Function", "Linearisation"]


class Linearisation(Protocol):
    """y = f_θ(x) on one batch, and the products with its Jacobian J = ∂y/∂θ, which is never formed.

    J_t = ∂y_t/∂θ has shape (K, P). ᵀ is the plain transpose, on complex θ too. A linearisation refers to θ and obs
    and reads them again in its products: do not write into either while it is in use.
    """

    @property
    def y(self) -> Array:
        """f_θ(x), shape (T, K)."""

    def vjp(self, w: npt.ArrayLike) -> Array:
        """Jᵀw = Σ_t J_tᵀ w_t: (T, K) → (P,)."""

    def jvp(self, v: npt.ArrayLike) -> Array:
        """Jv, row t is J_t v: (P,) → (T, K)."""

    def vjp_rows(self, w: npt.ArrayLike) -> Array:
        """Row t is J_tᵀ w_t: (T, K) → (T, P)."""

    def vjp_segments(self, w: npt.ArrayLike, offsets: npt.ArrayLike) -> Array:
        """The rows summed over each segment offsets[i]:offsets[i+1]: (T, K) → (N, P)."""


class Function(Protocol):
    """A function y = f_θ(x) with θ one flat vector: an immutable description that holds no parameters.

    The dtype of θ rules: float64, float32, or complex128 for complex-step checks. obs is cast to its real kind. Whether
    θ and obs are finite is left to the callers, who know where a NaN came from.
    """

    @property
    def n_in(self) -> int:
        """d, columns of obs."""

    @property
    def n_out(self) -> int:
        """K, columns of y."""

    @property
    def n_params(self) -> int:
        """P, the length of θ."""

    @property
    def n_memory(self) -> int:
        """M, numbers carried from step to step; 0 unless recurrent or stacked."""

    def init(self, rng: np.random.Generator) -> FloatArray:
        """A first θ, (P,) float64."""

    def at(self, theta: Array, obs: npt.ArrayLike, offsets: npt.ArrayLike | None = None) -> Linearisation:
        """Linearise at θ (P,) on obs (T, d); offsets (N+1,) mark episodes, None is one episode."""

    def advance(self, theta: Array, obs: npt.ArrayLike, memory: Array) -> tuple[Array, Array]:
        """One step of B slots: obs (B, d), memory (B, M) → y (B, K), memory (B, M). Memory starts at zero."""


class FeedForward(ABC):
    """Mixin of functions that carry nothing from step to step."""

    @property
    def n_memory(self) -> int:
        """M = 0."""
        return 0

    @abstractmethod
    def at(self, theta: Array, obs: npt.ArrayLike, offsets: npt.ArrayLike | None = None) -> Linearisation:
        """Linearise at θ on obs; offsets have no effect."""

    def advance(self, theta: Array, obs: npt.ArrayLike, memory: Array) -> tuple[Array, Array]:
        """y (B, K) for obs (B, d); memory, of width 0, is passed on."""
        return self.at(theta, obs).y, memory


class CheckedLinearisation(ABC):
    """The products with arguments checked and results allocated; subclasses fill `out` from arrays that are in order.

    Parameters
    ----------
    theta : array, shape (P,)
        Its dtype is that of every result.
    y : array, shape (T, K)
        The function's value.
    """

    def __init__(self, theta: Array, y: Array) -> None:
        self.y = y
        self._dtype = theta.dtype
        self._n_params = len(theta)

    def vjp(self, w: npt.ArrayLike) -> Array:
        """Jᵀw = Σ_t J_tᵀ w_t: (T, K) → (P,)."""
        w = self._argument("w", w, self.y.shape)
        out = np.empty(self._n_params, self._dtype)
        self._vjp(w, out)
        return out

    def jvp(self, v: npt.ArrayLike) -> Array:
        """Jv, row t is J_t v: (P,) → (T, K)."""
        return self._jvp(self._argument("v", v, (self._n_params,)))

    def vjp_rows(self, w: npt.ArrayLike) -> Array:
        """Row t is J_tᵀ w_t: (T, K) → (T, P)."""
        w = self._argument("w", w, self.y.shape)
        out = recycled((self._n_params, len(w)), self._dtype).T  # long columns are filled faster than short rows
        self._vjp_rows(w, out)
        return out

    def vjp_segments(self, w: npt.ArrayLike, offsets: npt.ArrayLike) -> Array:
        """The rows summed over each segment offsets[i]:offsets[i+1]: (T, K) → (N, P)."""
        w = self._argument("w", w, self.y.shape)
        edges = checked_offsets(offsets, len(w))
        out = recycled((len(edges) - 1, self._n_params), self._dtype)
        self._vjp_segments(w, edges, out)
        return out

    def _argument(self, name: str, value: npt.ArrayLike, shape: tuple[int, ...]) -> Array:
        array = np.asarray(value)
        require_shape(name, array, shape)
        if array.dtype.kind not in "biufc" or (array.dtype.kind == "c" and self._dtype.kind != "c"):
            raise InvalidInput(f"{name} has dtype {array.dtype}, expected real numbers, as theta is {self._dtype}")
        return array.astype(self._dtype, copy=False)

    @abstractmethod
    def _vjp(self, w: Array, out: Array) -> None:
        """Jᵀw into out (P,)."""

    @abstractmethod
    def _jvp(self, v: Array) -> Array:
        """Jv in a new array, (T, K)."""

    @abstractmethod
    def _vjp_rows(self, w: Array, out: Array) -> None:
        """J_tᵀ w_t into out (T, P)."""

    @abstractmethod
    def _vjp_segments(self, w: Array, offsets: IntArray, out: Array) -> None:
        """Sums of J_tᵀ w_t into out (N, P)."""


def checked_obs(function: Function, theta: Array, obs: npt.ArrayLike) -> Array:
    """`obs` in the real kind of θ, after checks of θ (P,) and obs (T, d)."""
    require_theta(theta, function.n_params)
    x = np.asarray(obs)
    require_shape("obs", x, (None, function.n_in), "one row per step; try obs[None] for a single observation")
    if x.dtype.kind not in "biuf":
        raise InvalidInput(f"obs has dtype {x.dtype}, expected real numbers")
    return x.astype(theta.real.dtype, copy=False)


def checked_memory(function: Function, theta: Array, obs: Array, memory: Array) -> Array:
    """`memory` in the dtype of θ, after a check of its shape (B, M)."""
    array = np.asarray(memory)
    require_shape("memory", array, (len(obs), function.n_memory), "it starts as zeros, one row per slot")
    return array.astype(theta.dtype, copy=False)


def checked_offsets(offsets: npt.ArrayLike | None, n_rows: int) -> IntArray:
    """`offsets` (N+1,) as integers that rise from 0 to `n_rows`, empty segments allowed; None is one segment."""
    edges = np.asarray([0, n_rows] if offsets is None else offsets)
    if edges.ndim != 1 or edges.dtype.kind not in "iu" or len(edges) == 0:
        got = f"shape {edges.shape} and dtype {edges.dtype}"
        raise InvalidInput(f"offsets have {got}, expected N + 1 integers that rise from 0 to {n_rows}")
    edges = edges.astype(np.int64, copy=False)
    if edges[0] != 0 or edges[-1] != n_rows or (np.diff(edges) < 0).any():
        raise InvalidInput(f"offsets {edges} must rise from 0 to the number of rows, {n_rows}")
    return edges


def times(offsets: IntArray) -> IntArray:
    """t of every row within its episode, (T,)."""
    return np.arange(offsets[-1]) - np.repeat(offsets[:-1], np.diff(offsets))


def segment_sums(rows: Array, offsets: IntArray, out: Array) -> None:
    """out_i = Σ of rows[offsets[i]:offsets[i+1]]; an empty segment sums to zero."""
    full = np.diff(offsets) > 0  # reduceat takes an empty segment for one row
    out[~full] = 0
    if full.any():
        out[full] = np.add.reduceat(rows, offsets[:-1][full], axis=0)


def consecutive(lengths: Iterable[int]) -> tuple[slice, ...]:
    """Slices of the given lengths, one after the other from 0."""
    return tuple(slice(a, b) for a, b in pairwise(accumulate(lengths, initial=0)))


def checked_count(name: str, value: object, least: int) -> int:
    """`value` as a plain int of at least `least`; NumPy's integers are welcome."""
    try:
        count = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        count = least - 1
    if count < least:
        raise InvalidInput(f"{name} is {value!r}, expected an integer of at least {least}")
    return count


def set_counts(instance: object, **least: int) -> None:
    """Turn fields of a frozen dataclass into plain ints, after checking that each is at least the number given."""
    for name, smallest in least.items():
        object.__setattr__(instance, name, checked_count(name, getattr(instance, name), smallest))


def finite_array(name: str, values: object, n_axes: int) -> FloatArray:
    """`values` as finite float64 with `n_axes` axes, none of them empty."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.ndim != n_axes or not array.size or not np.isfinite(array).all():
        raise InvalidInput(f"{name} is {values!r}, expected {('', 'a row', 'a table')[n_axes]} of finite numbers")
    return array
