"""Stanford CS224R: a baseline that does not bias, the surrogate, data of another policy."""

from __future__ import annotations

import numpy as np

from ...policies import Policy
from ...types import Array, Batch, FloatArray
from .cs285 import ESTIMATOR
from .task import Exercise, by_certificate, by_numbers

__all__ = ["CS224R_EXERCISES"]


def to_go(batch: Batch) -> FloatArray:
    """Σ_k≥t r_k of every row."""
    G = np.empty(batch.n_steps)
    for a, b in zip(batch.offsets[:-1], batch.offsets[1:], strict=True):
        G[a:b] = np.cumsum(batch.rew[a:b][::-1])[::-1]
    return G


def reward_to_go(policy: Policy, theta: Array, batch: Batch) -> Array:
    """1/N Σ_i Σ_t f_t G_t."""
    return policy.at(theta, batch.obs, batch.act).vjp(to_go(batch)) / batch.n_episodes


def leave_one_out(policy: Policy, theta: Array, batch: Batch) -> Array:
    """1/N Σ_i (Σ_t f_t)(R_i − mean of the other R)."""
    R = batch.returns()
    others = (R.sum() - R) / (len(R) - 1)
    return policy.at(theta, batch.obs, batch.act).vjp((R - others)[batch.segment]) / batch.n_episodes


def weights(rewards: FloatArray) -> FloatArray:
    """r_i less the mean of the others, N/(N − 1) (r_i − mean)."""
    N = len(rewards)
    return np.asarray(N / (N - 1) * (rewards - rewards.mean()))


def _weights_by_hand(rewards: FloatArray) -> FloatArray:
    return np.array([r - np.delete(rewards, i).mean() for i, r in enumerate(rewards)])


def off_policy(policy: Policy, theta: Array, batch: Batch) -> Array:
    """1/N Σ_i Π_k ρ_k Σ_t f_t G_t."""
    lin = policy.at(theta, batch.obs, batch.act)
    log_ratios = np.add.reduceat(lin.log_prob - batch.logp, batch.offsets[:-1])
    return lin.vjp(np.exp(log_ratios)[batch.segment] * to_go(batch)) / batch.n_episodes


def common_form(policy: Policy, theta: Array, batch: Batch) -> Array:
    """1/N Σ_i Σ_t ρ_t f_t G_t."""
    lin = policy.at(theta, batch.obs, batch.act)
    return lin.vjp(np.exp(lin.log_prob - batch.logp) * to_go(batch)) / batch.n_episodes


RATIOS = '''import numpy as np

def estimator(policy, theta, batch):
    """batch.logp (T,) is the log-probability under the policy that acted."""
    lin = policy.at(theta, batch.obs, batch.act)
    rho = np.exp(lin.log_prob - batch.logp)  # (T,)
    psi = ...
    return lin.vjp(psi) / batch.n_episodes
'''

CS224R_EXERCISES = [
    Exercise(
        "cs224r-baseline",
        "CS224R",
        "X3, B3",
        "The average reward as a baseline",
        "The slides subtract b = 1/N Σ_i r(τ_i) from the return and call that unbiased. It is, for a constant b; but "
        "this b has the episode's own return in it, and E ĝ = (N − 1)/N ∇J. Write the estimator with the mean of the "
        "other episodes.",
        ESTIMATOR,
        leave_one_out,
        by_certificate(leave_one_out),
    ),
    Exercise(
        "cs224r-surrogate",
        "CS224R",
        "P3, X11",
        "The surrogate objective",
        "The slides write J̃ = 1/N Σ_i (Σ_t log π)((Σ_t'≥t r) − b), where t is free in the second factor. Write the "
        "gradient of what is meant, without b: each log π_t with its own reward-to-go.",
        ESTIMATOR,
        reward_to_go,
        by_certificate(reward_to_go),
    ),
    Exercise(
        "cs224r-jacket",
        "CS224R",
        "B3, B11",
        "Folding a jacket",
        "Of four trajectories only the last folds the jacket: rewards (0, 0, 0, 1). Give what multiplies each ∇log "
        "p(τ_i) with leave-one-out as the baseline, for any rewards (N,). In which case is it the same for all but "
        "one trajectory?",
        "import numpy as np\n\ndef weights(rewards):\n    return ...\n",
        weights,
        by_numbers(
            _weights_by_hand,
            [(np.array(r),) for r in ([0.0, 0.0, 0.0, 1.0], [0.0, 0.5, 0.0, 1.0], [1.0, 3.0])],
            {"that is r_i − mean, with the trajectory's own reward in the mean (B3)": lambda r: r - r.mean()},
        ),
    ),
    Exercise(
        "cs224r-off-policy",
        "CS224R",
        "W2, W3",
        "Data of another policy",
        "Write an unbiased estimator of ∇J(θ) from episodes of another policy. Any unbiased one passes; which of "
        "those you can think of varies least?",
        RATIOS,
        off_policy,
        by_certificate(off_policy, behaviour="other", same_variance=False),
    ),
    Exercise(
        "cs224r-common-form",
        "CS224R",
        "W4",
        "The common final form",
        "The common final form keeps ρ_t of each step alone and drops the ratio of the states. It is no estimate of "
        "∇J(θ), but an unbiased one of ∇_θ L_β, L_β = J(β) + Σ_t E_{d_t^β, π_θ}[A_t^β]. Write it, with the "
        "reward-to-go.",
        RATIOS,
        common_form,
        by_certificate(common_form, behaviour="other", target="surrogate"),
    ),
]
