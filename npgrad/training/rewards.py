"""Rewards as an algorithm learns from them: scaled by a number, or by the deviation of the discounted return so far."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .. import kernels
from ..errors import InvalidInput
from ..policies.normaliser import Moments
from ..types import Array, Batch, FloatArray
from ..validation import require_positive, require_probability

__all__ = ["RewardScaling", "past_return"]

LEAST = 1e-8  # a variance below this counts as none


def past_return(batch: Batch, gamma: float, before: FloatArray | None = None) -> FloatArray:
    """U_t = Σ_{k≤t} γ^{t−k} r_k, shape (T,): U_t = r_t + γ U_{t−1}, the reward-to-go of the episode run backwards.

    Parameters
    ----------
    batch : Batch
        T rows in N segments.
    gamma : float
        γ in [0, 1].
    before : array, shape (N,), optional
        U before the first row of each segment; 0 if not given.

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((3, 1)), act=np.zeros(3, int), rew=np.array([1.0, 1.0, 4.0]), logp=np.zeros(3),
    ...               offsets=[0, 2, 3], terminated=[True, True], truncated=[False, False], final_obs=np.zeros((2, 1)))
    >>> past_return(batch, 0.5)
    array([1. , 1.5, 4. ])
    """
    backwards = np.repeat(batch.offsets[:-1] + batch.offsets[1:] - 1, batch.lengths) - np.arange(batch.n_steps)
    rew = np.array(batch.rew)
    if before is not None:
        rew[batch.offsets[:-1]] += gamma * before
    out = np.empty(batch.n_steps)
    kernels.reward_to_go(rew[backwards], np.ascontiguousarray(batch.offsets), float(gamma), out)
    return out[backwards]


@dataclass(frozen=True)
class RewardScaling:
    """r ↦ scale · r, or r ↦ r / √Var U with U_t = Σ_{k≤t} γ^{t−k} r_k over all steps so far (r, if U does not vary).

    The deviation is that of the steps before this iteration, so that it is no function of the batch it scales; the
    first iteration has only its own. What is shown to the user stays in the environment's rewards.

    Parameters
    ----------
    scale : float, optional
        A fixed factor.
    normalize : bool, optional
        Divide by the running deviation. As a gradient only cares for rewards up to a factor, `scale` then is 1.
    gamma : float, optional
        γ of U.

    Raises
    ------
    InvalidInput
        If a number is out of range, or a scale is normalised away.

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((2, 1)), act=np.zeros(2, int), rew=np.array([10.0, 30.0]), logp=np.zeros(2),
    ...               offsets=[0, 1, 2], terminated=[True, True], truncated=[False, False], final_obs=np.zeros((2, 1)))
    >>> scaled, state = RewardScaling(normalize=True)(batch, RewardScaling(normalize=True).init())
    >>> scaled.rew, float(state["m2"][0])
    (array([1., 3.]), 200.0)
    """

    scale: float = 1.0
    normalize: bool = False
    gamma: float = 1.0

    def __post_init__(self) -> None:
        require_positive("reward_scale", self.scale)
        require_probability("gamma", self.gamma)
        if self.normalize and self.scale != 1.0:
            raise InvalidInput(
                f"reward_scale is {self.scale}, but normalize_rewards divides every scale away; give one of the two"
            )

    def init(self) -> dict[str, Array]:
        """What `State` keeps of it before the first iteration: nothing unless rewards are normalised."""
        return _arrays(Moments.of(np.empty((0, 1))), {}) if self.normalize else {}

    def __call__(self, batch: Batch, state: dict[str, Array]) -> tuple[Batch, dict[str, Array]]:
        """The batch as an algorithm learns from it, and the state after it.

        Parameters
        ----------
        batch : Batch
            With the environment's rewards. Segments that begin in mid-episode go on from the state.
        state : dict of str to array
            From `init` or the last call.
        """
        if not self.normalize:
            return (batch if self.scale == 1.0 else replace(batch, rew=self.scale * batch.rew)), state
        moments = Moments.from_arrays({name: state[name] for name in ("count", "mean", "m2")})
        running = dict(zip(state["episode"].tolist(), state["past_return"].tolist(), strict=True))
        going_on = zip(batch.episode.tolist(), batch.start.tolist(), strict=True)
        before = np.array([running.get(episode, 0.0) if start else 0.0 for episode, start in going_on])
        u = past_return(batch, self.gamma, before)  # U_t
        after = moments.merge(Moments.of(u[:, None]))
        known = moments if moments.count else after
        variance = known.m2[0] / known.count
        deviation = np.sqrt(variance) if variance > LEAST else 1.0
        cut = ~(batch.terminated | batch.truncated)
        last = u[batch.offsets[1:] - 1]
        open_now = dict(zip(batch.episode[cut].tolist(), last[cut].tolist(), strict=True))
        return replace(batch, rew=batch.rew / deviation), _arrays(after, open_now)


def _arrays(moments: Moments, running: dict[int, float]) -> dict[str, Array]:
    episodes, pasts = np.array(list(running), np.int64), np.array(list(running.values()), np.float64)
    return moments.as_arrays() | {"episode": episodes, "past_return": pasts}
