"""Gradients with entropy: of the entropy-regularised objective, exactly, and A3C's bonus (P12)."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from .. import kernels
from ..baselines import Baseline, leave_one_out
from ..distributions import require_method
from ..policies import Policy, PolicyLinearisation
from ..types import Array, Batch, FloatArray
from ..validation import require_finite, require_probability, require_shape
from .base import Chunk, Estimate, episode_estimate, log_probs, map_chunks, score_function_estimate
from .composition import composed
from .psi import Psi
from .score_function import discounted

__all__ = ["EntropyBonus", "EntropyRegularised", "SampledEntropy", "entropies"]


def entropies(policy: Policy, theta: Array, batch: Batch, executor: Executor | None = None) -> FloatArray:
    """H_t = H(π_θ(·|o_t)) of the latent action at each row, shape (T,) (S8).

    Raises
    ------
    NotImplementedBy
        If the policy's distribution has no entropy in closed form.
    """
    parts = map_chunks(policy, theta, batch, lambda lin, chunk: composed(lin).entropy(), executor)
    return np.concatenate(parts)


@dataclass(frozen=True)
class EntropyBonus:
    """ĝ = 1/N Σ_i Σ_t γ^t (Ψ_t f_t + β ∇H_t), as A3C has it: with the states' distribution frozen (P12).

    It lacks the part of ∇ E Σ H_t that acts through the states to come; `EntropyRegularised` has it.

    Parameters
    ----------
    psi : function
        ``batch → (T,)``: Ψ of the rewards alone.
    beta : float
        β, the weight of the entropy.
    discount : float, optional
        γ of the factor γ^t; 1 leaves it out.
    keep_per_episode : bool, optional
        Also return the (N, P) terms.
    executor : concurrent.futures.Executor, optional
        Who computes the chunks.

    Notes
    -----
    10-703; Mnih et al. 2016.

    Examples
    --------
    >>> from npgrad.estimators import PolicyGradient
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> theta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, theta, seed=0, first=0, count=8)
    >>> EntropyBonus(PolicyGradient().weights, beta=0.01)(policy, theta, batch).gradient.shape
    (10,)
    """

    psi: Psi
    beta: float
    discount: float = 1.0
    keep_per_episode: bool = False
    executor: Executor | None = None

    def __call__(self, policy: Policy, theta: Array, batch: Batch) -> Estimate:
        """ĝ at θ from the trajectories in `batch`."""
        psi = self.psi(batch)
        require_shape("psi", psi, (batch.n_steps,))
        require_finite("psi", psi)
        psi = discounted(psi, batch, self.discount)
        weight = discounted(np.full(batch.n_steps, float(self.beta)), batch, self.discount)  # β γ^t

        def terms(lin: PolicyLinearisation, chunk: Chunk) -> Array:
            lin = composed(lin)
            grad_h = require_method(lin.distribution, "entropy_grad")(lin.y)  # ∂H/∂y, (T, K)
            bonus = lin.lin.vjp_segments(weight[chunk.rows, None] * grad_h, chunk.offsets)  # Σ_t β γ^t ∇H_t
            return lin.vjp_segments(psi[chunk.rows], chunk.offsets) + bonus

        return episode_estimate(
            policy, theta, batch, terms, keep_per_episode=self.keep_per_episode, executor=self.executor
        )


@dataclass(frozen=True)
class EntropyRegularised:
    """The gradient of J_γ + β E Σ_t γ^t H_t, without bias (P12).

        ĝ = 1/N Σ_i Σ_t γ^t (f_t (G_t + β Σ_{k>t} γ^{k−t} H_k − b_t) + β ∇H_t)

    Parameters
    ----------
    beta : float
        β.
    gamma : float, optional
        γ in [0, 1].
    baseline : function, optional
        ``(psi, batch) → b``; leave-one-out by default.
    keep_per_episode : bool, optional
        Also return the (N, P) terms.
    executor : concurrent.futures.Executor, optional
        Who computes the chunks.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> theta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, theta, seed=0, first=0, count=8)
    >>> EntropyRegularised(beta=0.01)(policy, theta, batch).gradient.shape
    (10,)
    """

    beta: float
    gamma: float = 1.0
    baseline: Baseline = leave_one_out
    keep_per_episode: bool = False
    executor: Executor | None = None

    def __call__(self, policy: Policy, theta: Array, batch: Batch) -> Estimate:
        """ĝ at θ from the trajectories in `batch`."""
        require_probability("gamma", self.gamma)
        batch.require_complete()
        h = np.ascontiguousarray(entropies(policy, theta, batch, self.executor), dtype=np.float64)
        g = np.empty(batch.n_steps)
        settings = float(self.gamma), float(self.beta)
        kernels.entropy_return(np.ascontiguousarray(batch.rew), h, batch.offsets, *settings, g)
        psi = g - self.baseline(g, batch)
        bonus = EntropyBonus(lambda _: psi, self.beta, self.gamma, self.keep_per_episode, self.executor)
        return bonus(policy, theta, batch)


@dataclass(frozen=True)
class SampledEntropy:
    """The same gradient with −log π for H: needs no entropy in closed form, and has more variance (P12).

        ĝ = 1/N Σ_i Σ_t γ^t f_t (Σ_{k≥t} γ^{k−t} (r_k − β log π_k) − b_t)

    log π is that of the latent action at the θ that is asked about.

    Parameters
    ----------
    beta, gamma, baseline, keep_per_episode, executor
        As for `EntropyRegularised`.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> theta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, theta, seed=0, first=0, count=8)
    >>> SampledEntropy(beta=0.01)(policy, theta, batch).gradient.shape
    (10,)
    """

    beta: float
    gamma: float = 1.0
    baseline: Baseline = leave_one_out
    keep_per_episode: bool = False
    executor: Executor | None = None

    def __call__(self, policy: Policy, theta: Array, batch: Batch) -> Estimate:
        """ĝ at θ from the trajectories in `batch`."""
        require_probability("gamma", self.gamma)
        batch.require_complete()
        rew = batch.rew - self.beta * log_probs(policy, theta, batch, self.executor)  # r − β log π
        g = np.empty(batch.n_steps)
        kernels.reward_to_go(np.ascontiguousarray(rew, dtype=np.float64), batch.offsets, float(self.gamma), g)
        psi = discounted(g - self.baseline(g, batch), batch, self.gamma)
        return score_function_estimate(
            policy, theta, batch, psi, keep_per_episode=self.keep_per_episode, executor=self.executor
        )
