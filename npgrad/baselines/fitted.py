"""Baselines fitted on episodes: on other episodes than they are used on (unbiased), or on the same ones (biased, B3).

A fit is a function ``(psi, batch) → baseline`` that looks at the Ψ of some episodes and returns a baseline to use on
any.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import InvalidInput
from ..types import Batch, FloatArray, IntArray
from .given import ConstantBaseline, StateTable, TimeBaseline, checked_cells
from .sample import Baseline

__all__ = ["BiasedFitted", "CrossFitted", "Fit", "TableFit", "return_mean_fit", "time_mean_fit"]

Fit = Callable[[FloatArray, Batch], Baseline]


def return_mean_fit(psi: FloatArray, batch: Batch) -> ConstantBaseline:
    """b = 1/N Σ_i Ψ_{i,0}: for the whole return, the mean of R (B2).

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((3, 1)), act=np.zeros(3, int), rew=np.ones(3), logp=np.zeros(3), offsets=[0, 2, 3],
    ...               terminated=[True, True], truncated=[False, False], final_obs=np.zeros((2, 1)))
    >>> return_mean_fit(np.array([2.0, 2.0, 5.0]), batch)
    ConstantBaseline(value=3.5)
    """
    return ConstantBaseline(float(psi[batch.offsets[:-1]].mean()))


def time_mean_fit(psi: FloatArray, batch: Batch) -> TimeBaseline:
    """b_t = 1/N Σ_i Ψ_{i,t}, zero where an episode has ended: for the reward-to-go, the mean of G_t (B2).

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((3, 1)), act=np.zeros(3, int), rew=np.ones(3), logp=np.zeros(3), offsets=[0, 2, 3],
    ...               terminated=[True, True], truncated=[False, False], final_obs=np.zeros((2, 1)))
    >>> time_mean_fit(np.array([2.0, 1.0, 5.0]), batch).values
    array([3.5, 0.5])
    """
    return TimeBaseline(np.bincount(batch.time, psi) / batch.n_episodes)


@dataclass(frozen=True)
class TableFit:
    """b(s) = the mean of Ψ over the visits to each cell; zero where there were none (B2).

    Parameters
    ----------
    cells : function
        ``batch → (T,)``: the cell of each row.
    n_cells : int
        How many there are.

    Examples
    --------
    >>> batch = Batch(obs=np.array([[0.0], [1.0], [1.0]]), act=np.zeros(3, int), rew=np.ones(3), logp=np.zeros(3),
    ...               offsets=[0, 3], terminated=[True], truncated=[False], final_obs=np.zeros((1, 1)))
    >>> TableFit(lambda batch: batch.obs[:, 0].astype(int), 3)(np.array([3.0, 2.0, 1.0]), batch).values
    array([3. , 1.5, 0. ])
    """

    cells: Callable[[Batch], IntArray]
    n_cells: int

    def __call__(self, psi: FloatArray, batch: Batch) -> StateTable:
        """The table of means, as a baseline."""
        index = checked_cells(self.cells(batch), batch.n_steps, self.n_cells)
        visits = np.bincount(index, minlength=self.n_cells)
        return StateTable(np.bincount(index, psi, self.n_cells) / np.maximum(visits, 1), self.cells)


@dataclass(frozen=True)
class CrossFitted:
    """Fold k of the episodes gets the baseline that was fitted on the other folds: unbiased, whatever the fit (B1, B3).

    With as many folds as episodes and a mean for the fit it is leave-one-out.

    Parameters
    ----------
    fit : function
        ``(psi, batch) → baseline``.
    n_folds : int, optional
        Episode i belongs to fold i mod n_folds.

    Raises
    ------
    InvalidInput
        If there are fewer than two folds, or (when called) more folds than episodes.

    Notes
    -----
    Beyond the lectures: cross-fitting of nuisances, Chernozhukov et al. 2018.

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((3, 1)), act=np.zeros(3, int), rew=np.ones(3), logp=np.zeros(3), offsets=[0, 2, 3],
    ...               terminated=[True, True], truncated=[False, False], final_obs=np.zeros((2, 1)))
    >>> CrossFitted(time_mean_fit)(np.array([2.0, 1.0, 5.0]), batch)
    array([5., 0., 2.])
    """

    fit: Fit
    n_folds: int = 2

    def __post_init__(self) -> None:
        if self.n_folds < 2:
            raise InvalidInput(f"n_folds is {self.n_folds}, expected at least 2; BiasedFitted fits on all episodes")

    def __call__(self, psi: FloatArray, batch: Batch) -> FloatArray:
        """b at each row, shape (T,)."""
        if batch.n_episodes < self.n_folds:
            raise InvalidInput(f"n_folds is {self.n_folds}, expected at most one an episode: {batch.n_episodes}")
        fold = np.arange(batch.n_episodes) % self.n_folds
        b = np.empty(batch.n_steps)
        for k in range(self.n_folds):
            rows = np.repeat(fold == k, batch.lengths)
            fitted = self.fit(psi[~rows], batch.select(np.flatnonzero(fold != k).tolist()))
            b[rows] = fitted(psi[rows], batch.select(np.flatnonzero(fold == k).tolist()))
        return b


@dataclass(frozen=True)
class BiasedFitted:
    """The baseline that was fitted on the very episodes it is used on: biased (B3).

    Parameters
    ----------
    fit : function
        ``(psi, batch) → baseline``.

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((3, 1)), act=np.zeros(3, int), rew=np.ones(3), logp=np.zeros(3), offsets=[0, 2, 3],
    ...               terminated=[True, True], truncated=[False, False], final_obs=np.zeros((2, 1)))
    >>> BiasedFitted(time_mean_fit)(np.array([2.0, 1.0, 5.0]), batch)
    array([3.5, 0.5, 3.5])
    """

    fit: Fit

    def __call__(self, psi: FloatArray, batch: Batch) -> FloatArray:
        """b at each row, shape (T,)."""
        return self.fit(psi, batch)(psi, batch)
