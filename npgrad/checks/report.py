"""What a check returns: a table of statements, each with its residual, its tolerance, and what a failure looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from ..errors import CheckFailed, NotImplementedBy
from ..types import Array
from .diagnosis import Look, Suspect, explain

__all__ = ["Line", "Recorder", "Report"]

Made = TypeVar("Made")


@dataclass(frozen=True)
class Line:
    """One statement that was checked.

    Parameters
    ----------
    statement : str
        What should hold.
    residual : float
        How far it is from holding; NaN or infinite where nothing could be compared.
    tolerance : float
        How far it may be.
    finding : str
        Of a failure: where it is off, and which mistake it looks like.
    """

    statement: str
    residual: float
    tolerance: float
    finding: str = ""

    @property
    def passed(self) -> bool:
        """Whether the residual is within the tolerance; NaN is not."""
        return self.residual <= self.tolerance

    def __str__(self) -> str:
        verdict = "✓" if self.passed else "✗"
        row = f"{verdict} {self.statement:<76} {self.residual:8.1e} ≤ {self.tolerance:.0e}"
        return row if self.passed or not self.finding else f"{row}\n    → {self.finding}"


@dataclass(frozen=True)
class Report:
    """The outcome of a check; printing it shows a table.

    Parameters
    ----------
    subject : str
        What was checked.
    lines : tuple of Line
        Every statement, in the order of checking: the first failure is the nearest to the fault.
    skipped : tuple of str
        What could not be checked, and why.

    Examples
    --------
    >>> lines = Line("Σ p = 1", 2e-16, 1e-12), Line("score = ∂ log p/∂y", 2.0, 1e-12, "the sign is flipped")
    >>> report = Report("π", lines)
    >>> print(report)
    π: 1 of 2 statements fail
    ✓ Σ p = 1                                                                       2.0e-16 ≤ 1e-12
    ✗ score = ∂ log p/∂y                                                            2.0e+00 ≤ 1e-12
        → the sign is flipped
    >>> report.passed
    False
    """

    subject: str
    lines: tuple[Line, ...]
    skipped: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every statement holds."""
        return all(line.passed for line in self.lines)

    @property
    def failures(self) -> tuple[Line, ...]:
        """The statements that do not hold."""
        return tuple(line for line in self.lines if not line.passed)

    def raise_if_failed(self) -> None:
        """Raise, with the table as the message, if a statement does not hold.

        Raises
        ------
        CheckFailed
            If `passed` is False.
        """
        if not self.passed:
            raise CheckFailed(str(self))

    def __str__(self) -> str:
        n = len(self.lines)
        verdict = f"{len(self.failures)} of {n} statements fail" if self.failures else f"all {n} statements hold"
        return "\n".join([f"{self.subject}: {verdict}", *map(str, self.lines), *(f"– {s}" for s in self.skipped)])


@dataclass
class Recorder:
    """Collects lines. Whatever the code under check raises becomes a failed line; the check goes on."""

    subject: str
    lines: list[Line] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def equal(
        self,
        statement: str,
        got: Callable[[], Array],
        expected: Callable[[], Array],
        tolerance: float,
        suspects: Iterable[Suspect] = (),
        look: Look | None = None,
        rows: bool = False,
    ) -> bool:
        """The residual is max |got − expected| / max(1, max |expected|).

        Parameters
        ----------
        statement : str
        got, expected : function
            Each makes an array; `got` runs the code under check.
        tolerance : float
        suspects : iterable of Suspect
            Wrong values that common mistakes would have given.
        look : function, optional
            Looks closer where no suspect fits.
        rows : bool
            Whether the arrays have one entry a row, to be explained together and not one by one.
        """

        def line() -> Line:
            right = np.asarray(expected())
            value = np.asarray(got())
            residual = distance(value, right)
            finding = "" if residual <= tolerance else explain(value, right, suspects, look, rows)
            return Line(statement, residual, tolerance, finding)

        return self._add(statement, tolerance, line)

    def none(self, statement: str, violations: Callable[[], Iterable[str]]) -> bool:
        """The residual is the number of violations, each a text that says what is wrong."""

        def line() -> Line:
            found = list(violations())
            more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
            return Line(statement, len(found), 0, "; ".join(found[:3]) + more)

        return self._add(statement, 0, line)

    def value(self, statement: str, residual: Callable[[], float], tolerance: float, finding: str = "") -> bool:
        """A residual measured by the caller."""
        return self._add(statement, tolerance, lambda: Line(statement, float(residual()), tolerance, finding))

    def make(self, statement: str, build: Callable[[], Made]) -> Made | None:
        """What `build` makes, or None if it raises."""
        made: list[Made] = []

        def line() -> Line:
            made.append(build())
            return Line(statement, 0, 0)

        self._add(statement, 0, line)
        return made[0] if made else None

    def attempt(self, statement: str, run: Callable[[], None]) -> None:
        """Run what adds lines of its own; a line of this one's is added only if it raises."""
        try:
            with np.errstate(all="ignore"):
                run()
        except NotImplementedBy as error:
            self.skip(f"{statement}: {error}")
        except Exception as error:
            self.lines.append(Line(statement, np.inf, 0, f"raised {type(error).__name__}: {error}"))

    def skip(self, what: str) -> None:
        """Note that something could not be checked."""
        self.skipped.append(what)

    def report(self) -> Report:
        """What was found."""
        return Report(self.subject, tuple(self.lines), tuple(self.skipped))

    def _add(self, statement: str, tolerance: float, line: Callable[[], Line]) -> bool:
        try:
            with np.errstate(all="ignore"):
                made = line()
        except NotImplementedBy as error:
            self.skip(f"{statement}: {error}")
            return False
        except Exception as error:
            made = Line(statement, np.inf, tolerance, f"raised {type(error).__name__}: {error}")
        self.lines.append(made)
        return made.passed


def distance(got: Array, expected: Array) -> float:
    """max |got − expected| / max(1, max |expected|); infinite where shapes differ or `got` is not finite."""
    if got.shape != expected.shape or not np.isfinite(got).all():
        return float("inf")
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    return float(np.max(np.abs(got - expected), initial=0.0)) / scale
