"""Rollouts through any Gymnasium environment, each episode seeded on its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from functools import cached_property
from queue import SimpleQueue
from typing import Any

import numpy as np

from .. import pool, spaces
from ..envs import register_all
from ..errors import InvalidInput, MissingExtra, UnknownName
from ..policies import Policy
from ..types import Array, Batch, BoolArray, FloatArray, IntArray, concatenate
from .base import Live, blocks_of, continued, started
from .border import Border, episode_seed
from .loop import roll

__all__ = ["GymnasiumRollout", "make_env"]


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

    register_all()
    try:
        return gymnasium.make(env_id, **kwargs)
    except (gymnasium.error.NameNotFound, gymnasium.error.NamespaceNotFound, gymnasium.error.VersionNotFound) as error:
        raise UnknownName("environment", env_id, list(gymnasium.registry)) from error
    except gymnasium.error.DependencyNotInstalled as error:
        extra = next((e for e in ("mujoco", "box2d", "atari") if e in str(error).lower()), None)
        fix = f"pip install 'npgrad[{extra}]'" if extra else "install it"
        raise MissingExtra(f"{env_id} needs a package that is not installed ({error}); {fix}") from error
    except TypeError as error:
        if not kwargs:
            raise
        raise InvalidInput(f"env_kwargs are {kwargs}, and {env_id} could not be made with them: {error}") from error
    except ModuleNotFoundError as error:  # module:Id
        raise InvalidInput(f"{env_id}: {error}; is the module installed, or beside you?") from error


class GymnasiumRollout:
    """Episodes of a Gymnasium environment, stepped side by side in blocks of `n_envs`.

    Parameters
    ----------
    env : str, function or environment
        A Gymnasium id, a function without arguments that makes the environment, or one environment, which then is all
        there is: ``n_envs`` is 1.
    n_envs : int, optional
        Environments side by side in a block; a setting, not the number of cores: matrix products of other shapes round
        otherwise.
    n_blocks : int, optional
        Blocks that `steps` moves; `episodes` makes as many as it needs.
    fresh : bool, optional
        Make an environment anew for each episode, for those that carry state across resets.
    **kwargs
        Passed to `gymnasium.make`.

    Attributes
    ----------
    n_masked : int
        Columns of obs, the last ones, that are the mask ``info["action_mask"]``; 0 if the environment gives none.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> rollout = GymnasiumRollout("CartPole-v1", n_envs=2)
    >>> policy = make_policy(rollout, "linear")
    >>> batch = rollout.episodes(policy, np.zeros(policy.n_params), seed=0, first=0, count=3)
    >>> batch.n_episodes, batch.obs.shape[1], bool(batch.terminated.all())
    (3, 4, True)
    """

    def __init__(
        self, env: str | Callable[[], Any] | Any, n_envs: int = 8, n_blocks: int = 1, fresh: bool = False, **kwargs: Any
    ) -> None:
        self._make = _maker(env, kwargs)
        alone = not isinstance(env, str) and not callable(env)
        if alone and (fresh or n_blocks > 1):
            raise InvalidInput("one environment cannot be made anew or several times; pass a function that makes it")
        first = self._make()
        self.env_id = env if isinstance(env, str) else str(getattr(getattr(first, "spec", None), "id", first))
        self.n_envs, self.n_blocks, self.fresh = 1 if alone else n_envs, n_blocks, fresh
        self.observation_space = spaces.from_gymnasium(first.observation_space)
        self.action_space = spaces.from_gymnasium(first.action_space)
        self._spare: list[Any] = [first]
        self._blocks: SimpleQueue[EnvSlots] = SimpleQueue()
        self._going: dict[int, EnvSlots] = {}  # of `steps`, by block

    @cached_property
    def n_masked(self) -> int:
        """Columns of obs that are a mask."""
        _, info = self._spare[0].reset(seed=0)
        return len(info["action_mask"]) if "action_mask" in info else 0

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
            slots = self._blocks.get() if not self._blocks.empty() else self._new_slots(policy)
            slots.seed = seed
            live = Live.idle(self.n_envs, policy, theta, *bounds, obs_dtype=slots.border.obs_dtype)
            try:
                record = roll(slots, policy, theta, live, seed=seed, n_steps=None, deterministic=deterministic)
            finally:
                self._blocks.put(slots)
            return record.batch()

        # one block is a fixed share of the episodes, whoever computes it
        return concatenate(pool.map_ordered(block, blocks_of(first, count, 4 * self.n_envs), executor))

    def start(self, policy: Policy, theta: Array) -> dict[str, Array]:
        """Where `steps` begins: all slots before their first episode."""
        n_slots, dtype = self.n_blocks * self.n_envs, Border(self, policy).obs_dtype
        return started(policy, theta, n_slots, dtype) | {"block": np.repeat(np.arange(self.n_blocks), self.n_envs)}

    def steps(
        self,
        policy: Policy,
        theta: Array,
        *,
        seed: int,
        n_steps: int,
        state: dict[str, Array],
        executor: Executor | None = None,
    ) -> tuple[Batch, dict[str, Array]]:
        """`n_steps` of every slot, as segments that begin and end where they do, and where to go on from.

        Raises
        ------
        InvalidInput
            If the environments are not where `state` left them.
        """

        def block(arrays: dict[str, Array]) -> tuple[Batch, dict[str, Array]]:
            live, number = Live.of(arrays, quota=self.n_blocks * self.n_envs), int(arrays["block"][0])
            slots = self._going.setdefault(number, self._new_slots(policy))
            slots.seed = seed
            slots.require_at(live)
            record = roll(slots, policy, theta, live, seed=seed, n_steps=n_steps, deterministic=False)
            return record.batch(), live.arrays() | {"block": arrays["block"]}

        return continued(block, state, self.n_blocks, executor)

    def close(self) -> None:
        """Close all environments."""
        while not self._blocks.empty():
            self._spare += self._blocks.get().envs
        self._spare += [env for slots in self._going.values() for env in slots.envs]
        for env in self._spare:
            env.close()
        self._spare, self._going = [], {}

    def _new_slots(self, policy: Policy) -> EnvSlots:
        envs = [self._spare.pop() if self._spare else self._make() for _ in range(self.n_envs)]
        return EnvSlots(envs, Border(self, policy), self._make if self.fresh else None)


def _maker(env: Any, kwargs: dict[str, Any]) -> Callable[[], Any]:
    if isinstance(env, str):
        return lambda: make_env(env, **kwargs)
    if kwargs:
        raise InvalidInput(f"{sorted(kwargs)} are for gymnasium.make, but the environment is {env!r}; pass its id")
    return env if callable(env) else lambda: env


class EnvSlots:
    """Gymnasium environments as slots."""

    def __init__(self, envs: list[Any], border: Border, make: Callable[[], Any] | None) -> None:
        self.envs, self.border, self.n_slots, self._fresh = envs, border, len(envs), make
        self.seed = 0
        self._at = np.full((2, len(envs)), -1)  # episode and t of each environment
        self._spaces: list[Any] = [None] * len(envs)  # each one's, as last looked at

    def ready(self) -> BoolArray:
        return np.ones(self.n_slots, dtype=np.bool_)

    def reset(self, lanes: IntArray, episodes: IntArray, obs: Array) -> None:
        for lane, episode in zip(lanes.tolist(), episodes.tolist(), strict=True):
            with self.border.at(self.seed, episode, 0, "reset"):
                if self._fresh is not None:
                    self.envs[lane].close()
                    self.envs[lane] = self._fresh()
                o, info = self.envs[lane].reset(seed=episode_seed(self.seed, episode))
            own = self.envs[lane].observation_space, self.envs[lane].action_space
            if self._spaces[lane] is None or any(a is not b for a, b in zip(own, self._spaces[lane], strict=True)):
                self.border.require_spaces(self.envs[lane], self.seed, episode)
                self._spaces[lane] = own
            obs[lane] = self.border.observation(o, info, self.seed, episode, 0)
            self._at[:, lane] = episode, 0

    def step(self, live: Live, act: Array, rew: FloatArray, terminated: BoolArray, truncated: BoolArray) -> None:
        actions = self.border.actions(act)
        for lane in np.flatnonzero(live.running).tolist():
            episode, t = int(live.episode[lane]), int(live.t[lane])
            with self.border.at(self.seed, episode, t, "step"):
                o, r, terminated[lane], truncated[lane], info = self.envs[lane].step(actions[lane])
            rew[lane] = self.border.reward(r, self.seed, episode, t)
            live.obs[lane] = self.border.observation(o, info, self.seed, episode, t + 1)
            self._at[:, lane] = episode, t + 1

    def require_at(self, live: Live) -> None:
        """Raise unless the running environments are where `live` has them."""
        off = np.flatnonzero(live.running & (self._at != (live.episode, live.t)).any(axis=0))
        if len(off):
            i = off[0]
            raise InvalidInput(
                f"environment {i} is at step {self._at[1, i]} of episode {self._at[0, i]}, the state at step "
                f"{live.t[i]} of episode {live.episode[i]}; go on with the rollout that gave the state, or from start()"
            )
