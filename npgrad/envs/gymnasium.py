"""Compiled environments behind Gymnasium's two interfaces, one environment and a vector of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array

from .. import spaces
from ..errors import InvalidInput
from ..spaces import Box, Discrete
from ..types import BoolArray, FloatArray, IntArray
from .base import CompiledEnv
from .block import Block
from .registry import find

__all__ = ["CompiledEnvironment", "CompiledVectorEnvironment"]


def block_actions(env: CompiledEnv, actions: Any, n: int) -> FloatArray:
    """`n` actions, checked, as the array (k, n) that `step` takes.

    Raises
    ------
    InvalidInput
        If one is outside the space.
    """
    space, given = env.action_space, np.asarray(actions)
    if given.ndim == 0 or len(given) != n:
        got = "one action" if given.ndim == 0 else f"{len(given)} actions"
        raise InvalidInput(f"{env.id} got {got}, expected {n}, one for each lane")
    kinds, expected = ("iu", "an integer") if isinstance(space, Discrete) else ("iuf", "floats")
    if given.shape[1:] != space.shape or given.dtype.kind not in kinds:
        got = f"shape {given.shape[1:]}, dtype {given.dtype}"
        raise InvalidInput(f"an action for {env.id} has {got}, expected shape {space.shape}, {expected}")
    inside: BoolArray
    if isinstance(space, Discrete):
        inside, expected = (given >= 0) & (given < space.n), f"an integer from 0 to {space.n - 1}"
    else:
        low, high = space.bounds()
        inside = np.all((given >= low) & (given <= high), axis=1)  # a NaN is outside
        expected = f"numbers in [{space.low}, {space.high}]"
    if not inside.all():
        i = int(np.argmin(inside))
        where = f"action {i}" if n > 1 else "the action"
        raise InvalidInput(f"{where} for {env.id} is {given[i]}, expected {expected}; clip or map it before the step")
    return np.ascontiguousarray(given.reshape(n, -1).T, dtype=np.float64)


def _episode(options: dict[str, Any] | None, n: int) -> IntArray | None:
    """The option "episode", one number or one for each of `n` lanes."""
    if not options or "episode" not in options:
        return None
    given = np.asarray(options["episode"])
    if given.dtype.kind not in "iu" or given.shape not in ((), (n,)) or (given < 0).any():
        raise InvalidInput(f"options['episode'] is {options['episode']!r}, expected an integer of 0 or more")
    return np.broadcast_to(given.astype(np.int64), (n,))


def _require_seed(seed: Any) -> None:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 1 << 64:
        raise InvalidInput(f"seed is {seed!r}, expected an integer from 0 to 2**64 - 1, or None")


class CompiledEnvironment(gymnasium.Env[Any, Any]):
    """A compiled environment as a Gymnasium environment.

    The noise of an episode follows from the seed given to `reset` and the number of resets since, the episode:
    ``reset(seed=s)`` begins episode 0 of seed s, every ``reset()`` the next; ``options={"episode": e}`` chooses one.
    That is the noise a compiled rollout of the same seed and episode has.

    Parameters
    ----------
    env : str or CompiledEnv
        The environment, or its id.
    render_mode : None
        Limitation: there are no pictures.

    Examples
    --------
    >>> env = CompiledEnvironment("CartPole-v1")
    >>> obs, info = env.reset(seed=0)
    >>> obs, reward, terminated, truncated, info = env.step(1)
    >>> reward, terminated, truncated
    (1.0, False, False)
    >>> env.step(2)
    Traceback (most recent call last):
    npgrad.errors.InvalidInput: the action for CartPole-v1 is 2, expected an integer from 0 to 1; ...
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(self, env: str | CompiledEnv, render_mode: None = None) -> None:
        self.compiled = find(env) if isinstance(env, str) else env
        self.render_mode = render_mode
        self.observation_space = spaces.to_gymnasium(self.compiled.observation_space)
        self.action_space = spaces.to_gymnasium(self.compiled.action_space)
        self._block = Block(self.compiled, 1)
        self._lane, self._act = np.zeros(1, dtype=np.int64), np.zeros((self.compiled.n_act, 1))
        act = self.compiled.action_space
        self._n_actions = act.n if isinstance(act, Discrete) else 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode.

        Raises
        ------
        InvalidInput
            If the seed or ``options["episode"]`` is no integer of 0 or more.
        """
        if seed is not None:
            _require_seed(seed)
        super().reset(seed=seed)
        key, episode = self._block.seed[0], int(self._block.episode[0]) + 1
        if seed is not None:
            key, episode = np.uint64(seed), 0
        elif episode == 0:  # never seeded
            key = np.uint64(self.np_random.integers(1 << 63))
        chosen = _episode(options, 1)
        self._block.begin(self._lane, np.array([key]), np.array([episode]) if chosen is None else chosen)
        return self._obs(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One step; it never truncates, the limit of time is a wrapper's.

        Raises
        ------
        InvalidInput
            If the action is outside the space.
        ResetNeeded
            Before the first reset.
        """
        block = self._block
        if block.episode[0] < 0:
            raise gymnasium.error.ResetNeeded(f"{self.compiled.id} has not begun an episode; call reset() first")
        if type(action) in (int, np.int64) and 0 <= action < self._n_actions:  # the common case, some µs quicker
            self._act[0, 0] = action
        else:
            self._act[:] = block_actions(self.compiled, np.asarray(action)[np.newaxis], 1)
        block.step(self._act)
        return self._obs(), float(block.rew[0]), bool(block.terminated[0]), False, {}

    def _obs(self) -> Any:
        return spaces.unflatten(self.compiled.observation_space, self._block.obs[:, 0])


class CompiledVectorEnvironment(gymnasium.vector.VectorEnv[Any, Any, Any]):
    """`num_envs` lanes of a compiled environment as a Gymnasium vector environment.

    Lane i is, bit for bit, the single environment reset with its seed: ``reset(seed=s)`` gives it s + i, as
    `gymnasium.vector.SyncVectorEnv` does; each further episode of the lane is the next of that seed.

    Parameters
    ----------
    env : str or CompiledEnv
        The environment, or its id.
    num_envs : int
        Lanes.
    max_episode_steps : int, optional
        The limit of time; the environment's own by default.
    autoreset_mode : AutoresetMode or str
        When an episode that has ended gives way to the next: in the step after (``"NextStep"``), in the same step
        (``"SameStep"``; the last observation is then in ``infos["final_obs"]``), or by ``reset`` with
        ``options={"reset_mask": mask}`` only (``"Disabled"``).
    render_mode : None
        Limitation: there are no pictures.

    Examples
    --------
    >>> envs = CompiledVectorEnvironment("Pendulum-v1", num_envs=3)
    >>> obs, infos = envs.reset(seed=0)
    >>> obs, rewards, terminations, truncations, infos = envs.step(np.zeros((3, 1), dtype=np.float32))
    >>> obs.shape, obs.dtype.name, rewards.shape
    ((3, 3), 'float32', (3,))
    """

    def __init__(
        self,
        env: str | CompiledEnv,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: None = None,
    ) -> None:
        self.compiled = find(env) if isinstance(env, str) else env
        self.num_envs, self.render_mode = num_envs, render_mode
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {"render_modes": [], "autoreset_mode": self.autoreset_mode}
        self.single_observation_space = spaces.to_gymnasium(self.compiled.observation_space)
        self.single_action_space = spaces.to_gymnasium(self.compiled.action_space)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        limit = max_episode_steps if max_episode_steps is not None else self.compiled.max_episode_steps
        self._limit = limit if limit is not None else np.iinfo(np.int64).max
        self._block = Block(self.compiled, num_envs)
        self._ended: BoolArray = np.zeros(num_envs, dtype=np.bool_)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode in every lane, or in those of ``options["reset_mask"]``.

        Raises
        ------
        InvalidInput
            If a seed is no integer of 0 or more, or the mask is no bool array with one entry a lane.
        """
        n = self.num_envs
        if isinstance(seed, int):
            _require_seed(seed)
        given = [seed] * n if seed is None else [seed + i for i in range(n)] if isinstance(seed, int) else list(seed)
        if len(given) != n:
            raise InvalidInput(f"there are {len(given)} seeds, expected {n}, one for each lane, or one number")
        super().reset(seed=seed if isinstance(seed, int) else None)
        mask, chosen = self._mask(options), _episode(options, n)
        keys, episodes = self._block.seed.copy(), self._block.episode + 1
        for i in np.flatnonzero(mask):
            own = given[i]
            if own is not None:
                _require_seed(own)
                keys[i], episodes[i] = own, 0
            elif episodes[i] == 0:  # never seeded
                keys[i] = self.np_random.integers(1 << 63)
        lanes = np.flatnonzero(mask)
        self._block.begin(lanes, keys[lanes], (episodes if chosen is None else chosen)[lanes])
        self._ended &= ~mask
        return self._obs(), {}

    def _mask(self, options: dict[str, Any] | None) -> BoolArray:
        mask = (options or {}).get("reset_mask", np.ones(self.num_envs, dtype=np.bool_))
        fits = isinstance(mask, np.ndarray) and mask.shape == (self.num_envs,) and mask.dtype == np.bool_
        if not fits or not mask.any():
            raise InvalidInput(
                f"options['reset_mask'] is {mask!r}, expected {self.num_envs} truth values, one at least"
            )
        return np.asarray(mask, dtype=np.bool_)

    def _begin_next(self, lanes: IntArray) -> None:
        """The next episode of each lane."""
        self._block.begin(lanes, self._block.seed[lanes], self._block.episode[lanes] + 1)

    def step(self, actions: Any) -> tuple[Any, FloatArray, BoolArray, BoolArray, dict[str, Any]]:
        """One step of all lanes.

        Raises
        ------
        InvalidInput
            If an action is outside the space.
        ResetNeeded
            Before the first reset, and, without autoreset, if an episode has ended.
        """
        block = self._block
        infos: dict[str, Any] = {}
        if (block.episode < 0).any() or (self.autoreset_mode is AutoresetMode.DISABLED and self._ended.any()):
            lanes = np.flatnonzero((block.episode < 0) | self._ended)
            raise gymnasium.error.ResetNeeded(f"lanes {lanes} of {self.compiled.id} have no episode; reset them first")
        block.step(block_actions(self.compiled, actions, self.num_envs))
        rew, terminated = block.rew.copy(), block.terminated.copy()
        truncated: BoolArray = block.t >= self._limit
        if self.autoreset_mode is AutoresetMode.NEXT_STEP and self._ended.any():
            lanes = np.flatnonzero(self._ended)
            self._begin_next(lanes)
            rew[lanes], terminated[lanes], truncated[lanes] = 0.0, False, False
        self._ended = terminated | truncated
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._ended.any():
            lanes = np.flatnonzero(self._ended)
            for i in lanes:
                final = spaces.unflatten(self.compiled.observation_space, block.obs[:, i])
                infos = self._add_info(infos, {"final_obs": final, "final_info": {}}, int(i))
            self._begin_next(lanes)
        return self._obs(), rew, terminated, truncated, infos

    def _obs(self) -> Any:
        space, rows = self.compiled.observation_space, self._block.obs.T
        if isinstance(space, Box):
            return rows.astype(space.dtype).reshape((self.num_envs, *space.shape))
        if isinstance(space, Discrete):
            return space.start + np.argmax(rows, axis=1).astype(space.dtype)
        each = [spaces.unflatten(space, row) for row in rows]
        empty: Any = create_empty_array(self.single_observation_space, self.num_envs)
        return concatenate(self.single_observation_space, each, empty)
