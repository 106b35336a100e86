"""Rollouts in a vector environment that the user hands in, whichever way it resets itself."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any

import numpy as np

from .. import spaces
from ..errors import InvalidInput
from ..policies import Policy
from ..types import Array, Batch, BoolArray, FloatArray, IntArray
from .base import Live, started
from .border import Border, episode_seed
from .loop import roll

__all__ = ["VectorRollout"]

NEXT_STEP, SAME_STEP, DISABLED = "NextStep", "SameStep", "Disabled"  # values of gymnasium.vector.AutoresetMode


class VectorRollout:
    """Episodes of a Gymnasium vector environment in any of the three autoreset modes, with the same batch from each.

    Of N episodes each of the B environments does ⌈N/B⌉ or ⌊N/B⌋, so that short ones are not over-represented. The steps
    in which an environment merely resets itself are no transitions and are left out.

    The environments reset themselves from their own generators, seeded when a rollout begins: here an episode depends
    on seed, `first`, its environment and how many came before it there, not on its number alone.

    Parameters
    ----------
    env : gymnasium.vector.VectorEnv

    Raises
    ------
    InvalidInput
        If the environment does not say how it resets itself.

    Examples
    --------
    >>> import gymnasium
    >>> from npgrad.policies import make_policy
    >>> rollout = VectorRollout(gymnasium.make_vec("CartPole-v1", num_envs=2))
    >>> policy = make_policy(rollout, "linear")
    >>> batch = rollout.episodes(policy, np.zeros(policy.n_params), seed=0, first=0, count=5)
    >>> batch.n_episodes, bool(batch.terminated.all())
    (5, True)
    """

    def __init__(self, env: Any) -> None:
        mode = getattr(env, "metadata", {}).get("autoreset_mode")
        self.mode = getattr(mode, "value", mode)
        if self.mode not in (NEXT_STEP, SAME_STEP, DISABLED):
            raise InvalidInput(
                f"the vector environment's autoreset mode is {mode!r}, expected one of gymnasium.vector.AutoresetMode; "
                "set env.metadata['autoreset_mode'] to what it does"
            )
        self.env = env
        self.n_envs = int(env.num_envs)
        self.env_id = str(getattr(getattr(env, "spec", None), "id", env))
        self.observation_space = spaces.from_gymnasium(env.single_observation_space)
        self.action_space = spaces.from_gymnasium(env.single_action_space)
        self._slots: VectorSlots | None = None  # of `steps`
        _, info = env.reset(seed=0)
        self.n_masked = np.shape(info["action_mask"])[1] if "action_mask" in info else 0

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
        """The complete episodes first, …, first + count − 1, in that order; the environment works by itself."""
        slots = VectorSlots(self, policy, seed, first)
        self._slots = None
        live = Live.idle(self.n_envs, policy, theta, first, first + count, self.n_envs, slots.border.obs_dtype)
        return roll(slots, policy, theta, live, seed=seed, n_steps=None, deterministic=deterministic).batch()

    def start(self, policy: Policy, theta: Array) -> dict[str, Array]:
        """Where `steps` begins: all environments before their first episode."""
        self._slots = None
        return started(policy, theta, self.n_envs, Border(self, policy).obs_dtype)

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
        """`n_steps` of every environment, and where to go on from.

        Raises
        ------
        InvalidInput
            If the environments are not where `state` left them.
        """
        live = Live.of(state, quota=self.n_envs)
        if self._slots is None:
            if live.running.any():
                raise InvalidInput(
                    "a vector environment cannot be put back where it was, as its own generators reset it; "
                    "begin at start(), or give the id of the environment and n_envs, which can"
                )
            self._slots = VectorSlots(self, policy, seed, 0)
        record = roll(self._slots, policy, theta, live, seed=seed, n_steps=n_steps, deterministic=False)
        return record.batch(), live.arrays()

    def close(self) -> None:
        """Close the vector environment."""
        self.env.close()


class VectorSlots:
    """A vector environment as slots."""

    def __init__(self, rollout: VectorRollout, policy: Policy, seed: int, first: int) -> None:
        self.env, self.mode, self.n_slots = rollout.env, rollout.mode, rollout.n_envs
        self.border, self.seed = Border(rollout, policy), seed
        self._episode = np.full(self.n_slots, first)
        with self.border.at(seed, first, 0, "reset"):
            obs, info = self.env.reset(seed=episode_seed(seed, first))
        self._first_obs = np.stack([self._row(obs, info, i, 0) for i in range(self.n_slots)])
        self._fresh = np.ones(self.n_slots, dtype=np.bool_)  # stands at the first observation of an episode
        self._resetting = np.zeros(self.n_slots, dtype=np.bool_)  # NEXT_STEP: the next step only resets

    def ready(self) -> BoolArray:
        return self._fresh

    def reset(self, lanes: IntArray, episodes: IntArray, obs: Array) -> None:
        obs[lanes] = self._first_obs[lanes]
        self._episode[lanes] = episodes
        self._fresh[lanes] = False

    def step(self, live: Live, act: Array, rew: FloatArray, terminated: BoolArray, truncated: BoolArray) -> None:
        running, t = live.running, int(live.t.max())
        with self.border.at(self.seed, int(self._episode[0]), t, "step"):
            obs, r, term, trunc, info = self.env.step(spaces.as_actions(self.border.action_space, act))
        ended = (term | trunc) & ~self._resetting
        terminated[:], truncated[:] = term & running, trunc & running
        for i in np.flatnonzero(running).tolist():
            rew[i] = self.border.reward(r[i], self.seed, int(self._episode[i]), int(live.t[i]))
            if ended[i] and self.mode == SAME_STEP:
                last = info["final_obs"][i], {k: v[i] for k, v in info.get("final_info", {}).items() if k[0] != "_"}
                live.obs[i] = self.border.observation(*last, self.seed, int(self._episode[i]), int(live.t[i]) + 1)
            else:
                live.obs[i] = self._row(obs, info, i, int(live.t[i]) + 1)
        fresh = self._resetting if self.mode == NEXT_STEP else ended
        if self.mode == DISABLED and ended.any():
            with self.border.at(self.seed, int(self._episode[ended][0]), 0, "reset"):
                obs, info = self.env.reset(options={"reset_mask": ended})
        for i in np.flatnonzero(fresh).tolist():
            self._first_obs[i] = self._row(obs, info, i, 0)
        self._fresh = fresh  # the loop takes those it wants at once
        self._resetting = ended if self.mode == NEXT_STEP else self._resetting

    def _row(self, obs: Any, info: Any, i: int, t: int) -> Array:
        one = {"action_mask": info["action_mask"][i]} if "action_mask" in info else {}
        return self.border.observation(_take(obs, i), one, self.seed, int(self._episode[i]), t)


def _take(obs: Any, i: int) -> Any:
    """Observation i of a batch in the form of a vector environment."""
    if isinstance(obs, dict):
        return {k: _take(v, i) for k, v in obs.items()}
    if isinstance(obs, tuple):
        return tuple(_take(v, i) for v in obs)
    return obs[i]
