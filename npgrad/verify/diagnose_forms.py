"""Estimators put together from stages, so that a mistake is another stage in the place of one.

    Ψ = average · w · γ^t (G − b),  G from the rewards r and the values V, w the ratios of an off-policy estimate

Every stage is written out for itself on arrays (B, N, T): nothing here is shared with the library's estimators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..types import Array
from .certify_cases import Settings
from .diagnose_batches import Batches

__all__ = [
    "Form",
    "Stage",
    "advantages",
    "backwards_sum",
    "bootstrapped_returns",
    "discounted_sum",
    "episode_ratios",
    "gamma_t",
    "leave_one_out",
    "next_values",
    "plain_rewards",
    "right_forms",
    "sums_of",
    "unit",
    "whole_return",
]

Stage = Callable[..., Array]
LAMBDAS = (0.0, 0.5, 0.9, 0.92, 0.95, 0.97, 0.98, 0.99, 1.0)


@dataclass(frozen=True)
class Form:
    """One way to put an estimator together.

    Parameters
    ----------
    name : str
    kind : {"to go", "whole", "values"}
        Made of rewards to go, of the whole return, or of values.
    rewards : stage
        ``x → r``.
    next_values : stage
        ``x → V(s_{t+1})`` as it counts.
    returns : stage
        ``(x, r, V') → G``.
    baseline : stage
        ``(x, G) → G − b``.
    weights : stage
        ``x`` → the factor γ^t.
    reward_ratios, ratios : stage
        ``x`` → what multiplies each reward, and each row, of an off-policy estimate.
    average : stage
        ``x`` → what multiplies all, beside 1/N.
    """

    name: str
    kind: str
    rewards: Stage
    next_values: Stage
    returns: Stage
    baseline: Stage
    weights: Stage
    reward_ratios: Stage
    ratios: Stage
    average: Stage

    def psi(self, x: Batches) -> Array:
        """Ψ, (B, N, T)."""
        with np.errstate(all="ignore"):
            G = self.returns(x, self.reward_ratios(x) * self.rewards(x), self.next_values(x)) * x.alive
            psi = self.ratios(x) * self.weights(x) * (self.baseline(x, G) * x.alive)
            return np.asarray(self.average(x) * psi * x.alive)

    def with_stages(self, stages: Mapping[str, Stage]) -> Form:
        """The same with other stages."""
        return replace(self, **stages)  # type: ignore[arg-type]


def unit(x: Batches) -> Array:
    """1."""
    return np.ones(())


def gamma_t(x: Batches) -> Array:
    """γ^t."""
    return x.gamma_t


def plain_rewards(x: Batches) -> Array:
    """r_t, with −β log π_t where the objective has an entropy bonus."""
    return x.rew - x.ent_coef * x.log_pi


def next_values(x: Batches) -> Array:
    """V(s_{t+1}), 0 behind a termination."""
    return np.where(x.last & x.terminated[..., None], 0.0, x.V_next)


def backwards_sum(step: Array, factor: float) -> Array:
    """y_t = step_t + factor · y_{t+1}."""
    y = np.zeros(step.shape)
    after = np.zeros(step.shape[:-1])
    for t in reversed(range(step.shape[-1])):
        after = step[..., t] + factor * after
        y[..., t] = after
    return y


def discounted_sum(x: Batches, r: Array, V_next: Array) -> Array:
    """G_t = r_t + γ G_{t+1}."""
    return backwards_sum(r * x.alive, x.gamma)


def whole_return(x: Batches, r: Array, V_next: Array) -> Array:
    """R = Σ_k γ^k r_k at every t."""
    R: Array = (x.gamma_t * r * x.alive).sum(axis=2, keepdims=True)
    return np.broadcast_to(R, x.alive.shape)


def advantages(x: Batches, r: Array, V_next: Array, lam: float) -> Array:
    """A_t = δ_t + γλ A_{t+1}, δ_t = r_t + γ V(s_{t+1}) − V(s_t)."""
    delta = (r + x.gamma * V_next - x.V) * x.alive
    return backwards_sum(delta, x.gamma * lam)


def bootstrapped_returns(x: Batches, r: Array, V_next: Array, lam: float) -> Array:
    """A_t + V(s_t): the λ-return, without a baseline."""
    return advantages(x, r, V_next, lam) + x.V


def leave_one_out(x: Batches, G: Array) -> Array:
    """G less its mean over the other episodes, at the same t."""
    return np.asarray(G - (G.sum(axis=1, keepdims=True) - G) / np.float64(x.n - 1))


def no_baseline(x: Batches, G: Array) -> Array:
    """G."""
    return G


def sums_of(log_rho: Array) -> Array:
    """Σ_{k≤t} log ρ_k."""
    return np.cumsum(log_rho, axis=2)


def episode_ratios(x: Batches) -> Array:
    """Π_k ρ_k of the episode."""
    return np.asarray(np.exp(x.log_rho.sum(axis=2, keepdims=True)))


def causal_ratios(x: Batches) -> Array:
    """Π_{k≤t} ρ_k."""
    return np.exp(sums_of(x.log_rho))


def step_ratios(x: Batches) -> Array:
    """ρ_t."""
    return np.exp(x.log_rho)


def right_forms(settings: Settings) -> list[Form]:
    """The forms that are right, but for a γ that the target lacks; mistakes are put into these.

    Examples
    --------
    >>> [form.name for form in right_forms(Settings())]
    ['reward-to-go', 'reward-to-go less leave-one-out', 'whole return', 'whole return less leave-one-out']
    """
    to_go = Form(
        "reward-to-go",
        "to go",
        plain_rewards,
        next_values,
        discounted_sum,
        no_baseline,
        gamma_t,
        unit,
        unit,
        unit,
    )
    whole = replace(to_go, name="whole return", kind="whole", returns=whole_return, weights=unit)
    if settings.with_values:
        forms = [
            replace(to_go, name=f"GAE with λ = {lam:g}", kind="values", returns=partial(advantages, lam=lam))
            for lam in LAMBDAS
        ]
        forms += [
            replace(
                to_go, name=f"λ-return with λ = {lam:g}", kind="values", returns=partial(bootstrapped_returns, lam=lam)
            )
            for lam in (0.0, 1.0)
        ]
    else:
        forms = [
            replace(form, name=form.name + suffix, baseline=baseline)
            for form in (to_go, whole)
            for suffix, baseline in (("", no_baseline), (" less leave-one-out", leave_one_out))
        ]
    if settings.behaviour == "policy":
        return forms
    if settings.target == "surrogate":
        return [replace(f, name=f"{f.name}, ratio of the step", ratios=step_ratios) for f in forms if f.kind != "whole"]
    weighed = [replace(f, name=f"{f.name}, ratio of the episode", ratios=episode_ratios) for f in forms]
    return [*weighed, replace(to_go, name="per decision", reward_ratios=causal_ratios)]
