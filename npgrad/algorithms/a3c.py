"""A3C: asynchronous advantage actor-critic (10-703; Mnih et al. 2016, algorithm S3), in compiled code without the GIL.

Every worker has an environment of its own; with threads they act and update θ and w at the same time, lock-free. With
one thread they take turns, and the same seed gives the same bits; with more it does not, as updates come in another
order each time.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace

import numpy as np

from .. import noise
from ..envs import CompiledEnv
from ..errors import InvalidInput
from ..optimizers import SGD
from ..pool import map_ordered
from ..rollouts import CompiledRollout
from ..rollouts.fused import Dynamics
from ..training import Metrics, Schedule
from ..types import Array, FloatArray, IntArray, State
from . import a3c_kernels as kernels
from .base import Algorithm, initial_theta
from .experience import FromExperience, experience_of
from .networks import Networks, networks_of
from .online import figures_of
from .online_settings import A3CSettings
from .value import ValueFit, value_function

__all__ = ["A3C", "AsynchronousActorCritic"]


@dataclass(frozen=True, eq=False)
class AsynchronousActorCritic(FromExperience):
    """The recipe: an iteration is a number of turns of every worker; the threads share the workers out."""

    env: CompiledEnv
    value: ValueFit
    networks: Networks
    learning_rate: float
    critic_learning_rate: float
    gamma: float
    n_steps: int
    n_turns: int
    ent_coef: float
    max_grad_norm: float
    rms_decay: float
    rms_epsilon: float
    exploration: float
    n_threads: int = 1
    schedule: Schedule = field(default_factory=Schedule)
    name = "a3c"

    def init(self, seed: int) -> State:
        """θ_0, w_0, RMSProp's g = 0 for both, and all workers before their first episode."""
        theta, w = initial_theta(self.policy, seed), self.value.init(seed)["w"]
        shared = {"theta": np.zeros_like(theta), "w": np.zeros_like(w)}
        running = np.zeros(self.experience.n_slots)
        return self.begin(seed, theta, critic={"w": w}, rms=shared, returns={"running": running})

    @property
    def epsilon(self) -> FloatArray:
        """ε of each worker, from 0 for the first to `exploration` for the last."""
        return np.linspace(0, self.exploration, self.experience.n_slots)

    def step(self, state: State) -> tuple[State, Metrics]:
        """One iteration."""
        n, env, n_workers, workers = self.networks, self.env, self.experience.n_slots, state.group("rollout")
        dynamics = Dynamics.of(env)
        c = self.schedule(SGD(1.0), state.timesteps).learning_rate
        numbers = np.zeros(kernels.N_NUMBERS)
        numbers[kernels.ALPHA], numbers[kernels.ALPHA_V] = c * self.learning_rate, c * self.critic_learning_rate
        numbers[kernels.GAMMA], numbers[kernels.BETA] = self.gamma, self.ent_coef
        numbers[kernels.SCALE], numbers[kernels.LONGEST] = self.experience.rewards.scale, self.max_grad_norm
        numbers[kernels.RMS_DECAY], numbers[kernels.RMS_EPSILON] = self.rms_decay, self.rms_epsilon
        limit = env.max_episode_steps or np.iinfo(np.int64).max
        seed = np.uint64(state.seed).astype(np.int64)
        settings = np.array([seed, limit, self.n_turns, self.n_steps, n_workers])
        slots = np.stack([workers["episode"], workers["t"], workers["next_episode"]], axis=1)
        env_state, obs = np.array(workers["env"])[:, :, None], np.array(workers["obs"])[:, :, None]
        running, epsilon = np.array(state.group("returns")["running"]), self.epsilon
        theta, w = np.array(state.theta), np.array(state.group("critic")["w"])
        g, g_w = (np.array(state.group("rms")[name]) for name in ("theta", "w"))
        kinds = noise.kind_codes(self.policy.draws)

        def run(own: IntArray) -> tuple[Array, Array, int]:
            mine = slice(int(own[0]), int(own[-1]) + 1)
            most = len(own) * self.n_turns
            returns, lengths, counts = np.empty(most), np.empty(most, dtype=np.int64), np.zeros(2, dtype=np.int64)
            kernels.work(
                dynamics.reset, dynamics.step, dynamics.params, settings, n.spec, numbers, n.sizes, n.v_sizes, n.given,
                n.bounds, kinds, dynamics.reset_kinds, dynamics.step_kinds, epsilon[mine], slots[mine], env_state[mine],
                obs[mine], running[mine], theta, w, g, g_w, returns, lengths, counts,
            )  # fmt: skip
            n_ended = int(counts[kernels.ENDED])
            return returns[:n_ended], lengths[:n_ended], int(counts[kernels.STEPS])

        shares = np.array_split(np.arange(n_workers), min(self.n_threads, n_workers))
        done = map_ordered(run, shares, self.experience.executor)
        returns, lengths = (np.concatenate([part[i] for part in done]) for i in (0, 1))
        moved = {"episode": slots[:, 0], "t": slots[:, 1], "next_episode": slots[:, 2]}
        moved |= {"env": env_state[:, :, 0], "obs": obs[:, :, 0]}
        after = replace(
            state,
            iteration=state.iteration + 1,
            timesteps=state.timesteps + sum(steps for _, _, steps in done),
            episodes=state.episodes + len(returns),
            theta=theta,
        ).with_groups(
            rollout=workers | {name: np.array(array) for name, array in moved.items()},
            critic={"w": w},
            rms={"theta": g, "w": g_w},
            returns={"running": running},
        )
        return after, Metrics(figures_of(state, after, numbers[kernels.ALPHA]), returns, lengths)


class A3C(Algorithm):
    """Asynchronous advantage actor-critic, with threads that share θ and w without a lock.

    Parameters
    ----------
    env, policy, seed, n_envs
        As for every algorithm; environments with a compiled twin, policies that are linear or perceptrons. `n_envs` is
        the number of workers.
    threads : int, optional
        They share out the workers. With one, the same seed gives the same bits; with more it does not.
    **settings
        The fields of `A3CSettings`.

    Raises
    ------
    InvalidInput
        If there is no compiled twin, or the policy is another one.

    Examples
    --------
    >>> model = A3C("CartPole-v1", seed=0).learn(total_timesteps=5_000)
    >>> model.state.iteration
    3
    """

    name = "a3c"
    shares_out = False
    Settings = A3CSettings
    n_envs = 8

    def make_recipe(self, settings: A3CSettings) -> AsynchronousActorCritic:
        """The recipe with these settings."""
        s, value = settings, value_function(self.policy, settings.critic, settings.critic_hidden)
        networks = networks_of(self.policy, value)
        if not isinstance(self.rollout, CompiledRollout):
            raise InvalidInput(
                f"a3c runs in compiled code, and {self.rollout.env_id} is not compiled; take a2c, its synchronous form"
            )
        if networks is None:
            raise InvalidInput(
                "a3c runs in compiled code: linear policies and perceptrons, softmax or Gaussian, no memory or mask; "
                "take a2c, its synchronous form, for others"
            )
        if self.threads > 1:
            warnings.warn(
                f"a3c on {self.threads} threads is lock-free: updates come in another order each time, so the "
                "same seed does not give the same bits; with threads=1 it does",
                stacklevel=3,
            )
        return AsynchronousActorCritic(
            experience=experience_of(self, s),
            env=self.rollout.env,
            value=value,
            networks=networks,
            learning_rate=s.learning_rate,
            critic_learning_rate=s.critic_learning_rate,
            gamma=s.gamma,
            n_steps=s.n_steps,
            n_turns=s.n_turns,
            ent_coef=s.ent_coef,
            max_grad_norm=s.max_grad_norm,
            rms_decay=s.rms_decay if s.optimizer == "rmsprop" else 0.0,
            rms_epsilon=s.rms_epsilon,
            exploration=s.exploration,
            n_threads=self.threads,
            schedule=Schedule(s.learning_rate_schedule, s.schedule_steps),
        )
