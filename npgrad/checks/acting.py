"""A policy with the points it is checked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import spaces
from ..types import Array, FloatArray, IntArray
from .expectation import DRAWS, Expectation, draw_noise, expectation
from .products import SOME_COORDINATES, ThetaMap
from .sampling import sample_flat

__all__ = ["Acting"]

OFFSETS = (0, 3, 4, 7)  # episodes of the observations
CHUNK = 20_000  # rows that a policy is linearised on at once


class Acting:
    """A policy at θ, on T observations in episodes, with an action for each.

    Parameters
    ----------
    policy : Policy
    rng : numpy.random.Generator
    theta : array, shape (P,), or None
    obs : array, shape (T, d), or None
    offsets : int array, shape (N + 1,), or None
    """

    def __init__(
        self,
        policy: Any,
        rng: np.random.Generator,
        theta: npt.ArrayLike | None,
        obs: npt.ArrayLike | None,
        offsets: npt.ArrayLike | None,
    ) -> None:
        self.policy, self._rng = policy, rng
        if obs is None:
            obs, offsets = _sample_observations(policy, rng, OFFSETS[-1]), OFFSETS
        self.obs = np.array(obs)
        self.offsets: IntArray = np.asarray([0, len(self.obs)] if offsets is None else offsets, dtype=np.int64)
        start = policy.init(rng) + 0.3 * rng.normal(size=policy.n_params) if theta is None else theta
        self.theta: FloatArray = np.array(start, dtype=np.float64)
        self.other_theta = self.theta + 0.2 * rng.normal(size=len(self.theta))
        self.noise = draw_noise(rng, policy.draws, len(self.obs))
        self.v = rng.normal(size=len(self.theta))
        self.w = rng.uniform(0.5, 1.5, size=len(self.obs))
        n = len(self.theta)
        self.coordinates = np.sort(rng.permutation(n)[:SOME_COORDINATES])
        self.act = self.stepped()[0]  # one for each row

    @property
    def mask(self) -> Array | None:
        """(T, n) flags of the actions allowed, if observations end in a mask."""
        n = getattr(self.policy, "n_masked", 0)
        return self.obs[:, -n:] != 0 if n else None

    def stepped(self, greedy: bool = False, theta: Array | None = None) -> tuple[Array, Array]:
        """Actions and their log-probabilities, a row at a time, with memory zero at each offset."""
        theta = self.theta if theta is None else theta
        memory, actions, log_p = np.zeros((1, self.policy.n_memory), theta.dtype), [], []
        for t in range(len(self.obs)):
            memory = 0 * memory if t in self.offsets else memory
            noise = None if greedy else self.noise[t : t + 1]
            act, logp, memory = self.policy.act(theta, self.obs[t : t + 1], noise, memory)
            actions.append(act)
            log_p.append(logp)
        return np.concatenate(actions), np.concatenate(log_p)

    @cached_property
    def draws(self) -> Array:
        """Many actions at each row, (T, n, …)."""
        memory, actions = np.zeros((DRAWS, self.policy.n_memory)), []
        for t in range(len(self.obs)):
            memory = 0 * memory if t in self.offsets else memory
            noise = draw_noise(self._rng, self.policy.draws, DRAWS)
            act, _, memory = self.policy.act(self.theta, np.repeat(self.obs[t : t + 1], DRAWS, axis=0), noise, memory)
            actions.append(act)
        return np.stack(actions)

    @cached_property
    def log_pi(self) -> ThetaMap:
        """θ ↦ log π_θ(a_t|o_t)."""

        def row(theta: Array, t: int) -> Any:
            return self.policy.at(theta, self.obs[t : t + 1], self.act[t : t + 1])

        return ThetaMap("log π", self.at, lambda lin: lin.log_prob, None if self.policy.n_memory else row)

    def at(self, theta: Array) -> Any:
        """The linearisation at θ, on the observations and actions."""
        return self.policy.at(theta, self.obs, self.act, self.offsets)

    def repeated(self, act: Array, theta: Array | None = None) -> Iterator[tuple[slice, Any]]:
        """Linearisations on the whole sequence of observations, again and again, with actions (T, n, …).

        Yields, for some of the n columns at a time, which they are and the linearisation, whose rows are column after
        column: so that the memory at each row is as it should be.
        """
        T, n = act.shape[:2]
        step = max(1, CHUNK // T)
        for first in range(0, n, step):
            some = act[:, first : first + step].swapaxes(0, 1)  # (m, T, …)
            m = len(some)
            edges = np.append((np.arange(m)[:, None] * T + self.offsets[:-1]).ravel(), m * T)
            flat = some.reshape(m * T, *act.shape[2:])
            at = self.theta if theta is None else theta
            yield slice(first, first + m), self.policy.at(at, np.tile(self.obs, (m, 1)), flat, edges)

    def over_actions(self, act: Array, row: Callable[[Any], Array], theta: Array | None = None) -> Array:
        """``row(linearisation)``, one number a row, at actions (T, n, …), as (T, n)."""
        T = len(act)
        return np.concatenate([np.asarray(row(lin)).reshape(-1, T) for _, lin in self.repeated(act, theta)]).T

    def accepts(self, act: Array) -> bool:
        """Whether one action is an action."""
        try:
            log_p = self.policy.at(self.theta, self.obs[:1], act[None]).log_prob
        except Exception:
            return False
        return not bool(np.isnan(log_p).any())

    @cached_property
    def expectation(self) -> Expectation:
        """Over the actions at each row."""
        mode = self.stepped(greedy=True)[0]
        return expectation(lambda act: self.over_actions(act, lambda lin: lin.log_prob), self.accepts, mode, self.draws)


def _sample_observations(policy: Any, rng: np.random.Generator, n: int) -> FloatArray:
    n_masked = getattr(policy, "n_masked", 0)
    if spaces.flat_dim(policy.observation_space) == policy.n_obs - n_masked:
        inputs = sample_flat(policy.observation_space, rng, n)
    else:
        inputs = rng.normal(size=(n, policy.n_obs - n_masked))
    mask = rng.integers(0, 2, size=(n, n_masked)).astype(np.float64)
    if n_masked:  # at least one allowed and, if there are two, one not
        mask[np.arange(n), np.arange(n) % n_masked] = 0
        mask[np.arange(n), (np.arange(n) + 1) % n_masked] = 1
    return np.concatenate([inputs, mask], axis=1)
