"""Which mistake a wrong answer looks like: it is compared with what common mistakes make of the right one.

A *suspect* is the name of a mistake and the value it would have given. The first that agrees with the wrong answer,
wherever that is wrong, is named; then constant factors are tried; at the least the place of the largest error is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np

from ..types import Array, BoolArray

__all__ = ["HALF_LOG_2PI", "Look", "Suspect", "explain", "linear_in", "runs", "scales_in", "transposed_in"]

Suspect = tuple[str, Callable[[], Array]]
Look = Callable[[Array, Array], str]

HALF_LOG_2PI = 0.5 * float(np.log(2 * np.pi))
HALF = "half of what it should be: a ½ too many, or a 2 missing"
FACTORS = {
    -1.0: "the sign is flipped",
    0.5: HALF,
    2.0: "twice what it should be: a ½ is missing, or a 2 too many",
    -0.5: f"the sign is flipped, and it is {HALF}",
    -2.0: "the sign is flipped, and it is twice what it should be: a ½ is missing",
    0.0: "zero: the term is missing",
}


def explain(
    got: Array, expected: Array, suspects: Iterable[Suspect] = (), look: Look | None = None, rows: bool = False
) -> str:
    """Where `got` differs from `expected`, and which mistake that looks like.

    Parameters
    ----------
    got, expected : array
        What came and what is right.
    suspects : iterable of (str, function)
        Mistakes, the likeliest first.
    look : function, optional
        ``(got, expected) → str``: looks closer where no suspect fits.
    rows : bool
        Whether a one-dimensional array is one number a row, with one explanation for all.

    Examples
    --------
    >>> explain(np.array([1.0, -2.0, 3.0]), np.array([1.0, 2.0, -3.0]))
    'entries 1–2: the sign is flipped; largest at [2]: got 3, expected -3'
    """
    if got.shape != expected.shape:
        turned = ", which is transposed" if got.shape == expected.shape[::-1] else ""
        return f"shape {got.shape}, expected {expected.shape}{turned}"
    if not np.isfinite(got).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(got))[0])
        return f"{got[where]} at {list(where)}, expected {expected[where]:.6g}"
    error = np.abs(got - expected)
    suspects = list(suspects)
    wrong = error > 1e-3 * error.max()
    place = _place(wrong, rows)
    found = _match(got, expected, suspects, wrong) or _by_column(got, expected, suspects, wrong)
    if not found and look is not None:
        found = look(got, expected)
    if found and place and not found.startswith("column "):
        found = f"{place}: {found}"
    where = tuple(int(i) for i in np.unravel_index(int(error.argmax()), error.shape))
    largest = f"largest at {list(where)}: got {got[where]:.6g}, expected {expected[where]:.6g}"
    return "; ".join(part for part in (found or place, largest) if part)


def _match(got: Array, expected: Array, suspects: Iterable[Suspect], wrong: BoolArray) -> str:
    """The first suspect, or the constant factor, that explains all entries in `wrong`."""
    g, e = got[wrong], expected[wrong]
    close = min(1e-3 * float(np.abs(g - e).max(initial=0)), 1e-5 * max(1.0, float(np.abs(e).max(initial=0))))
    for name, value in suspects:
        try:
            candidate = np.asarray(value())
        except Exception:  # a suspect that has no value here is not guilty
            continue
        if candidate.shape == got.shape and np.abs(candidate[wrong] - g).max(initial=0) <= close:
            return name
    for factor, name in FACTORS.items():
        if np.abs(g - factor * e).max(initial=0) <= close:
            return name
    c = float(np.vdot(e, g).real) / max(float(np.vdot(e, e).real), 1e-300)
    if g.size >= 3 and np.abs(g - c * e).max() <= close:
        return f"off by the constant factor {c:.6g}"
    shift = float(np.mean((g - e).real))
    if g.size >= 3 and np.abs(g - e - shift).max() <= close:
        halves = shift / HALF_LOG_2PI
        return f"off by the constant {shift:+.6g}" + (
            f" = {round(halves)} · ½ log 2π" if abs(halves - round(halves)) < 1e-6 else ""
        )
    return ""


def _by_column(got: Array, expected: Array, suspects: list[Suspect], wrong: BoolArray) -> str:
    """One explanation for each wrong column, where each has one."""
    if got.ndim != 2 or len(got) < 3:
        return ""
    found = []
    for k in np.flatnonzero(wrong.any(axis=0)):
        column = np.zeros_like(wrong)
        column[:, k] = True
        name = _match(got, expected, suspects, column)
        if not name:
            return ""
        found.append(f"column {k}: {name}")
    return "; ".join(found)


def _place(wrong: BoolArray, rows: bool) -> str:
    """Which columns, or which entries, are wrong; nothing if all are."""
    axis = np.atleast_1d(wrong.any(axis=tuple(range(wrong.ndim - 1))))
    if rows or axis.all():
        return ""
    spans = [f"{a}–{b - 1}" if b - a > 1 else f"{a}" for a, b in runs(axis)]
    more = f" and {len(spans) - 4} more runs" if len(spans) > 4 else ""
    what = "column" if wrong.ndim > 1 else "entr"
    ending = {"column": ("", "s"), "entr": ("y", "ies")}[what][int(axis.sum()) > 1]
    return f"{what}{ending} " + ", ".join(spans[:4]) + more


def runs(flags: BoolArray) -> Iterator[tuple[int, int]]:
    """The stretches a:b in which `flags` is True.

    Examples
    --------
    >>> list(runs(np.array([True, True, False, True])))
    [(0, 2), (3, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    for a, b in edges.reshape(-1, 2):
        yield int(a), int(b)


def scales_in(expected: Array, y: Array, second: bool = False) -> Iterator[Suspect]:
    """Suspects for a row in y whose powers of a scale exp y_j are wrong, as of σ where y_j = log σ.

    Parameters
    ----------
    expected : array, shape (T, K)
        The right row.
    y : array, shape (T, K)
    second : bool
        Whether the row is of second order in y (a Fisher product) and not a gradient.
    """

    def scaled(c: float, m: int, j: slice) -> Array:
        wrong: Array = expected * (c * np.exp(m * y[:, j]))
        return wrong

    own = slice(None)
    of_std, of_variance = ((1.0, -2), (0.25, -4)) if second else ((1.0, -1), (0.5, -2))
    what = "Fisher" if second else "gradient"
    for (c, m), name in ((of_std, "σ"), (of_variance, "σ²")):
        yield f"the {what} in {name} instead of log σ (if its own y is log σ)", partial(scaled, c, m, own)
    mistakes = {2: "the division by σ² is missing", 1: "1/σ where 1/σ² belongs", -1: "one 1/σ too many"}
    mistakes[-2] = "one 1/σ² too many"
    for j in range(y.shape[1]):
        for m, name in mistakes.items():
            yield f"{name} (if y[:, {j}] is log σ)", partial(scaled, 1.0, m, slice(j, j + 1))


def linear_in(difference: Array, y: Array) -> tuple[Array, float] | None:
    """c and c_0 with difference_t = c · y_t + c_0 at every row, in halves where they are; None if there are none.

    Examples
    --------
    >>> y = np.random.default_rng(0).normal(size=(6, 2))
    >>> linear_in(y[:, 1] + 3.0, y)
    (array([0., 1.]), 3.0)
    """
    if len(y) < y.shape[1] + 2:
        return None
    design = np.column_stack([y, np.ones(len(y))])
    c = np.linalg.lstsq(design, difference, rcond=None)[0]
    scale = max(1.0, float(np.abs(difference).max()))
    if np.abs(design @ c - difference).max() > 1e-6 * scale:
        return None
    halves = np.round(2 * c) / 2
    c = np.where(np.abs(c - halves) < 1e-5, halves, c) + 0.0  # no −0
    return c[:-1], float(c[-1])


def transposed_in(got: Array, expected: Array) -> str:
    """Whether a stretch of the vector `got` is a matrix of `expected` transposed.

    Examples
    --------
    >>> W = np.arange(6.0).reshape(2, 3)
    >>> transposed_in(np.append(W.T.ravel(), 9.0), np.append(W.ravel(), 9.0))
    'entries 0–5, a (2, 3) matrix, are transposed'
    """
    close = 1e-6 * max(1.0, float(np.abs(expected).max(initial=0)))
    wrong = np.flatnonzero(np.abs(got - expected) > close)
    if not len(wrong):
        return ""
    first = max(int(wrong[0]) - 1, 0)
    for last in range(int(wrong[1:2].max(initial=first)) + 2, len(got) + 1):
        n = last - first
        for rows in range(2, n // 2 + 1):
            if n % rows == 0:
                turned = got[first:last].reshape(n // rows, rows).T.ravel()
                if np.abs(turned - expected[first:last]).max() <= close:
                    return f"entries {first}–{last - 1}, a ({rows}, {n // rows}) matrix, are transposed"
    return ""
