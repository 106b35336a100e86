"""What a benchmark is: candidates that do the same work, and goals for what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InvalidInput
from .limits import Limits
from .machine import busy_cores
from .peer import Peers, Remote
from .timing import Candidate, Timing, compare

__all__ = ["Goal", "Measured", "Ours", "Row", "measure"]


@dataclass(frozen=True)
class Ours:
    """npgrad's own work as a candidate, with what it computes, for the comparison with the peers' results.

    Parameters
    ----------
    function : function
        One call of the work.
    digest : list of float, optional
        Of its result, see `npgrad.bench.peers.problems.digest`.
    units : float, optional
        Units of work a call.
    """

    function: Callable[[], object]
    digest: list[float] | None = None
    units: float = 1.0


@dataclass(frozen=True)
class Goal:
    """What a row should reach: a ratio to peers, or a figure of its own.

    Parameters
    ----------
    reach : float
        At least this ratio; without `against`, at least this many units a second, or at most this time.
    beyond : float, optional
        What would be better still.
    against : tuple of str, optional
        Candidates whose names begin so; the fastest of them counts.
    ours : str, optional
        Beginning of the names of npgrad's candidates that count; the fastest of them does.
    """

    reach: float
    beyond: float | None = None
    against: tuple[str, ...] = ()
    ours: str = "npgrad"


@dataclass(frozen=True)
class Row:
    """One line of the page.

    Parameters
    ----------
    name : str
        For ``--only``; its part before the first dash names its group.
    text : str
        What is done.
    candidates : function
        ``(peers, stack) → {name: candidate}``, npgrad first; the stack is closed after the measurement.
    goals : tuple of Goal
    unit : str, optional
        What a unit of work is called: then rates are shown instead of times.
    rounds : int, optional
    budget : float, optional
        Seconds, see `compare`.
    agreement : float, optional
        By how much, relatively, the digests of candidates may differ.
    bound : function, optional
        ``limits → (seconds, why)``: what a unit of work takes at least on a machine with these.
    """

    name: str
    text: str
    candidates: Callable[[Peers, ExitStack], Mapping[str, Candidate | Ours]]
    goals: tuple[Goal, ...] = ()
    unit: str = ""
    rounds: int = 21
    budget: float = 5.0
    agreement: float = 1e-3
    bound: Callable[[Limits], tuple[float, str]] | None = None

    @property
    def group(self) -> str:
        """The part of the name before the first dash."""
        return self.name.partition("-")[0]

    def summary(self, found: Measured) -> list[str]:
        """What else there is to say of a measurement, line by line."""
        return []


@dataclass(frozen=True)
class Measured:
    """Seconds a unit of work of every candidate of a row, round by round.

    Examples
    --------
    >>> found = Measured("sum", {"npgrad, 1 thread": [1.0, 1.1], "npgrad, 2 threads": [0.5, 0.5], "JAX": [1.0, 2.0]})
    >>> found.best("npgrad"), found.ratio(Goal(2.0, against=("JAX",)))
    ('npgrad, 2 threads', (3.0, 2.5, 3.5))
    """

    name: str
    seconds: Mapping[str, list[float]]
    busy: float = 0.0  # cores that other programs used

    @classmethod
    def of(cls, name: str, timings: list[Timing], units: Mapping[str, float], busy: float = 0.0) -> Measured:
        """From `compare`, and how many units of work a call was."""
        return cls(
            name, {timing.name: (timing.seconds / units.get(timing.name, 1.0)).tolist() for timing in timings}, busy
        )

    def best(self, *prefixes: str) -> str | None:
        """The candidate with the smallest median among those whose names begin so."""
        names = [name for name in self.seconds if name.startswith(prefixes)]
        return min(names, key=self.median, default=None)

    def median(self, name: str) -> float:
        """Median of a candidate's seconds."""
        return float(np.median(self.seconds[name]))

    def ratio(self, goal: Goal) -> tuple[float, float, float] | None:
        """How many times faster npgrad is than the fastest of `goal.against`, and the quartiles; None without peers."""
        ours, theirs = self.best(goal.ours), self.best(*goal.against)
        if ours is None or theirs is None:
            return None
        ratios = np.array(self.seconds[theirs]) / np.array(self.seconds[ours])
        middle, low, high = np.percentile(ratios, [50, 25, 75])
        return float(middle), float(low), float(high)

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "busy": round(self.busy, 2),
            "seconds": {name: [float(f"{t:.4g}") for t in each] for name, each in self.seconds.items()},
        }


def measure(row: Row, peers: Peers) -> Measured:
    """Measure a row: its candidates must agree, and then take turns.

    Raises
    ------
    InvalidInput
        If candidates do not compute the same.
    """
    with ExitStack() as stack:
        candidates = row.candidates(peers, stack)
        digests = {
            name: each.digest
            for name, each in candidates.items()
            if isinstance(each, Ours | Remote) and each.digest is not None
        }
        _require_agreement(row, digests)
        timed = {name: each.function if isinstance(each, Ours) else each for name, each in candidates.items()}
        units = {name: getattr(each, "units", 1.0) for name, each in candidates.items()}
        before = busy_cores()
        timings = compare(timed, row.rounds, row.budget)
        peers.clear()
        return Measured.of(row.name, timings, units, max(before, busy_cores()))


def _require_agreement(row: Row, digests: Mapping[str, list[float]]) -> None:
    if not digests:
        return
    first, expected = next(iter(digests.items()))
    for name, found in digests.items():
        apart = np.abs(np.subtract(found, expected)).max()
        if not apart <= row.agreement * abs(expected[0]):  # a NaN is no agreement either
            raise InvalidInput(f"{row.name}: {name} computes {found}, but {first} {expected}; nothing is compared")
