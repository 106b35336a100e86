"""Bandits: one observation, one action, one reward.

r ~ N(μ_a, σ_a²)        or        r = 1 with probability μ_a, else 0
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..spaces import Discrete
from ..types import BoolArray, FloatArray, IntArray
from ..validation import require_finite, require_shape
from .base import CompiledEnv

__all__ = ["BERNOULLI_BANDIT", "GAUSSIAN_BANDIT", "bernoulli_bandit", "gaussian_bandit"]


def reset(params: FloatArray, lanes: IntArray, noise: FloatArray, state: FloatArray, obs: FloatArray) -> None:
    """There is nothing to remember, and 1 to see."""
    for k in range(lanes.shape[0]):
        obs[0, lanes[k]] = 1.0


def step_gaussian(
    params: FloatArray,
    act: FloatArray,
    noise: FloatArray,
    state: FloatArray,
    obs: FloatArray,
    rew: FloatArray,
    terminated: BoolArray,
) -> None:
    """r = μ_a + σ_a ε, and the end; `params` is μ, then σ."""
    n_arms = params.shape[0] // 2
    for i in range(rew.shape[0]):
        arm = int(act[0, i])
        rew[i] = params[arm] + params[n_arms + arm] * noise[0, i]
        obs[0, i] = 1.0
        terminated[i] = True


def step_bernoulli(
    params: FloatArray,
    act: FloatArray,
    noise: FloatArray,
    state: FloatArray,
    obs: FloatArray,
    rew: FloatArray,
    terminated: BoolArray,
) -> None:
    """r = 1 if u < μ_a, else 0, and the end; `params` is μ."""
    for i in range(rew.shape[0]):
        rew[i] = 1.0 if noise[0, i] < params[int(act[0, i])] else 0.0
        obs[0, i] = 1.0
        terminated[i] = True


def gaussian_bandit(means: npt.ArrayLike, std: npt.ArrayLike = 1.0, *, id: str = "GaussianBandit-v0") -> CompiledEnv:
    """Arms with normal rewards.

    Parameters
    ----------
    means : array, shape (K,)
        μ.
    std : float or array, shape (K,), optional
        σ.
    id : str, optional
        Its name.

    Raises
    ------
    InvalidInput
        If there are no means, or a σ is negative.

    Examples
    --------
    >>> gaussian_bandit([1.0, 0.0], std=[0.5, 2.0]).params.tolist()
    [1.0, 0.0, 0.5, 2.0]
    """
    mu = _means(means)
    sigma = np.asarray(std, dtype=np.float64)
    if sigma.shape not in ((), mu.shape) or not (sigma >= 0).all():
        raise InvalidInput(f"std is {std!r}, expected one number of 0 or more, or {len(mu)} of them")
    return _bandit(id, step_gaussian, np.concatenate([mu, np.broadcast_to(sigma, mu.shape)]), len(mu), "normal")


def bernoulli_bandit(means: npt.ArrayLike, *, id: str = "BernoulliBandit-v0") -> CompiledEnv:
    """Arms that pay 1 or 0.

    Parameters
    ----------
    means : array, shape (K,)
        μ, the probabilities of 1.
    id : str, optional
        Its name.

    Raises
    ------
    InvalidInput
        If a mean is no probability.

    Examples
    --------
    >>> bernoulli_bandit([0.2, 0.8]).action_space.n
    2
    """
    mu = _means(means)
    if ((mu < 0) | (mu > 1)).any():
        raise InvalidInput(f"means are {mu}, expected probabilities of the reward 1, in [0, 1]")
    return _bandit(id, step_bernoulli, mu, len(mu), "uniform")


def _means(means: npt.ArrayLike) -> FloatArray:
    mu = np.asarray(means, dtype=np.float64)
    require_shape("means", mu, (None,), "one number for each arm")
    require_finite("means", mu)
    if not len(mu):
        raise InvalidInput("means is empty, expected one number for each arm")
    return mu


def _bandit(id: str, step: Callable[..., None], params: FloatArray, n_arms: int, kind: str) -> CompiledEnv:
    return CompiledEnv(
        id=id,
        reset=reset,
        step=step,
        params=params,
        n_state=0,
        observation_space=Discrete(1),
        action_space=Discrete(n_arms),
        reset_noise=(),
        step_noise=(kind,),
        max_episode_steps=1,
    )


GAUSSIAN_BANDIT = gaussian_bandit(np.linspace(-0.9, 0.9, 10), id="npgrad/GaussianBandit-v0")
BERNOULLI_BANDIT = bernoulli_bandit(np.linspace(0.05, 0.95, 10), id="npgrad/BernoulliBandit-v0")
