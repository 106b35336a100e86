"""The check of a distribution over actions given y."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..types import Array
from .contract import check_contract, check_float32
from .density import check_change_of_variables, check_mode, check_score, check_total
from .derivatives import BY_DIFFERENCES, choose
from .expectation import expectation
from .family import Family
from .information import check_entropy, check_fisher, check_kl
from .products import IDENTITY
from .report import Recorder, Report

__all__ = ["check_distribution"]


def check_distribution(
    distribution: Any, *, seed: int = 0, y: npt.ArrayLike | None = None, exact_mode: bool = True
) -> Report:
    """Check every row of a distribution: densities, scores, entropy, KL, Fisher, draws, mode.

    Sums over all actions are exact where they are few; up to two continuous columns are integrated; elsewhere draws
    stand in. What the actions are is learned from ``check_actions``.

    Parameters
    ----------
    distribution : Distribution
        As in docs/architecture.md. What it lacks, or names in its property ``absent``, is skipped.
    seed : int, optional
        Of all that is drawn.
    y : array, shape (T, K), optional
        Parameters to check at; moderate random ones by default.
    exact_mode : bool, optional
        Whether ``mode`` must be the likeliest action, and not an approximation.

    Returns
    -------
    Report
        Print it, or call its ``raise_if_failed``.

    Notes
    -----
    S1 to S12, L2, L4, L7 of the catalogue.

    Examples
    --------
    >>> from npgrad.distributions import Categorical
    >>> report = check_distribution(Categorical(3))
    >>> report.passed
    True
    >>> print(report.lines[5])
    ✓ score = ∂ log p/∂y, by complex step                                            ... ≤ 1e-12
    """
    record = Recorder(f"check_distribution of {distribution}, seed {seed}")
    family = Family(distribution, np.random.default_rng(seed), y)
    if record.none("draw and mode give actions, which check_actions accepts", family.action_violations):
        record.attempt("the contract can be checked", lambda: _check_contract(record, family))
        if family.has("log_prob", "score"):
            record.attempt("the formulas can be checked", lambda: _check_formulas(record, family, exact_mode))
        else:
            record.skip("densities and scores: it provides none")
        if hasattr(distribution, "action_vjp"):
            _check_action_vjp(record, family)
        record.attempt("float32 can be checked", lambda: _check_float32(record, family))
    return record.report()


def _check_formulas(record: Recorder, f: Family, exact_mode: bool) -> None:
    if f.method is BY_DIFFERENCES:
        record.skip("complex step: log_prob is not analytic in complex y; central differences stand in")
    e = expectation(lambda act: f.at(f.pi.log_prob, f.y, act), f.accepts, f.pi.mode(f.y), f.draws)
    _check_rows_alone(record, f)
    check_total(record, f, e)
    check_change_of_variables(record, f, e)
    check_score(record, f, e)
    if f.has("entropy", "entropy_grad"):
        check_entropy(record, f, e)
    if f.has("kl", "kl_grad"):
        check_kl(record, f, e)
    if f.has("fisher"):
        check_fisher(record, f, e)
    for name in ("entropy", "kl", "fisher"):
        if not f.has(name):
            record.skip(f"{name}: not provided")
    e.check_draws(record)
    if exact_mode:
        check_mode(record, f, e)
    else:
        record.skip("mode: approximate, so it was told")


def _check_rows_alone(record: Recorder, f: Family) -> None:
    """Before anything is averaged over actions: a row must not see the others."""
    rows = {"log_prob": (f.y, f.act), "score": (f.y, f.act), "entropy": (f.y,), "kl": (f.y, f.y_other)}

    def violations() -> Iterator[str]:
        for name, arguments in rows.items():
            if f.has(name):
                whole = np.asarray(getattr(f.pi, name)(*arguments))
                expected = (len(f.y), f.pi.n_y) if name == "score" else (len(f.y),)
                if whole.shape != expected:
                    yield f"{name} has shape {whole.shape}, expected {expected}"
                    continue
                alone = [getattr(f.pi, name)(*(a[t : t + 1] for a in arguments)) for t in range(len(f.y))]
                if not np.allclose(whole, np.concatenate(alone), IDENTITY, IDENTITY):
                    yield f"{name} of a row depends on other rows"

    record.none("log_prob (T,), score (T, K); each row depends on its own y and action alone", violations)


def _check_action_vjp(record: Recorder, f: Family) -> None:
    """Of an action that is a function of y: (∂a/∂y)ᵀ w (S6)."""

    def a(y: Array) -> Array:
        return np.asarray(f.pi.mode(y))

    w = np.cos(np.arange(a(f.y).size)).reshape(a(f.y).shape)
    method = choose(a, f.y)
    record.equal(
        f"action_vjp(y, w) = (∂a/∂y)ᵀ w, by {method.name}",
        lambda: f.pi.action_vjp(f.y, w),
        lambda: np.einsum("tik,ti->tk", method.jacobian_of_rows(a, f.y), w),
        method.tolerance,
    )


def _check_contract(record: Recorder, f: Family) -> None:
    """Arguments left alone, results of their own."""
    actions = {"draw": lambda: f.pi.draw(f.y, f.noise), "mode": lambda: f.pi.mode(f.y)}
    inputs = {"y": f.y, "y_other": f.y_other, "v": f.v, "noise": f.noise, "act": f.act}
    check_contract(record, _rows(f, f.y, f.y_other, f.v) | actions, inputs)


def _check_float32(record: Recorder, f: Family) -> None:
    arrays = f.y, f.y_other, f.v
    check_float32(record, _rows(f, *arrays), _rows(f, *(array.astype(np.float32) for array in arrays)))


def _rows(f: Family, y: Array, y_other: Array, v: Array) -> dict[str, Any]:
    """Every row that is provided, as a call."""
    pi = f.pi
    rows: dict[str, Any] = {
        "log_prob": lambda: pi.log_prob(y, f.act),
        "score": lambda: pi.score(y, f.act),
        "entropy": lambda: pi.entropy(y),
        "entropy_grad": lambda: pi.entropy_grad(y),
        "kl": lambda: pi.kl(y, y_other),
        "kl_grad": lambda: pi.kl_grad(y, y_other),
        "fisher": lambda: pi.fisher(y, v),
    }
    return {name: call for name, call in rows.items() if f.has(name)}
