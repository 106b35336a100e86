"""What an exercise is, and the two ways to grade an answer: by certificate, and by exact numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ...types import Array
from ...validation import as_real_array
from ..certify import Certificate, certify
from ..certify_cases import Case
from ..diagnose import Diagnosis, diagnose

__all__ = ["Exercise", "Grade", "by_certificate", "by_numbers"]

SAME = 1e-9  # relative difference of numbers that are the same

Check = Callable[[Any], "Grade"]


@dataclass(frozen=True, eq=False)
class Grade:
    """What is to be said of an answer.

    Parameters
    ----------
    passed : bool
    says : str
        Why.
    certificate : Certificate, optional
        Of an estimator.
    diagnosis : Diagnosis, optional
        Of a biased one.
    """

    passed: bool
    says: str
    certificate: Certificate | None = None
    diagnosis: Diagnosis | None = None

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        return f"{'passed' if self.passed else 'not yet'}: {self.says}"


@dataclass(frozen=True, eq=False)
class Exercise:
    """A task.

    Parameters
    ----------
    name : str
    course : str
        The lecture it belongs to.
    ids : str
        The rows of the catalogue that it is about.
    title : str
    statement : str
        What is asked.
    template : str
        Python to start from.
    solution : function
        An answer that passes.
    check : function
        ``answer → Grade``.
    """

    name: str
    course: str
    ids: str
    title: str
    statement: str
    template: str
    solution: Callable[..., Any]
    check: Check

    def grade(self, answer: Any) -> Grade:
        """Grade an answer; one that raises has not passed."""
        if not callable(answer):
            return Grade(False, f"the answer is a {type(answer).__name__}, expected a function as in the template")
        try:
            return self.check(answer)
        except Exception as error:
            notes = "; ".join(getattr(error, "__notes__", []))
            return Grade(False, f"{type(error).__name__}: {error}" + (f" ({notes})" if notes else ""))

    def __str__(self) -> str:
        return f"{self.name}: {self.title} ({self.course}; {self.ids})\n\n{self.statement}\n\n{self.template}"


def by_certificate(
    solution: Callable[..., Any], *, same_variance: bool = True, cases: Sequence[Case] | None = None, **settings: Any
) -> Check:
    """Whether the answer is unbiased, and, if asked, varies as the solution does.

    Parameters
    ----------
    solution : function
    same_variance : bool, optional
        Whether the answer must be the estimator of the solution, and not only an unbiased one.
    cases : sequence of Case, optional
        Problems of the exercise's own.
    **settings
        Of `certify`.
    """

    @cache
    def wanted() -> list[float]:
        return [row.variance for row in certify(solution, **settings, cases=cases, library=False).rows]

    def check(answer: Any) -> Grade:
        certificate = certify(answer, **settings, cases=cases, library=False)
        if not certificate.unbiased:
            diagnosis = diagnose(answer, **settings, cases=cases)
            return Grade(False, str(diagnosis), certificate, diagnosis)
        if same_variance:
            for row, variance in zip(certificate.rows, wanted(), strict=True):
                if not np.isclose(row.variance, variance, rtol=SAME):
                    numbers = f"on {row.case!r} its variance is {row.variance:.6g}, not {variance:.6g}"
                    return Grade(False, f"unbiased, but not the estimator that was asked for: {numbers}", certificate)
        return Grade(True, f"unbiased on all {len(certificate.rows)} problems", certificate)

    return check


def by_numbers(
    exact: Callable[..., Any],
    inputs: Sequence[tuple[Any, ...]],
    slips: Mapping[str, Callable[..., Any]] | None = None,
) -> Check:
    """Whether the answer gives the exact numbers on several inputs.

    Parameters
    ----------
    exact : function
        The same computed another way, by the oracle where there is one.
    inputs : sequence of tuples
        Arguments.
    slips : mapping of str to function, optional
        Answers that are wrong in a known way, by what is to be said of them.
    """

    def check(answer: Any) -> Grade:
        got = [as_real_array("the answer", answer(*given)) for given in inputs]
        wanted = [np.asarray(exact(*given), dtype=np.float64) for given in inputs]
        for says, slip in (slips or {}).items():
            if all(_same(g, slip(*given)) for g, given in zip(got, inputs, strict=True)):
                return Grade(False, says)
        for g, w, given in zip(got, wanted, inputs, strict=True):
            if not _same(g, w):
                shown = ", ".join(_shown(x) for x in given)
                return Grade(False, f"at ({shown}) it gives {_shown(g)}, and exact is {_shown(w)}")
        return Grade(True, f"right on all {len(inputs)} inputs" if len(inputs) > 1 else "right")

    return check


def _same(got: Array, wanted: Any) -> bool:
    wanted = np.asarray(wanted, dtype=np.float64)
    if got.shape != wanted.shape:
        return False
    return bool(np.allclose(got, wanted, rtol=SAME, atol=SAME * max(1e-300, float(np.abs(wanted).max(initial=0)))))


def _shown(x: Any) -> str:
    x = np.asarray(x)
    return f"{x:.8g}" if x.ndim == 0 else np.array2string(x, precision=6, separator=", ")
