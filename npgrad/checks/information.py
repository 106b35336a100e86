"""Checks of entropy, Kullback–Leibler divergence and Fisher information, and of their gradients in y."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..types import Array, FloatArray
from .derivatives import Method, choose
from .diagnosis import Suspect, linear_in, scales_in
from .expectation import Expectation
from .family import Family
from .report import Recorder

__all__ = ["check_entropy", "check_fisher", "check_kl"]


def check_entropy(record: Recorder, f: Family, e: Expectation) -> None:
    """H = −E log p and ∂H/∂y (S8)."""

    def look(got: Array, expected: Array) -> str:
        found = linear_in(got - expected, f.y)
        if found is None or not found[0].any():
            return ""
        terms = " + ".join(f"{x:g}·y[:, {j}]" for j, x in enumerate(found[0]) if x)
        return f"off by {terms} {found[1]:+.6g}: is a log σ wrong?"

    e.compare(
        record,
        "entropy = −E log p",
        lambda: f.pi.entropy(f.y),
        lambda: -f.at(f.pi.log_prob, f.y, e.act),
        [("in bits: log 2 is missing", lambda: f.pi.entropy(f.y) / np.log(2))],
        look,
        rows=True,
    )
    method = choose(f.pi.entropy, f.y)
    right = method.gradient(f.pi.entropy, f.y)
    record.equal(
        f"entropy_grad = ∂H/∂y, by {method.name}",
        lambda: f.pi.entropy_grad(f.y),
        lambda: right,
        method.tolerance,
        scales_in(right, f.y),
    )


def check_kl(record: Recorder, f: Family, e: Expectation) -> None:
    """KL(p ‖ q) = E_p log p/q, where it is zero, and its gradients in both arguments (S9)."""
    y, other = f.y, f.y_other

    def log_ratio() -> Array:
        return f.at(f.pi.log_prob, y, e.act) - f.at(f.pi.log_prob, other, e.act)

    e.compare(
        record,
        "kl(y, y_other) = KL(p ‖ q) = E_p log p/q",
        lambda: f.pi.kl(y, other),
        log_ratio,
        _suspects_of_kl(f, e),
        rows=True,
    )
    record.equal("kl(y, y) = 0", lambda: f.pi.kl(y, y), lambda: np.zeros(len(y)), 1e-12, rows=True)
    record.value("kl ≥ 0", lambda: max(0.0, float(-np.min(f.pi.kl(y, other)))), 1e-12, "a divergence is negative")
    in_first = choose(lambda x: f.pi.kl(x, other), y)
    in_second = choose(lambda x: f.pi.kl(y, x), other)
    first = in_first.gradient(lambda x: f.pi.kl(x, other), y)
    second = in_second.gradient(lambda x: f.pi.kl(y, x), other)
    record.equal(
        f"kl_grad[0] = ∂KL/∂y, by {in_first.name}",
        lambda: f.pi.kl_grad(y, other)[0],
        lambda: first,
        in_first.tolerance,
        [("the two gradients are swapped", lambda: second), *_of_swapped(f, in_first, 1), *scales_in(first, y)],
    )
    record.equal(
        f"kl_grad[1] = ∂KL/∂y_other, by {in_second.name}",
        lambda: f.pi.kl_grad(y, other)[1],
        lambda: second,
        in_second.tolerance,
        [("the two gradients are swapped", lambda: first), *_of_swapped(f, in_second, 0), *scales_in(second, other)],
    )


def _suspects_of_kl(f: Family, e: Expectation) -> Iterator[Suspect]:
    """KL(q ‖ p) = Σ_a p (q/p) log q/p over the actions of p: the arguments swapped."""

    def swapped() -> FloatArray:
        log_p, log_q = f.at(f.pi.log_prob, f.y, e.act), f.at(f.pi.log_prob, f.y_other, e.act)
        with np.errstate(all="ignore"):
            ratio = np.exp(log_q - log_p)
            total: FloatArray = e.mean(np.where(ratio > 0, ratio * (log_q - log_p), 0))
        return total

    yield "the arguments are swapped: KL(q ‖ p)", swapped


def _of_swapped(f: Family, method: Method, argument: int) -> Iterator[Suspect]:
    """The gradient of KL(q ‖ p) in the same variable."""
    y, other = f.y, f.y_other
    if argument:
        yield "that of KL(q ‖ p), the arguments swapped", lambda: method.gradient(lambda x: f.pi.kl(other, x), y)
    else:
        yield "that of KL(q ‖ p), the arguments swapped", lambda: method.gradient(lambda x: f.pi.kl(x, y), other)


def check_fisher(record: Recorder, f: Family, e: Expectation) -> None:
    """M v = E[score (scoreᵀ v)], and the second derivative of KL (S10)."""
    y, v = f.y, f.v

    def outer() -> Array:
        score = f.at(f.pi.score, y, e.act)  # (T, n, K)
        product: Array = score * (score * v[:, None]).sum(axis=2, keepdims=True)
        return product

    M = _matrix(f, e)
    e.compare(
        record,
        "fisher(y, v) = M v, M = E[score scoreᵀ]",
        lambda: f.pi.fisher(y, v),
        outer,
        _suspects_of_fisher(f, M),
    )
    if f.has("kl_grad"):

        def gradient(x: Array) -> Array:
            return np.asarray(f.pi.kl_grad(y.astype(x.dtype), x)[1])

        method = choose(gradient, y)
        right = method.along(gradient, y, v)
        record.equal(
            f"fisher(y, v) = Hessian of KL in y_other, times v, by {method.name}",
            lambda: f.pi.fisher(y, v),
            lambda: right,
            method.tolerance,
            _suspects_of_fisher(f, M),
        )


def _matrix(f: Family, e: Expectation) -> FloatArray:
    """M (T, K, K), from the scores."""
    score = f.at(f.pi.score, f.y, e.act)
    columns = [e.mean(score * score[:, :, k : k + 1]) for k in range(f.pi.n_y)]
    return np.stack(columns, axis=-1)


def _suspects_of_fisher(f: Family, M: FloatArray) -> Iterator[Suspect]:
    v = f.v
    right = np.einsum("tij,tj->ti", M, v)
    yield from scales_in(right, f.y, second=True)
    diagonal = np.einsum("tii->ti", M)
    yield "the off-diagonal entries of M are missing", lambda: diagonal * v
    yield "the diagonal of M without v", lambda: diagonal
    yield "M⁻¹ v, the covariance, instead of M v", lambda: np.linalg.solve(M, v[:, :, None])[:, :, 0]
