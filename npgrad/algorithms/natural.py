"""The natural policy gradient (Kakade 2001) and TRPO (Schulman et al. 2015) (N1 … N4).

x = (F + λI)⁻¹ ĝ by conjugate gradient on Fv,    d = √(2δ / ĝᵀx) x
NPG:  θ ← θ + d          TRPO:  θ ← θ + c^j d for the least j with KL(π_old ‖ π_new) ≤ δ and a better surrogate
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..critics import gae
from ..estimators import LocalGeometry, score_function_estimate
from ..optimizers import backtrack, conjugate_gradient, kl_step_length
from ..training import Metrics, diagnose
from ..types import State
from .actor_critic_settings import NPGSettings, TRPOSettings
from .base import Algorithm
from .experience import FromExperience, experience_of
from .value import ValueFit, advantages, value_of

__all__ = ["NPG", "TRPO", "NaturalGradient"]


@dataclass(frozen=True)
class NaturalGradient(FromExperience):
    """The recipe of both: NPG where `shrink` is None, else TRPO with its line search."""

    value: ValueFit
    gamma: float
    gae_lambda: float
    standardise: bool
    delta: float
    damping: float
    cg_iterations: int
    shrink: float | None = None
    max_tries: int = 10
    name: str = "npg"

    def init(self, seed: int) -> State:
        """θ_0 and w_0."""
        return self.begin(seed, critic=self.value.init(seed))

    def step(self, state: State) -> tuple[State, Metrics]:
        """One iteration."""
        data = self.experience.collect(state)
        policy, theta, batch, executor = data.policy, state.theta, data.scaled, self.experience.executor
        values = self.value.critic(state.group("critic"), policy)(batch)
        adv, targets = advantages(values, gae(batch, values, self.gamma, self.gae_lambda), self.standardise)
        a_state = np.full(batch.n_steps, 1 / batch.n_steps)  # δ is meant for the mean over states, so ĝ and F are
        estimate = score_function_estimate(policy, theta, batch, adv, executor=executor)
        g = estimate.gradient * (batch.n_episodes / batch.n_steps)
        near = LocalGeometry(policy, theta, batch, weights=a_state, executor=executor)
        x = conjugate_gradient(near.fisher_vp, g, damping=self.damping, max_iterations=self.cg_iterations).x
        d = kl_step_length(g, x, self.delta) * x
        figures: dict[str, float] = {}
        if self.shrink is None:
            new_theta = theta + d
        else:
            found = backtrack(
                theta,
                d,
                gain=lambda candidate: near.gain(candidate, adv),
                kl=near.kl_old_new,
                delta=self.delta,
                shrink=self.shrink,
                max_tries=self.max_tries,
            )
            new_theta, figures["train/step_fraction"] = found.theta, found.fraction
        critic = self.value.fit(state.group("critic"), policy, batch, targets, state.seed, state.iteration)
        figures |= diagnose(policy, theta, new_theta, batch, estimate, values=values.rows, targets=targets)
        return self.close(data, state, new_theta, figures, critic=critic)


class NPG(Algorithm):
    """Natural policy gradient with an exact Fisher product.

    Parameters
    ----------
    env, policy, seed, engine, threads, n_envs
        As for every algorithm.
    **settings
        The fields of `NPGSettings`.

    Examples
    --------
    >>> model = NPG("CartPole-v1", seed=0).learn(total_timesteps=1_000)
    >>> bool(0.01 < model.state.theta.std())
    True
    """

    name = "npg"
    Settings: ClassVar[type[Any]] = NPGSettings

    def make_recipe(self, settings: NPGSettings) -> NaturalGradient:
        """The recipe with these settings."""
        search = settings if isinstance(settings, TRPOSettings) else None
        return NaturalGradient(
            experience=experience_of(self, settings),
            value=value_of(self.policy, settings),
            gamma=settings.gamma,
            gae_lambda=settings.gae_lambda,
            standardise=settings.normalize_advantage,
            delta=settings.delta,
            damping=settings.damping,
            cg_iterations=settings.cg_iterations,
            shrink=search.shrink if search else None,
            max_tries=search.max_tries if search else 1,
            name=self.name,
        )


class TRPO(NPG):
    """Trust region policy optimisation: the natural step, cut back until KL and surrogate agree.

    Parameters
    ----------
    env, policy, seed, engine, threads, n_envs
        As for every algorithm.
    **settings
        The fields of `TRPOSettings`.

    Examples
    --------
    >>> model = TRPO("CartPole-v1", seed=0).learn(total_timesteps=1_000)
    >>> bool(0.01 < model.state.theta.std())
    True
    """

    name = "trpo"
    Settings: ClassVar[type[Any]] = TRPOSettings
