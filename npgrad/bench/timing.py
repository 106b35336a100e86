"""Alternating measurements of several candidates, and their ratios with spread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InvalidInput
from ..types import FloatArray

__all__ = ["Timing", "compare", "table"]

SHORTEST = 2e-4  # seconds that a measurement lasts at least: the clock and the call cost nothing beside it


@dataclass(frozen=True)
class Timing:
    """Seconds a call of one candidate, round after round, and what each took of the first candidate's.

    Parameters
    ----------
    name : str
    seconds : array, shape (rounds,)
        Of one call.
    ratios : array, shape (rounds,)
        First candidate's seconds over these, in the same round: how many times faster this one is.
    """

    name: str
    seconds: FloatArray
    ratios: FloatArray

    @property
    def median(self) -> float:
        """Median of the seconds."""
        return float(np.median(self.seconds))

    @property
    def ratio(self) -> float:
        """Median of the ratios."""
        return float(np.median(self.ratios))

    @property
    def spread(self) -> tuple[float, float]:
        """Quartiles of the ratios."""
        low, high = np.percentile(self.ratios, [25, 75])
        return float(low), float(high)


def compare(candidates: Mapping[str, Callable[[], object]], rounds: int = 15) -> list[Timing]:
    """Measure candidates in turn, `rounds` times over.

    Parameters
    ----------
    candidates : mapping of str to function
        Functions without arguments; the first is what the others are compared with.
    rounds : int, optional

    Returns
    -------
    list of Timing
        In the same order.

    Raises
    ------
    InvalidInput
        If there is no candidate or no round.

    Examples
    --------
    >>> slow, fast = compare({"sorted": lambda: sorted(range(3000)), "len": lambda: len(range(3000))}, rounds=3)
    >>> fast.ratio > slow.ratio == 1.0
    True
    """
    if not candidates or rounds < 1:
        raise InvalidInput(f"{len(candidates)} candidates and {rounds} rounds, expected at least one of each")
    calls = {name: _calls_needed(f) for name, f in candidates.items()}
    seconds = {name: np.empty(rounds) for name in candidates}
    for i in range(rounds):
        for name, f in candidates.items():
            seconds[name][i] = _seconds(f, calls[name]) / calls[name]
    first = next(iter(seconds.values()))
    return [Timing(name, each, first / each) for name, each in seconds.items()]


def _calls_needed(f: Callable[[], object]) -> int:
    f()  # what is compiled or cached at the first call does not count
    n = 1
    while _seconds(f, n) < SHORTEST:
        n *= 2
    return n


def _seconds(f: Callable[[], object], n: int) -> float:
    began = time.perf_counter()
    for _ in range(n):
        f()
    return time.perf_counter() - began


def table(rows: Sequence[tuple[str, Sequence[Timing]]]) -> str:
    """Markdown: a line a measurement, a column a candidate, with the ratio to the first and its quartiles.

    Examples
    --------
    >>> one = np.array([2e-3]), np.array([1.0])
    >>> two = np.array([1e-3]), np.array([2.0])
    >>> print(table([("sum", [Timing("naive", *one), Timing("npgrad", *two)])]))
    | | naive | npgrad |
    |---|---|---|
    | sum | 2 ms | 1 ms, 2.0 × (2.0 to 2.0) |
    """
    names = [timing.name for timing in rows[0][1]] if rows else []
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for what, timings in rows:
        cells = [_time(timings[0].median)]
        for timing in timings[1:]:
            low, high = timing.spread
            cells.append(f"{_time(timing.median)}, {timing.ratio:.1f} × ({low:.1f} to {high:.1f})")
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
