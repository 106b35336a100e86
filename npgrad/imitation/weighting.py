"""Weights between cloning (w = 1) and policy gradient (w = Ψ): rewards and advantages as exponents (P9).

With w = exp(A/τ) the likelihood is that of what turned out well. For τ → ∞ the weights are 1 + A/τ, and τ times the
gradient less that of cloning is the policy gradient with Ψ = A.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..types import Batch, FloatArray
from ..validation import require_finite, require_positive, require_shape

__all__ = ["advantage_weights", "reward_weights"]


def advantage_weights(adv: npt.ArrayLike, temperature: float = 1.0, max_weight: float = 20.0) -> FloatArray:
    """w_t = min(exp(A_t/τ), w_max): advantage-weighted regression.

    Parameters
    ----------
    adv : array, shape (T,)
        A_t, or any Ψ_t.
    temperature : float, optional
        τ > 0; large: cloning, small: only the best counts.
    max_weight : float, optional
        w_max > 0.

    Raises
    ------
    InvalidInput
        If τ or w_max is not above 0.
    NonFinite
        If an advantage is not finite.

    References
    ----------
    Peng et al. 2019, "Advantage-weighted regression", equation 12.

    Examples
    --------
    >>> advantage_weights([0.0, np.log(2.0), 100.0])
    array([ 1.,  2., 20.])
    """
    a = np.asarray(adv, dtype=np.float64)
    require_shape("adv", a, (None,))
    require_finite("adv", a)
    require_positive("temperature", temperature)
    require_positive("max_weight", max_weight)
    return np.asarray(np.exp(np.minimum(a / temperature, np.log(max_weight))))


def reward_weights(batch: Batch, temperature: float | None = None) -> FloatArray:
    """w_t of every row of an episode from its return R: reward-weighted regression.

    Without a temperature w = R − min R over the episodes, so that the worst counts nothing; with one it is exp((R − max
    R)/τ), which never overflows and differs from exp(R/τ) by a factor that cloning takes out.

    Parameters
    ----------
    batch : Batch
        Complete episodes.
    temperature : float, optional
        τ > 0.

    Raises
    ------
    InvalidInput
        If a segment is no complete episode, or τ is not above 0.

    References
    ----------
    Dayan and Hinton 1997; Peters and Schaal 2007, "Reinforcement learning by reward-weighted regression".

    Examples
    --------
    >>> from npgrad.data import record
    >>> lengths = record(lambda obs: 0, "CartPole-v1", 3).batch
    >>> float(reward_weights(lengths).min()), bool(reward_weights(lengths, 1.0).max() == 1)
    (0.0, True)
    """
    batch.require_complete()
    R = batch.returns()
    if temperature is None:
        return np.asarray((R - R.min())[batch.segment])
    require_positive("temperature", temperature)
    return np.asarray(np.exp((R - R.max()) / temperature)[batch.segment])
