"""A2C: synchronous advantage actor-critic (10-703; Mnih et al. 2016).

θ ← θ + α [1/T Σ_t A_t f_t + β 1/T Σ_t ∇H_t],    A_t = GAE of V_w (λ = 1: R_t − V(s_t), bootstrapped where cut),
w ← w − α_w ∇_w 1/T Σ_t (A_t + V_w(s_t) − V)²
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..critics import gae
from ..estimators.composition import composed
from ..optimizers import OPTIMIZERS, Optimizer
from ..training import Metrics, Schedule, diagnose
from ..types import Array, State
from .actor_critic_settings import A2CSettings
from .base import Algorithm, initial_theta
from .experience import FromExperience, experience_of
from .value import ValueFit, advantages, value_of

__all__ = ["A2C", "AdvantageActorCritic", "cut_to_norm"]


def cut_to_norm(g: Array, longest: float) -> Array:
    """g, or g · longest/‖g‖ if it is longer than that.

    Examples
    --------
    >>> cut_to_norm(np.array([3.0, 4.0]), 1.0)
    array([0.6, 0.8])
    """
    norm = float(np.linalg.norm(g))
    return g * (longest / norm) if norm > longest else g


@dataclass(frozen=True)
class AdvantageActorCritic(FromExperience):
    """The recipe: a few steps of every environment, one step of the policy, one of the critic."""

    value: ValueFit
    optimizer: Optimizer
    gamma: float
    gae_lambda: float
    ent_coef: float
    max_grad_norm: float
    standardise: bool
    schedule: Schedule = field(default_factory=Schedule)
    name = "a2c"

    def init(self, seed: int) -> State:
        """θ_0, w_0, the optimisers' moments, and all slots before their first episode."""
        theta = initial_theta(self.policy, seed)
        groups = {"optimizer": self.optimizer.init(theta), "critic": self.value.init(seed)}
        return self.begin(seed, theta, **groups)

    def step(self, state: State) -> tuple[State, Metrics]:
        """One iteration."""
        data = self.experience.collect(state)
        policy, theta, batch = data.policy, state.theta, data.scaled
        values = self.value.critic(state.group("critic"), policy)(batch)
        adv, targets = advantages(values, gae(batch, values, self.gamma, self.gae_lambda), self.standardise)
        lin = policy.at(theta, batch.obs, batch.act, batch.offsets)
        g = lin.vjp(adv) / batch.n_steps  # 1/T Σ_t A_t f_t
        if self.ent_coef:
            g += self.ent_coef * composed(lin).entropy_vjp(np.full(batch.n_steps, 1 / batch.n_steps))
        optimizer = self.schedule(self.optimizer, state.timesteps)
        new_theta, moments = optimizer.step(theta, cut_to_norm(g, self.max_grad_norm), state.group("optimizer"))
        critic = self.value.fit(state.group("critic"), policy, batch, targets, state.seed, state.iteration)
        figures = {"train/learning_rate": optimizer.learning_rate, "train/gradient_norm": float(np.linalg.norm(g))}
        figures |= diagnose(policy, theta, new_theta, batch, values=values.rows, targets=targets)
        return self.close(data, state, new_theta, figures, optimizer=moments, critic=critic)


class A2C(Algorithm):
    """Synchronous advantage actor-critic.

    Parameters
    ----------
    env, policy, seed, engine, threads, n_envs
        As for every algorithm.
    **settings
        The fields of `A2CSettings`.

    Examples
    --------
    >>> model = A2C("CartPole-v1", seed=0, n_envs=8).learn(total_timesteps=2_000)
    >>> model.state.timesteps
    2000
    """

    name = "a2c"
    Settings = A2CSettings
    n_envs = 8

    def make_recipe(self, settings: A2CSettings) -> AdvantageActorCritic:
        """The recipe with these settings."""
        return AdvantageActorCritic(
            experience=experience_of(self, settings),
            value=value_of(self.policy, settings),
            optimizer=OPTIMIZERS[settings.optimizer](settings.learning_rate),
            gamma=settings.gamma,
            gae_lambda=settings.gae_lambda,
            ent_coef=settings.ent_coef,
            max_grad_norm=settings.max_grad_norm,
            standardise=settings.normalize_advantage,
            schedule=Schedule(settings.learning_rate_schedule, settings.schedule_steps),
        )
