"""Rollouts in compiled environments: fused for linear policies, NumPy's forward between steps for others."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import nullcontext
from functools import cached_property

import numpy as np

from .. import jit, noise, pool, spaces
from ..envs import CompiledEnv
from ..errors import InvalidInput
from ..memory import Memory
from ..noise.compiled import fill
from ..policies import ComposedPolicy, Policy
from ..types import Array, Batch, BoolArray, FloatArray, IntArray, concatenate
from .base import Layout, Live, blocks_of, continued, started
from .fused import Dynamics, FusedBlock, Head, forward, head_of, inside_of
from .gather import FEWER, Gathering, Shape
from .loop import roll
from .room import require_room

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
        self._memory = Memory()

    @property
    def _one_hot(self) -> bool:
        return isinstance(self.observation_space, spaces.Discrete)

    @cached_property
    def _dynamics(self) -> Dynamics:
        return Dynamics.of(self.env)

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
        InvalidInput
            If the environment has no time limit, so that an episode may never end.
        """
        if self.env.max_episode_steps is None:
            raise InvalidInput(f"{self.env_id} has no max_episode_steps, so an episode may never end; give it one")
        require_room(count, 8 * (policy.n_obs + 3), FEWER)  # an episode has one row at least
        n_slots, blocks = layout or self.layout(policy, theta, first, count)
        if isinstance(policy, ComposedPolicy) and (head := head_of(policy)) is not None:
            return self._fused(head, policy, theta, seed, n_slots, blocks, deterministic, executor)

        def block(bounds: tuple[int, int]) -> Batch:
            slots, live = CompiledSlots(self.env, n_slots, seed), Live.idle(n_slots, policy, theta, *bounds)
            return roll(slots, policy, theta, live, seed=seed, n_steps=None, deterministic=deterministic).batch()

        return concatenate(pool.map_ordered(block, blocks, executor))

    def layout(self, policy: Policy, theta: Array, first: int, count: int) -> Layout:
        """Slots of a block, and the episodes of each block as (first, end)."""
        if head_of(policy) is None:
            return min(self.n_envs, count), blocks_of(first, count, 2 * self.n_envs)
        return layout(first, count, self.n_envs, inside=inside_of(policy, theta, self._one_hot) is not None)

    def _fused(
        self,
        head: Head,
        policy: ComposedPolicy,
        theta: Array,
        seed: int,
        n_slots: int,
        blocks: list[tuple[int, int]],
        deterministic: bool,
        executor: Executor | None,
    ) -> Batch:
        """By the kernel, which draws and steps."""
        inside, kinds = inside_of(policy, theta, self._one_hot), noise.kind_codes(policy.draws)
        shape = Shape(self.env.n_obs, self.env.n_act, self._one_hot, discrete=not head.gaussian)
        gathering = Gathering(blocks, shape, self._memory)

        def block(i: int) -> None:
            fused = FusedBlock(
                self._dynamics, head, kinds, gathering.blocks[i], blocks[i], n_slots,
                seed=seed, greedy=deterministic, memory=self._memory,
            )  # fmt: skip
            if inside is None:
                fused.roll(forward(policy, theta))
            else:
                fused.roll_inside(inside)
            gathering.add(i)

        with nullcontext() if inside is not None and not inside.product else pool.single_blas_thread():
            pool.map_ordered(block, range(len(blocks)), executor)
        return gathering.batch()

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

        require_room(n_steps * len(state["t"]), 8 * (policy.n_obs + 3), "fewer n_steps, or n_envs, will do")

        def block(arrays: dict[str, Array]) -> tuple[Batch, dict[str, Array]]:
            live, slots = Live.of(arrays, quota=self.n_blocks * self.n_envs), CompiledSlots(self.env, self.n_envs, seed)
            slots.state[:], slots.obs[:] = arrays["env"].T, live.obs.T
            record = roll(slots, policy, theta, live, seed=seed, n_steps=n_steps, deterministic=False)
            return record.batch(), live.arrays() | {"env": slots.state.T.copy()}

        return continued(block, state, self.n_envs, executor)

    def close(self) -> None:
        """Nothing is held."""


def layout(first: int, count: int, n_envs: int, inside: bool) -> Layout:
    """Slots of a block, and the episodes of each block as (first, end).

    A function of the settings alone. With y computed inside the kernel a step costs little beside its slots, and what
    some hundred episodes leave is still in the cache when it is gathered; a step by way of NumPy pays from hundreds of
    slots on.

    Examples
    --------
    >>> layout(0, 2000, 64, inside=True)[0], len(layout(0, 2000, 64, inside=True)[1])
    (125, 4)
    """
    rounds, most, longest = (4, 128, 1024) if inside else (2, 512, 4096)
    per_block = min(max(2 * n_envs, -(-count // 4)), longest)
    return min(count, max(n_envs, min(most, per_block // rounds))), blocks_of(first, count, per_block)


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
        if len(u):
            fill(self.kinds["step"], self.seed, noise.DYNAMICS, np.maximum(live.episode, 0), live.t, u)
        actions = np.ascontiguousarray(np.reshape(act, (self.n_slots, -1)).T, dtype=np.float64)  # (k, B)
        self._step(self.params, actions, u, self.state, self.obs, rew, terminated)
        truncated[:] = ~terminated & (live.t + 1 >= self.limit)
        live.obs[:] = self.obs.T
