"""The variance of estimators on real environments, at equal samples, with intervals; exact where tabular (B8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..algorithms.base import initial_theta
from ..errors import InvalidInput
from ..oracle import TabularMDP
from ..policies import Policy, make_policy
from ..rollouts import Rollout, make_rollout
from ..types import Array, Batch, FloatArray
from ..validation import require_finite, require_probability
from .variance_estimators import Studied, chosen_estimators, fitted_values
from .variance_exact import ExactSide
from .variance_views import draw, table

__all__ = ["Row", "VarianceStudy", "jackknife", "study"]

Z = 1.959964  # of a 95 % interval
REFERENCE = "reward-to-go"


@dataclass(frozen=True)
class Row:
    """What is known of one estimator, in batches of n episodes.

    Parameters
    ----------
    name : str
    baseline : str
        Which of `BASELINES` it belongs to.
    variance : float
        s², the estimate of Var ĝ = tr Cov ĝ.
    interval : (float, float)
        95 % of it.
    ratio : float
        Var ĝ over that of the reward-to-go without a baseline, on the same batches.
    ratio_interval : (float, float)
        95 % of it.
    signal_to_noise : float
        ‖E ĝ‖²/Var ĝ, estimated: above 1, a step points uphill more than it wanders.
    exact : float, optional
        Var ĝ, where it can be computed.
    """

    name: str
    baseline: str
    variance: float
    interval: tuple[float, float]
    ratio: float
    ratio_interval: tuple[float, float]
    signal_to_noise: float
    exact: float | None = None


@dataclass(frozen=True)
class VarianceStudy:
    """Variances of several estimators at equal samples.

    Parameters
    ----------
    env_id : str
    gamma : float
    batches, batch_episodes : int
        How many batches, of how many episodes.
    steps : float
        Mean number of steps of a batch.
    rows : tuple of Row
    notes : tuple of str
        What else is known: exact parts of the variance, or why nothing is exact.
    """

    env_id: str
    gamma: float
    batches: int
    batch_episodes: int
    steps: float
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return table(self)

    def __getitem__(self, name: str) -> Row:
        """The row of that name."""
        return next(row for row in self.rows if row.name == name)

    def as_json(self) -> dict[str, Any]:
        """For `json.dumps`."""
        return {
            "env": self.env_id,
            "gamma": self.gamma,
            "batches": self.batches,
            "batch_episodes": self.batch_episodes,
            "steps_per_batch": self.steps,
            "estimators": [
                {
                    "name": row.name,
                    "baseline": row.baseline,
                    "variance": _number(row.variance),
                    "interval": [_number(x) for x in row.interval],
                    "ratio": _number(row.ratio),
                    "ratio_interval": [_number(x) for x in row.ratio_interval],
                    "signal_to_noise": _number(row.signal_to_noise),
                    "exact": None if row.exact is None else _number(row.exact),
                }
                for row in self.rows
            ],
            "notes": list(self.notes),
        }

    def plot(self, path: str | Path | None = None) -> Any:
        """Variances with their intervals, and exact ones beside them; needs ``pip install "npgrad[plots]"``.

        Parameters
        ----------
        path : path, optional
            Where to save it, as PNG, SVG or PDF.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        MissingExtra
            If matplotlib is not installed.
        """
        return draw(self, path)


def study(
    env: str | Callable[[], Any] | Rollout,
    policy: Policy | str = "linear",
    theta: Array | None = None,
    *,
    baselines: Iterable[str] | None = None,
    gamma: float = 1.0,
    batches: int = 256,
    batch_episodes: int = 8,
    seed: int = 0,
    exact: bool | TabularMDP = True,
    env_kwargs: Mapping[str, Any] | None = None,
) -> VarianceStudy:
    """Measure how much estimators vary, all of them on the same batches of one policy's episodes.

        s² = 1/(K−1) Σ_k ‖ĝ_k − ḡ‖²

    with ĝ_k the estimate on batch k. Batches are independent, so this holds for estimators that couple the episodes of
    a batch too. Intervals are jackknifed over batches, on the logarithm; heavy tails make them too short.

    Parameters
    ----------
    env : str, function or rollout
        As for `make_rollout`.
    policy : Policy or str, optional
        A policy, or a kind of `make_policy`.
    theta : array, shape (P,), optional
        Where; by default where a training run with the same seed starts.
    baselines : iterable of str, optional
        Which of `npgrad.verify.variance_estimators.BASELINES`; by default all that apply.
    gamma : float, optional
        γ of ∇J_γ; the estimators have their γ^t.
    batches, batch_episodes : int, optional
        K, at least 3, and the episodes of each, at least 2.
    seed : int, optional
        Of the episodes.
    exact : bool or TabularMDP, optional
        Also compute exact variances where `env` is the id of an environment that has a table; or the table itself.
    env_kwargs : mapping, optional
        For `gymnasium.make`, where `env` is an id.

    Raises
    ------
    InvalidInput
        If there are too few batches, or a baseline does not apply.
    UnknownName
        If there is no baseline of that name.

    Examples
    --------
    >>> found = study("CartPole-v1", baselines=["none", "leave-one-out"], batches=16)
    >>> [row.name for row in found.rows][:2]
    ['whole return', 'reward-to-go']
    >>> low, high = found["reward-to-go"].interval
    >>> low < found["reward-to-go"].variance < high
    True
    """
    require_probability("gamma", gamma)
    if batches < 3 or batch_episodes < 2:
        raise InvalidInput(
            f"{batches} batches of {batch_episodes} episodes: expected at least 3 of 2, to see how estimates differ"
        )
    rollout: Any = env if hasattr(env, "episodes") else make_rollout(env, **(env_kwargs or {}))
    if isinstance(policy, str):
        policy = make_policy(rollout, policy)
    theta = initial_theta(policy, seed) if theta is None else theta
    known = env if exact is True else exact
    side = ExactSide.of(known, policy, theta, gamma, env_kwargs) if exact else ExactSide(None, "")

    n = batch_episodes
    earlier = rollout.episodes(policy, theta, seed=seed, first=0, count=8 * n)  # V is fitted on these
    data = [rollout.episodes(policy, theta, seed=seed, first=(8 + k) * n, count=n) for k in range(batches)]
    estimators = chosen_estimators(baselines, gamma, fitted_values(earlier, gamma), side)
    drop = {e.name: _leave_outs(_estimates(e, policy, theta, data)) for e in _with_reference(estimators, gamma, side)}
    rows = tuple(_row(e, drop[e.name], drop[REFERENCE], side.variance(e.exact, n)) for e in estimators)
    steps = float(np.mean([batch.n_steps for batch in data]))
    notes = side.notes()
    if drop[REFERENCE].s2 == 0:
        notes += ("all estimates of the reward-to-go are the same: no return differs in these episodes; take more",)
    return VarianceStudy(rollout.env_id, gamma, batches, n, steps, rows, notes)


@dataclass(frozen=True)
class _LeaveOuts:
    """s² of all batches and without each one, and the squared norm of the mean without the part that is noise."""

    s2: float
    without: FloatArray  # (K,)
    signal: float


def _estimates(estimator: Studied, policy: Policy, theta: Array, data: Sequence[Batch]) -> FloatArray:
    g = np.array([estimator.estimator(policy, theta, batch).gradient for batch in data])
    require_finite(f"the gradient of {estimator.name}", g)
    return g


def _leave_outs(g: FloatArray) -> _LeaveOuts:
    """Of K estimates (K, P): s² without the k-th is ((K−1)s² − K/(K−1) d_k)/(K−2), d_k = ‖ĝ_k − ḡ‖²."""
    K, mean = len(g), g.mean(axis=0)
    d = ((g - mean) ** 2).sum(axis=1)
    s2 = float(d.sum() / (K - 1))
    without = ((K - 1) * s2 - K / (K - 1) * d) / (K - 2)
    return _LeaveOuts(s2, without, float(mean @ mean) - s2 / K)


def jackknife(value: float, without: FloatArray) -> tuple[float, float]:
    """The 95 % interval of a positive statistic from its values without each of K parts, on the logarithm.

        se² = (K−1)/K Σ_k (log x_(k) − mean)²

    Parameters
    ----------
    value : float
        The statistic.
    without : array, shape (K,)
        The same without part k.

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 3.0, 4.0])
    >>> low, high = jackknife(x.mean(), (x.sum() - x) / 3)
    >>> bool(low < 2.5 < high)
    True
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(without)
    if not np.isfinite(logs).all() or value <= 0:
        return float("nan"), float("nan")
    K = len(logs)
    se = float(np.sqrt((K - 1) / K * ((logs - logs.mean()) ** 2).sum()))
    return value * float(np.exp(-Z * se)), value * float(np.exp(Z * se))


def _row(e: Studied, of: _LeaveOuts, reference: _LeaveOuts, exact: float | None) -> Row:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio, ratios = float(np.divide(of.s2, reference.s2)), of.without / reference.without
        noise = float(np.divide(max(of.signal, 0.0), of.s2))
    interval = jackknife(of.s2, of.without)
    return Row(e.name, e.baseline, of.s2, interval, ratio, jackknife(ratio, ratios), noise, exact)


def _with_reference(estimators: list[Studied], gamma: float, side: ExactSide) -> list[Studied]:
    """The estimators, and reward-to-go, which the others are compared with."""
    if any(e.name == REFERENCE for e in estimators):
        return estimators
    plain = chosen_estimators(["none"], gamma, None, side)
    return [*estimators, *(e for e in plain if e.name == REFERENCE)]


def _number(x: float) -> float | None:
    return x if np.isfinite(x) else None
