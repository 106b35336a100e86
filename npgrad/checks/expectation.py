"""Expectations over the actions at each of T rows: exact sums, quadrature, or, where neither is possible, draws."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from ..types import Array, FloatArray
from .actions import Accepts, columns
from .diagnosis import Look, Suspect
from .quadrature import grid
from .report import Recorder

__all__ = ["DRAWS", "Expectation", "draw_noise", "expectation"]

DRAWS = 4000  # a row
FUNCTIONS = 4  # by which draws are compared with p
STANDARD_ERRORS = 5.0  # of the largest of T · FUNCTIONS comparisons
MOST_ERROR = 1e-6  # of a quadrature that is still used
INTERVAL = 3.89  # standard errors of a 99.99 % interval

Evaluate = Callable[[Array], Array]  # (T, n, *shape of an action) → (T, n, …)


@dataclass(frozen=True)
class Expectation:
    """Weights with E f(a) ≈ Σ_n weight_n f(act_n) at each of T rows.

    Parameters
    ----------
    act : array, shape (T, n, …)
    weight : array, shape (T, n)
        Summing to 1; p times those of a grid, or 1/n for draws.
    log_total : array, shape (T,)
        log of the sum or integral of p over the grid; 0 for draws.
    name : str
        "sum", "quadrature" or "draws".
    tolerance : float
        What it can be trusted to.
    draws : array, shape (T, n', …)
    centre, spread : array, shape (T, k)
        Mode and width of each row.
    continuous : bool
        Whether no column of an action is of whole numbers.
    """

    act: Array
    weight: FloatArray
    log_total: FloatArray
    name: str
    tolerance: float
    draws: Array
    centre: FloatArray
    spread: FloatArray
    continuous: bool

    def mean(self, values: Array) -> Array:
        """E f for values (T, n, …) of f."""
        weight = self.weight.reshape(self.weight.shape + (1,) * (values.ndim - 2))
        mean: Array = (weight * np.where(weight > 0, values, 0)).sum(axis=1)  # 0 · log 0 = 0
        return mean

    def compare(
        self,
        record: Recorder,
        statement: str,
        closed: Callable[[], Array],
        values: Callable[[], Array],
        suspects: Iterable[Suspect] = (),
        look: Look | None = None,
        rows: bool = False,
    ) -> bool:
        """`closed` (T, …) against the mean of `values` (T, n, …)."""
        if self.name != "draws":
            by = f"{statement}, by {self.name}"
            return record.equal(by, closed, lambda: self.mean(values()), self.tolerance, suspects, look, rows)
        return self._sampled(record, statement, lambda: values() - np.asarray(closed())[:, None])

    def mean_is_zero(self, record: Recorder, statement: str, values: Callable[[], Array]) -> bool:
        """The mean of `values` (T, n, …) against zero."""
        if self.name == "draws":
            return self._sampled(record, statement, values)
        by = f"{statement}, by {self.name}"
        return record.equal(by, lambda: self.mean(values()), lambda: 0 * self.mean(values()), self.tolerance)

    def _sampled(self, record: Recorder, statement: str, values: Callable[[], Array]) -> bool:
        """Whether zero lies in the intervals of a few fixed projections of the mean."""

        def intervals() -> float:
            error = values()
            error = error.swapaxes(0, 1).reshape(error.shape[1], -1)  # (n, …): rows are drawn independently
            index = np.arange(error.shape[1])
            projected = error @ np.stack([np.ones(len(index)), np.cos(1.0 + index), np.cos(2.3 * index)], axis=1)
            deviation = projected.std(axis=0) / np.sqrt(len(projected)) + 1e-300
            return float((np.abs(projected.mean(axis=0)) / (INTERVAL * deviation)).max())

        return record.value(f"{statement}, by draws (in 99.99 % intervals)", intervals, 1.0)

    def check_draws(self, record: Recorder) -> None:
        """Means of some bounded functions over the draws against those over p."""
        if self.name == "draws":
            record.skip("draws against p: too many actions to sum, or p too rough; E score = 0 over draws stands in")
            return

        def standard_errors() -> float:
            worst = 0.0
            for i in range(FUNCTIONS):
                sampled, over_p = self._function(i, self.draws), self._function(i, self.act)
                mean = self.mean(over_p)
                deviation = np.sqrt(np.maximum(self.mean(over_p**2) - mean**2, 0) / sampled.shape[1])
                error = np.abs(sampled.mean(axis=1) - mean)
                worst = max(worst, float((error / (deviation + 1e-9)).max()))
            return worst

        record.value(
            "draws are distributed as p (sampled, in standard errors)",
            standard_errors,
            STANDARD_ERRORS,
            "draws and log_prob belong to different distributions",
        )

    def _function(self, i: int, act: Array) -> FloatArray:
        """cos(κ_i · (a − centre)/spread + φ_i), (T, n)."""
        z = (act.reshape(*act.shape[:2], -1) - self.centre[:, None]) / self.spread[:, None]
        kappa = (0.4 + 0.5 * i) * np.cos(np.arange(z.shape[2]) * (i + 1.0))
        value: FloatArray = np.cos(z @ kappa + 0.9 * i - 0.7)
        return value


def expectation(log_prob: Evaluate, accepts: Accepts, mode: Array, draws: Array) -> Expectation:
    """The best expectation there is.

    Parameters
    ----------
    log_prob : function
        (T, n, …) actions → (T, n).
    accepts : function
        Whether one action is an action.
    mode : array, shape (T, …)
    draws : array, shape (T, n, …)
    """
    T, shape, dtype = len(mode), mode.shape[1:], mode.dtype
    centre = mode.reshape(T, -1).astype(np.float64)
    apart = np.median(np.abs(draws.reshape(T, draws.shape[1], -1) - centre[:, None]), axis=1)
    spread = np.where(apart > 0, 1.5 * apart, 1.0)
    kinds = columns(accepts, mode[0])
    n_continuous = sum(not kind.whole for kind in kinds)
    continuous = n_continuous == len(kinds)

    def as_actions(flat: FloatArray) -> Array:
        return flat.astype(dtype).reshape(*flat.shape[:-1], *shape)

    flat_draws = draws.reshape(T, draws.shape[1], -1).astype(np.float64)
    found = grid(kinds, centre, spread, lambda flat: log_prob(as_actions(flat)[:, None])[:, 0], flat_draws)
    if found is not None:
        act = as_actions(found.act)
        density = np.exp(np.where(found.weight > 0, log_prob(act), -np.inf))
        error, total = found.error(density), (found.weight * density).sum(axis=1)
        if not error > MOST_ERROR or not n_continuous:  # NaN is to be seen
            name = "quadrature" if n_continuous else "sum"
            tolerance = max((1e-12, 1e-10, 1e-8)[n_continuous], 100 * error)
            weight = found.weight * density / total[:, None]
            return Expectation(act, weight, np.log(total), name, tolerance, draws, centre, spread, continuous)
    n = draws.shape[1]
    return Expectation(draws, np.full((T, n), 1 / n), np.zeros(T), "draws", 1.0, draws, centre, spread, continuous)


def draw_noise(rng: np.random.Generator, kinds: tuple[str, ...], n: int) -> FloatArray:
    """Noise of n actions, (n, len(kinds)): uniform on the open (0, 1), or standard normal."""
    noise = np.empty((n, len(kinds)))
    for j, kind in enumerate(kinds):
        noise[:, j] = rng.normal(size=n) if kind == "normal" else (rng.integers(2**52, size=n) + 0.5) / 2.0**52
    return noise
