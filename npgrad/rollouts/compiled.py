"""Rollouts in compiled environments: fused for linear policies, NumPy's forward between steps for others."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from functools import cached_property

import numpy as np

from .. import jit, noise, pool, spaces
from ..envs import CompiledEnv
from ..errors import InvalidInput
from ..noise.compiled import fill
from ..policies import Policy
from ..types import Array, Batch, BoolArray, FloatArray, IntArray, concatenate
from .base import Live, blocks_of, continued, started
from .fused import Buffers, Recorded, affine_of, assemble, roll_fused
from .loop import roll

__all__ = ["CompiledRollout"]


class CompiledRollout:
    """Episodes of a compiled environment in blocks of `n_envs` slots.

    Parameters
    ----------
    env : CompiledEnv
        The environment.
    n_envs : int, optional
        Slots of a block; a setting, not the number of cores.
    n_blocks : int, optional
        Blocks that `steps` moves; `episodes` makes as many as it needs.

    Examples
    --------
    >>> from npgrad.envs import compiled_twin
    >>> from npgrad.policies import make_policy
    >>> rollout = CompiledRollout(compiled_twin("CartPole-v1"))
    >>> policy = make_policy(rollout, "linear")
    >>> batch = rollout.episodes(policy, np.zeros(policy.n_params), seed=0, first=0, count=100)
    >>> batch.n_episodes, bool(15 < batch.returns().mean() < 30)
    (100, True)
    """

    n_masked = 0

    def __init__(self, env: CompiledEnv, n_envs: int = 64, n_blocks: int = 1) -> None:
        self.env, self.n_envs, self.n_blocks = env, n_envs, n_blocks
        self.env_id = env.id
        self.observation_space, self.action_space = env.observation_space, env.action_space
        self._buffers: dict[tuple[int, int, int], Buffers] = {}

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
        InvalidInput
            If the environment has no time limit, so that an episode may never end.
        """
        if self.env.max_episode_steps is None:
            raise InvalidInput(f"{self.env_id} has no max_episode_steps, so an episode may never end; give it one")
        linear = affine_of(policy, theta)
        n_slots, units = min(self.n_envs, count), blocks_of(first, count, 2 * self.n_envs)
        if linear is None:

            def block(bounds: tuple[int, int]) -> Batch:
                slots, live = CompiledSlots(self.env, n_slots, seed), Live.idle(n_slots, policy, theta, *bounds)
                return roll(slots, policy, theta, live, seed=seed, n_steps=None, deterministic=deterministic).batch()

            return concatenate(pool.map_ordered(block, units, executor))

        shape = n_slots, linear.W.shape[0], linear.bounds.shape[1]
        buffers = self._buffers.setdefault(shape, Buffers(*shape))

        def fused_block(bounds: tuple[int, int]) -> Recorded:
            slots, live = CompiledSlots(self.env, n_slots, seed), Live.idle(n_slots, policy, theta, *bounds)
            return roll_fused(slots, policy, linear, live, buffers, seed=seed, greedy=deterministic)

        return assemble(pool.map_ordered(fused_block, units, executor), first, linear.gaussian, buffers, executor)

    def start(self, policy: Policy, theta: Array) -> dict[str, Array]:
        """Where `steps` begins: all slots before their first episode."""
        state = np.zeros((self.n_blocks * self.n_envs, self.env.n_state))
        return started(policy, theta, self.n_blocks * self.n_envs) | {"env": state}

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
        """`n_steps` of every slot, as segments that begin and end where they do, and where to go on from."""

        def block(arrays: dict[str, Array]) -> tuple[Batch, dict[str, Array]]:
            live, slots = Live.of(arrays, quota=self.n_blocks * self.n_envs), CompiledSlots(self.env, self.n_envs, seed)
            slots.state[:], slots.obs[:] = arrays["env"].T, live.obs.T
            record = roll(slots, policy, theta, live, seed=seed, n_steps=n_steps, deterministic=False)
            return record.batch(), live.arrays() | {"env": slots.state.T.copy()}

        return continued(block, state, self.n_blocks, executor)

    def close(self) -> None:
        """Nothing is held."""


class CompiledSlots:
    """A block of a compiled environment, struct of arrays."""

    def __init__(self, env: CompiledEnv, n_slots: int, seed: int) -> None:
        self.env, self.n_slots, self.seed = env, n_slots, seed
        self.params = env.params_array
        self.limit = env.max_episode_steps if env.max_episode_steps is not None else np.iinfo(np.int64).max
        self.kinds = {"reset": noise.kind_codes(env.reset_noise), "step": noise.kind_codes(env.step_noise)}
        self.state = np.zeros((env.n_state, n_slots))
        self.obs = np.zeros((spaces.flat_dim(env.observation_space), n_slots))  # (d, B)

    @cached_property
    def _reset(self) -> Callable[..., None]:
        return jit.njit_function(self.env.reset, "reset")

    @cached_property
    def _step(self) -> Callable[..., None]:
        return jit.njit_function(self.env.step, "step")

    def ready(self) -> BoolArray:
        return np.ones(self.n_slots, dtype=np.bool_)

    def reset(self, lanes: IntArray, episodes: IntArray, obs: Array) -> None:
        u = np.empty((len(self.kinds["reset"]), len(lanes)))
        fill(self.kinds["reset"], self.seed, noise.RESET, episodes, np.zeros(len(lanes), np.int64), u)
        self._reset(self.params, lanes, u, self.state, self.obs)
        obs[lanes] = self.obs[:, lanes].T

    def step(self, live: Live, act: Array, rew: FloatArray, terminated: BoolArray, truncated: BoolArray) -> None:
        u = np.empty((len(self.kinds["step"]), self.n_slots))
        fill(self.kinds["step"], self.seed, noise.DYNAMICS, np.maximum(live.episode, 0), live.t, u)
        actions = np.ascontiguousarray(np.reshape(act, (self.n_slots, -1)).T, dtype=np.float64)  # (k, B)
        self._step(self.params, actions, u, self.state, self.obs, rew, terminated)
        truncated[:] = ~terminated & (live.t + 1 >= self.limit)
        live.obs[:] = self.obs.T
