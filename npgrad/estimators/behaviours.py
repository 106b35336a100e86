"""Gradients of π_θ from data of several policies: the balance heuristic (W10)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from ..errors import InvalidInput
from ..policies import Policy
from ..types import Array, Batch, FloatArray
from .base import Estimate, log_probs, score_function_estimate
from .psi import Psi
from .ratios import Ratio, Weighting, causal_ratio, importance, trajectory_ratio

__all__ = ["BalanceHeuristic", "Behaviour", "as_from_mixture", "balance_log_weights"]


@dataclass(frozen=True)
class Behaviour:
    """One of several policies that data came from.

    Parameters
    ----------
    policy : Policy
    theta : array, shape (P,)
    count : int
        How many of the batch's episodes it made, n_m.
    """

    policy: Policy
    theta: Array
    count: int


def balance_log_weights(
    policy: Policy,
    theta: Array,
    batch: Batch,
    behaviours: Sequence[Behaviour],
    *,
    ratio: Ratio = trajectory_ratio,
    executor: Executor | None = None,
) -> FloatArray:
    """log of π_θ/Σ_m (n_m/N) β_m, as far as `ratio` goes at each row: the balance heuristic (W10; Veach, Guibas 1995).

    Which behaviour made an episode does not matter: each is weighed against the mixture of all. `batch.logp` is not
    used.

    Parameters
    ----------
    policy, theta, batch
        As for an estimator.
    behaviours : sequence of Behaviour
        Those that made the episodes; their counts sum to N.
    ratio : function, optional
        `trajectory_ratio` or `causal_ratio`.
    executor : concurrent.futures.Executor, optional
        Who computes the chunks.

    Returns
    -------
    array, shape (T,)

    Raises
    ------
    InvalidInput
        If the counts do not sum to the number of episodes.
    """
    log_w: FloatArray = ratio(log_probs(policy, theta, batch, executor), batch) - _mixture(
        batch, behaviours, ratio, executor
    )
    return log_w


def as_from_mixture(batch: Batch, behaviours: Sequence[Behaviour], executor: Executor | None = None) -> Batch:
    """The batch as if one policy had made it all: the mixture of the behaviours, which knows its own past (W10).

        β(a_t|τ_t) = M_t/M_{t−1},    M_t = Σ_m (n_m/N) Π_{k≤t} β_m(a_k|o_k)

    Only `logp` is another: log β. With it every estimator from one behaviour, W2 and W3 among them, weighs by the
    balance heuristic.

    Parameters
    ----------
    batch, behaviours, executor
        As for `balance_log_weights`.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> from npgrad.estimators import log_ratios, trajectory_ratio
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> theta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, theta, seed=0, first=0, count=8)
    >>> other = Behaviour(policy, theta + 0.1 * np.arange(10), 4)
    >>> mixed = as_from_mixture(batch, [Behaviour(policy, theta, 4), other])
    >>> w = np.exp(trajectory_ratio(log_ratios(policy, theta, mixed), mixed))
    >>> bool(w.max() <= 2)  # N/n_m times the ratio to β_m, which is 1
    True
    """
    m = _mixture(batch, behaviours, causal_ratio, executor)
    logp = m.copy()
    logp[1:] -= m[:-1]
    logp[batch.offsets[:-1]] = m[batch.offsets[:-1]]
    return replace(batch, logp=logp)


def _mixture(batch: Batch, behaviours: Sequence[Behaviour], ratio: Ratio, executor: Executor | None) -> FloatArray:
    """log Σ_m (n_m/N) β_m, as far as `ratio` goes at each row."""
    counts = [b.count for b in behaviours]
    if not counts or min(counts) < 1 or sum(counts) != batch.n_episodes:
        raise InvalidInput(
            f"the behaviours made {counts} episodes, expected counts above 0 with sum {batch.n_episodes}"
        )
    mixture = np.full(batch.n_steps, -np.inf)
    for b in behaviours:
        log_beta = ratio(log_probs(b.policy, b.theta, batch, executor), batch)
        mixture = np.logaddexp(mixture, np.log(b.count / batch.n_episodes) + log_beta)
    return mixture


@dataclass(frozen=True)
class BalanceHeuristic:
    """ĝ = 1/N Σ_i Σ_t w_i Ψ_{i,t} f_{i,t} from data of several behaviours, w = π_θ/Σ_m (n_m/N) β_m: ∇J(θ) (W10).

    Each weight is at most N/n_m times the ratio to β_m, for every m: one behaviour far from π_θ does no harm. Each
    episode's own ratio, `OffPolicyGradient`, is unbiased as well, with more variance.

    Parameters
    ----------
    psi : function
        ``batch → (T,)``: Ψ, as for `OffPolicyGradient`.
    behaviours : sequence of Behaviour
        Those that made the episodes; their counts sum to N.
    weighting : function, optional
        `importance` (unbiased), ``Clipped(c)`` or `self_normalised` (W5).
    keep_per_episode : bool, optional
        Also return the (N, P) terms.
    executor : concurrent.futures.Executor, optional
        Who computes the chunks.

    Examples
    --------
    >>> from npgrad.estimators import PolicyGradient
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> from npgrad.types import concatenate
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> thetas = [np.zeros(policy.n_params), np.full(policy.n_params, 0.01)]
    >>> batch = concatenate([rollout.episodes(policy, th, seed=0, first=0, count=4) for th in thetas])
    >>> behaviours = [Behaviour(policy, th, 4) for th in thetas]
    >>> BalanceHeuristic(PolicyGradient().weights, behaviours)(policy, thetas[1], batch).gradient.shape
    (10,)
    """

    psi: Psi
    behaviours: Sequence[Behaviour]
    weighting: Weighting = importance
    keep_per_episode: bool = False
    executor: Executor | None = None

    def __call__(self, policy: Policy, theta: Array, batch: Batch) -> Estimate:
        """ĝ at θ from the trajectories in `batch`."""
        log_w = balance_log_weights(policy, theta, batch, self.behaviours, executor=self.executor)
        psi = self.weighting(log_w, batch) * self.psi(batch)
        return score_function_estimate(
            policy, theta, batch, psi, keep_per_episode=self.keep_per_episode, executor=self.executor
        )
