"""Checks of arguments, each with an error that says expected, got, remedy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InvalidInput, NonFinite

__all__ = [
    "as_float_array",
    "as_real_array",
    "require_finite",
    "require_in",
    "require_positive",
    "require_probability",
    "require_shape",
    "require_theta",
]


def as_float_array(name: str, value: npt.ArrayLike) -> npt.NDArray[Any]:
    """`value` as an array of floats (float32 and float64 are kept, integers and bools become float64)."""
    array = np.asarray(value)
    if array.dtype.kind in "fc":
        return array
    if array.dtype.kind in "iub":
        return array.astype(np.float64)
    raise InvalidInput(f"{name} has dtype {array.dtype}, expected numbers")


def as_real_array(name: str, value: Any) -> npt.NDArray[np.float64]:
    """`value` as doubles, of whatever shape; NumPy would drop imaginary parts with no more than a warning."""
    array = np.asarray(value)
    if array.dtype.kind == "c":
        raise InvalidInput(f"{name} is complex, expected real numbers; of a complex step take .imag, over the step")
    return array.astype(np.float64)


def require_shape(name: str, array: npt.NDArray[Any], shape: tuple[int | None, ...], remedy: str = "") -> None:
    """Raise unless `array.shape` is `shape`, where None stands for any length."""
    fits = array.ndim == len(shape) and all(s is None or s == n for s, n in zip(shape, array.shape, strict=True))
    if not fits:
        expected = (
            "(" + ", ".join("any" if s is None else str(s) for s in shape) + ("," if len(shape) == 1 else "") + ")"
        )
        raise InvalidInput(f"{name} has shape {array.shape}, expected {expected}" + (f"; {remedy}" if remedy else ""))


def require_theta(theta: npt.NDArray[Any], n_params: int) -> None:
    """Raise unless `theta` is a flat vector, (P,), of P = `n_params` floats in the processor's byte order."""
    if not isinstance(theta, np.ndarray) or theta.ndim != 1 or theta.shape[0] != n_params:
        got = f"shape {theta.shape}" if isinstance(theta, np.ndarray) else type(theta).__name__
        raise InvalidInput(
            f"theta has {got}, expected one flat array of shape ({n_params},); init(rng) makes one of the right length"
        )
    if theta.dtype.kind not in "fc" or not theta.dtype.isnative:
        raise InvalidInput(f"theta has dtype {theta.dtype}, expected float64 or float32; try theta.astype(float)")


def require_finite(name: str, array: npt.NDArray[Any], remedy: str = "") -> None:
    """Raise `NonFinite`, naming the first offending place, if `array`, of any shape, holds a NaN or an infinity."""
    with np.errstate(all="ignore"):
        if np.isfinite(np.add.reduce(array, axis=None)):  # quicker, and enough
            return
    finite = np.isfinite(array)
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        place = "" if array.ndim == 0 else f"[{', '.join(map(str, where))}]"
        count = int(array.size - np.count_nonzero(finite))
        raise NonFinite(
            f"{name}{place} is {array[where]} ({count} of {array.size} values are not finite)"
            + (f"; {remedy}" if remedy else "")
        )


def require_positive(name: str, value: float) -> None:
    """Raise unless `value` is a finite number above zero."""
    if not np.isfinite(value) or value <= 0:
        raise InvalidInput(f"{name} is {value}, expected a number above 0")


def require_probability(name: str, value: float) -> None:
    """Raise unless 0 ≤ `value` ≤ 1 (discount factors and λ among them)."""
    if not 0.0 <= value <= 1.0:
        raise InvalidInput(f"{name} is {value}, expected a number in [0, 1]")


def require_in(name: str, value: Any, allowed: tuple[Any, ...]) -> None:
    """Raise unless `value` is one of `allowed`."""
    if value not in allowed:
        raise InvalidInput(f"{name} is {value!r}, expected one of {', '.join(map(repr, allowed))}")
