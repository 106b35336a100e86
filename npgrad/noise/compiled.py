"""The noise inside kernels: the same formulas, compiled, and bit for bit the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import jit
from .formulas import MASK, NORMAL, UNIFORM, counter, normals, uniforms

__all__ = ["fill", "key_words"]


@jit.device
def key_words(seed: Any) -> tuple[Any, Any]:
    """The two words of a 64-bit seed."""
    whole = np.uint64(seed)
    return np.int64(whole & np.uint64(MASK)), np.int64(whole >> np.uint64(32))


@jit.device
def _partner(kinds: Any, r: Any) -> Any:
    """The next row after r of the same kind; r itself if there is none."""
    for s in range(r + 1, kinds.shape[0]):
        if kinds[s] == kinds[r]:
            return s
    return r


@jit.device
def _rank(kinds: Any, r: Any) -> Any:
    """How many rows before r are of the same kind."""
    count = 0
    for s in range(r):
        count += kinds[s] == kinds[r]
    return count


@jit.kernel("void(const(int64[::1]), uint64, int64, const(int64[::1]), const(int64[::1]), float64[:,::1])")
def fill(kinds: Any, seed: Any, stream: Any, episodes: Any, steps: Any, out: Any) -> None:
    """out[r, b] = number r of the given kinds for (seed, stream, episodes[b], steps[b]), as `noise.draw` gives it.

    Parameters
    ----------
    kinds : (R,) int64
        UNIFORM or NORMAL for each row.
    seed : 64-bit integer
        Key.
    stream : int
        What the numbers are for, 0 … 255.
    episodes, steps : (B,) int64
        Place of each column.
    out : (R, B) float64
        Filled; further columns, if there are any, are left alone.
    """
    k0, k1 = key_words(seed)
    for r in range(kinds.shape[0]):
        j = _rank(kinds, r)
        if j % 2 == 1:
            continue  # filled with its partner: two numbers a block
        s = _partner(kinds, r)
        first = out[r]
        second = out[s] if s > r else np.empty(episodes.shape[0])  # the half that nobody asked for
        if kinds[r] == UNIFORM:
            for b in range(episodes.shape[0]):
                c0, c1, c2, c3 = counter(stream, UNIFORM, j // 2, episodes[b], steps[b])
                first[b], second[b] = uniforms(c0, c1, c2, c3, k0, k1)
        else:
            for b in range(episodes.shape[0]):
                c0, c1, c2, c3 = counter(stream, NORMAL, j // 2, episodes[b], steps[b])
                first[b], second[b] = normals(c0, c1, c2, c3, k0, k1)
