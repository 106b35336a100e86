"""Critics of Q on compatible features, the scores themselves (V3, N7)."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..critics import ridge_regression
from ..policies import Policy
from ..types import Array, Batch, FloatArray
from ..validation import require_shape
from .base import map_chunks
from .one_pass import score_matrix

__all__ = ["CompatibleCritic", "fit_compatible"]


@dataclass(frozen=True, eq=False)
class CompatibleCritic:
    """Q_w(s, a) = wᵀ ∇_θ log π_θ(a|s), at one θ: an advantage, as E_a Q_w = 0 (V3; Sutton et al. 1999).

    Fitted by least squares in the gradient's own weights it leaves the gradient as it is, and w is the natural
    gradient: F w = ∇J (N7; Kakade 2001).

    Parameters
    ----------
    policy : Policy
    theta : array, shape (P,)
        Where the scores are taken.
    w : array, shape (P,)
        The weights.
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
    >>> critic = CompatibleCritic(policy, theta, np.ones(policy.n_params))
    >>> critic(batch).shape == (batch.n_steps,)
    True
    """

    policy: Policy
    theta: Array
    w: Array
    executor: Executor | None = None

    def __call__(self, batch: Batch) -> FloatArray:
        """Q_w(s_t, a_t), shape (T,)."""
        parts = map_chunks(self.policy, self.theta, batch, lambda lin, chunk: lin.jvp(self.w), self.executor)
        return np.concatenate(parts)


def fit_compatible(
    policy: Policy,
    theta: Array,
    batch: Batch,
    targets: FloatArray,
    *,
    weights: npt.ArrayLike | None = None,
    ridge: float = 0.0,
    state_features: FloatArray | None = None,
    executor: Executor | None = None,
) -> tuple[CompatibleCritic, FloatArray]:
    """Least squares of Q_w(s, a) + v(s) to targets: w, v = argmin Σ_t c_t (f_tᵀw + φ_tᵀv − y_t)² + λ‖(w, v)‖² (V3, N7).

    On the data themselves, without φ and λ: F̂ w = ĝ with F̂ = Σ c f fᵀ, ĝ = Σ c f y.

    Parameters
    ----------
    policy, theta, batch
        As for an estimator.
    targets : array, shape (T,)
        y: returns, or values of Q.
    weights : array, shape (T,), optional
        c, those of the gradient (γ^t, probabilities); one each by default.
    ridge : float, optional
        λ ≥ 0. At 0 the smallest weights among equals are taken.
    state_features : array, shape (T, K), optional
        φ(s_t) for a v(s) fitted along, which changes no gradient and takes what the scores cannot.
    executor : concurrent.futures.Executor, optional
        Who computes the chunks.

    Returns
    -------
    critic : CompatibleCritic
        Q_w without v.
    v : array, shape (K,)
        Weights of the state features.

    Raises
    ------
    InvalidInput
        On shapes that disagree, or a negative weight or λ.

    Notes
    -----
    Limitation: it holds (T, P) scores.

    Examples
    --------
    >>> from npgrad.critics import reward_to_go
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> theta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, theta, seed=0, first=0, count=8)
    >>> critic, v = fit_compatible(policy, theta, batch, reward_to_go(batch), state_features=batch.obs)
    >>> critic.w.shape, v.shape
    ((10,), (4,))
    """
    scores = score_matrix(policy, theta, batch, executor)
    if state_features is not None:
        require_shape("state_features", state_features, (batch.n_steps, None))
        scores = np.hstack([scores, state_features])
    both = ridge_regression(scores, targets, weights=weights, ridge=ridge)
    return CompatibleCritic(policy, theta, both[: len(theta)], executor), both[len(theta) :]
