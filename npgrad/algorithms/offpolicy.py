"""Off-policy policy gradient (CS224R; CS285 4.4): several steps on a batch, on those before it too, within a KL.

for k = 1 … n_updates:  θ ← θ + α ĝ(θ),    ĝ = 1/N Σ_i Σ_t w_t Ψ_t f_t,    as long as E_s KL(π_θ ‖ π_old) ≤ δ

with w the ratios of π_θ to the policies that acted, made as the settings say (W2 … W5, W10). The constraint is measured
at every step (W6); the step that would break it is halved until it does not, and is the last one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ..baselines import leave_one_out, no_baseline
from ..critics import Values, gae, lambda_return, reward_to_go
from ..estimators import (
    Clipped,
    Estimator,
    LocalGeometry,
    OffPolicyGradient,
    PerDecisionGradient,
    as_from_mixture,
    causal_ratio,
    effective_sample_size,
    importance,
    log_ratios,
    self_normalised,
    step_ratio,
    trajectory_ratio,
)
from ..estimators.ratios import Weighting
from ..estimators.score_function import discounted
from ..optimizers import OPTIMIZERS, Optimizer
from ..training import Metrics, Schedule, diagnose
from ..types import Array, Batch, FloatArray, State
from .base import Algorithm, initial_theta
from .experience import FromExperience, experience_of
from .off_policy_settings import OffPolicySettings
from .replay import BatchReplay
from .value import ValueFit, advantages, value_of

__all__ = ["OffPolicy", "OffPolicyAscent", "off_policy_estimator"]

RATIOS = {"step": step_ratio, "causal": causal_ratio, "trajectory": trajectory_ratio}
MOST_HALVINGS = 30


def off_policy_estimator(settings: OffPolicySettings, batch: Batch, values: Values | None) -> Estimator:
    """The estimator of an iteration, with what does not depend on θ computed once: b, or Ψ = γ^t (G − b).

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((2, 1)), act=np.zeros(2, int), rew=np.ones(2), logp=np.zeros(2), offsets=[0, 2],
    ...               terminated=[True], truncated=[False], final_obs=np.zeros((1, 1)))
    >>> plain = OffPolicySettings(baseline="none", ratio="trajectory", gamma=1.0, normalize_advantage=False)
    >>> off_policy_estimator(plain, batch, None).psi(batch)
    array([2., 1.])
    """
    s = settings
    weightings: dict[str, Weighting] = {"clipped": Clipped(s.max_weight), "self-normalised": self_normalised}
    weighting = weightings.get(s.weighting, importance)
    to_go = reward_to_go(batch, s.gamma)
    if values is None:
        b = (leave_one_out if s.baseline == "leave-one-out" else no_baseline)(to_go, batch)
    else:
        b = values.rows
    if s.ratio == "per-decision":
        return PerDecisionGradient(s.gamma, lambda psi, batch: b, weighting)
    adv = to_go - b if values is None else gae(batch, values, s.gamma, s.gae_lambda)
    psi, _ = advantages(Values(b, np.zeros(0)), adv, s.normalize_advantage)
    psi = discounted(psi, batch, s.gamma if s.discount_states else 1.0)
    return OffPolicyGradient(lambda batch: psi, RATIOS[s.ratio], weighting)


@dataclass(frozen=True)
class OffPolicyAscent(FromExperience):
    """The recipe: collect N episodes, and ascend on them and those before them while the policy stays near."""

    replay: BatchReplay
    optimizer: Optimizer
    estimator: Callable[[Batch, Values | None], Estimator]
    targets: Callable[[Batch, Values], FloatArray]
    value: ValueFit | None
    n_updates: int
    delta: float
    mixture: bool
    per_step: bool
    schedule: Schedule = field(default_factory=Schedule)
    name = "offpolicy"

    def init(self, seed: int) -> State:
        """θ_0 and the optimiser's moments, w_0 if there is a critic; no past batch."""
        theta = initial_theta(self.policy, seed)
        critic = {} if self.value is None else self.value.init(seed)
        return self.begin(seed, theta, optimizer=self.optimizer.init(theta), critic=critic)

    def step(self, state: State) -> tuple[State, Metrics]:
        """One iteration."""
        data, w = self.experience.collect(state), state.group("critic")
        policy, fresh, theta = data.policy, data.scaled, state.theta
        replay = self.replay.add(state.group("replay"), fresh, policy, theta)
        batch, behaviours = self.replay.read(replay, policy)
        values = None if self.value is None else self.value.critic(w, policy)(batch)
        estimator = self.estimator(batch, values)
        if self.mixture:
            batch = as_from_mixture(batch, behaviours)
        near = LocalGeometry(policy, theta, fresh, weights=np.full(fresh.n_steps, 1 / fresh.n_steps))
        optimizer, moments = self.schedule(self.optimizer, state.timesteps), state.group("optimizer")
        estimate, n, kl = estimator(policy, theta, batch), 0, 0.0
        while n < self.n_updates and kl < self.delta:
            g = estimate.gradient if n == 0 else estimator(policy, theta, batch).gradient
            candidate, moments = optimizer.step(theta, g, moments)
            theta, kl, whole = within(near.kl_new_old, theta, candidate, self.delta)
            n += 1
            if not whole:
                break
        log_w = (step_ratio if self.per_step else trajectory_ratio)(log_ratios(policy, theta, batch), batch)
        log_w = log_w if self.per_step else log_w[batch.offsets[:-1]]
        figures = {
            "train/learning_rate": optimizer.learning_rate,
            "train/n_updates": n,
            "train/kl_new_old": kl,
            "train/effective_sample_size": effective_sample_size(log_w),
        }
        rows, targets = None, None
        if self.value is not None:
            of_fresh = self.value.critic(w, policy)(fresh)
            rows, targets = of_fresh.rows, self.targets(fresh, of_fresh)
            w = self.value.fit(w, policy, fresh, targets, state.seed, state.iteration)
        figures |= diagnose(policy, state.theta, theta, fresh, estimate, rows, targets)
        return self.close(data, state, theta, figures, optimizer=moments, critic=w, replay=replay)


def within(kl: Callable[[Array], float], theta: Array, candidate: Array, delta: float) -> tuple[Array, float, bool]:
    """The first of θ + 2^{−j} (candidate − θ) with KL ≤ δ, its KL, and whether that is the whole step.

    Examples
    --------
    >>> within(lambda th: float(th @ th), np.zeros(1), np.array([4.0]), delta=1.0)
    (array([1.]), 1.0, False)
    """
    for j in range(MOST_HALVINGS):
        tried = candidate if j == 0 else theta + 0.5**j * (candidate - theta)
        found = kl(tried)
        if found <= delta:
            return tried, found, j == 0
    return theta, kl(theta), False


class OffPolicy(Algorithm):
    """Off-policy policy gradient: several steps a batch under a KL constraint, past batches with the right ratios.

    Parameters
    ----------
    env, policy, seed, engine, threads, n_envs
        As for every algorithm; policies that have a KL.
    **settings
        The fields of `OffPolicySettings`.

    Examples
    --------
    >>> model = OffPolicy("CartPole-v1", seed=0).learn(total_timesteps=1_000)
    >>> model.state.group("replay")["count"]
    array([8, 8])
    """

    name = "offpolicy"
    Settings = OffPolicySettings

    def make_recipe(self, settings: OffPolicySettings) -> OffPolicyAscent:
        """The recipe with these settings."""
        s = settings
        lam = 1.0 if s.ratio == "per-decision" else s.gae_lambda
        return OffPolicyAscent(
            experience=experience_of(self, s),
            replay=BatchReplay(s.n_batches),
            optimizer=OPTIMIZERS[s.optimizer](s.learning_rate),
            estimator=partial(off_policy_estimator, s),
            targets=partial(lambda_return, gamma=s.gamma, gae_lambda=lam),
            value=value_of(self.policy, s) if s.baseline == "value" else None,
            n_updates=s.n_updates,
            delta=s.delta,
            mixture=s.behaviours == "mixture",
            per_step=s.ratio == "step",
            schedule=Schedule(s.learning_rate_schedule, s.schedule_steps),
        )
