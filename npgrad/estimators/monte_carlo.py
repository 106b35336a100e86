"""Monte Carlo estimators of the policy gradient: Ψ from returns, less a baseline."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

from ..baselines import Baseline, leave_one_out, leave_one_out_return
from ..critics import reward_to_go, total_return
from ..policies import Policy
from ..types import Array, Batch, FloatArray
from .base import Estimate, score_function_estimate

__all__ = ["PolicyGradient"]


@dataclass(frozen=True)
class PolicyGradient:
    """REINFORCE's estimator: Ψ_{i,t} = γ^t (G_{i,t} − b_{i,t}), or R_i for G_{i,t}.

    Parameters
    ----------
    gamma : float, optional
        γ in [0, 1].
    causality : bool, optional
        The reward-to-go G_t (P3, P4) rather than the whole return R (P1).
    discount_states : bool, optional
        Keep the γ^t, so that ĝ is unbiased for the discounted ∇J_γ (P4). Without it and with γ < 1, as most libraries
        have it, ĝ is the gradient of nothing in general (P5, P17). It has no part in the whole return.
    baseline : function, optional
        ``(psi, batch) → b``. By default leave-one-out: of the rewards-to-go at the same t, or of the whole returns.
    keep_per_episode : bool, optional
        Also return the (N, P) terms.
    executor : concurrent.futures.Executor, optional
        Who computes the chunks.

    Examples
    --------
    >>> import numpy as np
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> theta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, theta, seed=0, first=0, count=8)
    >>> estimate = PolicyGradient()(policy, theta, batch)
    >>> estimate.gradient.shape, estimate.n_episodes
    ((10,), 8)
    """

    gamma: float = 1.0
    causality: bool = True
    discount_states: bool = True
    baseline: Baseline | None = None
    keep_per_episode: bool = False
    executor: Executor | None = None

    def __call__(self, policy: Policy, theta: Array, batch: Batch) -> Estimate:
        """ĝ at θ from the trajectories in `batch`."""
        psi = self.weights(batch)
        return score_function_estimate(
            policy, theta, batch, psi, keep_per_episode=self.keep_per_episode, executor=self.executor
        )

    def weights(self, batch: Batch) -> FloatArray:
        """Ψ, shape (T,)."""
        if self.causality:
            g, others = reward_to_go(batch, self.gamma), leave_one_out
        else:
            g, others = total_return(batch, self.gamma), leave_one_out_return
        psi = g - (self.baseline or others)(g, batch)
        if self.causality and self.discount_states and self.gamma < 1:
            psi *= self.gamma**batch.time  # γ^t
        return psi
