"""Rollouts through any Gymnasium environment, each episode seeded on its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Executor
from queue import SimpleQueue
from typing import Any

import numpy as np

from .. import noise, pool, spaces
from ..errors import EnvironmentFailure, NonFinite, UnknownName
from ..policies import Policy
from ..types import Array, Batch, BoolArray, IntArray, concatenate
from .base import Live, blocks_of
from .loop import roll

__all__ = ["GymnasiumRollout", "make_env"]

MASK_31 = (1 << 31) - 1  # environments take seeds of 31 bits


def make_env(env_id: str, **kwargs: Any) -> Any:
    """`gymnasium.make`, with near matches for an unknown id.

    Raises
    ------
    UnknownName
        If no environment has that id.
    MissingExtra
        If the environment needs a package that is not installed.
    """
    import gymnasium

    from ..errors import MissingExtra

    try:
        return gymnasium.make(env_id, **kwargs)
    except (gymnasium.error.NameNotFound, gymnasium.error.NamespaceNotFound, gymnasium.error.VersionNotFound) as error:
        raise UnknownName("environment", env_id, list(gymnasium.registry)) from error
    except gymnasium.error.DependencyNotInstalled as error:
        extra = next((e for e in ("mujoco", "box2d", "atari") if e in str(error).lower()), None)
        fix = f"pip install 'npgrad[{extra}]'" if extra else "install it"
        raise MissingExtra(f"{env_id} needs a package that is not installed ({error}); {fix}") from error


class GymnasiumRollout:
    """Episodes of a Gymnasium environment, stepped side by side in blocks of `n_envs`.

    Parameters
    ----------
    env : str or function
        A Gymnasium id, or a function without arguments that makes the environment.
    n_envs : int, optional
        Environments side by side in a block; a setting, not the number of cores: matrix products of other shapes round
        otherwise.
    **kwargs
        Passed to `gymnasium.make`.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> rollout = GymnasiumRollout("CartPole-v1", n_envs=2)
    >>> policy = make_policy(rollout, "linear")
    >>> batch = rollout.episodes(policy, np.zeros(policy.n_params), seed=0, first=0, count=3)
    >>> batch.n_episodes, batch.obs.shape[1], bool(batch.terminated.all())
    (3, 4, True)
    """

    def __init__(self, env: str | Callable[[], Any], n_envs: int = 8, **kwargs: Any) -> None:
        self._make: Callable[[], Any] = (lambda: make_env(env, **kwargs)) if isinstance(env, str) else env
        first = self._make()
        self.env_id = env if isinstance(env, str) else str(getattr(getattr(first, "spec", None), "id", first))
        self.n_envs = n_envs
        self.observation_space = spaces.from_gymnasium(first.observation_space)
        self.action_space = spaces.from_gymnasium(first.action_space)
        self._spare: list[Any] = [first]
        self._blocks: SimpleQueue[_EnvSlots] = SimpleQueue()

    def episodes(
        self,
        policy: Policy,
        theta: Array,
        *,
        seed: int,
        first: int,
        count: int,
        deterministic: bool = False,
        executor: Executor | None = None,
    ) -> Batch:
        """The complete episodes first, …, first + count − 1, in that order.

        Raises
        ------
        EnvironmentFailure
            If the environment raises, or returns what is no observation or reward; it names episode, seed and step.
        NonFinite
            If an observation or a reward is NaN or infinite.
        """

        def block(bounds: tuple[int, int]) -> Batch:
            slots = self._borrow()
            slots.seed = seed
            live = Live.idle(self.n_envs, policy, theta, *bounds)
            try:
                record = roll(slots, policy, theta, live, seed=seed, n_steps=None, deterministic=deterministic)
            finally:
                self._blocks.put(slots)
            return record.batch()

        # one block is a fixed share of the episodes, whoever computes it
        return concatenate(pool.map_ordered(block, blocks_of(first, count, 4 * self.n_envs), executor))

    def close(self) -> None:
        """Close all environments."""
        while not self._blocks.empty():
            for env in self._blocks.get().envs:
                env.close()
        for env in self._spare:
            env.close()
        self._spare = []

    def _borrow(self) -> _EnvSlots:
        if not self._blocks.empty():
            return self._blocks.get()
        envs = [self._spare.pop() if self._spare else self._make() for _ in range(self.n_envs)]
        return _EnvSlots(envs, self.env_id, self.observation_space, self.action_space)


class _EnvSlots:
    """Gymnasium environments as slots."""

    def __init__(
        self, envs: list[Any], env_id: str, observation_space: spaces.Space, action_space: spaces.Space
    ) -> None:
        self.envs, self.env_id, self.n_slots = envs, env_id, len(envs)
        self.observation_space, self.action_space = observation_space, action_space
        self.discrete = isinstance(action_space, spaces.Discrete)
        self.seed = 0

    def reset(self, lanes: IntArray, episodes: IntArray, obs: Array) -> None:
        for lane, episode in zip(lanes, episodes, strict=True):
            env_seed = noise.derive_seed(self.seed, noise.RESET, int(episode)) & MASK_31
            try:
                o, _ = self.envs[lane].reset(seed=env_seed)
            except Exception as error:
                raise self._failure(f"raised {type(error).__name__}: {error} in reset", episode, 0) from error
            obs[lane] = self._flat(o, episode, 0)

    def step(self, live: Live, act: Array, rew: Array, terminated: BoolArray, truncated: BoolArray) -> None:
        actions = spaces.as_actions(self.action_space, act)
        for lane in np.flatnonzero(live.running):
            episode, t = live.episode[lane], live.t[lane]
            a = int(actions[lane]) if self.discrete else actions[lane]
            try:
                o, r, terminated[lane], truncated[lane], _ = self.envs[lane].step(a)
            except Exception as error:
                raise self._failure(f"raised {type(error).__name__}: {error} in step", episode, t) from error
            try:
                rew[lane] = r
            except (TypeError, ValueError) as error:
                raise self._failure(f"gave the reward {r!r}, expected one number,", episode, t) from error
            if not math.isfinite(rew[lane]):
                raise NonFinite(f"{self._where(episode, t)}: reward is {r}; mend the environment or bound its reward")
            live.obs[lane] = self._flat(o, episode, t + 1)

    def _flat(self, obs: Any, episode: int, t: int) -> Array:
        try:
            flat = spaces.flatten(self.observation_space, obs)
        except Exception as error:
            raise self._failure(f"gave an observation outside its space ({error})", episode, t) from error
        if not np.isfinite(flat).all():
            at = int(np.flatnonzero(~np.isfinite(flat))[0])
            raise NonFinite(
                f"{self._where(episode, t)}: obs[{at}] is {flat[at]}; mend the environment or mask the entry"
            )
        return flat

    def _where(self, episode: int, t: int) -> str:
        env_seed = noise.derive_seed(self.seed, noise.RESET, int(episode)) & MASK_31
        return f"{self.env_id}, episode {episode} (reset seed {env_seed}), step {t}"

    def _failure(self, what: str, episode: int, t: int) -> EnvironmentFailure:
        return EnvironmentFailure(f"{self._where(episode, t)}: the environment {what}")
