"""The library's estimators that a certificate shows beside one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..baselines import Baseline, biased_batch_mean, leave_one_out, no_baseline
from ..critics import Values
from ..estimators import (
    GAE,
    EntropyBonus,
    EntropyRegularised,
    Estimate,
    NStepAdvantage,
    OffPolicyGradient,
    PerDecisionGradient,
    PolicyGradient,
    Psi,
    SampledEntropy,
    ScoreFunction,
    TDResidual,
    self_normalised,
    step_ratio,
)
from ..policies import Policy
from ..types import Array, Batch
from .certify_cases import Settings

__all__ = ["Reference", "references"]


class Reference(NamedTuple):
    """An estimator of the library."""

    estimator: Callable[..., Any]
    separable: bool = True  # ĝ is a mean of functions of one episode each
    bootstraps: bool = False  # it takes segments that did not end


def references(settings: Settings) -> dict[str, Reference]:
    """The estimators that fit the settings, by the name that a certificate shows.

    Examples
    --------
    >>> list(references(Settings()))
    ['whole return', 'reward-to-go', 'leave-one-out', 'batch mean']
    """
    if settings.ent_coef:
        return _with_entropy(settings)
    if settings.behaviour == "other":
        return _off_policy(settings) | _pairs(settings, _of_other)
    found = _on_policy(settings) | _pairs(settings, lambda estimator: estimator)
    return found | _with_values(settings) if settings.with_values else found


def _on_policy(settings: Settings) -> dict[str, Reference]:
    gamma = settings.gamma
    plain = dict(gamma=gamma, baseline=no_baseline, keep_per_episode=True)
    found = {
        "whole return": Reference(PolicyGradient(causality=False, **plain)),  # type: ignore[arg-type]
        "reward-to-go": Reference(PolicyGradient(**plain)),  # type: ignore[arg-type]
    }
    if gamma < 1:
        dropped = PolicyGradient(discount_states=False, **plain)  # type: ignore[arg-type]
        found["without γ^t"] = Reference(dropped)
    return found


def _pairs(settings: Settings, on_data: Callable[[PolicyGradient], Callable[..., Any]]) -> dict[str, Reference]:
    """Those that couple episodes."""
    if settings.n == 1:
        return {}
    baselines: dict[str, Baseline] = {"leave-one-out": leave_one_out, "batch mean": biased_batch_mean}
    return {
        name: Reference(on_data(PolicyGradient(gamma=settings.gamma, baseline=b)), separable=False)
        for name, b in baselines.items()
    }


def _of_other(estimator: PolicyGradient) -> Callable[..., Any]:
    return OffPolicyGradient(estimator.weights)


def _off_policy(settings: Settings) -> dict[str, Reference]:
    G = PolicyGradient(gamma=settings.gamma, baseline=no_baseline).weights
    found = {
        "ratio of the episode": Reference(OffPolicyGradient(G, keep_per_episode=True)),
        "per decision": Reference(PerDecisionGradient(settings.gamma, keep_per_episode=True)),
        "ratio of the step": Reference(OffPolicyGradient(G, step_ratio, keep_per_episode=True)),
    }
    if settings.n == 2:
        normalised = OffPolicyGradient(G, weighting=self_normalised)
        found["self-normalised"] = Reference(normalised, separable=False)
    return found


def _with_values(settings: Settings) -> dict[str, Reference]:
    """Those that bootstrap, from the exact V that they are handed."""
    gamma = settings.gamma
    psis: dict[str, Callable[[Values], Psi]] = {
        "TD residual": lambda values: TDResidual(lambda _: values, gamma),
        "GAE, λ = 0.95": lambda values: GAE(lambda _: values, gamma, 0.95),
        "return − V": lambda values: NStepAdvantage(lambda _: values, gamma),
    }
    return {name: Reference(_taking_values(psi, gamma), bootstraps=True) for name, psi in psis.items()}


def _taking_values(psi: Callable[[Values], Psi], gamma: float) -> Callable[..., Any]:
    def estimator(policy: Policy, theta: Array, batch: Batch, values: Values) -> Estimate:
        return ScoreFunction(psi(values), discount=gamma, keep_per_episode=True)(policy, theta, batch)

    return estimator


def _with_entropy(settings: Settings) -> dict[str, Reference]:
    beta, gamma = settings.ent_coef, settings.gamma
    G = PolicyGradient(gamma=gamma, discount_states=False, baseline=no_baseline).weights
    common = dict(baseline=no_baseline, keep_per_episode=True)
    return {
        "entropy, exact": Reference(EntropyRegularised(beta, gamma, **common)),  # type: ignore[arg-type]
        "entropy, sampled": Reference(SampledEntropy(beta, gamma, **common)),  # type: ignore[arg-type]
        "A3C's bonus": Reference(EntropyBonus(G, beta, gamma, keep_per_episode=True)),
    }
