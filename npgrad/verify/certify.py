"""Certificates of estimators: exact bias and variance of any ``(policy, theta, batch) → ĝ`` on small problems."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InvalidInput
from ..oracle import ExactMoments, exact_moments, separable_moments
from ..policies import Policy
from ..types import Array, Batch, FloatArray
from .certify_cases import Case, MakePolicy, Settings, exact_gradient, exact_values, fixed_cases
from .certify_references import references
from .certify_views import draw, table

__all__ = ["Certificate", "Measured", "certify", "measure"]

UNBIASED = 1e-9  # ‖E ĝ − ∇J‖/‖∇J‖ of what is unbiased but for rounding
ROUNDING = 1e-12  # ‖∇J‖ of what is zero but for rounding, where the largest reward is 1

Given = Callable[..., Any]  # (policy, theta, batch), or with the values (policy, theta, batch, values)


@dataclass(frozen=True, eq=False)
class Measured:
    """Exact moments of an estimator on one problem.

    Parameters
    ----------
    case : str
        The problem's name.
    gradient : array, shape (P,)
        What the mean should be.
    moments : ExactMoments
        Mean and covariance of ĝ.
    """

    case: str
    gradient: FloatArray
    moments: ExactMoments

    @property
    def bias(self) -> FloatArray:
        """E ĝ − ∇J, shape (P,)."""
        return self.moments.mean - self.gradient

    @property
    def relative_bias(self) -> float:
        """‖E ĝ − ∇J‖/‖∇J‖."""
        return float(np.linalg.norm(self.bias) / np.linalg.norm(self.gradient))

    @property
    def variance(self) -> float:
        """tr Cov ĝ (B4)."""
        return self.moments.variance


@dataclass(frozen=True, eq=False)
class Certificate:
    """Exact bias and variance of an estimator, beside those of the library's.

    Parameters
    ----------
    name : str
        Of the estimator.
    settings : Settings
        What it was certified for.
    rows : tuple of Measured
        One for each problem.
    library : mapping of str to tuple of Measured or None
        The same of the library's estimators; None where one does not apply.

    Examples
    --------
    >>> from npgrad.estimators import PolicyGradient
    >>> certificate = certify(PolicyGradient())
    >>> certificate.unbiased, certificate.relative_bias < 1e-12
    (True, True)
    """

    name: str
    settings: Settings
    rows: tuple[Measured, ...]
    library: Mapping[str, tuple[Measured | None, ...]]

    @property
    def relative_bias(self) -> float:
        """The largest ‖E ĝ − ∇J‖/‖∇J‖ of all problems."""
        return max(row.relative_bias for row in self.rows)

    @property
    def unbiased(self) -> bool:
        """Whether the bias is nothing but rounding on every problem."""
        return self.relative_bias <= UNBIASED

    def __str__(self) -> str:
        return table(self)

    def as_json(self) -> dict[str, Any]:
        """For `json.dumps`."""

        def numbers(row: Measured | None) -> dict[str, Any] | None:
            if row is None:
                return None
            return {
                "problem": row.case,
                "gradient": row.gradient.tolist(),
                "bias": row.bias.tolist(),
                "relative_bias": row.relative_bias,
                "variance": row.variance,
            }

        s = self.settings
        return {
            "estimator": self.name,
            "target": s.target,
            "gamma": s.gamma,
            "n": s.n,
            "behaviour": s.behaviour,
            "unbiased": self.unbiased,
            "relative_bias": self.relative_bias,
            "problems": [numbers(row) for row in self.rows],
            "library": {name: [numbers(row) for row in rows] for name, rows in self.library.items()},
        }

    def plot(self, path: str | Path | None = None) -> Any:
        """Bias and variance of all estimators as a picture; needs ``pip install "npgrad[plots]"``.

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


def certify(
    estimator: Given,
    *,
    target: str = "undiscounted",
    gamma: float = 1.0,
    n: int = 2,
    behaviour: str = "policy",
    with_values: bool = False,
    ent_coef: float = 0.0,
    policy: MakePolicy = "linear",
    cases: Sequence[Case] | None = None,
    library: bool = True,
) -> Certificate:
    """The exact bias and variance of an estimator of the policy gradient on small problems.

        E ĝ = Σ_{τ_1 … τ_n} p(τ_1) ⋯ p(τ_n) ĝ(τ_1, …, τ_n)

    Every batch of n episodes that there can be is handed to the estimator, so nothing is sampled. The problems are
    few and small, chosen so that each known mistake shows on at least one of them; see `npgrad.verify.certify_cases`.

    Parameters
    ----------
    estimator : function
        ``(policy, theta, batch) → ĝ``: an array of shape (P,), or anything with such a `gradient`.
    target : {"undiscounted", "discounted", "surrogate"}, optional
        What the mean should be: ∇J, ∇J_γ, or ∇_θ L_β (W4), what ratios of single steps estimate.
    gamma : float, optional
        The γ that your estimator uses.
    n : int, optional
        Episodes a batch, 1 or 2. Two show what couples episodes (baselines of the batch), and sums taken for means.
    behaviour : {"policy", "other"}, optional
        Who acts: the policy, or another one, whose log-probabilities are in ``batch.logp``.
    with_values : bool, optional
        Hand the exact V as a fourth argument, ``estimator(policy, theta, batch, values)``: ``values.rows`` (T,) and
        ``values.final`` (N,). Segments that were truncated or cut are then among the problems. Of a last state behind
        a termination ``values.final`` is arbitrary, as a critic's is: it counts as 0 there.
    ent_coef : float, optional
        β of an entropy bonus in the objective, J + βE Σ_t γ^t H_t (P12).
    policy : str or function, optional
        ``"linear"``, ``"mlp"``, or ``mdp → policy`` for one of your own.
    cases : sequence of Case, optional
        Problems of your own.
    library : bool, optional
        Also measure the library's estimators.

    Returns
    -------
    Certificate
        ``print`` shows it as a table; `plot` draws it.

    Raises
    ------
    InvalidInput
        If the estimator gives another shape, or another result on the same batch; if the policy does not fit; if the
        gradient is zero on a problem of yours.
    NonFinite
        If it gives NaN or an infinity.

    Examples
    --------
    >>> import numpy as np, npgrad
    >>> def reinforce(policy, theta, batch):
    ...     R = batch.returns()[batch.segment]
    ...     return policy.at(theta, batch.obs, batch.act).vjp(R) / batch.n_episodes
    >>> npgrad.certify(reinforce).unbiased
    True
    >>> def with_batch_mean(policy, theta, batch):
    ...     R = batch.returns()
    ...     psi = (R - R.mean())[batch.segment]
    ...     return policy.at(theta, batch.obs, batch.act).vjp(psi) / batch.n_episodes
    >>> round(npgrad.certify(with_batch_mean).relative_bias, 12)  # (N − 1)/N at N = 2
    0.5
    """
    settings = Settings(target, gamma, n, behaviour, with_values, ent_coef, policy)
    _require_callable(estimator, with_values)
    chosen = fixed_cases(settings) if cases is None else list(cases)
    if not chosen:
        raise InvalidInput("there are no problems to certify on; give at least one case, or leave cases out")
    rows = tuple(measure(estimator, case, settings, takes_values=with_values) for case in chosen)
    _require_gradients(rows, chosen, settings)
    beside: Mapping[str, tuple[Measured | None, ...]] = {}
    if library:
        beside = _library(settings) if cases is None else _measured_library(settings, chosen)
    name = getattr(estimator, "__name__", type(estimator).__name__)
    return Certificate(name, settings, rows, beside)


def measure(
    estimator: Given, case: Case, settings: Settings, *, takes_values: bool = False, separable: bool = False
) -> Measured:
    """Exact moments of an estimator on one problem.

    Parameters
    ----------
    estimator : function
    case : Case
    settings : Settings
    takes_values : bool, optional
        Whether the estimator has a fourth argument.
    separable : bool, optional
        Promise that ĝ is the mean of its `per_episode` terms, each a function of its episode alone: quicker.

    Examples
    --------
    >>> from npgrad.estimators import PolicyGradient
    >>> settings = Settings()
    >>> row = measure(PolicyGradient(), fixed_cases(settings)[0], settings)
    >>> row.case, row.relative_bias < 1e-12
    ('one step', True)
    """
    called = _with_values(estimator, case, settings) if takes_values else estimator
    common: dict[str, Any] = dict(n=settings.n, behaviour=case.behaviour(settings), length=case.length, cut=case.cut)
    try:
        if separable:
            moments = separable_moments(called, case.mdp, case.policy, case.theta, **common)
        else:
            moments = exact_moments(called, case.mdp, case.policy, case.theta, **common)
    except Exception as error:
        error.add_note(f"on the problem {case.name!r}, with batches of n={settings.n}")
        raise
    return Measured(case.name, exact_gradient(case, settings), moments)


def _with_values(estimator: Given, case: Case, settings: Settings) -> Callable[[Policy, Array, Batch], Any]:
    values = exact_values(case, settings)

    def called(policy: Policy, theta: Array, batch: Batch) -> Any:
        return estimator(policy, theta, batch, values(batch))

    return called


@lru_cache(maxsize=16)
def _library(settings: Settings) -> Mapping[str, tuple[Measured | None, ...]]:
    return _measured_library(settings, fixed_cases(settings))


def _measured_library(settings: Settings, cases: Sequence[Case]) -> Mapping[str, tuple[Measured | None, ...]]:
    rows: dict[str, tuple[Measured | None, ...]] = {}
    for name, reference in references(settings).items():
        rows[name] = tuple(
            measure(
                reference.estimator,
                case,
                settings,
                takes_values=reference.bootstraps,
                separable=reference.separable,
            )
            if case.complete or reference.bootstraps
            else None
            for case in cases
        )
    return rows


def _require_gradients(rows: Sequence[Measured], cases: Sequence[Case], settings: Settings) -> None:
    for row, case in zip(rows, cases, strict=True):
        size = np.abs(case.mdp.R).max() + abs(settings.ent_coef)
        if np.linalg.norm(row.gradient) <= ROUNDING * size:
            raise InvalidInput(
                f"on the problem {row.case!r} the gradient is zero, and a bias is measured by its length; take another "
                "θ, or a problem where it matters what is done"
            )


def _require_callable(estimator: Any, with_values: bool) -> None:
    if not callable(estimator):
        raise InvalidInput(
            f"the estimator is a {type(estimator).__name__}, expected a function (policy, theta, batch) → ĝ"
        )
    try:
        signature = inspect.signature(estimator)
    except (TypeError, ValueError):  # written in C
        return
    expected = ("policy", "theta", "batch", "values")[: 4 if with_values else 3]
    try:
        signature.bind(*expected)
    except TypeError:
        remedy = "" if with_values else "; with_values=True hands it the exact V as a fourth argument"
        raise InvalidInput(
            f"the estimator takes {signature}, expected to be called with ({', '.join(expected)}){remedy}"
        ) from None
