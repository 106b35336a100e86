"""REINFORCE with the baseline of least variance, which needs the scores and so is no Ψ alone (B5)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from ..baselines import leave_one_out_optimal
from ..critics import total_return
from ..policies import Policy
from ..types import Array, Batch, FloatArray
from .base import Estimate, episode_scores

__all__ = ["OptimalBaselineGradient"]


@dataclass(frozen=True)
class OptimalBaselineGradient:
    """ĝ = 1/N Σ_i g_i (R_i − b_i), g_i = Σ_t f_{i,t}, b from scores and returns: a number, or one a coordinate (B5).

    Parameters
    ----------
    gamma : float, optional
        γ of R = Σ_t γ^t r_t.
    baseline : function, optional
        ``(scores (N, P), returns (N,)) → b``, of a shape that broadcasts with (N, P). By default leave-one-out, which
        is unbiased, as `leave_one_out_optimal_per_coordinate` is; `biased_optimal` and
        `biased_optimal_per_coordinate` are not (B3).
    keep_per_episode : bool, optional
        Also return the (N, P) terms.
    executor : concurrent.futures.Executor, optional
        Who computes the chunks.

    Notes
    -----
    Limitation: it holds (N, P) numbers.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> theta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, theta, seed=0, first=0, count=8)
    >>> OptimalBaselineGradient()(policy, theta, batch).gradient.shape
    (10,)
    """

    gamma: float = 1.0
    baseline: Callable[[Array, FloatArray], Array | float] = leave_one_out_optimal
    keep_per_episode: bool = False
    executor: Executor | None = None

    def __call__(self, policy: Policy, theta: Array, batch: Batch) -> Estimate:
        """ĝ at θ from the trajectories in `batch`."""
        R = total_return(batch, self.gamma)[batch.offsets[:-1]]  # (N,)
        g = episode_scores(policy, theta, batch, np.ones(batch.n_steps), self.executor)  # Σ_t f_t, (N, P)
        return Estimate.of_terms(g * (R[:, None] - self.baseline(g, R)), self.keep_per_episode)
