"""Sums over discrete actions and integrals over continuous ones, and how far they can be trusted."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..types import Array, FloatArray
from .actions import MOST_VALUES, Column

__all__ = ["Grid", "grid"]

MOST_ACTIONS = 40_000
NEGLIGIBLE = -60.0  # log p beyond which infinitely many whole numbers are cut off
LEAST_CORRELATION = 0.1  # below, two columns are taken for independent, so that kinks stay where they are

# Quadrature on a half line or an interval by the trapezoidal rule in τ, after a change of variables under which the
# integrand vanishes at both ends with all its derivatives (Takahasi and Mori 1974):
# x = e^{τ − e^{−τ}}, or x = (1 + tanh(π/2 sinh τ))/2. The step, and the end of τ on a half line:
FINE = (1 / 32, 36.0)  # to x = 4e15, for heavy tails
COARSE = (1 / 12, 4.0)  # with two continuous columns: to x = 54 spreads


@dataclass(frozen=True)
class Grid:
    """∫ p f ≈ Σ_n weight_n p(act_n) f(act_n) for each of T rows.

    Parameters
    ----------
    act : array, shape (T, n, k)
    weight : array, shape (T, n)
    every_other : array, shape (T, n)
        The weights of the same rule with twice the step.
    edge : array, shape (T, n)
        1 where the grid ends though the actions do not.
    """

    act: FloatArray
    weight: FloatArray
    every_other: FloatArray
    edge: FloatArray

    def error(self, p: FloatArray) -> float:
        """About how wrong means under the density p, (T, n), may be: the error of every other point squared, and tails.

        The error of the rule falls exponentially in 1/step: half the step squares it.
        """
        total = (self.weight * p).sum(axis=1)
        halved = (self.every_other * p).sum(axis=1) / total - 1
        return float(1e3 * np.max(halved**2) + 100 * np.max((self.edge * self.weight * p).sum(axis=1) / total))


def grid(
    kinds: tuple[Column, ...],
    centre: FloatArray,
    spread: FloatArray,
    log_prob: Callable[[Array], Array],
    draws: FloatArray,
) -> Grid | None:
    """All actions, or points among them.

    Parameters
    ----------
    kinds : tuple of Column
        k of them.
    centre, spread : array, shape (T, k)
        The mode of each row, where a density may have a kink, and its width.
    log_prob : function
        (T, k) actions → (T,): tells where infinitely many whole numbers may be cut off.
    draws : array, shape (T, m, k)
        Tell how two continuous columns are correlated.

    Returns
    -------
    Grid or None
        None if that would take too many actions.
    """
    continuous = [j for j, kind in enumerate(kinds) if not kind.whole]
    if len(continuous) > 2:
        return None
    rule = FINE if len(continuous) == 1 else COARSE
    parts = [
        _whole_numbers(kind, j, centre, log_prob) if kind.whole else _both_sides(kind, centre[:, j], spread[:, j], rule)
        for j, kind in enumerate(kinds)
    ]
    if np.prod([part.weight.shape[1] for part in parts]) > MOST_ACTIONS:
        return None
    index = np.array(list(itertools.product(*(range(part.weight.shape[1]) for part in parts)))).T  # (k, n)
    chosen = list(zip(parts, index, strict=True))
    act = np.stack([part.act[:, i, 0] for part, i in chosen], axis=-1)
    weight, every_other = (
        np.prod([getattr(part, name)[:, i] for part, i in chosen], axis=0) for name in ("weight", "every_other")
    )
    edge = np.max([part.edge[:, i] for part, i in chosen], axis=0)
    if len(continuous) == 2 and all(np.isinf([kinds[j].low, kinds[j].high]).all() for j in continuous):
        act = _sheared(act, continuous, centre, spread, draws)
    return Grid(act, weight, every_other, edge)


def _sheared(act: FloatArray, pair: list[int], centre: FloatArray, spread: FloatArray, draws: FloatArray) -> FloatArray:
    """Two correlated columns i, j: a_j moves along with a_i, by its regression on a_i, and keeps the rest of its width.

    A shear changes no volume; the narrower width is that of the grid already, or finer.
    """
    i, j = pair
    near = np.clip((draws - centre[:, None]) / spread[:, None], -10, 10)
    slope = (near[..., i] * near[..., j]).mean(axis=1) / (near[..., i] ** 2).mean(axis=1)
    slope[np.abs(slope) < LEAST_CORRELATION] = 0
    moved = act.copy()
    moved[..., j] += (slope * spread[:, j] / spread[:, i])[:, None] * (act[..., i] - centre[:, i, None])
    return moved


def _whole_numbers(kind: Column, j: int, centre: FloatArray, log_prob: Callable[[Array], Array]) -> Grid:
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
    values = np.tile(np.arange(last[0], last[1] + 1), (len(centre), 1))
    ones = np.ones_like(values)
    edge = ((values == last[0]) & np.isinf(kind.low)) | ((values == last[1]) & np.isinf(kind.high))
    return Grid(values[..., None], ones, ones, edge.astype(np.float64))


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


def _both_sides(kind: Column, centre: FloatArray, spread: FloatArray, rule: tuple[float, float]) -> Grid:
    """Points on both sides of each centre."""
    sides = []
    for bound, sign in ((kind.low, -1), (kind.high, 1)):
        if np.isinf(bound):
            x, w = _half_line(rule)
            length = spread[:, None]
        else:
            x, w = _interval(rule)
            length = np.abs(bound - centre)[:, None]
        point = centre[:, None] + sign * length * x
        weight = np.where((point > kind.low) & (point < kind.high), length * w, 0)
        every_other = np.where(np.arange(len(x)) % 2, 0, 2 * weight)
        edge = np.broadcast_to((np.arange(len(x)) == len(x) - 1) * float(np.isinf(bound)), weight.shape)
        sides.append((point, weight, every_other, edge))
    act, weight, every_other, edge = (np.concatenate(parts, axis=1) for parts in zip(*sides, strict=True))
    return Grid(act[..., None], weight, every_other, edge)
