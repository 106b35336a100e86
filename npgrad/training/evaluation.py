"""What an agent is worth: returns of evaluation episodes and their summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import noise
from ..deploy import Agent
from ..errors import InvalidInput
from ..types import FloatArray, IntArray
from ..validation import require_finite, require_positive

__all__ = ["EvaluationResult", "evaluate_policy", "interquartile_mean", "mean_interval", "rounded", "summarise"]

RESAMPLES = 10_000


@dataclass(frozen=True)
class EvaluationResult:
    """Return and length of every evaluation episode, shape (n,) each.

    Raises
    ------
    InvalidInput
        If there is no episode, or not as many returns as lengths.
    """

    returns: FloatArray
    lengths: IntArray

    def __post_init__(self) -> None:
        returns = np.asarray(self.returns, dtype=np.float64)
        lengths = np.asarray(self.lengths, dtype=np.int64)
        if returns.ndim != 1 or returns.shape != lengths.shape or not len(returns):
            raise InvalidInput(
                f"returns have shape {returns.shape} and lengths {lengths.shape}, expected both (n,) with n ≥ 1"
            )
        object.__setattr__(self, "returns", returns)
        object.__setattr__(self, "lengths", lengths)

    @cached_property
    def mean_return(self) -> float:
        """Mean over the episodes."""
        return float(np.mean(self.returns))

    @cached_property
    def mean_length(self) -> float:
        """Mean over the episodes."""
        return float(np.mean(self.lengths))

    @cached_property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the mean return, by the bootstrap."""
        return mean_interval(self.returns, seed=0)


def rounded(*returns: float) -> tuple[str, ...]:
    """Returns in words: one digit behind the point, three where all are small, as those of a game won or lost are.

    Examples
    --------
    >>> rounded(499.96, 0.04), rounded(0.7412, 0.735, 0.7468)
    (('500.0', '0.0'), ('0.741', '0.735', '0.747'))
    """
    digits = 1 if max(map(abs, returns)) >= 10 else 3
    return tuple(f"{r:.{digits}f}" for r in returns)


def interquartile_mean(values: npt.ArrayLike) -> float:
    """Mean of what is left when the lowest and the highest ⌊n/4⌋ values are cut off.

    Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical precipice", section 4.3.

    Examples
    --------
    >>> interquartile_mean([0.0, 1.0, 3.0, 100.0])
    2.0
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    cut = len(ordered) // 4
    return float(np.mean(ordered[cut : len(ordered) - cut]))


def mean_interval(values: npt.ArrayLike, *, seed: int, level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean, from 10,000 resamples with replacement.

    Efron & Tibshirani 1993, "An introduction to the bootstrap", chapter 13.

    Parameters
    ----------
    values : array, shape (n,)
        Independent values, as returns of episodes.
    seed : int
        Of the resampling: the same values and seed give the same interval.
    level : float
        Share of intervals that would cover the true mean, were n large.

    Examples
    --------
    >>> low, high = mean_interval(np.arange(100.0), seed=0)
    >>> 43 < low < 45 and 54 < high < 56
    True
    """
    sample = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(seed)
    rows = max(1, min(RESAMPLES, 1_000_000 // len(sample)))  # at most some 8 MB at a time
    starts = range(0, RESAMPLES, rows)
    means = [
        sample[rng.integers(len(sample), size=(min(rows, RESAMPLES - s), len(sample)))].mean(axis=1) for s in starts
    ]
    low, high = np.percentile(np.concatenate(means), [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def summarise(
    returns: npt.ArrayLike, lengths: npt.ArrayLike, deterministic: bool = True, seed: int = 0
) -> dict[str, Any]:
    """What there is to say of a number of evaluation episodes, ready for JSON.

    Parameters
    ----------
    returns, lengths : array, shape (n,)
        Of each episode.
    deterministic : bool
        Whether the agent took its most likely action throughout.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        ``mean_return``, ``std_return`` (over episodes, divided by n), ``median_return``, ``iqm_return``, ``ci95``
        ([low, high], percentile bootstrap of the mean), ``mean_length``, ``episodes``, ``deterministic``.

    Raises
    ------
    InvalidInput
        If there is no episode, or not as many returns as lengths.
    NonFinite
        If a return is NaN or infinite.

    Examples
    --------
    >>> summarise([500.0, 500.0], [500, 500])["ci95"]
    [500.0, 500.0]
    """
    result = EvaluationResult(np.asarray(returns), np.asarray(lengths))
    require_finite("returns", result.returns, "the environment gave a reward that is not finite")
    return {
        "mean_return": result.mean_return,
        "std_return": float(np.std(result.returns)),
        "median_return": float(np.median(result.returns)),
        "iqm_return": interquartile_mean(result.returns),
        "ci95": list(mean_interval(result.returns, seed=seed)),
        "mean_length": result.mean_length,
        "episodes": len(result.returns),
        "deterministic": bool(deterministic),
    }


def evaluate_policy(
    model: Any,
    env: Any,
    n_eval_episodes: int = 10,
    deterministic: bool = True,
    seed: int = 0,
    return_episode_rewards: bool = False,
    env_kwargs: Mapping[str, Any] | None = None,
    fresh: bool = False,
) -> tuple[Any, Any]:
    """Run an agent in Gymnasium's original of an environment, in the manner of Stable-Baselines3.

    Parameters
    ----------
    model : Agent, or an algorithm that has one
        What is evaluated.
    env : str, function or environment
        A Gymnasium id, a function that makes the environment, or one environment, which is left open.
    n_eval_episodes : int
        Complete episodes.
    deterministic : bool
        Take the most likely action throughout.
    seed : int
        Of noise that neither training nor its evaluations see.
    return_episode_rewards : bool
        Give every episode's return and length, not mean and deviation.
    env_kwargs : dict, optional
        Passed to `gymnasium.make` with an id.
    fresh : bool
        Make the environment anew for each episode, if it carries state across resets; not with one environment.

    Returns
    -------
    tuple
        Mean and standard deviation of the return, or the lists of returns and lengths.

    Raises
    ------
    InvalidInput
        If `model` has no policy, the environment's spaces are not its own, there is no episode to run, or one
        environment is to be made anew.
    UnknownName
        If Gymnasium knows no such id.

    Examples
    --------
    >>> from npgrad.algorithms.reinforce import REINFORCE
    >>> mean, std = evaluate_policy(REINFORCE("CartPole-v1", seed=0), "CartPole-v1", n_eval_episodes=2)
    >>> mean >= 8
    True
    """
    agent = getattr(model, "agent", model)
    if not isinstance(agent, Agent):
        raise InvalidInput(f"model is a {type(model).__name__}, expected an npgrad Agent or an algorithm")
    require_positive("n_eval_episodes", n_eval_episodes)
    from ..rollouts import GymnasiumRollout

    own = isinstance(env, str) or not hasattr(env, "reset")
    rollout = GymnasiumRollout(env, fresh=fresh, **((env_kwargs or {}) if own else {}))
    try:
        for name in ("observation_space", "action_space"):
            if getattr(rollout, name) != getattr(agent.policy, name):
                raise InvalidInput(
                    f"{name} of {rollout.env_id} is {getattr(rollout, name)}, but the agent's is "
                    f"{getattr(agent.policy, name)}; name the environment it was trained on"
                )
        batch = rollout.episodes(
            agent.policy,
            agent.theta,
            seed=noise.derive_seed(seed, noise.EVALUATION, 1),  # 0 is training's own
            first=0,
            count=n_eval_episodes,
            deterministic=deterministic,
        )
    finally:
        if own:
            rollout.close()
    returns, lengths = batch.returns(), batch.lengths
    if return_episode_rewards:
        return returns.tolist(), lengths.tolist()
    return float(np.mean(returns)), float(np.std(returns))
