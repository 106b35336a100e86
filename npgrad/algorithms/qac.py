"""The Q actor-critic (10-703; V3): a critic of action values gives what weighs the scores.

θ ← θ + α 1/T Σ_t Q_w(s_t, a_t) f_t,    w ← argmin Σ_t (y_t − Q_w(s_t, a_t))²

with y_t = r_t + γ ((1−λ) V(s_{t+1}) + λ y_{t+1}) and V(s) = E_{a~π} Q_w(s, a): one step at λ = 0, Monte Carlo at 1.
Less V(s_t), which changes no mean, Q_w is an advantage. It leaves the gradient as it is if w is fitted on the features
f_t and any of the state alone: for a linear softmax policy, Q_w linear in the observation for each action.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..critics import ActionValueCritic, lambda_return
from ..errors import InvalidInput
from ..estimators import AllActions, EntropyBonus, Estimator, ScoreFunction
from ..optimizers import OPTIMIZERS, Optimizer
from ..training import Metrics, Schedule, diagnose
from ..types import State
from .a2c import cut_to_norm
from .actor_critic_settings import QACSettings
from .base import Algorithm, initial_theta
from .experience import FromExperience, experience_of
from .value import ActionValueFit, action_value_of, advantages

__all__ = ["QAC", "QActorCritic"]


@dataclass(frozen=True)
class QActorCritic(FromExperience):
    """The recipe: some steps of every environment, one step of the policy, a fit of Q_w."""

    value: ActionValueFit
    optimizer: Optimizer
    weights: str
    gamma: float
    gae_lambda: float
    ent_coef: float
    max_grad_norm: float
    standardise: bool
    schedule: Schedule = field(default_factory=Schedule)
    name = "qac"

    def init(self, seed: int) -> State:
        """θ_0, w_0, the optimisers' moments, and all slots before their first episode."""
        theta = initial_theta(self.policy, seed)
        return self.begin(seed, theta, optimizer=self.optimizer.init(theta), critic=self.value.init(seed))

    def step(self, state: State) -> tuple[State, Metrics]:
        """One iteration."""
        data = self.experience.collect(state)
        policy, theta, batch = data.policy, state.theta, data.scaled
        critic = self.value.critic(state.group("critic"), policy)  # Q_w of earlier data
        values = self.value.state_values(critic, policy, theta, batch, state.seed)
        q = critic(batch)
        psi, _ = advantages(values, q - values.rows if self.weights == "advantage" else q, self.standardise)
        estimator: Estimator = ScoreFunction(lambda batch: psi)
        if self.weights == "all-actions" and isinstance(critic, ActionValueCritic):
            estimator = AllActions(critic.table)
        elif self.ent_coef:
            estimator = EntropyBonus(lambda batch: psi, self.ent_coef)
        estimate = estimator(policy, theta, batch)
        g = estimate.gradient * (batch.n_episodes / batch.n_steps)  # 1/T Σ_t
        optimizer = self.schedule(self.optimizer, state.timesteps)
        new_theta, moments = optimizer.step(theta, cut_to_norm(g, self.max_grad_norm), state.group("optimizer"))
        targets = lambda_return(batch, values, self.gamma, self.gae_lambda)
        fitted = self.value.fit(state.group("critic"), policy, batch, targets, state.seed, state.iteration)
        figures = {"train/learning_rate": optimizer.learning_rate}
        figures |= diagnose(policy, theta, new_theta, batch, estimate, q, targets)
        return self.close(data, state, new_theta, figures, optimizer=moments, critic=fitted)


class QAC(Algorithm):
    """Q actor-critic.

    Parameters
    ----------
    env, policy, seed, engine, threads, n_envs
        As for every algorithm; policies without memory.
    **settings
        The fields of `QACSettings`.

    Examples
    --------
    >>> model = QAC("CartPole-v1", seed=0).learn(total_timesteps=512)
    >>> model.state.iteration
    2
    """

    name = "qac"
    Settings = QACSettings
    n_envs = 8

    def make_recipe(self, settings: QACSettings) -> QActorCritic:
        """The recipe with these settings."""
        if self.policy.n_memory:
            raise InvalidInput("the critic of qac sees the observation alone, and this policy has a memory; choose a2c")
        value = action_value_of(self.policy, settings, settings.n_samples)
        if settings.weights == "all-actions" and (not value.n_actions or settings.ent_coef):
            raise InvalidInput("weights are all-actions, which takes finitely many actions and no ent_coef")
        return QActorCritic(
            experience=experience_of(self, settings),
            value=value,
            optimizer=OPTIMIZERS[settings.optimizer](settings.learning_rate),
            weights=settings.weights,
            gamma=settings.gamma,
            gae_lambda=settings.gae_lambda,
            ent_coef=settings.ent_coef,
            max_grad_norm=settings.max_grad_norm,
            standardise=settings.normalize_advantage,
            schedule=Schedule(settings.learning_rate_schedule, settings.schedule_steps),
        )
