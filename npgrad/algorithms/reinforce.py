"""REINFORCE (Williams 1992): θ ← θ + α ĝ, with ĝ = 1/N Σ_i Σ_t γ^t (G_{i,t} − b_{i,t}) f_{i,t} (P3, P4).

Its options: the whole return for G (P1), every baseline (B1 … B5), GAE for G − b (P8), standardised weights, and β ∇H_t
beside each term (P12).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial

from ..baselines import (
    BASELINES,
    RETURN_BASELINES,
    StateBaseline,
    biased_optimal,
    biased_optimal_per_coordinate,
    leave_one_out_optimal,
    leave_one_out_optimal_per_coordinate,
)
from ..critics import Values, lambda_return
from ..estimators import (
    GAE,
    EntropyBonus,
    Estimator,
    OptimalBaselineGradient,
    PolicyGradient,
    Psi,
    ScoreFunction,
    Standardised,
    reward_to_go,
    total_return,
)
from ..optimizers import OPTIMIZERS, Optimizer
from ..training import Metrics, Schedule, diagnose
from ..types import Array, Batch, FloatArray, State
from .base import Algorithm, initial_theta
from .experience import FromExperience, experience_of
from .remote_gradients import estimate_of, holding
from .settings import ReinforceSettings
from .value import ValueFit, value_of

__all__ = ["OPTIMAL_BASELINES", "REINFORCE", "Reinforce", "estimator_of", "targets_of"]

OPTIMAL_BASELINES: dict[str, Callable[[Array, FloatArray], Array | float]] = {
    "optimal": leave_one_out_optimal,
    "optimal-per-coordinate": leave_one_out_optimal_per_coordinate,
    "optimal-biased": biased_optimal,
    "optimal-per-coordinate-biased": biased_optimal_per_coordinate,
}


def estimator_of(
    settings: ReinforceSettings, values: Values | None = None, executor: Executor | None = None
) -> Estimator:
    """The estimator of an iteration: Ψ = γ^t (G − b), or what else the settings ask for.

    Parameters
    ----------
    settings : ReinforceSettings
    values : Values, optional
        V on the batch that is to come; baseline ``"value"`` needs it.
    executor : concurrent.futures.Executor, optional

    Examples
    --------
    >>> estimator_of(ReinforceSettings(baseline="optimal", causality=False)).gamma
    1.0
    """
    s = settings
    if s.baseline in OPTIMAL_BASELINES:
        return OptimalBaselineGradient(s.gamma, OPTIMAL_BASELINES[s.baseline], executor=executor)
    if values is None:
        baseline = (BASELINES if s.causality else RETURN_BASELINES)[s.baseline]
    else:
        baseline = StateBaseline(lambda batch: values.rows)
    psi: Psi = PolicyGradient(s.gamma, s.causality, discount_states=False, baseline=baseline).weights  # G_t − b_t
    if values is not None and s.gae_lambda is not None:
        psi = GAE(lambda batch: values, s.gamma, s.gae_lambda)
    if s.normalize_advantage:
        psi = Standardised(psi)
    discount = s.gamma if s.causality and s.discount_states else 1.0  # the whole return has its own γ^t
    if s.ent_coef:
        return EntropyBonus(psi, s.ent_coef, discount, executor=executor)
    return ScoreFunction(psi, discount, executor=executor)


def targets_of(settings: ReinforceSettings, batch: Batch, values: Values) -> FloatArray:
    """What V is fitted to, shape (T,): G_t, or G^λ_t where GAE is used; with the whole return, R."""
    if settings.gae_lambda is not None:
        return lambda_return(batch, values, settings.gamma, settings.gae_lambda)
    return (reward_to_go if settings.causality else total_return)(batch, settings.gamma)


@dataclass(frozen=True)
class Reinforce(FromExperience):
    """The recipe: collect N episodes, estimate, ascend."""

    optimizer: Optimizer
    estimator: Callable[[Values | None], Estimator]
    targets: Callable[[Batch, Values], FloatArray]
    value: ValueFit | None = None
    schedule: Schedule = field(default_factory=Schedule)
    name = "reinforce"

    def init(self, seed: int) -> State:
        """θ_0 and the optimiser's moments, w_0 if there is a critic."""
        theta = initial_theta(self.policy, seed)
        groups = {"optimizer": self.optimizer.init(theta)}
        if self.value is not None:
            groups["critic"] = self.value.init(seed)
        return self.begin(seed, theta, **groups)

    def step(self, state: State) -> tuple[State, Metrics]:
        """One iteration."""
        data = self.experience.collect(state)
        policy, theta, batch, groups = data.policy, state.theta, data.scaled, data.groups
        values, targets = None, None
        if self.value is not None:
            w = state.group("critic")
            values = self.value.critic(w, policy)(batch)  # V of earlier episodes: no bias (B1)
            targets = self.targets(batch, values)
            groups["critic"] = self.value.fit(w, policy, batch, targets, state.seed, state.iteration)
        estimate, seen = estimate_of(self.estimator(values), policy, theta, batch)  # ĝ = 1/N Σ_i Σ_t Ψ_{i,t} f_{i,t}
        optimizer = self.schedule(self.optimizer, state.timesteps)
        new_theta, groups["optimizer"] = optimizer.step(theta, estimate.gradient, state.group("optimizer"))  # θ + α ĝ
        figures = {"train/learning_rate": optimizer.learning_rate}
        rows = None if values is None else values.rows
        figures |= diagnose(policy, theta, new_theta, seen, estimate, rows, targets)
        return self.close(data, state, new_theta, figures)


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
    >>> import numpy as np
    >>> model = REINFORCE("CartPole-v1", seed=0).learn(total_timesteps=2_000)
    >>> action, _ = model.predict(np.zeros(4, dtype=np.float32), deterministic=True)
    >>> int(action) in (0, 1)
    True
    """

    name = "reinforce"
    Settings = ReinforceSettings

    def make_recipe(self, settings: ReinforceSettings) -> Reinforce:
        """The recipe with these settings."""
        experience = experience_of(self, settings)
        return Reinforce(
            experience=holding(experience) if settings.baseline in BASELINES else experience,
            optimizer=OPTIMIZERS[settings.optimizer](settings.learning_rate),
            estimator=partial(estimator_of, settings, executor=self.executor),
            targets=partial(targets_of, settings),
            value=value_of(self.policy, settings) if settings.baseline == "value" else None,
            schedule=Schedule(settings.learning_rate_schedule, settings.schedule_steps),
        )
