"""Memory that is used again when nobody holds it: fresh memory costs page faults."""

from __future__ import annotations

import math
import os
import threading
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Memory", "recycled"]

Array = npt.NDArray[Any]

SMALL = 1 << 16  # bytes; below, fresh memory costs nothing
KEPT = 1 << 30  # bytes that wait to be used again, at most


class Memory:
    """Arrays of anything, made of what earlier ones and all their views have left. Threads may share it.

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
        self._free: list[Array] = []  # oldest first
        self._lock = threading.RLock()  # the garbage collector may give something back inside `_block`

    def array(self, shape: tuple[int, ...], dtype: npt.DTypeLike = np.float64) -> Array:
        """An array of whatever is there."""
        count = math.prod(shape)
        size = count * np.dtype(dtype).itemsize
        if size < SMALL:
            return np.empty(shape, dtype)
        block = self._block(size)
        array = np.frombuffer(block.data, dtype, count)
        weakref.finalize(array.base, self._give, block).atexit = False  # the base dies with the last view
        return array.reshape(shape)

    def _block(self, size: int) -> Array:
        """The smallest free block that is large enough, and not much too large; a new one if there is none."""
        with self._lock:
            fitting = [i for i, block in enumerate(self._free) if size <= len(block) <= 2 * size]
            if fitting:
                return self._free.pop(min(fitting, key=lambda i: len(self._free[i])))
        return np.empty(size + size // 4, np.uint8)

    def _give(self, block: Array) -> None:
        with self._lock:
            self._free.append(block)
            while sum(map(len, self._free)) > KEPT:
                self._free.pop(0)


_SHARED = Memory()
if hasattr(os, "register_at_fork"):  # a child must not find the lock in the hands of a thread that it has not
    _lock = _SHARED._lock
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def recycled(shape: tuple[int, ...], dtype: npt.DTypeLike = np.float64) -> Array:
    """An array of whatever is there, from memory that all of the library shares."""
    return _SHARED.array(shape, dtype)
