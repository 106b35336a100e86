"""Baselines that are means over the episodes of one batch, time step by time step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import kernels
from ..errors import InvalidInput
from ..types import Batch, FloatArray

__all__ = ["BASELINES", "Baseline", "batch_mean", "leave_one_out", "no_baseline"]

Baseline = Callable[[FloatArray, Batch], FloatArray]


def no_baseline(psi: FloatArray, batch: Batch) -> FloatArray:
    """b = 0.

    Examples
    --------
    >>> no_baseline(np.ones(2), None)
    array([0., 0.])
    """
    return np.zeros_like(psi)


def leave_one_out(psi: FloatArray, batch: Batch) -> FloatArray:
    """b_{i,t} = 1/(N−1) Σ_{j≠i} Ψ_{j,t}: the mean over the *other* episodes at the same t, zero once they have ended.

    Unbiased, for b_{i,t} does not depend on episode i (B1, B3; after Kool, van Hoof and Welling 2019).

    Parameters
    ----------
    psi : array, shape (T,)
        Ψ_{i,t}, e.g. the reward-to-go.
    batch : Batch
        The episodes, at least two.

    Returns
    -------
    array, shape (T,)

    Raises
    ------
    InvalidInput
        If the batch has fewer than two episodes.

    Examples
    --------
    >>> from npgrad.types import Batch
    >>> batch = Batch(obs=np.zeros((3, 1)), act=np.zeros(3, int), rew=np.ones(3), logp=np.zeros(3), offsets=np.array([0, 2, 3]),
    ...               terminated=[True, True], truncated=[False, False], final_obs=np.zeros((2, 1)))
    >>> leave_one_out(np.array([2.0, 1.0, 5.0]), batch)
    array([5., 0., 2.])
    """
    if batch.n_episodes < 2:
        raise InvalidInput(
            f"leave_one_out has {batch.n_episodes} episode, expected at least 2; collect more, or use no_baseline"
        )
    return _others(psi, batch)


def batch_mean(psi: FloatArray, batch: Batch) -> FloatArray:
    """b_t = 1/N Σ_j Ψ_{j,t}, episode i among them: biased, E ĝ = (N−1)/N ∇J (B3).

    Examples
    --------
    >>> from npgrad.types import Batch
    >>> batch = Batch(obs=np.zeros((3, 1)), act=np.zeros(3, int), rew=np.ones(3), logp=np.zeros(3), offsets=np.array([0, 2, 3]),
    ...               terminated=[True, True], truncated=[False, False], final_obs=np.zeros((2, 1)))
    >>> batch_mean(np.array([2.0, 1.0, 5.0]), batch)
    array([3.5, 0.5, 3.5])
    """
    n = batch.n_episodes
    if n == 1:
        return psi.copy()
    return (psi + (n - 1) * _others(psi, batch)) / n


def _others(psi: FloatArray, batch: Batch) -> FloatArray:
    out = np.empty(batch.n_steps)
    sums = np.zeros(int(batch.lengths.max(initial=0)))
    kernels.time_mean_of_others(np.ascontiguousarray(psi), batch.offsets, sums, out)
    return out


BASELINES: dict[str, Baseline] = {
    "leave-one-out": leave_one_out,
    "batch-mean-biased": batch_mean,
    "none": no_baseline,
}
