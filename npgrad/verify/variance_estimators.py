"""The estimators whose variance is studied, by the baseline that they have."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from ..baselines import (
    StateBaseline,
    biased_batch_mean,
    biased_batch_mean_return,
    leave_one_out,
    leave_one_out_return,
    no_baseline,
)
from ..critics import ValueCritic, features, reward_to_go, ridge_regression
from ..errors import InvalidInput, UnknownName
from ..estimators import GAE, Estimator, OptimalBaselineGradient, PolicyGradient, ScoreFunction
from ..functions import Linear
from ..types import Batch, FloatArray
from .variance_exact import ExactSide

__all__ = ["BASELINES", "Studied", "chosen_estimators", "fitted_values"]

BASELINES = {
    "none": "no baseline: the whole return, and the reward-to-go",
    "leave-one-out": "the mean of the other episodes of the batch",
    "batch-mean-biased": "the mean of the batch: biased by (N − 1)/N, so that it seems to vary less (B3)",
    "optimal": "the best constant, from the other episodes (B5)",
    "value": "V, linear in the observation, fitted on earlier episodes; and GAE with it",
    "exact-value": "the exact V_t(s), where the environment is tabular (B2)",
    "best": "the best b_t(s), where the environment is tabular (B12)",
}
RIDGE = 1e-6
GAE_LAMBDA = 0.95


@dataclass(frozen=True)
class Studied:
    """An estimator of a study.

    Parameters
    ----------
    name : str
    baseline : str
        One of `BASELINES`.
    estimator : Estimator
    exact : str, optional
        Which exact variance belongs to it; see `ExactSide.variance`.
    """

    name: str
    baseline: str
    estimator: Estimator
    exact: str = ""


def fitted_values(batch: Batch, gamma: float) -> ValueCritic:
    """V(o) = wᵀo + c by regression on the rewards-to-go of a batch (V1).

    Examples
    --------
    >>> batch = Batch(obs=np.array([[0.0], [1.0]]), act=np.zeros(2, int), rew=np.array([1.0, 2.0]), logp=np.zeros(2),
    ...               offsets=[0, 2], terminated=[True], truncated=[False], final_obs=np.zeros((1, 1)))
    >>> fitted_values(batch, 1.0)(batch).rows.round(4)
    array([3., 2.])
    """
    d = batch.obs.shape[1]
    critic = ValueCritic(Linear(d, 1), np.zeros(d + 1))
    phi, _ = features(critic, batch)
    return critic.with_weights(ridge_regression(phi, reward_to_go(batch, gamma), ridge=RIDGE))


def chosen_estimators(
    baselines: Iterable[str] | None, gamma: float, critic: ValueCritic | None, side: ExactSide
) -> list[Studied]:
    """The estimators with the baselines of these names; all that apply, if None.

    Raises
    ------
    UnknownName
        If there is no baseline of that name.
    InvalidInput
        If one is for tabular environments, and this is none.
    """
    names = [name for name in BASELINES if side.known or name not in ("exact-value", "best")]
    if baselines is not None:
        names = list(dict.fromkeys(baselines))
    found: list[Studied] = []
    for name in names:
        if name not in BASELINES:
            raise UnknownName("baseline", name, BASELINES)
        if name in ("exact-value", "best") and not side.known:
            raise InvalidInput(f"the baseline {name!r} is for tabular environments; {side.why or 'exact is off'}")
        found += _of(name, gamma, critic, side)
    if not found:
        raise InvalidInput(f"no baselines are named, expected some of {', '.join(BASELINES)}")
    return found


def _of(name: str, gamma: float, critic: ValueCritic | None, side: ExactSide) -> list[Studied]:
    R, G = "whole return", "reward-to-go"
    if name == "none":
        return [
            Studied(R, name, PolicyGradient(gamma, causality=False, baseline=no_baseline), "whole"),
            Studied(G, name, PolicyGradient(gamma, baseline=no_baseline), "to go"),
        ]
    if name == "leave-one-out":
        whole = PolicyGradient(gamma, causality=False, baseline=leave_one_out_return)
        return [
            Studied(f"{R} − mean of others", name, whole, "whole, leave-one-out"),
            Studied(f"{G} − mean of others", name, PolicyGradient(gamma, baseline=leave_one_out)),
        ]
    if name == "batch-mean-biased":
        whole = PolicyGradient(gamma, causality=False, baseline=biased_batch_mean_return)
        return [
            Studied(f"{R} − mean (biased)", name, whole, "whole, batch mean"),
            Studied(f"{G} − mean (biased)", name, PolicyGradient(gamma, baseline=biased_batch_mean)),
        ]
    if name == "optimal":
        return [Studied(f"{R} − best constant", name, OptimalBaselineGradient(gamma))]
    if name == "value" and critic is not None:
        gae = ScoreFunction(GAE(critic, gamma, GAE_LAMBDA), discount=gamma)
        return [
            Studied(f"{G} − fitted V", name, _less(gamma, lambda batch: critic(batch).rows)),
            Studied(f"GAE, λ = {GAE_LAMBDA:g}, fitted V", name, gae),
        ]
    kind = "exact V" if name == "exact-value" else "best b_t(s)"
    return [Studied(f"{G} − {kind}", name, _less(gamma, side.baseline(kind)), kind)]


def _less(gamma: float, values: Callable[[Batch], FloatArray]) -> Estimator:
    return PolicyGradient(gamma, baseline=StateBaseline(values))
