"""Alternating measurements of several candidates, and their ratios with spread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import InvalidInput
from ..types import FloatArray

__all__ = ["Clock", "Timing", "compare", "shown_time", "table"]

SHORTEST = 2e-3  # seconds that a measurement lasts at least: clock, call and cold caches cost little beside it
FEWEST = 5  # rounds, however long they take


class Clock(Protocol):
    """A candidate that measures itself: work in another process, or a process from its start.

    If it has an attribute `once` that is true, each measurement is one call, and none is made that does not count.
    """

    def seconds(self, calls: int) -> float:
        """How long `calls` calls take."""


Candidate = Callable[[], object] | Clock


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


@dataclass(frozen=True)
class _Here:
    """A function of this process as a `Clock`."""

    function: Callable[[], object]

    def seconds(self, calls: int) -> float:
        began = time.perf_counter()
        for _ in range(calls):
            self.function()
        return time.perf_counter() - began


def compare(candidates: Mapping[str, Candidate], rounds: int = 15, budget: float = np.inf) -> list[Timing]:
    """Measure candidates in turn, `rounds` times over, each after a call that does not count.

    Parameters
    ----------
    candidates : mapping of str to function or Clock
        Functions without arguments, or what measures itself; the first is what the others are compared with.
    rounds : int, optional
    budget : float, optional
        Seconds after which no further round begins, once there have been five.

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
    clocks: dict[str, Clock] = {name: _Here(f) if callable(f) else f for name, f in candidates.items()}
    calls = {name: 1 if getattr(clock, "once", False) else _calls_needed(clock) for name, clock in clocks.items()}
    seconds: dict[str, list[float]] = {name: [] for name in clocks}
    began = time.perf_counter()
    for i in range(rounds):
        if i >= FEWEST and time.perf_counter() - began > budget:
            break
        for name, clock in clocks.items():
            if not getattr(clock, "once", False):
                clock.seconds(1)  # the caches hold another's numbers, and threads sleep, or spin for another
            seconds[name].append(clock.seconds(calls[name]) / calls[name])
    first = np.array(next(iter(seconds.values())))
    return [Timing(name, np.array(each), first / np.array(each)) for name, each in seconds.items()]


def _calls_needed(clock: Clock) -> int:
    clock.seconds(1)  # what is compiled or cached at the first call does not count
    n = 1
    while clock.seconds(n) < SHORTEST:
        n *= 2
    return n


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
        cells = [shown_time(timings[0].median)]
        for timing in timings[1:]:
            low, high = timing.spread
            cells.append(f"{shown_time(timing.median)}, {timing.ratio:.1f} × ({low:.1f} to {high:.1f})")
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def shown_time(seconds: float) -> str:
    """A time with its unit, as ``1.5 ms``."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
