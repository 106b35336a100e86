"""From structured observations to flat vectors and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from .kinds import Array, Box, Dict, Discrete, Leaf, MultiBinary, MultiDiscrete, Space, Tuple, spread, unsupported

__all__ = ["as_actions", "contains", "entry", "flat_dim", "flatten", "flatten_batch", "is_batch", "unflatten"]


def flat_dim(space: Space) -> int:
    """d, the length of a flattened x.

    Examples
    --------
    >>> flat_dim(Tuple((Discrete(3), Box(0.0, 1.0, shape=(2, 2)))))
    7
    """
    match space:
        case Box() | MultiBinary():
            return math.prod(space.shape)
        case Discrete():
            return space.n
        case MultiDiscrete():
            return sum(space.nvec)
        case Dict() | Tuple():
            return sum(flat_dim(part) for part in space.parts)


def flatten(space: Space, obs: Any) -> Array:
    """One x of `space` as a new flat array: boxes row by row, integers one-hot, parts joined in order.

    Parameters
    ----------
    space : Space
    obs : array, int, dict or tuple
        One x, as an environment gives it.

    Returns
    -------
    array, shape (d,)
        In the space's own dtype; joined parts of different dtypes in their common one.

    Raises
    ------
    InvalidInput
        On a wrong shape, a dtype that does not fit, or a discrete value out of range. Bounds of a Box are not
        checked: `contains` does that.

    Examples
    --------
    >>> flatten(Box(0, 255, shape=(2, 2), dtype="uint8"), [[1, 2], [3, 4]])
    array([1, 2, 3, 4], dtype=uint8)
    >>> flatten(Dict({"door": Discrete(2), "place": Box(0.0, 9.0, shape=(2,))}), {"place": [3.0, 4.0], "door": 1})
    array([0., 1., 3., 4.])
    """
    return _flatten(space, obs, "obs", 0)


def flatten_batch(space: Space, obs: Any) -> Array:
    """B of them, in the form of Gymnasium's vector environments: every leaf has a first axis of length B.

    Returns
    -------
    array, shape (B, d)

    Raises
    ------
    InvalidInput
        As `flatten`.

    Examples
    --------
    >>> flatten_batch(Dict({"a": Discrete(2)}), {"a": [0, 1, 1]})
    array([[1, 0], [0, 1], [0, 1]])
    """
    return _flatten(space, obs, "obs", 1)


def _flatten(space: Space, value: Any, name: str, lead: int) -> Array:
    """`value` with `lead` leading axes, flattened behind them."""
    match space:
        case Box() | MultiBinary():
            array = _leaf(space, value, name, lead)
            return array.reshape((*array.shape[:lead], flat_dim(space)))
        case Discrete() | MultiDiscrete():
            array = _leaf(space, value, name, lead)
            index, nvec = _index(space, array, name, lead)
            places = np.concatenate([np.arange(n) for n in nvec])
            one_hot: Array = np.repeat(index, nvec, axis=-1) == places
            return one_hot.astype(space.dtype)
        case Dict() | Tuple():
            parts = [_flatten(part, x, where, lead) for part, x, where in _parts(space, value, name)]
            if len({part.shape[:lead] for part in parts}) > 1:
                raise InvalidInput(f"parts of {name} have {[len(p) for p in parts]} rows, expected one number for all")
            return np.concatenate(parts, axis=-1)


def _keys(space: Dict | Tuple) -> tuple[Any, ...]:
    return space.names if isinstance(space, Dict) else tuple(range(len(space.parts)))


def _parts(space: Dict | Tuple, value: Any, name: str) -> list[tuple[Space, Any, str]]:
    """The parts of a composite: space, value, and what to call it in an error."""
    keys = _keys(space)
    if isinstance(space, Dict):
        fits, expected = isinstance(value, Mapping) and set(value) == set(keys), f"a dict with the keys {keys}"
    else:
        fits, expected = isinstance(value, tuple | list) and len(value) == len(keys), f"a tuple of {len(keys)} parts"
    if not fits:
        got = f" of {list(value)}" if isinstance(value, Mapping) else ""
        raise InvalidInput(f"{name} is a {type(value).__name__}{got}, expected {expected}")
    return [(part, value[key], f"{name}[{key!r}]") for part, key in zip(space.parts, keys, strict=True)]


_TAKES = {"f": "fiub", "i": "iub", "u": "iub", "b": "iub"}  # dtype kind of a space: kinds of the values it takes


def _leaf(space: Leaf, value: Any, name: str, lead: int) -> Array:
    """A new array of the space's dtype, checked for shape and for values that the dtype holds."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InvalidInput(f"{name} is ragged, expected shape {space.shape}") from error
    dtype = np.dtype(space.dtype)
    if array.shape[lead:] != space.shape or array.ndim != lead + len(space.shape):
        expected = f"(B, {', '.join(map(str, space.shape))})" if lead else f"{space.shape}"
        raise InvalidInput(f"{name} has shape {array.shape}, expected {expected}")
    if array.dtype.kind not in _TAKES[dtype.kind]:
        raise InvalidInput(f"{name} has dtype {array.dtype}, expected {dtype}; try .astype({str(dtype)!r})")
    if array.dtype == dtype:
        return np.array(array)
    with np.errstate(over="ignore"):  # a float too large for float32 becomes inf, which whoever acts on it reports
        fitted: Array = array.astype(dtype)
    if dtype.kind != "f" and not np.array_equal(fitted, array):
        raise InvalidInput(f"{name} has values that {dtype} does not hold")
    return fitted


def _index(space: Discrete | MultiDiscrete, array: Array, name: str, lead: int) -> tuple[Array, tuple[int, ...]]:
    """x − start, flat behind the leading axes, (…, k), and the numbers of values, (k,)."""
    nvec = (space.n,) if isinstance(space, Discrete) else space.nvec
    index = (array.astype(np.int64) - spread(space.start, space.shape)).reshape((*array.shape[:lead], len(nvec)))
    outside = (index < 0) | (index >= nvec)
    if outside.any():
        wrong = array.reshape(index.shape)[outside][0]
        raise InvalidInput(f"{name} holds {wrong}, expected integers from {space.start} on, {nvec} of them")
    return index, nvec


def entry(space: Space, i: int, name: str = "obs") -> str:
    """What entry i of a flattened x is called in its own form.

    Examples
    --------
    >>> entry(Dict({"door": Discrete(2), "place": Box(0.0, 9.0, shape=(2, 2))}), 4)
    "obs['place'][1, 0]"
    """
    if isinstance(space, Dict | Tuple):
        for key, part in zip(_keys(space), space.parts, strict=True):
            if i < flat_dim(part):
                return entry(part, i, f"{name}[{key!r}]")
            i -= flat_dim(part)
    if isinstance(space, Box | MultiBinary) and space.shape:
        return f"{name}[{', '.join(map(str, np.unravel_index(i, space.shape)))}]"
    return name


def is_batch(space: Space, obs: Any) -> bool:
    """Whether `obs` has the axis of a batch in front; told by its first leaf.

    Examples
    --------
    >>> is_batch(Discrete(3), [0, 2]), is_batch(Discrete(3), 2)
    (True, False)
    """
    name = "obs"
    while isinstance(space, Dict | Tuple):
        (space, obs, name), *_ = _parts(space, obs, name)
    try:
        return bool(np.ndim(obs) > len(space.shape))
    except ValueError as error:
        raise InvalidInput(f"{name} is ragged, expected shape {space.shape}") from error


def as_actions(space: Space, rows: Array) -> Array:
    """Mapped actions (B,) or (B, k) in the form an environment takes: (B, *shape), in the space's dtype.

    Raises
    ------
    UnsupportedSpace
        If the space is composite: no policy acts in one.

    Examples
    --------
    >>> as_actions(Box(-1.0, 1.0, shape=(1, 2)), np.array([[0.25, 0.5]]))
    array([[[0.25, 0.5 ]]], dtype=float32)
    """
    if isinstance(space, Dict | Tuple):
        raise unsupported(space)
    return rows.astype(space.dtype).reshape((len(rows), *space.shape))


def unflatten(space: Space, flat: npt.ArrayLike) -> Any:
    """The inverse of `flatten`.

    Parameters
    ----------
    space : Space
    flat : array, shape (d,)

    Returns
    -------
    array, int, dict or tuple
        One x of `space`.

    Raises
    ------
    InvalidInput
        If the length is wrong or a discrete part is not one-hot.

    Examples
    --------
    >>> unflatten(Dict({"a": Discrete(3, start=1), "b": MultiBinary(2)}), [0, 0, 1, 1, 0])
    {'a': 3, 'b': array([1, 0], dtype=int8)}
    """
    array = np.asarray(flat)
    if array.shape != (flat_dim(space),):
        raise InvalidInput(f"flat has shape {array.shape}, expected ({flat_dim(space)},)")
    match space:
        case Box() | MultiBinary():
            return array.astype(space.dtype).reshape(space.shape)
        case Discrete():
            return space.start + _hot(array)
        case MultiDiscrete():
            index = [_hot(part) for part in np.split(array, np.cumsum(space.nvec)[:-1])]
            return (np.reshape(index, space.shape) + spread(space.start, space.shape)).astype(space.dtype)
        case Dict() | Tuple():
            flats = np.split(array, np.cumsum([flat_dim(part) for part in space.parts])[:-1])
            values = tuple(unflatten(part, x) for part, x in zip(space.parts, flats, strict=True))
            return dict(zip(space.names, values, strict=True)) if isinstance(space, Dict) else values


def _hot(flat: Array) -> int:
    (places,) = np.nonzero(flat)
    if len(places) != 1:
        raise InvalidInput(f"{flat} is not one-hot, so it stands for no value of a discrete space")
    return int(places[0])


def contains(space: Space, x: Any) -> bool:
    """Whether `x` is in `space`: structure, shape, range and bounds; a value that the dtype can hold is enough.

    Examples
    --------
    >>> contains(Box(0.0, 1.0, shape=(2,)), [0.5, 1.5]), contains(Discrete(2, start=1), 2)
    (False, True)
    """
    try:
        match space:
            case Box():
                array, (low, high) = _leaf(space, x, "x", 0), space.bounds()
                return bool(np.all((array >= low) & (array <= high)))
            case MultiBinary():
                return bool(np.isin(_leaf(space, x, "x", 0), (0, 1)).all())
            case Discrete() | MultiDiscrete():
                _index(space, _leaf(space, x, "x", 0), "x", 0)
                return True
            case Dict() | Tuple():
                return all(contains(part, value) for part, value, _ in _parts(space, x, "x"))
    except InvalidInput:
        return False
