"""What one step of an algorithm did, in figures: of the estimate, of the policy before and after, of the critic."""

from __future__ import annotations

import numpy as np

from ..compiled import compiled_policy
from ..distributions import provides
from ..estimators import Estimate, effective_sample_size
from ..policies import Clip, ComposedLinearisation, Policy, PolicyLinearisation, Rescale
from ..types import Array, Batch, FloatArray, IntArray

__all__ = ["diagnose", "explained_variance", "share_of_clipped"]

ROWS = 1024  # that the policy's figures are measured on


def diagnose(
    policy: Policy,
    theta: Array,
    new_theta: Array,
    batch: Batch,
    estimate: Estimate | None = None,
    values: FloatArray | None = None,
    targets: FloatArray | None = None,
) -> dict[str, float]:
    """The figures of a step from θ to θ' on a batch, under keys in the manner of Stable-Baselines3.

    ================================ ===============================================================================
    train/gradient_norm              ‖ĝ‖
    train/gradient_variance          v, estimate of tr Cov(ĝ)
    train/signal_to_noise            ‖ĝ‖²/v − 1, which estimates ‖∇J‖²/tr Cov(ĝ)
    train/entropy_loss               −H: mean over the rows
    train/approx_kl                  KL(π_θ ‖ π_θ'): mean over the rows
    train/predicted_kl               ½ dᵀFd with d = θ' − θ, which the one before approaches as d becomes small
    train/effective_sample_share     (Σ_t ρ_t)² / (T Σ_t ρ_t²) (W5) with ρ_t = π_θ'(a_t|o_t)/β(a_t|o_t)
    train/clipped_actions            share of the actions' entries that the action map cuts off
    train/explained_variance         1 − Var(G − V)/Var(G)
    ================================ ===============================================================================

    Entropy, KL and F are the distribution's own where it has them, else estimates from the actions taken. At most some
    thousand rows are looked at; a figure for which there is nothing to look at is left out.

    Parameters
    ----------
    policy : Policy
        As it acted.
    theta, new_theta : array, shape (P,)
        θ before and θ' after.
    batch : Batch
        T rows.
    estimate : Estimate, optional
        ĝ.
    values, targets : array, shape (T,), optional
        V and G, what it was fitted to.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> theta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, theta, seed=0, first=0, count=8)
    >>> figures = diagnose(policy, theta, theta + 0.01, batch)
    >>> round(figures["train/entropy_loss"], 4), figures["train/approx_kl"] < 1e-4
    (-0.6931, True)
    """
    figures = {} if estimate is None else _of_estimate(estimate)
    obs, act, logp, offsets = _rows(policy, batch)
    if not np.isfinite(new_theta).all():
        return figures  # the loop says so
    lin, new_lin = (compiled_policy(policy).at(w, obs, act, offsets) for w in (theta, new_theta))
    with np.errstate(all="ignore"):  # a step into the wild has figures that are none
        if _has(lin, "log_prob") is not False:
            log_ratio = new_lin.log_prob - lin.log_prob
            figures["train/entropy_loss"] = -_entropy(lin)
            figures["train/approx_kl"] = _kl(lin, new_lin, log_ratio)
            figures["train/predicted_kl"] = _predicted_kl(lin, new_theta - theta)
            log_rho = new_lin.log_prob - logp
            figures["train/effective_sample_share"] = effective_sample_size(log_rho) / len(log_rho)
        clipped = share_of_clipped(policy, act)
        if clipped is not None:
            figures["train/clipped_actions"] = clipped
        if values is not None and targets is not None:
            figures["train/explained_variance"] = explained_variance(values, targets)
    return figures


def explained_variance(values: FloatArray, targets: FloatArray) -> float:
    """1 − Var(G − V)/Var(G): 1 for a perfect critic, 0 for one no better than a constant; NaN if G does not vary.

    Examples
    --------
    >>> explained_variance(np.array([1.0, 2.0, 3.0]), np.array([3.0, 4.0, 5.0]))
    1.0
    """
    variance = float(np.var(targets))
    return 1.0 - float(np.var(targets - values)) / variance if variance > 0 else float("nan")


def share_of_clipped(policy: Policy, act: Array) -> float | None:
    """Share of the entries of actions that are out of the bounds; None where no bound cuts.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.spaces import Box
    >>> policy = make_policy((Box(-1.0, 1.0, (2,)), Box(-1.0, 1.0, (2,))), "linear")
    >>> share_of_clipped(policy, np.array([[0.5, 3.0], [-2.0, 1.0]]))
    0.5
    """
    match policy.action_map:
        case Clip(low=low, high=high):
            return float(np.mean((act < np.asarray(low)) | (act > np.asarray(high))))
        case Rescale():
            return float(np.mean(np.abs(act) > 1))
        case _:
            return None


def _of_estimate(estimate: Estimate) -> dict[str, float]:
    v, squared = estimate.variance, float(estimate.gradient @ estimate.gradient)  # ‖ĝ‖²
    figures = {"train/gradient_norm": squared**0.5}
    if v > 0:
        figures |= {"train/gradient_variance": v, "train/signal_to_noise": estimate.signal_to_noise}
    return figures


def _rows(policy: Policy, batch: Batch) -> tuple[Array, Array, FloatArray, IntArray]:
    """Evenly spaced rows of the batch, or, for a policy with a memory, whole segments from the first on."""
    if policy.n_memory:
        n = max(1, int(np.searchsorted(batch.offsets, ROWS, side="right")) - 1)
        offsets = batch.offsets[: n + 1]
        chosen = slice(0, int(offsets[-1]))
    else:
        chosen = slice(0, None, -(-batch.n_steps // ROWS))
        offsets = np.array([0, len(range(batch.n_steps)[chosen])])
    obs, act, logp = (np.ascontiguousarray(rows[chosen]) for rows in (batch.obs, batch.act, batch.logp))
    return obs, act, logp, offsets  # contiguous: products with spaced rows round otherwise


def _has(lin: PolicyLinearisation, row: str) -> bool | None:
    """Whether the distribution has a row; None for a policy that is no composition."""
    return provides(lin.distribution, row) if isinstance(lin, ComposedLinearisation) else None


def _entropy(lin: PolicyLinearisation) -> float:
    """H, or −log π of the actions, whose mean it is."""
    if isinstance(lin, ComposedLinearisation) and _has(lin, "entropy"):
        return float(np.mean(lin.entropy()))
    return -float(np.mean(lin.log_prob))


def _kl(lin: PolicyLinearisation, new: PolicyLinearisation, log_ratio: Array) -> float:
    """KL(π_θ ‖ π_θ'), or the mean of ρ − 1 − log ρ, whose expectation it is and which is never negative."""
    if isinstance(lin, ComposedLinearisation) and isinstance(new, ComposedLinearisation) and _has(lin, "kl"):
        return float(np.mean(lin.kl_to(new)))
    return float(np.mean(np.expm1(log_ratio) - log_ratio))


def _predicted_kl(lin: PolicyLinearisation, d: Array) -> float:
    """½ dᵀFd with F of the distribution, or ½ (fᵀd)² of the actions, whose mean it is."""
    if isinstance(lin, ComposedLinearisation) and _has(lin, "fisher"):
        n = len(lin.y)
        return float(0.5 * d @ lin.fisher_vp(d, np.full(n, 1 / n)))
    return float(0.5 * np.mean(lin.jvp(d) ** 2))
