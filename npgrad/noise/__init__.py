"""Random numbers as a function of their place: noise(seed, stream, episode, step, j), the NumPy half.

Nothing is carried from call to call. The same place gives the same bits here and in kernels (`npgrad.noise.compiled`),
in any order, on any number of threads. What a number is for is its *stream*; numbers of different streams, episodes,
steps, kinds and j are independent (Philox4x32-10 on different counters; see `npgrad.noise.formulas`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..validation import require_in
from .formulas import MASK, NORMAL, UNIFORM, counter, normals, philox, uniforms

__all__ = [
    "ACTION",
    "DYNAMICS",
    "EVALUATION",
    "INIT",
    "PERTURBATION",
    "RESET",
    "SHUFFLE",
    "derive_seed",
    "draw",
    "kind_codes",
    "normal",
    "uniform",
]

ACTION = 0
RESET = 1
DYNAMICS = 2
EVALUATION = 3
PERTURBATION = 4
SHUFFLE = 5
INIT = 6

Integers = int | np.integer[Any] | npt.NDArray[np.integer[Any]]
FloatArray = npt.NDArray[np.float64]

_N_BLOCKS = (1 << 23) - 1  # the last of the 2²³ blocks is for seeds


def draw(kinds: Sequence[str], seed: int, stream: int, episode: Integers, step: Integers) -> FloatArray:
    """The numbers j = 0, 1, … of a place; j counts uniform and normal ones apart.

    Parameters
    ----------
    kinds : sequence of {"uniform", "normal"}
        What is wanted: uniform on the open (0, 1), or standard normal.
    seed : int
        Key, 0 ≤ seed < 2⁶⁴.
    stream : int
        One of the constants of this module, or any other 0 ≤ stream < 256.
    episode, step : int or integer array
        The place: 0 ≤ episode < 2⁶³ and 0 ≤ step < 2³², broadcast against one another to a shape S.

    Returns
    -------
    (*S, len(kinds)) float64
        The noise.

    Raises
    ------
    InvalidInput
        If an argument is no integer, or out of its range.

    Examples
    --------
    >>> draw(["uniform", "normal"], seed=7, stream=ACTION, episode=np.arange(2), step=0)
    array([[ 0.75015222,  0.79212058],
           [ 0.17173539, -0.33591694]])
    """
    codes = kind_codes(kinds)
    key = _key(seed)
    s, e, t = _one("stream", stream, 8), _integers("episode", episode, 63), _integers("step", step, 32)
    shape = np.broadcast_shapes(np.shape(e), np.shape(t))
    out = np.empty((*shape, codes.size))
    for kind, pair in ((UNIFORM, uniforms), (NORMAL, normals)):
        columns = np.flatnonzero(codes == kind)
        n_blocks = (columns.size + 1) // 2
        if n_blocks:
            block = np.arange(n_blocks) if n_blocks > 1 else 0
            place = counter(s, kind, block, _column(e), _column(t))
            numbers = np.stack(pair(*place, *key), axis=-1)  # (*S, n_blocks, 2)
            out[..., columns] = numbers.reshape(*shape, 2 * n_blocks)[..., : columns.size]
    return out


def uniform(n: int, seed: int, stream: int, episode: Integers, step: Integers) -> FloatArray:
    """`n` uniform numbers on the open (0, 1) for each place, (*S, n); arguments as in `draw`."""
    return draw(("uniform",) * n, seed, stream, episode, step)


def normal(n: int, seed: int, stream: int, episode: Integers, step: Integers) -> FloatArray:
    """`n` standard normal numbers for each place, (*S, n); arguments as in `draw`."""
    return draw(("normal",) * n, seed, stream, episode, step)


def derive_seed(seed: int, stream: int, i: int) -> int:
    """The i-th seed that follows from `seed`: 64 bits, independent of one another and of all noise drawn by `seed`.

    Parameters
    ----------
    seed, stream, i : int
        As `seed`, `stream` and `episode` in `draw`.

    Returns
    -------
    int
        0 ≤ seed < 2⁶⁴.

    Examples
    --------
    >>> derive_seed(7, EVALUATION, 0) == derive_seed(7, EVALUATION, 1)
    False
    """
    place = counter(_one("stream", stream, 8), UNIFORM, _N_BLOCKS, _one("i", i, 63), 0)
    low, high, *_ = philox(*place, *_key(seed))
    return int(high << 32 | low)


def kind_codes(kinds: Sequence[str]) -> npt.NDArray[np.int64]:
    """The kinds as the integers that kernels take, (len(kinds),) int64."""
    for kind in kinds:
        require_in("kind of noise", kind, ("uniform", "normal"))
    if len(kinds) > _N_BLOCKS:
        raise InvalidInput(f"{len(kinds)} numbers asked for one place, expected at most {_N_BLOCKS}")
    return np.array([NORMAL if kind == "normal" else UNIFORM for kind in kinds], dtype=np.int64)


def _key(seed: int) -> tuple[int, int]:
    """The words of a seed, low and high."""
    whole = _one("seed", seed, 64)
    return whole & MASK, whole >> 32


def _column(value: Any) -> Any:
    """An array with an axis more, for the blocks of a place; integers broadcast as they are."""
    return value if isinstance(value, int) else value[..., np.newaxis]


def _one(name: str, value: Any, n_bits: int) -> int:
    """`value` as a Python integer in [0, 2^n_bits)."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise InvalidInput(f"{name} is {value!r}, expected one integer from 0 to 2**{n_bits} - 1")
    if not 0 <= value < 1 << n_bits:
        raise InvalidInput(f"{name} is {value}, expected 0 <= {name} < 2**{n_bits}")
    return int(value)


def _integers(name: str, value: Any, n_bits: int) -> Any:
    """`value` as a Python integer or an int64 array in [0, 2^n_bits)."""
    if not isinstance(value, np.ndarray) or value.ndim == 0:
        return _one(name, value[()] if isinstance(value, np.ndarray) else value, n_bits)
    if value.dtype.kind not in "iu":
        raise InvalidInput(f"{name} has dtype {value.dtype}, expected integers; try {name}.astype(np.int64)")
    if value.size:
        for extreme in (value.min(), value.max()):
            _one(name, extreme, n_bits)
    return value.astype(np.int64)
