"""Ψ from a critic: what each score is weighted with, as a function of the batch (P6, P7, P8).

A Ψ is any function ``batch → (T,)``. A critic of Q is one already (P6: Ψ = Q_w); those that need V are made of one
here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .. import critics
from ..critics import Values
from ..types import Batch, FloatArray

__all__ = ["GAE", "Advantage", "NStepAdvantage", "Psi", "Standardised", "TDResidual", "unit_weights"]

Psi = Callable[[Batch], FloatArray]
StateValues = Callable[[Batch], Values]


def unit_weights(batch: Batch) -> FloatArray:
    """Ψ = 1: the gradient of maximum likelihood, Σ_t ∇log π (P9).

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((2, 1)), act=np.zeros(2, int), rew=np.ones(2), logp=np.zeros(2), offsets=[0, 2],
    ...               terminated=[True], truncated=[False], final_obs=np.zeros((1, 1)))
    >>> unit_weights(batch)
    array([1., 1.])
    """
    return np.ones(batch.n_steps)


@dataclass(frozen=True)
class Advantage:
    """Ψ_t = Q(s_t, a_t) − V(s_t) (P6).

    Unbiased at the Q of π_θ (at γ = 1, indexed by time where the horizon is finite), whatever V. A Q that stands for
    the whole horizon at every t is biased.

    Parameters
    ----------
    q : function
        ``batch → (T,)``: Q(s_t, a_t).
    values : function
        ``batch → Values``: V.

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((2, 1)), act=np.zeros(2, int), rew=np.ones(2), logp=np.zeros(2), offsets=[0, 2],
    ...               terminated=[True], truncated=[False], final_obs=np.zeros((1, 1)))
    >>> Advantage(lambda b: np.array([3.0, 4.0]), lambda b: Values(np.ones(2), np.zeros(1)))(batch)
    array([2., 3.])
    """

    q: Psi
    values: StateValues

    def __call__(self, batch: Batch) -> FloatArray:
        """Ψ, shape (T,)."""
        return self.q(batch) - self.values(batch).rows


@dataclass(frozen=True)
class TDResidual:
    """Ψ_t = δ_t = r_t + γV(s_{t+1}) − V(s_t) (P7).

    Its bias is Σ_t γ^{t+1} E[f_t (V − V^π)(s_{t+1})]: zero at V = V^π; what is subtracted never biases.

    Parameters
    ----------
    values : function
        ``batch → Values``: V, e.g. a `ValueCritic` fitted on earlier data.
    gamma : float, optional
        γ in [0, 1].

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((2, 1)), act=np.zeros(2, int), rew=np.ones(2), logp=np.zeros(2), offsets=[0, 2],
    ...               terminated=[True], truncated=[False], final_obs=np.zeros((1, 1)))
    >>> TDResidual(lambda b: Values(np.array([2.0, 4.0]), np.zeros(1)), gamma=0.5)(batch)
    array([ 1., -3.])
    """

    values: StateValues
    gamma: float = 1.0

    def __call__(self, batch: Batch) -> FloatArray:
        """Ψ, shape (T,)."""
        return critics.td_residual(batch, self.values(batch), self.gamma)


@dataclass(frozen=True)
class NStepAdvantage:
    """Ψ_t = G^(n)_t − V(s_t), A3C's R − V (P7).

    Its bias is Σ_t γ^{t+n} E[f_t (V − V^π)(s_{t+n})].

    Parameters
    ----------
    values : function
        ``batch → Values``: V.
    gamma : float, optional
        γ in [0, 1].
    n : int, optional
        Steps before the value; None goes on to the end of the segment.

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((2, 1)), act=np.zeros(2, int), rew=np.ones(2), logp=np.zeros(2), offsets=[0, 2],
    ...               terminated=[False], truncated=[False], final_obs=np.zeros((1, 1)))
    >>> NStepAdvantage(lambda b: Values(np.array([2.0, 4.0]), np.array([8.0])), gamma=0.5)(batch)
    array([1.5, 1. ])
    """

    values: StateValues
    gamma: float = 1.0
    n: int | None = None

    def __call__(self, batch: Batch) -> FloatArray:
        """Ψ, shape (T,)."""
        values = self.values(batch)
        return critics.n_step_return(batch, values, self.gamma, self.n) - values.rows


@dataclass(frozen=True)
class GAE:
    """Ψ_t = Σ_k (γλ)^k δ_{t+k} (P8; Schulman et al. 2016).

    At λ = 1 its mean is that of P5 for any V (∇J_γ with γ^t), on complete episodes; at λ = 0 that of P7.

    Parameters
    ----------
    values : function
        ``batch → Values``: V.
    gamma, gae_lambda : float, optional
        γ and λ in [0, 1].

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((2, 1)), act=np.zeros(2, int), rew=np.ones(2), logp=np.zeros(2), offsets=[0, 2],
    ...               terminated=[True], truncated=[False], final_obs=np.zeros((1, 1)))
    >>> GAE(lambda b: Values(np.array([2.0, 4.0]), np.zeros(1)), gamma=1.0, gae_lambda=0.5)(batch)
    array([ 1.5, -3. ])
    """

    values: StateValues
    gamma: float = 0.99
    gae_lambda: float = 0.95

    def __call__(self, batch: Batch) -> FloatArray:
        """Ψ, shape (T,)."""
        return critics.gae(batch, self.values(batch), self.gamma, self.gae_lambda)


@dataclass(frozen=True)
class Standardised:
    """(Ψ − mean) / (deviation + ε) over the rows of the batch, as PPO is usually run.

    Biased: its mean and deviation come from the batch (B3), and the scale of the step is lost.

    Parameters
    ----------
    psi : function
        ``batch → (T,)``.
    epsilon : float, optional
        ε.

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((2, 1)), act=np.zeros(2, int), rew=np.ones(2), logp=np.zeros(2), offsets=[0, 2],
    ...               terminated=[True], truncated=[False], final_obs=np.zeros((1, 1)))
    >>> Standardised(lambda b: np.array([1.0, 5.0]), epsilon=0.0)(batch)
    array([-1.,  1.])
    """

    psi: Psi
    epsilon: float = 1e-8

    def __call__(self, batch: Batch) -> FloatArray:
        """Ψ, shape (T,)."""
        psi = self.psi(batch)
        scaled: FloatArray = (psi - psi.mean()) / (psi.std() + self.epsilon)
        return scaled
