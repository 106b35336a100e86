"""A2C: synchronous advantage actor-critic (10-703; Mnih et al. 2016).

θ ← θ + α [1/T Σ_t A_t f_t + β 1/T Σ_t ∇H_t],    A_t = GAE of V_w (λ = 1: R_t − V(s_t), bootstrapped where cut),
w ← w − α_w ∇_w 1/T Σ_t (A_t + V_w(s_t) − V)²    or G^(n)_t − V(s_t)

with two networks, or with a trunk that policy and critic share, of which the two lines are one step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..compiled import compiled_policy
from ..critics import Values, gae, n_step_return
from ..estimators.composition import composed
from ..optimizers import OPTIMIZERS, Optimizer
from ..training import Metrics, Schedule, diagnose
from ..types import Array, Batch, FloatArray, State
from .actor_critic_settings import A2CSettings
from .base import Algorithm, initial_theta
from .experience import FromExperience, experience_of
from .trunk import trunk_of
from .value import ValueFit, advantages, value_of

__all__ = ["A2C", "AdvantageActorCritic", "cut_to_norm"]


def cut_to_norm(g: Array, longest: float) -> Array:
    """g, or g · longest/‖g‖ if it is longer than that.

    Examples
    --------
    >>> cut_to_norm(np.array([3.0, 4.0]), 1.0)
    array([0.6, 0.8])
    """
    norm = float(np.sqrt(g @ g))
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
    advantage_steps: int | None = None
    schedule: Schedule = field(default_factory=Schedule)
    name = "a2c"

    def init(self, seed: int) -> State:
        """θ_0, w_0, the optimisers' moments, and all slots before their first episode."""
        theta, critic = initial_theta(self.policy, seed), self.value.init(seed)
        moments = self.optimizer.init(self.value.joined(theta, critic))
        return self.begin(seed, theta, optimizer=moments, critic=critic)

    def step(self, state: State) -> tuple[State, Metrics]:
        """One iteration."""
        data = self.experience.collect(state)
        policy, theta, batch = data.policy, state.theta, data.scaled
        critic = state.group("critic")
        values = self.value.critic(critic, policy, theta)(batch)
        adv, targets = advantages(values, self.advantage(batch, values), self.standardise)
        lin = compiled_policy(policy).at(theta, batch.obs, batch.act, batch.offsets)
        g = lin.vjp(adv) / batch.n_steps  # 1/T Σ_t A_t f_t
        if self.ent_coef:
            g += self.ent_coef * composed(lin).entropy_vjp(np.full(batch.n_steps, 1 / batch.n_steps))
        optimizer = self.schedule(self.optimizer, state.timesteps)
        phi = self.value.joined(theta, critic)
        direction = cut_to_norm(self.value.direction(g, phi, policy, batch.obs, targets), self.max_grad_norm)
        phi, moments = optimizer.step(phi, direction, state.group("optimizer"))
        new_theta, critic = self.value.parted(phi, critic)
        critic = self.value.fit(critic, policy, batch, targets, state.seed, state.iteration)
        figures = {"train/learning_rate": optimizer.learning_rate, "train/gradient_norm": float(np.linalg.norm(g))}
        figures |= diagnose(policy, theta, new_theta, batch, values=values.rows, targets=targets)
        return self.close(data, state, new_theta, figures, optimizer=moments, critic=critic)

    def advantage(self, batch: Batch, values: Values) -> FloatArray:
        """A_t: GAE, or that of n steps."""
        if self.advantage_steps is None:
            return gae(batch, values, self.gamma, self.gae_lambda)
        return n_step_return(batch, values, self.gamma, self.advantage_steps) - values.rows


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
        s = settings
        return AdvantageActorCritic(
            experience=experience_of(self, s),
            value=trunk_of(self.policy, s.vf_coef) if s.shared_trunk else value_of(self.policy, s),
            optimizer=OPTIMIZERS[s.optimizer](s.learning_rate),
            gamma=s.gamma,
            gae_lambda=s.gae_lambda,
            ent_coef=s.ent_coef,
            max_grad_norm=s.max_grad_norm,
            standardise=s.normalize_advantage,
            advantage_steps=s.advantage_steps,
            schedule=Schedule(s.learning_rate_schedule, s.schedule_steps),
        )
