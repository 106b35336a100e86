"""Importance ratios π_θ/β of rows, of what went before, and of whole episodes; what is made of them (W1 … W10).

A ratio is a function ``(x, batch) → (T,)`` that sums the log-ratio (or any log-probability) of rows, x, as far as it
counts at each row. A weighting is a function ``(log_w, batch) → (T,)`` from their logarithms to weights.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from .. import kernels
from ..policies import Policy
from ..types import Array, Batch, FloatArray
from ..validation import require_positive, require_shape
from .base import log_probs

__all__ = [
    "Clipped",
    "Ratio",
    "Weighting",
    "causal_ratio",
    "effective_sample_size",
    "importance",
    "log_ratios",
    "self_normalised",
    "step_ratio",
    "trajectory_ratio",
]

Ratio = Callable[[FloatArray, Batch], FloatArray]
Weighting = Callable[[FloatArray, Batch], FloatArray]


def log_ratios(policy: Policy, theta: Array, batch: Batch, executor: Executor | None = None) -> Array:
    """log ρ_t = log π_θ(a_t|o_t) − log β(a_t|o_t), shape (T,); both of the latent action (W1).

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> theta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, theta, seed=0, first=0, count=8)
    >>> bool(np.all(log_ratios(policy, theta, batch) == 0))
    True
    """
    return log_probs(policy, theta, batch, executor) - batch.logp


def step_ratio(x: FloatArray, batch: Batch) -> FloatArray:
    """log ρ_t: that of the row alone (W4's per-step form).

    Examples
    --------
    >>> step_ratio(np.array([0.5, 1.0]), None)
    array([0.5, 1. ])
    """
    return x


def causal_ratio(x: FloatArray, batch: Batch) -> FloatArray:
    """log Π_{k≤t} ρ_k = Σ_{k≤t} log ρ_k: of the row and all before it (W3).

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((3, 1)), act=np.zeros(3, int), rew=np.ones(3), logp=np.zeros(3), offsets=[0, 2, 3],
    ...               terminated=[True, True], truncated=[False, False], final_obs=np.zeros((2, 1)))
    >>> causal_ratio(np.array([0.5, 1.0, 2.0]), batch)
    array([0.5, 1.5, 2. ])
    """
    require_shape("the log-ratios", x, (batch.n_steps,))
    out = np.empty(batch.n_steps)
    kernels.running_sum(np.ascontiguousarray(x, dtype=np.float64), batch.offsets, out)
    return out


def trajectory_ratio(x: FloatArray, batch: Batch) -> FloatArray:
    """log Π_k ρ_k of the whole episode, the same at each of its rows (W2).

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((3, 1)), act=np.zeros(3, int), rew=np.ones(3), logp=np.zeros(3), offsets=[0, 2, 3],
    ...               terminated=[True, True], truncated=[False, False], final_obs=np.zeros((2, 1)))
    >>> trajectory_ratio(np.array([0.5, 1.0, 2.0]), batch)
    array([1.5, 1.5, 2. ])
    """
    return np.repeat(causal_ratio(x, batch)[batch.offsets[1:] - 1], batch.lengths)


def importance(log_w: FloatArray, batch: Batch) -> FloatArray:
    """w: unbiased (W1).

    Examples
    --------
    >>> importance(np.log([0.5, 2.0]), None).round(12)
    array([0.5, 2. ])
    """
    with np.errstate(over="ignore"):  # an infinite weight is reported as such, with its row
        return np.exp(log_w)


@dataclass(frozen=True)
class Clipped:
    """min(w, c): bias E_β[(min(w, c) − w) h], less variance (W5).

    Parameters
    ----------
    c : float
        The largest weight, above 0.

    Examples
    --------
    >>> Clipped(1.0)(np.log([0.5, 2.0]), None).round(12)
    array([0.5, 1. ])
    """

    c: float

    def __post_init__(self) -> None:
        require_positive("c", self.c)

    def __call__(self, log_w: FloatArray, batch: Batch) -> FloatArray:
        """The weights, shape (T,)."""
        return np.exp(np.minimum(log_w, np.log(self.c)))


def self_normalised(log_w: FloatArray, batch: Batch) -> FloatArray:
    """N w_{i,t} / Σ_j w_{j,t}: weights of mean 1 at every t; bias −E_β[w²(h − μ)]/N to first order (W5).

    An episode that has ended keeps its last weight in the sum, as the ratios of steps that are not taken are 1. For the
    ratio of whole episodes the sum is the same at every t.

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((3, 1)), act=np.zeros(3, int), rew=np.ones(3), logp=np.zeros(3), offsets=[0, 2, 3],
    ...               terminated=[True, True], truncated=[False, False], final_obs=np.zeros((2, 1)))
    >>> self_normalised(np.log([1.0, 6.0, 3.0]), batch).round(12)  # sums 1 + 3, 6 + 3
    array([0.5       , 1.33333333, 1.5       ])
    """
    require_shape("the log-weights", log_w, (batch.n_steps,))
    t = batch.time - np.repeat(batch.start, batch.lengths)
    total = np.full(int(batch.lengths.max(initial=0)) + 1, -np.inf)
    np.logaddexp.at(total, batch.lengths, log_w[batch.offsets[1:] - 1])  # the last weight, from t = T_j on
    total = np.logaddexp.accumulate(total)
    np.logaddexp.at(total, t, log_w)  # log Σ_j w_{j,t}
    weights: FloatArray = batch.n_episodes * np.exp(log_w - total[t])
    return weights


def effective_sample_size(log_w: FloatArray) -> float:
    """(Σ w)² / Σ w², from 1 (one weight has it all) to N (all are equal) (W5; Kong 1992).

    Parameters
    ----------
    log_w : array, shape (N,)
        Logarithms of the weights, up to a constant: one an episode, or one a row.

    Examples
    --------
    >>> effective_sample_size(np.log([1.0, 1.0, 1.0, 1.0]))
    4.0
    >>> effective_sample_size(np.array([0.0, -1000.0]))
    1.0
    """
    require_shape("the log-weights", np.asarray(log_w), (None,))
    w = np.exp(log_w - np.max(log_w))
    return float(w.sum() ** 2 / (w**2).sum())
