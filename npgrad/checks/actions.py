"""What the actions are, found by asking which ones are accepted.

Every column of an action is either of whole numbers or continuous, and has bounds or none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..types import Array

__all__ = ["MOST_VALUES", "Accepts", "Column", "columns"]

Accepts = Callable[[Array], bool]

FAR = 1e12  # a continuous column that takes ±FAR has no bound
MOST_VALUES = 4096  # of a column of whole numbers; more stand for infinitely many


@dataclass(frozen=True)
class Column:
    """One column of an action.

    Parameters
    ----------
    whole : bool
        Whether it takes whole numbers only.
    low, high : float
        Its bounds, ±inf where there are none.
    """

    whole: bool
    low: float
    high: float


def columns(accepts: Accepts, example: Array) -> tuple[Column, ...]:
    """What each column of an action takes.

    Parameters
    ----------
    accepts : function
        Whether one action, of the shape and dtype of `example`, is an action.
    example : array, shape () or (k,)
        An action that is accepted.

    Examples
    --------
    >>> columns(lambda a: 0 <= a < 3 and a == int(a), np.array(1.0))
    (Column(whole=True, low=0.0, high=2.0),)
    >>> columns(lambda a: a[0] >= 0, np.array([1.0]))
    (Column(whole=False, low=0.0, high=inf),)
    """
    found = []
    for j in range(example.size):

        def takes(x: float, sign: float = 1.0, j: int = j) -> bool:
            act = np.array(example)
            act.flat[j] = sign * x
            return accepts(act)

        start = float(example.flat[j])
        near = (start + step for step in (0.5, -0.5, 1e-3, -1e-3))
        whole = example.dtype.kind in "iu" or (start == np.floor(start) and not any(map(takes, near)))
        bound = _last_whole if whole else _bound
        found.append(Column(whole, 0.0 - bound(partial(takes, sign=-1.0), -start), bound(takes, start)))
    return tuple(found)


def _last_whole(takes: Callable[[float], bool], start: float) -> float:
    for n in range(MOST_VALUES):
        if not takes(start + n + 1):
            return start + n
    return np.inf


def _bound(takes: Callable[[float], bool], start: float) -> float:
    if takes(FAR):
        return np.inf
    inside, outside = start, FAR
    for _ in range(200):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if takes(middle) else (inside, middle)
    return round(inside, 9) if abs(round(inside, 9) - inside) < 1e-9 else inside
