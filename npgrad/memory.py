"""Memory that is used again when nobody holds it: fresh memory costs page faults."""

from __future__ import annotations

import math
import sys
import threading
from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Memory", "recycled"]

Array = npt.NDArray[Any]

SMALL = 1 << 16  # bytes; below, fresh memory costs nothing
KEPT = 1 << 30  # bytes that wait to be used again in each thread, at most


def _unheld(blocks: list[Array]) -> Array | None:
    """A block that nobody refers to but the list: no array made of it is left, nor a view of one."""
    for block in blocks:
        if sys.getrefcount(block) <= ALONE:
            return block
    return None


def _count_alone() -> int:
    """What `sys.getrefcount` says in `_unheld` of a block that nobody holds: interpreters differ."""
    for block in [np.empty(1)]:
        return sys.getrefcount(block)
    return 0


# 0: nobody counts. The list, the loop and the call: a debugger that looks on now, and later does not, is one too many.
ALONE = min(_count_alone(), 3) if hasattr(sys, "getrefcount") else 0


class Memory(threading.local):
    """Arrays of anything, made of what earlier ones and all their views have left. Each thread has its own.

    Examples
    --------
    >>> memory = Memory()
    >>> first = memory.array((300, 300))
    >>> place, view = first.ctypes.data, first[5:]
    >>> del first
    >>> second = memory.array((300, 300))
    >>> second.ctypes.data == place  # still in use
    False
    >>> del view
    >>> memory.array((299, 300)).ctypes.data == place
    True
    """

    def __init__(self) -> None:
        self._blocks: defaultdict[int, list[Array]] = defaultdict(list)  # by their sizes
        self._kept = 0

    def array(self, shape: tuple[int, ...], dtype: npt.DTypeLike = np.float64) -> Array:
        """An array of whatever is there."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size < SMALL or not ALONE:
            return np.empty(shape, dtype)
        shift = size.bit_length() - 3
        size = -(-size >> shift) << shift  # three binary digits: much the same sizes share their blocks
        blocks = self._blocks[size]
        block = _unheld(blocks)
        if block is None:
            if self._kept + size > KEPT:
                self._blocks.clear()  # what is in use lives on in those who use it
                self._kept = 0
                blocks = self._blocks[size]
            block = np.empty(size, np.uint8)
            blocks.append(block)
            self._kept += size
        return np.ndarray(shape, dtype, block)


_SHARED = Memory()


def recycled(shape: tuple[int, ...], dtype: npt.DTypeLike = np.float64) -> Array:
    """An array of whatever is there, from memory that the thread shares among all of the library."""
    return _SHARED.array(shape, dtype)
