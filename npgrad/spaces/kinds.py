"""The six kinds of spaces, as frozen data with fields that JSON holds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput, UnsupportedSpace

__all__ = ["Box", "Dict", "Discrete", "MultiBinary", "MultiDiscrete", "Space", "Tuple"]

Array = npt.NDArray[Any]


def _set(space: Any, **fields: Any) -> None:
    """Put fields of a frozen space into their one plain form."""
    for name, value in fields.items():
        object.__setattr__(space, name, value)


def _ints(values: Any) -> tuple[int, ...]:
    return tuple(int(i) for i in values)


def _packed(values: Array) -> Any:
    """One number if all entries are equal, else a flat tuple of numbers."""
    flat = values.ravel().tolist()
    return flat[0] if flat and flat.count(flat[0]) == len(flat) else tuple(flat)


def _fitting(name: str, values: Any, shape: tuple[int, ...]) -> Array:
    """One number, a flat tuple or an array as an array of no axes or of `shape`."""
    array = np.asarray(values)
    if array.ndim and array.shape not in (shape, (math.prod(shape),)):
        raise InvalidInput(f"{name} has shape {array.shape}, expected {shape} or one number")
    return array.reshape(shape) if array.ndim else array


def spread(values: Any, shape: tuple[int, ...]) -> Array:
    """One number or a flat tuple, as spaces keep them, as an array of `shape`."""
    return np.broadcast_to(_fitting("values", values, shape), shape)


@dataclass(frozen=True)
class Box:
    """The box low ≤ x ≤ high in ℝⁿ, or in the integers.

    Parameters
    ----------
    low, high : float, array, or flat tuple of float
        Bounds, infinite ones included; kept as one number if all are equal, else as a flat tuple.
    shape : tuple of int, optional
        Shape of one x; taken from the bounds if not given, (1,) for numbers.
    dtype : str
        Name of a NumPy dtype: floats, integers or bool.

    Raises
    ------
    InvalidInput
        If low exceeds high, a bound is NaN or does not fit the dtype, or shapes disagree.

    Examples
    --------
    >>> Box(-1.0, 1.0, shape=(2, 3))
    Box(low=-1.0, high=1.0, shape=(2, 3), dtype='float32')
    >>> Box([0.0, -np.inf], np.inf, dtype="float64")
    Box(low=(0.0, -inf), high=inf, shape=(2,), dtype='float64')
    """

    low: float | tuple[float, ...]
    high: float | tuple[float, ...]
    shape: tuple[int, ...] = None  # type: ignore[assignment]
    dtype: str = "float32"

    def __post_init__(self) -> None:
        dtype = np.dtype(self.dtype)
        if dtype.kind not in "fiub":
            raise InvalidInput(f"dtype of a Box is {dtype}, expected a float, integer or bool dtype")
        given: Any = self.shape
        shape = _ints(np.shape(self.low) or np.shape(self.high) or (1,) if given is None else given)
        bounds = {name: _fitting(name, getattr(self, name), shape) for name in ("low", "high")}
        for name, bound in bounds.items():
            with np.errstate(invalid="ignore", over="ignore"):
                fitted = bound.astype(dtype)
            if np.isnan(fitted).any() or (dtype.kind != "f" and not np.array_equal(fitted, bound)):
                raise InvalidInput(f"{name} of a Box has values that {dtype} does not hold, or NaN")
            bounds[name] = fitted
        if (bounds["low"] > bounds["high"]).any():
            raise InvalidInput("low of a Box exceeds high somewhere; expected low <= high everywhere")
        _set(self, shape=shape, dtype=dtype.name, **{name: _packed(bound) for name, bound in bounds.items()})

    def bounds(self) -> tuple[Array, Array]:
        """Low and high as arrays of the box's shape and dtype."""
        low, high = (spread(bound, self.shape).astype(self.dtype) for bound in (self.low, self.high))
        return low, high


@dataclass(frozen=True)
class Discrete:
    """The integers start, start + 1, …, start + n − 1.

    Examples
    --------
    >>> Discrete(3, start=-1)
    Discrete(n=3, start=-1, dtype='int64')
    """

    n: int
    start: int = 0
    dtype: str = "int64"

    def __post_init__(self) -> None:
        if int(self.n) != self.n or self.n <= 0:
            raise InvalidInput(f"n of a Discrete space is {self.n}, expected a positive integer")
        n, start = int(self.n), int(self.start)
        _set(self, n=n, start=start, dtype=_integer_dtype(self.dtype, start, start + n - 1))

    @property
    def shape(self) -> tuple[int, ...]:
        """()."""
        return ()


@dataclass(frozen=True)
class MultiDiscrete:
    """Several integers at once, the i-th among start_i, …, start_i + nvec_i − 1.

    Parameters
    ----------
    nvec : tuple of int, or array
        How many values each integer takes; kept as a flat tuple.
    start : int, tuple of int or array
        The smallest value of each.
    shape : tuple of int, optional
        Shape of one x; that of `nvec` if not given.
    dtype : str
        Name of an integer dtype.

    Examples
    --------
    >>> MultiDiscrete((2, 3))
    MultiDiscrete(nvec=(2, 3), start=0, shape=(2,), dtype='int64')
    """

    nvec: tuple[int, ...]
    start: int | tuple[int, ...] = 0
    shape: tuple[int, ...] = None  # type: ignore[assignment]
    dtype: str = "int64"

    def __post_init__(self) -> None:
        given: Any = self.shape
        shape = _ints(np.shape(self.nvec) if given is None else given)
        nvec = _fitting("nvec", self.nvec, shape)
        if not nvec.ndim or nvec.dtype.kind not in "iu" or not (nvec > 0).all():
            raise InvalidInput(f"nvec of a MultiDiscrete space is {self.nvec}, expected positive integers")
        start = _fitting("start", self.start, shape)
        if start.dtype.kind not in "iu":
            raise InvalidInput(f"start of a MultiDiscrete space is {self.start}, expected integers")
        dtype = _integer_dtype(self.dtype, int(start.min()), int((start.astype(object) + nvec).max()) - 1)
        _set(self, nvec=_ints(nvec.ravel()), start=_packed(start), shape=shape, dtype=dtype)


@dataclass(frozen=True)
class MultiBinary:
    """n numbers that are 0 or 1 each; with a tuple for `n`, an array of that shape.

    Examples
    --------
    >>> MultiBinary((2, 2)).shape
    (2, 2)
    """

    n: int | tuple[int, ...]

    def __post_init__(self) -> None:
        given: Any = self.n
        _set(self, n=int(given) if np.ndim(given) == 0 else _ints(given))
        if not all(i > 0 for i in self.shape):
            raise InvalidInput(f"n of a MultiBinary space is {self.n}, expected positive integers")

    @property
    def shape(self) -> tuple[int, ...]:
        """(n,), or n where that is a tuple."""
        return self.n if isinstance(self.n, tuple) else (self.n,)

    @property
    def dtype(self) -> str:
        """int8."""
        return "int8"


@dataclass(frozen=True)
class Dict:
    """Named spaces, in the order given; a mapping or pairs, kept as pairs.

    Examples
    --------
    >>> Dict({"door": Discrete(2), "place": Box(0.0, 9.0, shape=(2,))}).names
    ('door', 'place')
    """

    spaces: tuple[tuple[str, Space], ...]

    def __post_init__(self) -> None:
        pairs = self.spaces.items() if isinstance(self.spaces, Mapping) else self.spaces
        _set(self, spaces=tuple((name, _checked(space)) for name, space in pairs))
        if not self.spaces or len(set(self.names)) < len(self.names) or {type(name) for name in self.names} != {str}:
            raise InvalidInput(f"names of a Dict space are {self.names}, expected different strings, at least one")

    @property
    def names(self) -> tuple[str, ...]:
        """The names without their spaces."""
        return tuple(name for name, _ in self.spaces)

    @property
    def parts(self) -> tuple[Space, ...]:
        """The spaces without their names."""
        return tuple(space for _, space in self.spaces)


@dataclass(frozen=True)
class Tuple:
    """Spaces one after the other.

    Examples
    --------
    >>> len(Tuple((Discrete(2), Discrete(3))).parts)
    2
    """

    spaces: tuple[Space, ...]

    def __post_init__(self) -> None:
        _set(self, spaces=tuple(_checked(space) for space in self.spaces))
        if not self.spaces:
            raise InvalidInput("a Tuple space is empty, expected at least one space")

    @property
    def parts(self) -> tuple[Space, ...]:
        """The spaces."""
        return self.spaces


Space: TypeAlias = Box | Discrete | MultiDiscrete | MultiBinary | Dict | Tuple
Leaf: TypeAlias = Box | Discrete | MultiDiscrete | MultiBinary
SPACES = (Box, Discrete, MultiDiscrete, MultiBinary, Dict, Tuple)


def _checked(space: Any) -> Space:
    if not isinstance(space, SPACES):
        raise unsupported(space)
    return space


def unsupported(space: Any) -> UnsupportedSpace:
    supported = ", ".join(kind.__name__ for kind in SPACES)
    return UnsupportedSpace(f"{type(space).__name__} space {space!r} is not supported; supported are {supported}")


def _integer_dtype(name: str, low: int, high: int) -> str:
    """The name of an integer dtype that holds low … high."""
    dtype = np.dtype(name)
    if dtype.kind not in "iu" or low < np.iinfo(dtype).min or high > min(np.iinfo(dtype).max, np.iinfo(np.int64).max):
        raise InvalidInput(f"dtype of a discrete space is {dtype}, expected an integer dtype that holds {low} … {high}")
    return str(dtype.name)
