"""From rows recorded step by step, segments interleaved, to rows segment by segment."""

from __future__ import annotations

from ..jit import kernel
from ..types import IntArray

__all__ = ["segment_rows"]


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
