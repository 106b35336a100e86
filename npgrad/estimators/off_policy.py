"""Gradients and returns of π_θ from data of another policy (W2 … W8)."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from .. import critics, kernels
from ..baselines import Baseline, no_baseline
from ..policies import Policy
from ..types import Array, Batch, FloatArray
from ..validation import require_probability
from .base import Estimate, score_function_estimate
from .psi import Psi, StateValues
from .ratios import Ratio, Weighting, causal_ratio, importance, log_ratios, trajectory_ratio
from .score_function import discounted

__all__ = [
    "OffPolicyGradient",
    "PerDecisionGradient",
    "VTraceGradient",
    "per_decision_returns",
    "trajectory_returns",
]


@dataclass(frozen=True)
class OffPolicyGradient:
    """ĝ = 1/N Σ_i Σ_t w_{i,t} Ψ_{i,t} f_{i,t}, f and w at θ, the episodes from β.

    ================= ======================================== =======================================================
    ratio             w_t                                      mean with Ψ = γ^t (G_t − b_t), b of other episodes
    ================= ======================================== =======================================================
    trajectory_ratio  Π_k ρ_k                                  ∇J_γ(θ) (W2), also with Ψ = R − b
    causal_ratio      Π_{k≤t} ρ_k                              Σ_t γ^t E_{d_t^θ, π_θ}[f Q_t^β] (W4)
    step_ratio        ρ_t                                      ∇_θ L_β, L_β = J(β) + Σ_t γ^t E_{d_t^β, π_θ}[A_t^β] (W4)
    ================= ======================================== =======================================================

    Replay without ratios is a `ScoreFunction`, and biased (W10). With the true ratio of states,
    ``psi=lambda b: state_ratio(b) * q(b)`` and `step_ratio` give ∇J(θ) (W8).

    Parameters
    ----------
    psi : function
        ``batch → (T,)``: Ψ, with γ^t where it is wanted, e.g. ``PolicyGradient(gamma=0.99).weights``.
    ratio : function, optional
        `trajectory_ratio`, `causal_ratio` or `step_ratio`.
    weighting : function, optional
        `importance` (unbiased), ``Clipped(c)`` or `self_normalised` (W5).
    keep_per_episode : bool, optional
        Also return the (N, P) terms.
    executor : concurrent.futures.Executor, optional
        Who computes the chunks.

    Raises
    ------
    NonFinite
        When called, if weights overflow.

    Notes
    -----
    CS224R; CS285 4.4.

    Examples
    --------
    >>> from npgrad.estimators import PolicyGradient
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> beta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, beta, seed=0, first=0, count=8)
    >>> OffPolicyGradient(PolicyGradient().weights)(policy, beta + 0.01, batch).gradient.shape
    (10,)
    """

    psi: Psi
    ratio: Ratio = trajectory_ratio
    weighting: Weighting = importance
    keep_per_episode: bool = False
    executor: Executor | None = None

    def __call__(self, policy: Policy, theta: Array, batch: Batch) -> Estimate:
        """ĝ at θ from the trajectories in `batch`."""
        log_w = self.ratio(log_ratios(policy, theta, batch, self.executor), batch)
        psi = self.weighting(log_w, batch) * self.psi(batch)
        return score_function_estimate(
            policy, theta, batch, psi, keep_per_episode=self.keep_per_episode, executor=self.executor
        )


@dataclass(frozen=True)
class PerDecisionGradient:
    """ĝ = 1/N Σ_i Σ_t f_t (Σ_{k≥t} γ^k w_k r_k − γ^t w_t b_t), w_k = Π_{j≤k} ρ_j: ∇J_γ(θ) (W3).

    The same as Σ_t f_t Π_{j≤t}ρ_j Σ_{k≥t} γ^k r_k Π_{t<j≤k}ρ_j: each reward has the ratios up to its own step alone.

    Parameters
    ----------
    gamma : float, optional
        γ in [0, 1].
    baseline : function, optional
        ``(psi, batch) → b`` of the reward-to-go under β; none by default.
    weighting : function, optional
        `importance` (unbiased), ``Clipped(c)`` or `self_normalised` (W5).
    keep_per_episode : bool, optional
        Also return the (N, P) terms.
    executor : concurrent.futures.Executor, optional
        Who computes the chunks.

    Notes
    -----
    CS285 4.4; Precup, Sutton and Singh 2000.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> beta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, beta, seed=0, first=0, count=8)
    >>> PerDecisionGradient()(policy, beta + 0.01, batch).gradient.shape
    (10,)
    """

    gamma: float = 1.0
    baseline: Baseline = no_baseline
    weighting: Weighting = importance
    keep_per_episode: bool = False
    executor: Executor | None = None

    def __call__(self, policy: Policy, theta: Array, batch: Batch) -> Estimate:
        """ĝ at θ from the trajectories in `batch`."""
        b = self.baseline(critics.reward_to_go(batch, self.gamma), batch)
        w = self.weighting(causal_ratio(log_ratios(policy, theta, batch, self.executor), batch), batch)
        w = discounted(w, batch, self.gamma)  # γ^t w_t
        later = np.empty(batch.n_steps)
        kernels.reward_to_go(w * batch.rew, batch.offsets, 1.0, later)  # Σ_{k≥t} γ^k w_k r_k
        psi = later - w * b
        return score_function_estimate(
            policy, theta, batch, psi, keep_per_episode=self.keep_per_episode, executor=self.executor
        )


@dataclass(frozen=True)
class VTraceGradient:
    """ĝ = 1/N Σ_i Σ_t γ^t min(ρ̄, ρ_t) (r_t + γ v_{t+1} − V(s_t)) f_t, v the V-trace targets (V7; Espeholt et al. 2018).

    Parameters
    ----------
    values : function
        ``batch → Values``: V.
    gamma, gae_lambda, rho_bar, c_bar : float, optional
        γ, λ, ρ̄ and c̄ of `npgrad.critics.vtrace`.
    discount : float, optional
        γ of the factor γ^t; 1 leaves it out.
    keep_per_episode : bool, optional
        Also return the (N, P) terms.
    executor : concurrent.futures.Executor, optional
        Who computes the chunks.

    Examples
    --------
    >>> from npgrad.critics import ValueCritic
    >>> from npgrad.functions import Linear
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> beta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, beta, seed=0, first=0, count=8)
    >>> VTraceGradient(ValueCritic(Linear(4, 1), np.zeros(5)))(policy, beta + 0.01, batch).gradient.shape
    (10,)
    """

    values: StateValues
    gamma: float = 0.99
    gae_lambda: float = 1.0
    rho_bar: float = 1.0
    c_bar: float = 1.0
    discount: float = 1.0
    keep_per_episode: bool = False
    executor: Executor | None = None

    def __call__(self, policy: Policy, theta: Array, batch: Batch) -> Estimate:
        """ĝ at θ from the trajectories in `batch`."""
        rho = importance(log_ratios(policy, theta, batch, self.executor), batch)
        settings = self.gamma, self.gae_lambda, self.rho_bar, self.c_bar
        _, advantages = critics.vtrace(batch, self.values(batch), rho, *settings)
        psi = discounted(advantages, batch, self.discount)
        return score_function_estimate(
            policy, theta, batch, psi, keep_per_episode=self.keep_per_episode, executor=self.executor
        )


def trajectory_returns(
    policy: Policy,
    theta: Array,
    batch: Batch,
    *,
    gamma: float = 1.0,
    weighting: Weighting = importance,
    executor: Executor | None = None,
) -> FloatArray:
    """w_i R_i of each episode, w = Π_k ρ_k: their mean is an estimate of J_γ(θ), its gradient W2 (W7).

    Parameters
    ----------
    policy, theta, batch
        As for an estimator; the episodes are from β.
    gamma : float, optional
        γ in [0, 1].
    weighting : function, optional
        `importance` (unbiased), ``Clipped(c)`` or `self_normalised` (W5).
    executor : concurrent.futures.Executor, optional
        Who computes the chunks.

    Returns
    -------
    array, shape (N,)

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> beta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, beta, seed=0, first=0, count=8)
    >>> bool(np.all(trajectory_returns(policy, beta, batch) == batch.returns()))
    True
    """
    w = weighting(trajectory_ratio(log_ratios(policy, theta, batch, executor), batch), batch)
    terms: FloatArray = (w * critics.total_return(batch, gamma))[batch.offsets[:-1]]
    return terms


def per_decision_returns(
    policy: Policy,
    theta: Array,
    batch: Batch,
    *,
    gamma: float = 1.0,
    weighting: Weighting = importance,
    executor: Executor | None = None,
) -> FloatArray:
    """Σ_k γ^k w_k r_k of each episode, w_k = Π_{j≤k} ρ_j: their mean estimates J_γ(θ), its gradient is W3 (W7).

    Parameters
    ----------
    policy, theta, batch, gamma, weighting, executor
        As for `trajectory_returns`.

    Returns
    -------
    array, shape (N,)

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> beta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, beta, seed=0, first=0, count=8)
    >>> bool(np.all(per_decision_returns(policy, beta, batch) == batch.returns()))
    True
    """
    require_probability("gamma", gamma)
    batch.require_complete()
    w = weighting(causal_ratio(log_ratios(policy, theta, batch, executor), batch), batch)
    terms: FloatArray = np.add.reduceat(discounted(w, batch, gamma) * batch.rew, batch.offsets[:-1])
    return terms
