"""REINFORCE (Williams 1992): θ ← θ + α ĝ, with ĝ = 1/N Σ_i Σ_t γ^t (G_{i,t} − b_{i,t}) f_{i,t} (P3, P4)."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, field, replace

import numpy as np

from ..baselines import BASELINES, RETURN_BASELINES
from ..deploy import Agent
from ..estimators import Estimator, PolicyGradient
from ..optimizers import OPTIMIZERS, Optimizer
from ..policies import Policy
from ..policies.normaliser import Moments
from ..rollouts import Rollout
from ..training import Metrics, RewardScaling, Schedule, diagnose
from ..types import State
from .base import Algorithm, initial_theta
from .settings import ReinforceSettings

__all__ = ["REINFORCE", "Reinforce"]


@dataclass(frozen=True)
class Reinforce:
    """The recipe: collect N episodes, estimate, ascend."""

    rollout: Rollout
    policy: Policy
    estimator: Estimator
    optimizer: Optimizer
    n_episodes: int
    schedule: Schedule = field(default_factory=Schedule)
    rewards: RewardScaling = field(default_factory=RewardScaling)
    normalize_observations: bool = False
    executor: Executor | None = None
    name: str = "reinforce"

    def init(self, seed: int) -> State:
        """θ_0 and the optimiser's moments."""
        theta = initial_theta(self.policy, seed)
        state = State(seed=seed, iteration=0, timesteps=0, episodes=0, theta=theta)
        groups = {"optimizer": self.optimizer.init(theta), "rewards": self.rewards.init()}
        if self.normalize_observations:
            groups["normaliser"] = Moments.of(np.empty((0, self.policy.n_obs))).as_arrays()
        return state.with_groups(**groups)

    def step(self, state: State) -> tuple[State, Metrics]:
        """One iteration."""
        policy, theta = self.policy_at(state), state.theta
        batch = self.rollout.episodes(
            policy, theta, seed=state.seed, first=state.episodes, count=self.n_episodes, executor=self.executor
        )
        scaled, rewards = self.rewards(batch, state.group("rewards"))
        estimate = self.estimator(policy, theta, scaled)  # ĝ = 1/N Σ_i Σ_t Ψ_{i,t} f_{i,t}
        optimizer = self.schedule(self.optimizer, state.timesteps)
        new_theta, moments = optimizer.step(theta, estimate.gradient, state.group("optimizer"))  # θ ← θ + α ĝ
        groups = {"optimizer": moments, "rewards": rewards}
        if self.normalize_observations:
            seen = Moments.from_arrays(state.group("normaliser")).merge(Moments.of(batch.obs))
            groups["normaliser"] = seen.as_arrays()
        values = {"train/learning_rate": optimizer.learning_rate}
        values |= diagnose(policy, theta, new_theta, batch, estimate)
        new_state = replace(
            state,
            iteration=state.iteration + 1,
            timesteps=state.timesteps + batch.n_steps,
            episodes=state.episodes + self.n_episodes,
            theta=new_theta,
        ).with_groups(**groups)
        return new_state, Metrics(values, batch.returns(), batch.lengths)

    def policy_at(self, state: State) -> Policy:
        """The policy behind the normaliser of this iteration."""
        if not self.normalize_observations:
            return self.policy
        return self.policy.with_normaliser(Moments.from_arrays(state.group("normaliser")).normaliser())

    def agent(self, state: State) -> Agent:
        """What is saved and deployed."""
        info = {"env_id": self.rollout.env_id, "algo": self.name, "timesteps": state.timesteps}
        return Agent(self.policy_at(state), state.theta, info=info)


class REINFORCE(Algorithm):
    """Vanilla policy gradient with any policy and baseline.

    Parameters
    ----------
    env : str or function
        A Gymnasium id, or a function that makes the environment.
    policy : {"linear", "mlp"} or Policy, optional
    seed : int, optional
        Key of all noise: same seed, same bits.
    engine : {"auto", "gymnasium", "compiled"}, optional
        Whether the environment's compiled twin is used.
    threads : int, optional
        They share the work and change no result.
    **settings
        The fields of `ReinforceSettings`.

    Examples
    --------
    >>> model = REINFORCE("CartPole-v1", seed=0).learn(total_timesteps=2_000)
    >>> action, _ = model.predict(np.zeros(4, dtype=np.float32), deterministic=True)
    >>> int(action) in (0, 1)
    True
    """

    name = "reinforce"
    Settings = ReinforceSettings

    def make_recipe(self, settings: ReinforceSettings) -> Reinforce:
        """The recipe with these settings."""
        estimator = PolicyGradient(
            gamma=settings.gamma,
            causality=settings.causality,
            discount_states=settings.discount_states,
            baseline=(BASELINES if settings.causality else RETURN_BASELINES)[settings.baseline],
            executor=self.executor,
        )
        return Reinforce(
            rollout=self.rollout,
            policy=self.policy,
            estimator=estimator,
            optimizer=OPTIMIZERS[settings.optimizer](settings.learning_rate),
            n_episodes=settings.n_episodes,
            schedule=Schedule(settings.learning_rate_schedule, settings.schedule_steps),
            rewards=RewardScaling(settings.reward_scale, settings.normalize_rewards, settings.gamma),
            normalize_observations=settings.normalize_observations,
            executor=self.executor,
        )
