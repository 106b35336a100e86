"""Functions made of others: constants, fixed values, concatenations, features before a function."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..types import Array, FloatArray, IntArray
from .base import (
    CheckedLinearisation,
    FeedForward,
    Function,
    Linearisation,
    checked_memory,
    checked_obs,
    consecutive,
    finite_array,
    segment_sums,
    set_counts,
)
from .features import Features

__all__ = ["Concatenated", "Constant", "Featured", "Fixed"]


@dataclass(frozen=True)
class Constant(FeedForward):
    """Learned numbers that do not depend on x, such as a shared log σ.

        y_t = θ

    Parameters
    ----------
    n_in, n_out : int
        d and K = P.
    start : float or tuple of float, shape (K,)
        The first θ.

    Raises
    ------
    InvalidInput
        If a count is below 1, or `start` has another length than K.

    Notes
    -----
    S4; derived in ``docs/derivations/functions.md``.

    Examples
    --------
    >>> f = Constant(n_in=4, n_out=2, start=-0.5)
    >>> f.at(f.init(np.random.default_rng(0)), np.zeros((3, 4))).y
    array([[-0.5, -0.5],
           [-0.5, -0.5],
           [-0.5, -0.5]])
    """

    n_in: int
    n_out: int
    start: float | tuple[float, ...] = 0.0

    def __post_init__(self) -> None:
        set_counts(self, n_in=1, n_out=1)
        start = finite_array("start", np.atleast_1d(self.start), 1)
        if len(start) not in (1, self.n_out):
            raise InvalidInput(f"start has {len(start)} numbers, expected one, or n_out = {self.n_out}")
        object.__setattr__(self, "start", tuple(start.tolist()) if len(start) > 1 else start.item())

    @property
    def n_params(self) -> int:
        """P = K."""
        return self.n_out

    def init(self, rng: np.random.Generator) -> FloatArray:
        """θ = start, shape (P,)."""
        return np.full(self.n_out, self.start, dtype=np.float64)

    def at(self, theta: Array, obs: npt.ArrayLike, offsets: npt.ArrayLike | None = None) -> ConstantLinearisation:
        """Linearise at θ (P,) on obs (T, d), of which only T matters."""
        return ConstantLinearisation(theta, _repeat(theta, len(checked_obs(self, theta, obs))))


class ConstantLinearisation(CheckedLinearisation):
    """y_t = θ, so J_t = I."""

    def _vjp(self, w: Array, out: Array) -> None:
        np.matmul(np.ones(len(w), w.dtype), w, out=out)

    def _jvp(self, v: Array) -> Array:
        return _repeat(v, len(self.y))

    def _vjp_rows(self, w: Array, out: Array) -> None:
        out[:] = w

    def _vjp_segments(self, w: Array, offsets: IntArray, out: Array) -> None:
        segment_sums(w, offsets, out)


@dataclass(frozen=True)
class Fixed(FeedForward):
    """Given numbers, not learned: y_t = values, P = 0.

    Parameters
    ----------
    n_in : int
        d.
    values : tuple of float, shape (K,)
        Every row of y.

    Raises
    ------
    InvalidInput
        If a count is below 1, or `values` is empty or not finite.

    Examples
    --------
    >>> f = Fixed(n_in=4, values=(0.1, 0.2))
    >>> f.n_params, f.at(np.zeros(0), np.zeros((1, 4))).y
    (0, array([[0.1, 0.2]]))
    """

    n_in: int
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        set_counts(self, n_in=1)
        values = finite_array("values", np.atleast_1d(self.values), 1)
        object.__setattr__(self, "values", tuple(values.tolist()))

    @property
    def n_out(self) -> int:
        """K, the number of values."""
        return len(self.values)

    @property
    def n_params(self) -> int:
        """P = 0."""
        return 0

    def init(self, rng: np.random.Generator) -> FloatArray:
        """θ = (), shape (0,)."""
        return np.zeros(0)

    def at(self, theta: Array, obs: npt.ArrayLike, offsets: npt.ArrayLike | None = None) -> FixedLinearisation:
        """Linearise at θ (0,) on obs (T, d), of which only T matters."""
        n_rows = len(checked_obs(self, theta, obs))
        return FixedLinearisation(theta, _repeat(np.array(self.values, dtype=theta.dtype), n_rows))


class FixedLinearisation(CheckedLinearisation):
    """y has no parameters: J has no columns, and there is nothing to fill."""

    def _vjp(self, w: Array, out: Array) -> None:
        pass

    def _jvp(self, v: Array) -> Array:
        return np.zeros_like(self.y)

    def _vjp_rows(self, w: Array, out: Array) -> None:
        pass

    def _vjp_segments(self, w: Array, offsets: IntArray, out: Array) -> None:
        pass


@dataclass(frozen=True)
class Concatenated:
    """Several functions of the same x, side by side, each with its own parameters.

        y_t = (y_t¹, y_t², …),   θ = (θ¹, θ², …)

    Parameters
    ----------
    parts : tuple of Function
        Functions with the same n_in.

    Raises
    ------
    InvalidInput
        If there are no parts, or they disagree on n_in.

    Examples
    --------
    >>> from npgrad.functions import Linear
    >>> f = Concatenated((Linear(3, 2), Constant(3, 2)))  # (μ, log σ)
    >>> f.n_out, f.n_params
    (4, 10)
    """

    parts: tuple[Function, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        widths = [part.n_in for part in self.parts]
        if len(set(widths)) != 1:
            raise InvalidInput(f"the parts have n_in {widths}, expected at least one part, and one n_in for all")

    @property
    def n_in(self) -> int:
        """d, the same for every part."""
        return self.parts[0].n_in

    @cached_property
    def n_out(self) -> int:
        """K, the sum over the parts."""
        return sum(part.n_out for part in self.parts)

    @cached_property
    def n_params(self) -> int:
        """P, the sum over the parts."""
        return sum(part.n_params for part in self.parts)

    @cached_property
    def n_memory(self) -> int:
        """M, the sum over the parts."""
        return sum(part.n_memory for part in self.parts)

    @cached_property
    def _columns(self) -> tuple[slice, ...]:
        return consecutive(part.n_out for part in self.parts)

    @cached_property
    def _params(self) -> tuple[slice, ...]:
        return consecutive(part.n_params for part in self.parts)

    @cached_property
    def _memories(self) -> tuple[slice, ...]:
        return consecutive(part.n_memory for part in self.parts)

    def init(self, rng: np.random.Generator) -> FloatArray:
        """The parts' first θ, one after the other, shape (P,)."""
        return np.concatenate([part.init(rng) for part in self.parts])

    def at(self, theta: Array, obs: npt.ArrayLike, offsets: npt.ArrayLike | None = None) -> ConcatenatedLinearisation:
        """Linearise every part at its θ on obs (T, d)."""
        x = checked_obs(self, theta, obs)
        parts = [part.at(theta[p], x, offsets) for part, p in zip(self.parts, self._params, strict=True)]
        return ConcatenatedLinearisation(theta, parts, self._columns, self._params)

    def advance(self, theta: Array, obs: npt.ArrayLike, memory: Array) -> tuple[Array, Array]:
        """One step of every part on its own columns of memory (B, M)."""
        x = checked_obs(self, theta, obs)
        memory = checked_memory(self, theta, x, memory)
        each = zip(self.parts, self._params, self._memories, strict=True)
        ys, memories = zip(*(part.advance(theta[p], x, memory[:, m]) for part, p, m in each), strict=True)
        return np.concatenate(ys, axis=1), np.concatenate(memories, axis=1)


class ConcatenatedLinearisation(CheckedLinearisation):
    """J is block diagonal: part i has its own columns of y and its own stretch of θ."""

    def __init__(
        self, theta: Array, parts: Iterable[Linearisation], columns: Iterable[slice], params: Iterable[slice]
    ) -> None:
        self._parts = list(zip(parts, columns, params, strict=True))
        super().__init__(theta, _side_by_side([part.y for part, _, _ in self._parts]))

    def _vjp(self, w: Array, out: Array) -> None:
        for part, k, p in self._parts:
            out[p] = part.vjp(w[:, k])

    def _jvp(self, v: Array) -> Array:
        return _side_by_side([part.jvp(v[p]) for part, _, p in self._parts])

    def _vjp_rows(self, w: Array, out: Array) -> None:
        for part, k, p in self._parts:
            if isinstance(part, CheckedLinearisation):
                part._vjp_rows(w[:, k], out[:, p])  # a copy less, of what may be gigabytes
            else:
                out[:, p] = part.vjp_rows(w[:, k])

    def _vjp_segments(self, w: Array, offsets: IntArray, out: Array) -> None:
        for part, k, p in self._parts:
            out[:, p] = part.vjp_segments(w[:, k], offsets)


@dataclass(frozen=True)
class Featured:
    """A function of features of x: y = f_θ(φ(x)). Features have no parameters, so J is f's own at φ(x).

    Parameters
    ----------
    features : Features
        φ, from n_in columns to n_out.
    function : Function
        f, with n_in = features.n_out.

    Raises
    ------
    InvalidInput
        If the function takes another number of columns than the features give.

    Examples
    --------
    >>> from npgrad.functions import Linear, OneHot
    >>> f = Featured(OneHot((3,)), Linear(3, 1, bias=False))
    >>> f.at(np.array([10.0, 20.0, 30.0]), [[2], [0]]).y
    array([[30.],
           [10.]])
    """

    features: Features
    function: Function

    def __post_init__(self) -> None:
        if self.features.n_out != self.function.n_in:
            raise InvalidInput(f"features give {self.features.n_out} columns, the function takes {self.function.n_in}")

    @property
    def n_in(self) -> int:
        """d, that of the features."""
        return self.features.n_in

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
        """M, that of the function."""
        return self.function.n_memory

    def init(self, rng: np.random.Generator) -> FloatArray:
        """The function's first θ, shape (P,)."""
        return self.function.init(rng)

    def at(self, theta: Array, obs: npt.ArrayLike, offsets: npt.ArrayLike | None = None) -> Linearisation:
        """Linearise the function at θ on φ(obs)."""
        return self.function.at(theta, self.features(checked_obs(self, theta, obs)), offsets)

    def advance(self, theta: Array, obs: npt.ArrayLike, memory: Array) -> tuple[Array, Array]:
        """One step of the function on φ(obs)."""
        return self.function.advance(theta, self.features(checked_obs(self, theta, obs)), memory)


def _repeat(row: Array, n_rows: int) -> Array:
    """`row` (K,) as every row of a new (T, K)."""
    return np.repeat(row[:, None], n_rows, axis=1).T


def _side_by_side(parts: Sequence[Array]) -> Array:
    """The columns of all parts, each contiguous: distributions take some of them, and work on whole columns."""
    return np.concatenate([part.T for part in parts]).T
