"""Checks of what a policy knows by sums over its actions: Σ π = 1, E score = 0, entropy, KL, Fisher."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..types import Array, FloatArray
from .acting import Acting
from .derivatives import choose
from .diagnosis import Suspect
from .report import Recorder

__all__ = ["check_entropy", "check_expectations", "check_fisher", "check_kl"]


def check_expectations(record: Recorder, a: Acting) -> None:
    e = a.expectation
    if e.name == "draws":
        record.skip("Σ π(a|o) = 1: too many actions to sum, or π too rough to integrate")
    else:
        sign = "Σ π(a|o)" if e.name == "sum" else "∫ π(a|o) da"
        record.equal(
            f"{sign} = 1: log {sign} = 0", lambda: e.log_total, lambda: 0 * e.log_total, e.tolerance, rows=True
        )
    e.mean_is_zero(
        record, "E score = 0, along a random direction", lambda: a.over_actions(e.act, lambda lin: lin.jvp(a.v))
    )
    e.check_draws(record)


def check_entropy(record: Recorder, a: Acting) -> None:
    """S8."""
    e = a.expectation
    e.compare(
        record,
        "entropy() = −E log π",
        lambda: a.at(a.theta).entropy(),
        lambda: -a.over_actions(e.act, lambda lin: lin.log_prob),
        rows=True,
    )
    if hasattr(a.policy, "entropy"):
        mapped = a.policy.action_map.log_derivative(e.act.reshape(-1, *e.act.shape[2:])).reshape(e.weight.shape)
        e.compare(
            record,
            "entropy(…) of the environment's action = entropy() + E log |det ∂map/∂u|",
            lambda: a.policy.entropy(a.theta, a.obs, a.offsets),
            lambda: mapped - a.over_actions(e.act, lambda lin: lin.log_prob),
            [("that of the latent action", lambda: a.at(a.theta).entropy())],
            rows=True,
        )
    _check_gradient(
        record,
        a,
        "entropy_vjp(w) = ∇ Σ_t w_t H_t",
        lambda theta: a.at(theta).entropy(),
        lambda lin: lin.entropy_vjp(a.w),
    )


def check_kl(record: Recorder, a: Acting) -> None:
    """S9."""
    e, lin, other = a.expectation, a.at(a.theta), a.at(a.other_theta)

    def log_ratio() -> Array:
        here = a.over_actions(e.act, lambda lin: lin.log_prob)
        there: Array = here - a.over_actions(e.act, lambda lin: lin.log_prob, a.other_theta)
        return there

    e.compare(
        record,
        "kl_to(other) = E log π/π_other",
        lambda: lin.kl_to(other),
        log_ratio,
        [("the arguments are swapped: KL(π_other ‖ π)", lambda: _swapped_kl(a))],
        rows=True,
    )
    _check_gradient(
        record,
        a,
        "kl_vjp(other, w) = ∇ Σ_t w_t KL(π ‖ π_other)_t",
        lambda theta: a.at(theta).kl_to(other),
        lambda lin: lin.kl_vjp(other, a.w),
    )
    if hasattr(lin, "kl_from_vjp"):
        _check_gradient(
            record,
            a,
            "kl_from_vjp(other, w) = ∇ Σ_t w_t KL(π_other ‖ π)_t",
            lambda theta: other.kl_to(a.at(theta)),
            lambda lin: lin.kl_from_vjp(other, a.w),
        )


def _swapped_kl(a: Acting) -> FloatArray:
    """KL(π_other ‖ π) = Σ_a π (π_other/π) log π_other/π."""
    e = a.expectation
    here = a.over_actions(e.act, lambda lin: lin.log_prob)
    there = a.over_actions(e.act, lambda lin: lin.log_prob, a.other_theta)
    with np.errstate(all="ignore"):
        ratio = np.exp(there - here)
        return np.asarray(e.mean(np.where(ratio > 0, ratio * (there - here), 0)))


def _check_gradient(
    record: Recorder,
    a: Acting,
    statement: str,
    value: Callable[[Array], Array],
    vjp: Callable[[Any], Array],
) -> None:
    """``vjp(linearisation)`` against the derivative of Σ_t w_t value_t in some coordinates of θ."""

    def weighted(theta: Array) -> Array:
        return np.asarray(a.w @ value(theta))

    method = choose(weighted, a.theta)
    rows = method.jacobian(value, a.theta, a.coordinates)
    suspects: list[Suspect] = [
        ("averaged over the T rows instead of summed", lambda: a.w @ rows / len(a.w)),
        ("the weights w are ignored", lambda: rows.sum(axis=0)),
    ]
    record.equal(
        f"{statement}, by {method.name}",
        lambda: vjp(a.at(a.theta))[a.coordinates],
        lambda: a.w @ rows,
        method.tolerance,
        suspects,
    )


def check_fisher(record: Recorder, a: Acting) -> None:
    """S10: Σ_t w_t E[f fᵀ] v, and the second derivative of KL."""
    e, w, v = a.expectation, a.w, a.v

    def outer() -> Array:
        total = np.zeros_like(a.theta)
        for columns, lin in a.repeated(e.act):
            psi = (e.weight[:, columns] * w[:, None]).T.ravel()
            total += lin.vjp(psi * lin.jvp(v))
        return total

    def fisher() -> Array:
        return np.asarray(a.at(a.theta).fisher_vp(v, w))

    if e.name != "draws":
        statement = f"fisher_vp(v, w) = Σ_t w_t E[f fᵀ] v, by {e.name}"
        unweighted: Suspect = "the weights w are ignored", lambda: a.at(a.theta).fisher_vp(v, np.ones_like(w))
        record.equal(statement, fisher, outer, 10 * e.tolerance, [unweighted])
    lin = a.at(a.theta)
    if hasattr(lin, "kl_from_vjp"):

        def gradient(theta: Array) -> Array:
            there = a.at(a.theta.astype(theta.dtype))
            return np.asarray(a.at(theta).kl_from_vjp(there, w))

        method = choose(gradient, a.theta)
        record.equal(
            f"fisher_vp(v, w) = Hessian of Σ_t w_t KL_t, times v, by {method.name}",
            fisher,
            lambda: method.along(gradient, a.theta, v),
            10 * method.tolerance,
        )
