"""All exercises by name."""

from __future__ import annotations

from typing import Any

from ...errors import UnknownName
from .cmu10703 import CMU10703_EXERCISES
from .col778 import COL778_EXERCISES
from .cs224r import CS224R_EXERCISES
from .cs285 import CS285_EXERCISES
from .seita import SEITA_EXERCISES
from .task import Exercise, Grade

__all__ = ["EXERCISES", "exercise", "grade"]

EXERCISES: dict[str, Exercise] = {
    e.name: e for e in (*CS285_EXERCISES, *CMU10703_EXERCISES, *CS224R_EXERCISES, *COL778_EXERCISES, *SEITA_EXERCISES)
}


def exercise(name: str) -> Exercise:
    """The exercise of that name; ``print`` shows its statement and template.

    Raises
    ------
    UnknownName
        If there is none.

    Examples
    --------
    >>> exercise("cs285-gradient").title
    'The gradient of the chain'
    """
    if name not in EXERCISES:
        raise UnknownName("exercise", name, EXERCISES)
    return EXERCISES[name]


def grade(name: str, answer: Any) -> Grade:
    """Grade an answer.

    Parameters
    ----------
    name : str
        One of `EXERCISES`.
    answer : function
        As the exercise's template has it.

    Returns
    -------
    Grade
        True if it passed; ``print`` shows why not. Of an estimator it has the certificate, and the diagnosis if biased.

    Raises
    ------
    UnknownName
        If there is no exercise of that name.

    Examples
    --------
    >>> print(grade("cs285-gradient", lambda theta: 1 / (1 - theta) ** 2))
    passed: right on all 5 inputs
    >>> print(grade("cs285-gradient", lambda theta: theta / (1 - theta)))
    not yet: that is J itself, θ/(1 − θ)
    """
    return exercise(name).grade(answer)
