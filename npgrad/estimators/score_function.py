"""Score-function estimators with any Ψ, and the one that sums the other way round (P2)."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..policies import Policy, PolicyLinearisation
from ..types import Array, Batch, FloatArray
from ..validation import require_probability
from .base import Chunk, Estimate, episode_estimate, score_function_estimate
from .psi import Psi

__all__ = ["RewardsTimesPastScores", "ScoreFunction"]


@dataclass(frozen=True)
class ScoreFunction:
    """ĝ = 1/N Σ_i Σ_t γ^t Ψ_{i,t} f_{i,t} with any Ψ: P1, P3 … P9, actor-critics among them.

    Parameters
    ----------
    psi : function
        ``batch → (T,)``: a class of `npgrad.estimators.psi`, a critic of Q, or any other.
    discount : float, optional
        γ of the factor γ^t that makes Ψ^γ unbiased for ∇J_γ (P4); 1, as most libraries have it, leaves it out (P5).
    keep_per_episode : bool, optional
        Also return the (N, P) terms.
    executor : concurrent.futures.Executor, optional
        Who computes the chunks.

    Raises
    ------
    InvalidInput
        If the discount is outside [0, 1], or (when called) Ψ is not one number a row.
    NonFinite
        When called, if Ψ or the gradient is NaN or infinite.

    Examples
    --------
    >>> from npgrad.critics import ValueCritic
    >>> from npgrad.estimators import GAE
    >>> from npgrad.functions import Linear
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> theta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, theta, seed=0, first=0, count=8)
    >>> critic = ValueCritic(Linear(4, 1), np.zeros(5))
    >>> ScoreFunction(GAE(critic, gamma=0.99, gae_lambda=0.95))(policy, theta, batch).gradient.shape
    (10,)
    """

    psi: Psi
    discount: float = 1.0
    keep_per_episode: bool = False
    executor: Executor | None = None

    def __post_init__(self) -> None:
        require_probability("discount", self.discount)

    def __call__(self, policy: Policy, theta: Array, batch: Batch) -> Estimate:
        """ĝ at θ from the trajectories in `batch`."""
        psi = self.weights(batch)
        return score_function_estimate(
            policy, theta, batch, psi, keep_per_episode=self.keep_per_episode, executor=self.executor
        )

    def weights(self, batch: Batch) -> FloatArray:
        """γ^t Ψ_t, shape (T,)."""
        return discounted(self.psi(batch), batch, self.discount)


def discounted(psi: FloatArray, batch: Batch, gamma: float) -> FloatArray:
    """γ^t Ψ_t, shape (T,)."""
    return psi if gamma == 1 else psi * gamma**batch.time


@dataclass(frozen=True)
class RewardsTimesPastScores:
    """ĝ = 1/N Σ_i Σ_{t'} γ^{t'} r_{t'} Σ_{t≤t'} f_t: each reward with the scores before it (P2).

    On every trajectory it equals P3 (P4 with γ < 1): the same double sum, the other index outside.

    Parameters
    ----------
    gamma : float, optional
        γ in [0, 1].
    keep_per_episode : bool, optional
        Also return the (N, P) terms.
    executor : concurrent.futures.Executor, optional
        Who computes the chunks.

    Notes
    -----
    Seita 2017, estimator (ii). Limitation: it holds (T, P) scores of a chunk.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> theta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, theta, seed=0, first=0, count=8)
    >>> RewardsTimesPastScores()(policy, theta, batch).gradient.shape
    (10,)
    """

    gamma: float = 1.0
    keep_per_episode: bool = False
    executor: Executor | None = None

    def __call__(self, policy: Policy, theta: Array, batch: Batch) -> Estimate:
        """ĝ at θ from the trajectories in `batch`."""
        require_probability("gamma", self.gamma)
        batch.require_complete()
        rew = discounted(batch.rew, batch, self.gamma)

        def terms(lin: PolicyLinearisation, chunk: Chunk) -> Array:
            r, f = rew[chunk.rows], lin.vjp_rows(np.ones(chunk.offsets[-1]))
            return np.stack([r[a:b] @ np.cumsum(f[a:b], axis=0) for a, b in pairwise(chunk.offsets)])

        return episode_estimate(
            policy, theta, batch, terms, keep_per_episode=self.keep_per_episode, executor=self.executor
        )
