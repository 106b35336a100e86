"""PPO (Schulman et al. 2017): several passes over a batch, up the clipped surrogate (N5).

θ ← θ + α ∇ 1/n Σ_t min(ρ_t A_t, clip(ρ_t, 1−ε, 1+ε) A_t) + β ∇ 1/n Σ_t H_t,    ρ_t = π_θ(a_t|o_t)/β(a_t|o_t)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..compiled import compiled_policy
from ..critics import gae
from ..errors import InvalidInput
from ..estimators import approximate_kl, clip_fraction, clipped_surrogate
from ..estimators.composition import composed
from ..optimizers import OPTIMIZERS, Optimizer
from ..training import Metrics, Schedule, diagnose
from ..types import State
from .a2c import cut_to_norm
from .actor_critic_settings import PPOSettings
from .base import Algorithm, initial_theta
from .experience import FromExperience, experience_of
from .trunk import trunk_of
from .value import ValueFit, advantages, epochs_of, value_of

__all__ = ["PPO", "ProximalPolicyOptimization"]


@dataclass(frozen=True)
class ProximalPolicyOptimization(FromExperience):
    """The recipe: some steps of every environment, then epochs of minibatches for policy and critic."""

    value: ValueFit
    optimizer: Optimizer
    gamma: float
    gae_lambda: float
    batch_size: int
    n_epochs: int
    clip_range: float
    target_kl: float | None
    ent_coef: float
    max_grad_norm: float
    standardise: bool
    precision: str = "float64"
    schedule: Schedule = field(default_factory=Schedule)
    name = "ppo"

    def init(self, seed: int) -> State:
        """θ_0, w_0, the optimisers' moments, and all slots before their first episode."""
        theta = initial_theta(self.policy, seed).astype(self.precision)
        critic = self.value.init(seed)
        critic = {k: v.astype(self.precision) if v.dtype.kind == "f" else v for k, v in critic.items()}
        moments = self.optimizer.init(self.value.joined(theta, critic))
        return self.begin(seed, theta, optimizer=moments, critic=critic)

    def step(self, state: State) -> tuple[State, Metrics]:
        """One iteration."""
        data = self.experience.collect(state)
        compiled = compiled_policy(data.policy)
        policy, theta, batch, critic = data.policy, state.theta, data.scaled, state.group("critic")
        values = self.value.critic(critic, policy, theta)(batch)
        adv, targets = advantages(values, gae(batch, values, self.gamma, self.gae_lambda), standardise=False)
        optimizer, moments = self.schedule(self.optimizer, state.timesteps), state.group("optimizer")
        n, obs, logp = 0, batch.obs.astype(theta.dtype), batch.logp.astype(theta.dtype)
        adv, log_ratio, phi = adv.astype(theta.dtype), np.zeros(1), self.value.joined(theta, critic)
        for parts in epochs_of(batch.n_steps, self.batch_size, state.seed, state.iteration, 0, self.n_epochs):
            for rows in parts:
                lin = compiled.at(theta, obs[rows], batch.act[rows])
                log_ratio = lin.log_prob - logp[rows]
                if self.target_kl is not None and approximate_kl(log_ratio) > 1.5 * self.target_kl:
                    break
                a = adv[rows]
                if self.standardise and len(a) > 1:
                    a = a - a.mean()
                    a /= np.sqrt(a @ a / len(a)) + 1e-8
                _, weight = clipped_surrogate(log_ratio, a, self.clip_range)
                g = lin.vjp(weight / len(rows))
                if self.ent_coef:
                    g += self.ent_coef * composed(lin).entropy_vjp(np.full(len(rows), 1 / len(rows)))
                direction = self.value.direction(g, phi, policy, obs[rows], targets[rows])
                phi, moments = optimizer.step(phi, cut_to_norm(direction, self.max_grad_norm), moments)
                theta, critic = self.value.parted(phi, critic)
                n += 1
            else:
                continue
            break
        critic = self.value.fit(critic, policy, batch, targets, state.seed, state.iteration)
        figures = {"train/learning_rate": optimizer.learning_rate, "train/n_updates": n}
        figures["train/clip_fraction"] = clip_fraction(log_ratio, self.clip_range)  # of the last minibatch
        figures |= diagnose(policy, state.theta, theta, batch, values=values.rows, targets=targets)
        return self.close(data, state, theta, figures, optimizer=moments, critic=critic)


class PPO(Algorithm):
    """Proximal policy optimisation.

    Parameters
    ----------
    env, policy, seed, engine, threads, n_envs
        As for every algorithm; policies without memory.
    **settings
        The fields of `PPOSettings`.

    Examples
    --------
    >>> model = PPO("CartPole-v1", seed=0, n_envs=8, n_steps=32).learn(total_timesteps=512)
    >>> model.state.iteration
    2
    """

    name = "ppo"
    Settings = PPOSettings
    n_envs = 8

    def make_recipe(self, settings: PPOSettings) -> ProximalPolicyOptimization:
        """The recipe with these settings."""
        if self.policy.n_memory:
            raise InvalidInput(
                "ppo shuffles rows, and this policy has a memory; choose another policy, or a2c, npg, trpo"
            )
        experience = experience_of(self, settings)
        n_rows = (settings.n_steps or 0) * experience.n_slots
        if 0 < n_rows < settings.batch_size:
            raise InvalidInput(
                f"batch_size is {settings.batch_size}, but an iteration of {settings.n_steps} steps in each of "
                f"{experience.n_slots} environments has {n_rows} rows; make minibatches smaller, or n_steps larger"
            )
        value: ValueFit = replace(value_of(self.policy, settings), batch_size=settings.batch_size)
        if settings.shared_trunk:
            value = trunk_of(self.policy, settings.vf_coef)
        return ProximalPolicyOptimization(
            experience=experience,
            value=value,
            optimizer=OPTIMIZERS[settings.optimizer](settings.learning_rate),
            gamma=settings.gamma,
            gae_lambda=settings.gae_lambda,
            batch_size=settings.batch_size,
            n_epochs=settings.n_epochs,
            clip_range=settings.clip_range,
            target_kl=settings.target_kl,
            ent_coef=settings.ent_coef,
            max_grad_norm=settings.max_grad_norm,
            standardise=settings.normalize_advantage,
            precision=settings.precision,
            schedule=Schedule(settings.learning_rate_schedule, settings.schedule_steps),
        )
