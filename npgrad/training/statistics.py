"""Statistics over runs and their intervals: means, interquartile means, the probability of improvement."""

from __future__ import annotations

import numpy as np

from ..errors import InvalidInput
from ..types import FloatArray
from ..validation import require_in

__all__ = ["STATISTICS", "curves_on_grid", "difference", "improvement", "over_runs"]

STATISTICS = ("mean", "iqm")
RESAMPLES = 2000
POINTS = 200


def curves_on_grid(curves: list[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
    """Curves of several runs at common timesteps, linear between their points.

    A run that has ended counts with its last value, or those that are solved early would leave the mean to the others.

    Parameters
    ----------
    curves : list of pairs of arrays
        Timesteps and values of each of n runs.

    Returns
    -------
    timesteps : array, shape (G,)
        From where every run has begun to where the last one has ended.
    values : array, shape (n, G)
    """
    first, last = max(t[0] for t, _ in curves), max(t[-1] for t, _ in curves)
    grid = np.linspace(first, last, POINTS if last > first else 1)
    return grid, np.stack([np.interp(grid, t, v) for t, v in curves])


def over_runs(
    values: FloatArray, statistic: str = "mean", *, level: float = 0.95, seed: int = 0
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """A statistic over n runs at each of G points, and its percentile bootstrap interval.

    Parameters
    ----------
    values : array, shape (n, G)
    statistic : {"mean", "iqm"}, optional
        The mean, or that of what is left without the lowest and the highest ⌊n/4⌋ (Agarwal et al. 2021).
    level : float, optional
        Of the interval.
    seed : int, optional
        Of the resampling of runs, the same at every point.

    Returns
    -------
    center, low, high : array, shape (G,)

    Examples
    --------
    >>> center, low, high = over_runs(np.array([[0.0], [1.0], [3.0], [100.0]]), "iqm")
    >>> center
    array([2.])
    """
    require_in("statistic", statistic, STATISTICS)
    n = len(values)
    chosen = np.random.default_rng(seed).integers(n, size=(RESAMPLES, n))
    resampled = np.stack([_statistic(values[:, g][chosen], statistic) for g in range(values.shape[1])], axis=1)
    low, high = np.percentile(resampled, [50 * (1 - level), 50 * (1 + level)], axis=0)
    return _statistic(values.T, statistic), low, high


def _statistic(rows: FloatArray, statistic: str) -> FloatArray:
    """Of each row, (m, n) → (m,)."""
    if statistic == "mean":
        means: FloatArray = rows.mean(axis=1)
        return means
    cut = rows.shape[1] // 4
    middle: FloatArray = np.sort(rows, axis=1)[:, cut : rows.shape[1] - cut].mean(axis=1)
    return middle


def improvement(
    x: FloatArray, y: FloatArray, *, level: float = 0.95, seed: int = 0
) -> tuple[float, tuple[float, float]]:
    """P(X > Y) + ½ P(X = Y) for a draw of each sample, and its percentile bootstrap interval.

    The Mann-Whitney statistic over its maximum; Agarwal et al. 2021, section 4.3, "probability of improvement".

    Parameters
    ----------
    x, y : array, shape (n,) and (m,)
        Independent scores.
    level : float, optional
        Of the interval.
    seed : int, optional
        Of the resampling, of both samples.

    Returns
    -------
    probability : float
    interval : pair of floats

    Raises
    ------
    InvalidInput
        If a sample is empty.

    Examples
    --------
    >>> improvement(np.array([3.0, 4.0]), np.array([1.0, 3.0]))[0]
    0.875
    """
    of_x, of_y = _shares(x, y, seed)
    better = (np.sign(x[:, None] - y[None, :]) + 1) / 2  # (n, m): 1, ½ or 0
    return float(better.mean()), _percentiles(np.einsum("bn,bn->b", of_x, of_y @ better.T), level)


def difference(
    x: FloatArray, y: FloatArray, *, level: float = 0.95, seed: int = 0
) -> tuple[float, tuple[float, float]]:
    """E X − E Y and its percentile bootstrap interval; arguments and errors as for `improvement`.

    Examples
    --------
    >>> difference(np.array([3.0, 4.0]), np.array([1.0, 3.0]))[0]
    1.5
    """
    of_x, of_y = _shares(x, y, seed)
    return float(x.mean() - y.mean()), _percentiles(of_x @ x - of_y @ y, level)


def _shares(x: FloatArray, y: FloatArray, seed: int) -> list[FloatArray]:
    """How often, as a share, each score is in each resample: (B, n) and (B, m)."""
    if not len(x) or not len(y):
        raise InvalidInput(f"there are {len(x)} and {len(y)} scores, expected at least one of each")
    rng = np.random.default_rng(seed)
    shares = []
    for n in (len(x), len(y)):
        chosen = rng.integers(n, size=(RESAMPLES, n)) + n * np.arange(RESAMPLES)[:, None]
        shares.append(np.bincount(chosen.ravel(), minlength=RESAMPLES * n).reshape(RESAMPLES, n) / n)
    return shares


def _percentiles(values: FloatArray, level: float) -> tuple[float, float]:
    low, high = np.percentile(values, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)
