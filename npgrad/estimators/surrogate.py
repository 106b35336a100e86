"""Surrogates: functions of θ on a fixed batch whose gradients are those of the estimators (P9, W4, N5)."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from ..policies import Policy, PolicyLinearisation
from ..pool import map_ordered, ordered_sum
from ..types import Array, Batch, FloatArray
from ..validation import require_finite, require_positive, require_shape
from .base import Chunk, Estimate, episode_estimate, log_probs, map_chunks
from .one_pass import OnePass
from .psi import Psi
from .ratios import log_ratios
from .score_function import discounted

__all__ = [
    "ClippedSurrogate",
    "approximate_kl",
    "clip_fraction",
    "clipped_surrogate",
    "local_surrogate",
    "log_surrogate",
    "log_surrogate_gradient",
]

LARGEST = 700.0  # of a log ρ whose ρ is still a number


def log_surrogate(
    policy: Policy, theta: Array, batch: Batch, psi: FloatArray, executor: Executor | None = None
) -> float:
    """1/N Σ_i Σ_t Ψ_{i,t} log π_θ(a_{i,t}|o_{i,t}): its gradient is `score_function_estimate` (P9).

    With Ψ = 1 it is the log-likelihood: minus the cross-entropy of a softmax, −‖a − μ‖²/2σ² + const of a Gaussian.

    Parameters
    ----------
    policy, theta, batch
        As for an estimator; a complex θ gives a complex value, for a complex step.
    psi : array, shape (T,)
        Ψ, held fixed.
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
    >>> per_step = np.full(batch.n_steps, batch.n_episodes / batch.n_steps)
    >>> float(log_surrogate(policy, theta, batch, per_step).round(3))  # log ½
    -0.693
    """
    require_shape("psi", psi, (batch.n_steps,))
    value: float = (psi * log_probs(policy, theta, batch, executor)).sum() / batch.n_episodes
    return value


def log_surrogate_gradient(
    policy: Policy, theta: Array, batch: Batch, psi: FloatArray, executor: Executor | None = None
) -> tuple[float, Array]:
    """`log_surrogate` and its gradient in θ, (P,), in one pass: `score_function_estimate` without its uncertainty.

    Without a term for each episode, chunks need not end where episodes do, and each is one Jᵀ.

    Parameters
    ----------
    policy, theta, batch, psi, executor
        As for `log_surrogate`. Chunks depend on the batch alone, and their sums are added in order: threads change no
        bit.

    Raises
    ------
    InvalidInput
        If `psi` is not one number a row.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> theta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, theta, seed=0, first=0, count=8)
    >>> value, gradient = log_surrogate_gradient(policy, theta, batch, batch.rew)
    >>> bool(np.isclose(value, log_surrogate(policy, theta, batch, batch.rew))), gradient.shape
    (True, (10,))
    """
    require_shape("psi", psi, (batch.n_steps,))

    def terms(lin: PolicyLinearisation, chunk: Chunk) -> tuple[float, Array]:
        w = psi[chunk.rows]
        value: float = (w * lin.log_prob).sum()
        return value, lin.vjp(w)[None]  # Σ_t Ψ_t log π, Σ_t Ψ_t f_t

    one_pass = OnePass.of(policy, theta, batch)
    if one_pass is None:
        pairs = map_chunks(policy, theta, batch, terms, executor)
    else:
        pairs = map_ordered(lambda rows: one_pass.surrogate(rows, psi), one_pass.chunks(), executor)
    values, gradients = zip(*pairs, strict=True)
    return ordered_sum(values) / batch.n_episodes, ordered_sum(gradients)[0] / batch.n_episodes


def local_surrogate(
    policy: Policy, theta: Array, batch: Batch, psi: FloatArray, executor: Executor | None = None
) -> float:
    """L = 1/N Σ_i Σ_t ρ_{i,t} Ψ_{i,t}, ρ = π_θ/β: with the advantages of β, L_β(θ) − J(β) in expectation (W4, N4).

    Its gradient is that of `OffPolicyGradient` with `step_ratio`.

    Parameters
    ----------
    policy, theta, batch, psi, executor
        As for `log_surrogate`.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> theta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, theta, seed=0, first=0, count=8)
    >>> bool(local_surrogate(policy, theta, batch, batch.rew) == batch.returns().mean())  # ρ = 1
    True
    """
    require_shape("psi", psi, (batch.n_steps,))
    value: float = (psi * np.exp(log_ratios(policy, theta, batch, executor))).sum() / batch.n_episodes
    return value


def clipped_surrogate(log_ratio: Array, adv: FloatArray, clip_range: float) -> tuple[Array, Array]:
    """PPO's L_t = min(ρ_t A_t, clip(ρ_t, 1−ε, 1+ε) A_t), and the weight of f_t in its gradient (N5).

        ∂L_t/∂log ρ_t = ρ_t A_t   where ρ_t ≤ 1+ε or A_t ≤ 0, and ρ_t ≥ 1−ε or A_t ≥ 0;   0 elsewhere

    Ratios beyond the clip on the side that A asks for gain nothing more; on the other side they are pulled back. At
    the kink itself the inner slope is taken.

    Parameters
    ----------
    log_ratio : array, shape (T,)
        log ρ_t.
    adv : array, shape (T,)
        A_t.
    clip_range : float
        ε > 0.

    Returns
    -------
    value, weight : array, shape (T,)
        L_t and ∂L_t/∂log ρ_t.

    Raises
    ------
    InvalidInput
        On shapes that disagree, or ε not above 0.

    Notes
    -----
    Schulman et al. 2017, eq. 7.

    Examples
    --------
    >>> value, weight = clipped_surrogate(np.log([0.5, 1.1, 2.0, 2.0]), np.array([1.0, 1.0, 1.0, -1.0]), 0.2)
    >>> value.round(12), weight.round(12)
    (array([ 0.5,  1.1,  1.2, -2. ]), array([ 0.5,  1.1,  0. , -2. ]))
    """
    require_shape("adv", adv, log_ratio.shape)
    require_positive("clip_range", clip_range)
    rho = np.exp(np.where(log_ratio.real > LARGEST, LARGEST, log_ratio))
    beyond = np.where(adv > 0, rho.real > 1 + clip_range, rho.real < 1 - clip_range)
    edge = np.where(adv > 0, 1 + clip_range, 1 - clip_range)
    return np.where(beyond, edge, rho) * adv, np.where(beyond, 0, rho * adv)


def clip_fraction(log_ratio: FloatArray, clip_range: float) -> float:
    """The share of rows with |ρ − 1| > ε, as Stable-Baselines3 logs it.

    Examples
    --------
    >>> clip_fraction(np.log([0.5, 1.1, 2.0, 1.0]), 0.2)
    0.5
    """
    return float(np.mean(np.abs(np.expm1(np.minimum(log_ratio, LARGEST))) > clip_range))


def approximate_kl(log_ratio: FloatArray) -> float:
    """Mean of (ρ − 1) − log ρ: an estimate of KL(β‖π_θ) from actions of β, never negative (Schulman 2020).

    Examples
    --------
    >>> approximate_kl(np.zeros(3))
    0.0
    """
    with np.errstate(over="ignore"):  # infinite beyond what a number holds
        return float(np.mean(np.expm1(log_ratio) - log_ratio))


@dataclass(frozen=True)
class ClippedSurrogate:
    """ĝ = 1/N Σ_i Σ_t γ^t ∂L_{i,t}/∂log ρ f_{i,t}, L of `clipped_surrogate`: the gradient of PPO's objective (N5).

    At θ = β it is the plain estimate with the same Ψ.

    Parameters
    ----------
    psi : function
        ``batch → (T,)``: the advantages of β.
    clip_range : float, optional
        ε > 0.
    discount : float, optional
        γ of the factor γ^t; 1 leaves it out.
    keep_per_episode : bool, optional
        Also return the (N, P) terms.
    executor : concurrent.futures.Executor, optional
        Who computes the chunks.

    Examples
    --------
    >>> from npgrad.estimators import PolicyGradient
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> beta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, beta, seed=0, first=0, count=8)
    >>> ClippedSurrogate(PolicyGradient().weights)(policy, beta + 0.01, batch).gradient.shape
    (10,)
    """

    psi: Psi
    clip_range: float = 0.2
    discount: float = 1.0
    keep_per_episode: bool = False
    executor: Executor | None = None

    def __post_init__(self) -> None:
        require_positive("clip_range", self.clip_range)

    def __call__(self, policy: Policy, theta: Array, batch: Batch) -> Estimate:
        """ĝ at θ from the trajectories in `batch`."""
        adv = discounted(self.psi(batch), batch, self.discount)
        require_shape("psi", adv, (batch.n_steps,))
        require_finite("psi", adv)

        def terms(lin: PolicyLinearisation, chunk: Chunk) -> Array:
            log_ratio = lin.log_prob - batch.logp[chunk.rows]
            _, weight = clipped_surrogate(log_ratio, adv[chunk.rows], self.clip_range)
            return lin.vjp_segments(weight, chunk.offsets)

        return episode_estimate(
            policy, theta, batch, terms, keep_per_episode=self.keep_per_episode, executor=self.executor
        )
