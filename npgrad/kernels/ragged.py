"""Rows in segments: sorted by segment, and cut into chunks of whole segments."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..jit import kernel
from ..types import IntArray

__all__ = ["chunk_bounds", "segment_rows"]

CHUNK_ROWS = 2048  # small enough for the arrays of a linearisation to stay in cache


def chunk_bounds(offsets: IntArray) -> Iterator[tuple[int, int]]:
    """Runs (lo, hi) of whole segments, each of CHUNK_ROWS rows or one segment more than that.

    Examples
    --------
    >>> list(chunk_bounds(np.array([0, 2000, 2500, 2501])))
    [(0, 2), (2, 3)]
    """
    lo, n = 0, len(offsets) - 1
    while lo < n:
        hi = int(np.searchsorted(offsets, offsets[lo] + CHUNK_ROWS))
        hi = min(max(hi, lo + 1), n)
        yield lo, hi
        lo = hi


@kernel("void(const(int64[::1]), int64[::1], int64[::1])")
def segment_rows(segment: IntArray, cursor: IntArray, rows: IntArray) -> None:
    """A stable counting sort: rows[cursor[s]++] = k for the k-th recorded row of segment s; s < 0 is skipped.

    `cursor` holds where each segment begins and is advanced to where it ends.
    """
    for k in range(segment.shape[0]):
        s = segment[k]
        if s >= 0:
            rows[cursor[s]] = k
            cursor[s] += 1
