"""Running checks and judging what they find."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ..errors import InvalidInput
from .catalogue import CATALOGUE

__all__ = ["Result", "run", "run_each"]

CLEARLY = 1e-3  # a misprint is shown only by a residual of at least that


@dataclass(frozen=True)
class Result:
    """What `verify` has to say of one statement.

    Parameters
    ----------
    id, section, statement, source, kind, tolerance
        As for `Statement`.
    residual : float
        Infinite if the check raised.
    residual_printed : float, optional
        That of the form as printed, of errata.
    numbers : mapping
        What else the check found.
    error : str
        What the check raised.
    seconds : float
        How long it took.
    """

    id: str
    section: int
    statement: str
    source: str
    kind: str
    tolerance: float
    residual: float
    residual_printed: float | None = None
    numbers: Mapping[str, object] = field(default_factory=dict)
    error: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """residual ≤ tolerance; and of errata, that the printed form is off by at least 0.001."""
        shown = self.residual_printed is None or self.residual_printed >= CLEARLY
        return self.residual <= self.tolerance and shown

    def as_json(self) -> dict[str, object]:
        """For `json.dumps`; residuals that are not finite become null."""
        keys = ("id", "section", "statement", "source", "kind", "residual", "tolerance", "passed")
        row: dict[str, object] = {key: getattr(self, key) for key in keys}
        row["residual"] = _finite(self.residual)
        if self.residual_printed is not None:
            row["residual_printed"] = _finite(self.residual_printed)
        if self.error:
            row["error"] = self.error
        return row


def run(ids: Iterable[str] | None = None, seed: int = 0, *, processes: int = 1) -> list[Result]:
    """Check statements on the problem of a seed.

    Parameters
    ----------
    ids : iterable of str, optional
        All by default.
    seed : int, optional
    processes : int, optional
        How many share the work; results do not depend on it.

    Raises
    ------
    UnknownName
        If there is no statement of that id; the message has near ones.
    InvalidInput
        If the seed is negative.

    Examples
    --------
    >>> [(r.id, r.passed) for r in run(["O1", "O10"])]
    [('O1', True), ('O10', True)]
    """
    return list(run_each(ids, seed, processes=processes))


def run_each(ids: Iterable[str] | None = None, seed: int = 0, *, processes: int = 1) -> Iterator[Result]:
    """The same one after the other, as they are done."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InvalidInput(f"seed is {seed!r}, expected an integer of at least 0")
    if processes < 1:
        raise InvalidInput(f"processes is {processes}, expected at least 1")
    rows = [CATALOGUE[id] for id in (CATALOGUE if ids is None else ids)]  # unknown ids raise here
    check = partial(_check, seed=int(seed))
    if processes == 1 or len(rows) < 2 * processes:
        yield from map(check, [row.id for row in rows])
        return
    # a fresh process knows the sections, but not what was registered in this one
    shared = [row.id for row in rows if not row.own]
    executor = ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),  # Ctrl-C is for this process
    )
    try:
        elsewhere = executor.map(check, shared)
        for row in rows:
            yield next(elsewhere) if row.id in shared else check(row.id)
    finally:
        executor.shutdown(cancel_futures=True)


def _check(id: str, seed: int) -> Result:
    """One row; whatever its check raises makes it fail."""
    row, begin = CATALOGUE[id], time.perf_counter()
    fixed = (row.id, row.section, row.statement, row.source, row.kind, row.tolerance)
    try:
        with np.errstate(all="ignore"):
            found = row(seed)
    except Exception as error:
        return Result(*fixed, float("inf"), error=f"{type(error).__name__}: {error}", seconds=_since(begin))
    printed = None if found.printed is None else float(found.printed)
    return Result(*fixed, float(found.residual), printed, dict(found.numbers), seconds=_since(begin))


def _since(begin: float) -> float:
    return time.perf_counter() - begin


def _finite(x: float) -> float | None:
    return x if np.isfinite(x) else None
