"""All actions there are, with their weights: sums over discrete ones, quadrature over continuous ones.

What the actions are is found by asking which ones are accepted: every column of an action is either of whole numbers or
continuous, and has bounds or none.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..types import Array, FloatArray

__all__ = ["Column", "columns", "grid"]

Accepts = Callable[[Array], bool]

FAR = 1e12  # a continuous column that takes ±FAR has no bound
MOST_VALUES = 4096  # of a column of whole numbers; more stand for infinitely many
MOST_ACTIONS = 40_000
NEGLIGIBLE = -60.0  # log p beyond which infinitely many whole numbers are cut off


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


def grid(
    kinds: tuple[Column, ...], centre: FloatArray, spread: FloatArray, log_prob: Callable[[Array], Array]
) -> tuple[FloatArray, FloatArray] | None:
    """Actions and weights with ∫ p f ≈ Σ_n weight_n p(act_n) f(act_n), for each of T rows.

    Parameters
    ----------
    kinds : tuple of Column
        k of them.
    centre, spread : array, shape (T, k)
        The mode of each row, where a density may have a kink, and its width.
    log_prob : function
        (T, k) actions → (T,): tells where infinitely many whole numbers may be cut off.

    Returns
    -------
    (T, n, k) and (T, n) arrays, or None if that would take too many actions.
    """
    n_continuous = sum(not kind.whole for kind in kinds)
    if n_continuous > 2:
        return None
    parts = []
    for j, kind in enumerate(kinds):
        if kind.whole:
            values = _whole_numbers(kind, j, centre, log_prob)
            points = np.tile(values, (len(centre), 1))
            parts.append((points, np.ones_like(points)))
        else:
            rule = FINE if n_continuous == 1 else COARSE
            parts.append(_both_sides(kind, centre[:, j], spread[:, j], rule))
    if np.prod([points.shape[1] for points, _ in parts]) > MOST_ACTIONS:
        return None
    index = np.array(list(itertools.product(*(range(points.shape[1]) for points, _ in parts)))).T  # (k, n)
    act = np.stack([points[:, i] for (points, _), i in zip(parts, index, strict=True)], axis=-1)
    weight = np.prod([weights[:, i] for (_, weights), i in zip(parts, index, strict=True)], axis=0)
    return act, weight


def _whole_numbers(kind: Column, j: int, centre: FloatArray, log_prob: Callable[[Array], Array]) -> FloatArray:
    """All values of the column, or those that matter."""
    last = [kind.low, kind.high]
    for side, direction in ((0, -1), (1, 1)):
        n = 64.0
        while not np.isfinite(last[side]):
            far = centre.copy()
            far[:, j] += direction * n
            n *= 2
            if (log_prob(far) < NEGLIGIBLE).all() or n > MOST_VALUES:
                last[side] = far[:, j].max() if direction > 0 else far[:, j].min()
    return np.arange(last[0], last[1] + 1)


# Quadrature on a half line or an interval by the trapezoidal rule in τ, after a change of variables under which the
# integrand vanishes at both ends with all its derivatives (Takahasi and Mori 1974):
# x = e^{τ − e^{−τ}}, or x = (1 + tanh(π/2 sinh τ))/2.
FINE = (1 / 16, 36.0)  # step and the end of τ on a half line: to x = 4e15, for heavy tails
COARSE = (1 / 9, 4.0)  # with two continuous columns: to x = 54 spreads


def _half_line(rule: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
    """x_i and w_i on (0, ∞)."""
    h, end = rule
    tau = np.arange(-3.7, end, h)
    x = np.exp(tau - np.exp(-tau))
    return x, h * x * (1 + np.exp(-tau))


def _interval(rule: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
    """x_i and w_i on (0, 1), dense at both ends."""
    h, _ = rule
    tau = np.arange(-3.1, 3.1 + h, h)
    q = np.exp(np.pi * np.sinh(tau))
    return q / (1 + q), h * np.pi * np.cosh(tau) * q / (1 + q) ** 2


def _both_sides(
    kind: Column, centre: FloatArray, spread: FloatArray, rule: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    """Points and weights (T, n) on both sides of each centre."""
    points, weights = [], []
    for bound, sign in ((kind.low, -1), (kind.high, 1)):
        if np.isinf(bound):
            x, w = _half_line(rule)
            length = spread
        else:
            x, w = _interval(rule)
            length = np.abs(bound - centre)
        point = centre[:, None] + sign * length[:, None] * x
        points.append(point)
        weights.append(np.where((point > kind.low) & (point < kind.high), length[:, None] * w, 0))
    return np.concatenate(points, axis=1), np.concatenate(weights, axis=1)
