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
from ..errors import EnvironmentFailure, InvalidInput, MissingExtra, UnknownName
from ..policies import Policy
from ..types import Array, Batch, BoolArray, FloatArray, IntArray, concatenate
from .base import Layout, Live, blocks_of, continued, started
from .border import Border, episode_seed
from .loop import roll
from .room import require_room

__all__ = ["GymnasiumRollout", "make_env"]

# across resets: old bodies leave traces in the world
CARRY_STATE = ("BipedalWalker-v3", "BipedalWalkerHardcore-v3")


def make_env(env_id: str, **kwargs: Any) -> Any:
    """`gymnasium.make`, with near matches for an unknown id.

    Raises
    ------
    UnknownName
        If no environment has that id.
    MissingExtra
        If the environment needs a package that is not installed.
    InvalidInput
        If it cannot be made with `kwargs`, or there is no such module.
    EnvironmentFailure
        If it raises.
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
    except ModuleNotFoundError as error:  # module:Id
        raise InvalidInput(f"{env_id}: {error}; is the module installed, or beside you?") from error
    except Exception as error:
        what = f"{env_id} could not be made{' with them' if kwargs else ''}: {type(error).__name__}: {error}"
        if kwargs:
            raise InvalidInput(f"env_kwargs is {kwargs}, and {what}; give what its __init__ takes") from error
        raise EnvironmentFailure(f"{what}; gymnasium.make({env_id!r}) alone shows where") from error


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
        Make an environment anew for each episode, as those need that carry state across resets; the walkers of
        Gymnasium do, and get it anyway.
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
        self.n_envs, self.n_blocks = 1 if alone else n_envs, n_blocks
        self.fresh = fresh or (self.env_id in CARRY_STATE and not alone)
        for name in ("observation_space", "action_space"):
            if getattr(first, name, None) is None:
                raise InvalidInput(f"{self.env_id} has no {name}; set it to one of gymnasium.spaces")
        self.observation_space = spaces.from_gymnasium(first.observation_space)
        self.action_space = spaces.from_gymnasium(first.action_space)
        self._spare: list[Any] = [first]
        self._blocks: SimpleQueue[EnvSlots] = SimpleQueue()
        self._going: dict[int, EnvSlots] = {}  # of `steps`, by block
        self._alone = alone

    @cached_property
    def n_masked(self) -> int:
        """Columns of obs that are a mask."""
        try:
            given = self._spare[0].reset(seed=0)
        except Exception as error:
            what = f"the environment raised {type(error).__name__}: {error} in reset"
            raise EnvironmentFailure(f"{self.env_id}, reset seed 0: {what}") from error
        info = given[1] if isinstance(given, tuple) and len(given) == 2 else {}  # the first episode says what is wrong
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
        layout: Layout | None = None,
    ) -> Batch:
        """The complete episodes first, …, first + count − 1, in that order; `layout`: some blocks of a larger call.

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
                for others in self._going.values() if self._alone else ():
                    others.leave()  # it is their environment too
            return record.batch()

        # one block is a fixed share of the episodes, whoever computes it
        _, blocks = layout or self.layout(policy, theta, first, count)
        return concatenate(pool.map_ordered(block, blocks, executor))

    def layout(self, policy: Policy, theta: Array, first: int, count: int) -> Layout:
        """Slots of a block, and the episodes of each block as (first, end)."""
        return self.n_envs, blocks_of(first, count, 4 * self.n_envs)

    def start(self, policy: Policy, theta: Array) -> dict[str, Array]:
        """Where `steps` begins: all slots before their first episode."""
        n_slots, dtype = self.n_blocks * self.n_envs, Border(self, policy).obs_dtype
        space: Any = self.action_space
        block = np.repeat(np.arange(self.n_blocks), self.n_envs)
        none = np.zeros((n_slots, 0, *space.shape), dtype=space.dtype)
        return started(policy, theta, n_slots, dtype) | {"block": block, "actions": none}

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

        Environments that are not where `state` has them are brought there: reset with the seed of their episode, and
        given its actions again.

        Raises
        ------
        EnvironmentFailure
            As `episodes`, and if an environment then gives another observation than it gave before.
        """

        require_room(n_steps * len(state["t"]), 8 * (policy.n_obs + 3), "fewer n_steps, or n_envs, will do")

        def block(arrays: dict[str, Array]) -> tuple[Batch, dict[str, Array]]:
            live, number = Live.of(arrays, quota=self.n_blocks * self.n_envs), int(arrays["block"][0])
            slots = self._going[number]
            slots.go_to(live, arrays["actions"], seed)
            record = roll(slots, policy, theta, live, seed=seed, n_steps=n_steps, deterministic=False)
            return record.batch(), live.arrays() | {"block": arrays["block"]}

        here = state["block"][:: self.n_envs].tolist()
        for number in here:
            if number not in self._going:
                self._going[number] = self._new_slots(policy)
        batch, after = continued(block, state, self.n_envs, executor)
        longest = int(after["t"].max())
        return batch, after | {"actions": np.concatenate([self._going[number].acted(longest) for number in here])}

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
        self._spaces: list[Any] = [None] * len(envs)  # each one's, as last looked at
        self._acts: Array | None = None  # (B, T, …), in the episodes so far; only who comes by `go_to` needs them
        self.leave()

    def leave(self) -> None:
        """No environment is where it was."""
        self._at = np.full((2, self.n_slots), -1)  # episode and t of each environment

    def ready(self) -> BoolArray:
        return np.ones(self.n_slots, dtype=np.bool_)

    def reset(self, lanes: IntArray, episodes: IntArray, obs: Array) -> None:
        for lane, episode in zip(lanes.tolist(), episodes.tolist(), strict=True):
            self._at[:, lane] = -1
            with self.border.at(self.seed, episode, 0, "reset"):
                if self._fresh is not None:
                    self.envs[lane].close()
                    self.envs[lane] = self._fresh()
                given = self.envs[lane].reset(seed=episode_seed(self.seed, episode))
            o, info = self.border.parts(given, "reset", self.seed, episode, 0)
            own = self.envs[lane].observation_space, self.envs[lane].action_space
            if self._spaces[lane] is None or any(a is not b for a, b in zip(own, self._spaces[lane], strict=True)):
                self.border.require_spaces(self.envs[lane], self.seed, episode)
                self._spaces[lane] = own
            obs[lane] = self.border.observation(o, info, self.seed, episode, 0)
            self._at[:, lane] = episode, 0

    def step(self, live: Live, act: Array, rew: FloatArray, terminated: BoolArray, truncated: BoolArray) -> None:
        actions = self.border.actions(act)
        for lane in np.flatnonzero(live.running).tolist():
            place = int(live.episode[lane]), int(live.t[lane])
            live.obs[lane], rew[lane], terminated[lane], truncated[lane] = self._move(lane, *place, actions[lane])

    def _move(self, lane: int, episode: int, t: int, action: Any) -> tuple[Array, float, bool, bool]:
        self._at[0, lane] = -1  # until it has come through
        with self.border.at(self.seed, episode, t, "step"):
            given = self.envs[lane].step(action)
        o, r, terminated, truncated, info = self.border.parts(given, "step", self.seed, episode, t)
        rew = self.border.reward(r, self.seed, episode, t)
        obs = self.border.observation(o, info, self.seed, episode, t + 1)
        self._at[:, lane] = episode, t + 1
        if self._acts is not None:
            if t >= self._acts.shape[1]:
                self._acts = np.concatenate([self._acts, np.zeros_like(self._acts)], axis=1)
            self._acts[lane, t] = action
        return obs, rew, terminated, truncated

    def acted(self, longest: int) -> Array:
        """What was done so far in the episode of each environment, (B, longest, …), zeros behind it."""
        rows = self._no_acts(longest)
        for lane, t in enumerate(self._at[1]):
            rows[lane, :t] = self._acts[lane, :t]  # type: ignore[index]
        return rows

    def _no_acts(self, longest: int) -> Array:
        space: Any = self.border.action_space
        return np.zeros((self.n_slots, longest, *space.shape), dtype=space.dtype)

    def go_to(self, live: Live, acted: Array, seed: int) -> None:
        """Bring the running environments where `live` has them, by what was `acted` (B, T, …) so far.

        Raises
        ------
        EnvironmentFailure
            If one does not give the same observation again.
        """
        if self._acts is None or seed != self.seed:
            self._acts, self.seed = self._no_acts(16), seed
            self.leave()
        for lane in np.flatnonzero(live.running).tolist():
            episode, t = int(live.episode[lane]), int(live.t[lane])
            at = tuple(self._at[:, lane]) == (episode, t)
            if not at or (self._acts[lane, :t] != acted[lane, :t]).any():
                self._replay(lane, episode, acted[lane, :t], live.obs[lane])

    def _replay(self, lane: int, episode: int, acted: Array, expected: Array) -> None:
        obs, ended = np.empty((self.n_slots, len(expected)), dtype=expected.dtype), False
        self.reset(np.array([lane]), np.array([episode]), obs)
        for t, action in enumerate(self.border.actions(acted)):
            obs[lane], _, terminated, truncated = self._move(lane, episode, t, action)
            if ended := terminated or truncated:
                break
        if ended or (obs[lane] != expected).any():
            off = "the episode ends early" if ended else f"obs is off by {np.abs(obs[lane] - expected).max():.3g}"
            raise self.border.failure(
                f"is elsewhere when its seed and actions are repeated ({off}), so nothing can go on in mid-episode; "
                "if it carries state across resets, make it anew for each episode, fresh=True or --fresh; "
                "if it is random by itself, collect complete episodes, n_episodes or --n-episodes",
                self.seed, episode, len(acted),
            )  # fmt: skip
