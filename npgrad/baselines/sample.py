"""Baselines that are means over the episodes of one batch: time step by time step, or of whole returns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import kernels
from ..errors import InvalidInput
from ..types import Batch, FloatArray

__all__ = [
    "BASELINES",
    "RETURN_BASELINES",
    "Baseline",
    "biased_alive_mean",
    "biased_batch_mean",
    "biased_batch_mean_return",
    "leave_one_out",
    "leave_one_out_return",
    "no_baseline",
]

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
    >>> batch = Batch(obs=np.zeros((3, 1)), act=np.zeros(3, int), rew=np.ones(3), logp=np.zeros(3), offsets=[0, 2, 3],
    ...               terminated=[True, True], truncated=[False, False], final_obs=np.zeros((2, 1)))
    >>> leave_one_out(np.array([2.0, 1.0, 5.0]), batch)
    array([5., 0., 2.])
    """
    _require_two("leave_one_out", batch)
    return _others(psi, batch)


def leave_one_out_return(psi: FloatArray, batch: Batch) -> FloatArray:
    """b_i = 1/(N−1) Σ_{j≠i} R_j, the same at every t: for Ψ_{i,t} = R_i, the whole return.

    Unbiased (B3); ĝ is then the sample covariance of Σ_t f_t and R (B11). For the reward-to-go it is the mean of the
    other G_{j,0}: a constant baseline.

    Parameters
    ----------
    psi : array, shape (T,)
        R_i at every row of episode i, or any Ψ, whose first row of an episode is looked at.
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
    >>> batch = Batch(obs=np.zeros((3, 1)), act=np.zeros(3, int), rew=np.ones(3), logp=np.zeros(3), offsets=[0, 2, 3],
    ...               terminated=[True, True], truncated=[False, False], final_obs=np.zeros((2, 1)))
    >>> leave_one_out_return(np.array([2.0, 2.0, 5.0]), batch)
    array([5., 5., 2.])
    """
    _require_two("leave_one_out_return", batch)
    returns = psi[batch.offsets[:-1]]  # R, (N,)
    return np.repeat((returns.sum() - returns) / (len(returns) - 1), batch.lengths)


def biased_batch_mean(psi: FloatArray, batch: Batch) -> FloatArray:
    """b_t = 1/N Σ_j Ψ_{j,t}, episode i among them: biased, E ĝ = (N−1)/N ∇J (B3).

    Examples
    --------
    >>> from npgrad.types import Batch
    >>> batch = Batch(obs=np.zeros((3, 1)), act=np.zeros(3, int), rew=np.ones(3), logp=np.zeros(3), offsets=[0, 2, 3],
    ...               terminated=[True, True], truncated=[False, False], final_obs=np.zeros((2, 1)))
    >>> biased_batch_mean(np.array([2.0, 1.0, 5.0]), batch)
    array([3.5, 0.5, 3.5])
    """
    n = batch.n_episodes
    if n == 1:
        return psi.copy()
    return (psi + (n - 1) * _others(psi, batch)) / n


def biased_batch_mean_return(psi: FloatArray, batch: Batch) -> FloatArray:
    """b = 1/N Σ_j R_j, the same at every t, for Ψ_{i,t} = R_i: biased, E ĝ = (N−1)/N ∇J (B3, X3).

    Examples
    --------
    >>> from npgrad.types import Batch
    >>> batch = Batch(obs=np.zeros((3, 1)), act=np.zeros(3, int), rew=np.ones(3), logp=np.zeros(3), offsets=[0, 2, 3],
    ...               terminated=[True, True], truncated=[False, False], final_obs=np.zeros((2, 1)))
    >>> biased_batch_mean_return(np.array([2.0, 2.0, 5.0]), batch)
    array([3.5, 3.5, 3.5])
    """
    return np.full(batch.n_steps, psi[batch.offsets[:-1]].mean())


def biased_alive_mean(psi: FloatArray, batch: Batch) -> FloatArray:
    """b_t = mean of Ψ_{j,t} over the episodes still running at t, i among them.

    Biased in direction, not only in length: the term of time t shrinks by 1 − (1 − (1−q_t)^N)/(N q_t), where q_t is the
    probability of an episode to reach t (B3).

    Examples
    --------
    >>> from npgrad.types import Batch
    >>> batch = Batch(obs=np.zeros((3, 1)), act=np.zeros(3, int), rew=np.ones(3), logp=np.zeros(3), offsets=[0, 2, 3],
    ...               terminated=[True, True], truncated=[False, False], final_obs=np.zeros((2, 1)))
    >>> biased_alive_mean(np.array([2.0, 1.0, 5.0]), batch)
    array([3.5, 1. , 3.5])
    """
    t = batch.time
    means: FloatArray = np.bincount(t, psi) / np.maximum(np.bincount(t), 1)  # Σ_j Ψ_{j,t} / number alive at t
    return means[t]


def _require_two(name: str, batch: Batch) -> None:
    if batch.n_episodes < 2:
        raise InvalidInput(
            f"{name} has {batch.n_episodes} episode, expected at least 2; collect more, or use no_baseline"
        )


def _others(psi: FloatArray, batch: Batch) -> FloatArray:
    out = np.empty(batch.n_steps)
    sums = np.zeros(int(batch.lengths.max(initial=0)))
    kernels.time_mean_of_others(np.ascontiguousarray(psi), batch.offsets, sums, out)
    return out


BASELINES: dict[str, Baseline] = {  # for the reward-to-go, which depends on t
    "leave-one-out": leave_one_out,
    "constant": leave_one_out_return,
    "batch-mean-biased": biased_batch_mean,
    "alive-mean-biased": biased_alive_mean,
    "none": no_baseline,
}

RETURN_BASELINES: dict[str, Baseline] = {  # the same for the whole return, which does not
    "leave-one-out": leave_one_out_return,
    "constant": leave_one_out_return,
    "batch-mean-biased": biased_batch_mean_return,
    "alive-mean-biased": biased_alive_mean,
    "none": no_baseline,
}
