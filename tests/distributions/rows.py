"""What every distribution must satisfy, row by row; each test of a distribution calls these with its own cases."""

from __future__ import annotations

import dataclasses
import itertools
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from npgrad.distributions import Distribution, provides
from npgrad.distributions.quadrature import hermite
from npgrad.errors import InvalidInput

STEP = 1e-30


def assert_close(actual: Any, expected: Any, tol: float = 1e-12, name: str = "") -> None:
    """Equal to `tol` relative to the largest entry of the row (and to 1, where entries are smaller)."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, (name, actual.shape, expected.shape)
    assert np.isfinite(actual).all(), (name, actual)
    scale = np.maximum(1, np.abs(expected).reshape(len(expected), -1).max(axis=1, initial=0))
    scale = scale.reshape((-1,) + (1,) * (expected.ndim - 1))
    error = np.abs(actual - expected) / scale
    assert error.max(initial=0) <= tol, f"{name}: off by {error.max()}\n{actual}\n{expected}"


def complex_gradient(f: Any, y: np.ndarray) -> np.ndarray:
    """∂f_t/∂y_tj by complex step, (T, n_y)."""
    columns = []
    for j in range(y.shape[1]):
        moved = y.astype(complex)
        moved[:, j] += 1j * STEP
        columns.append(f(moved).imag / STEP)
    return np.stack(columns, axis=1)


def assert_gradients(pi: Distribution, y: np.ndarray, act: np.ndarray, y_other: np.ndarray, v: np.ndarray) -> None:
    """Every gradient of `pi` against complex step; Fisher against the Hessian of KL (S1–S5, S8–S12)."""
    assert_close(pi.score(y, act), complex_gradient(lambda x: pi.log_prob(x, act), y), name="score")
    if provides(pi, "entropy"):
        assert_close(pi.entropy_grad(y), complex_gradient(pi.entropy, y), name="entropy_grad")
    if provides(pi, "kl"):
        first, second = pi.kl_grad(y, y_other)
        assert_close(first, complex_gradient(lambda x: pi.kl(x, y_other), y), name="kl_grad in y")
        assert_close(second, complex_gradient(lambda x: pi.kl(y, x), y_other), name="kl_grad in y_other")
        assert_close(pi.kl(y, y), np.zeros(len(y)), name="KL(p ‖ p)")
        assert (pi.kl(y, y_other) >= -1e-14).all()
    if provides(pi, "fisher"):
        hessian_v = pi.kl_grad(y.astype(complex), y + 1j * STEP * v)[1].imag / STEP
        assert_close(pi.fisher(y, v), hessian_v, name="fisher as the Hessian of KL in y_other")
        hessian_v = pi.kl_grad(y + 1j * STEP * v, y.astype(complex))[0].imag / STEP
        assert_close(pi.fisher(y, v), hessian_v, name="fisher as the Hessian of KL in y")


def assert_expectations(pi: Any, y: np.ndarray, y_other: np.ndarray, v: np.ndarray, nodes: Any, tol: float) -> None:
    """L4, S8, S9, S10 as expectations over `nodes`: pairs of actions (T, …) and their probabilities (T,)."""
    T, K = y.shape
    total, scores, h, kl = np.zeros(T), np.zeros((T, K)), np.zeros(T), np.zeros(T)
    h_grad, kl_grad, kl_other, fisher = (np.zeros((T, K)) for _ in range(4))
    for act, p in nodes:
        some = p > 0
        score, log_p = pi.score(y, act), np.where(some, pi.log_prob(y, act), 0)
        total += p
        scores += p[:, None] * score
        h -= p * log_p
        h_grad -= p[:, None] * score * log_p[:, None]
        fisher += p[:, None] * score * (score * v).sum(axis=1, keepdims=True)
        if provides(pi, "kl"):
            ratio = np.zeros(T)
            ratio[some] = (log_p - pi.log_prob(y_other, act))[some]
            kl += p * ratio
            kl_grad += p[:, None] * score * ratio[:, None]
            kl_other -= p[:, None] * pi.score(y_other, act)
    assert_close(total, np.ones(T), tol, "Σ p")
    assert_close(scores, np.zeros((T, K)), tol, "E score")
    if provides(pi, "entropy"):
        assert_close(pi.entropy(y), h, tol, "entropy")
        assert_close(pi.entropy_grad(y), h_grad, tol, "entropy_grad")
    if provides(pi, "kl"):
        assert_close(pi.kl(y, y_other), kl, tol, "kl")
        assert_close(pi.kl_grad(y, y_other)[0], kl_grad, tol, "kl_grad in y")
        assert_close(pi.kl_grad(y, y_other)[1], kl_other, tol, "kl_grad in y_other")
    if provides(pi, "fisher"):
        assert_close(pi.fisher(y, v), fisher, tol, "fisher")


def all_actions(pi: Any, y: np.ndarray, sizes: tuple[int, ...]) -> Any:
    """Every action of a discrete distribution, repeated for the rows of y, with its probability."""
    for values in itertools.product(*map(range, sizes)):
        act = np.broadcast_to(np.reshape(values, pi.act_shape), (len(y), *pi.act_shape))
        yield act, np.exp(pi.log_prob(y, act))


def gauss_hermite_actions(pi: Any, y: np.ndarray, n: int = 8) -> Any:
    """Actions drawn from Gauss–Hermite nodes as noise, with their weights: exact where polynomials are averaged."""
    x, w = hermite(n)
    for index in itertools.product(range(n), repeat=len(pi.draws)):
        i = list(index)
        yield pi.draw(y, np.broadcast_to(x[i], (len(y), len(i)))), np.full(len(y), np.prod(w[i]))


def assert_contract(pi: Any, y: np.ndarray, y_other: np.ndarray, noise: np.ndarray) -> None:
    """Shapes, dtypes, no argument changed, rows on their own, T = 0 and 1, description in JSON."""
    json.dumps(dataclasses.asdict(pi))
    hash(pi)
    for array in (y, y_other, noise):
        array.setflags(write=False)
    T, K = y.shape
    assert pi.n_y == K
    assert noise.shape[1] == len(pi.draws)
    act = pi.draw(y, noise)
    for a in (act, pi.mode(y)):
        assert a.shape == (T, *pi.act_shape)
        assert a.dtype == pi.act_dtype
        assert not np.shares_memory(a, y)
        pi.check_actions(a)
    act.setflags(write=False)
    v = np.ones_like(y)
    v.setflags(write=False)
    rows = {"log_prob": (y, act), "score": (y, act), "entropy": (y,), "entropy_grad": (y,), "kl": (y, y_other)}
    rows |= {"kl_grad": (y, y_other), "fisher": (y, v)}
    rows = {name: args for name, args in rows.items() if provides(pi, name)}
    for name, args in rows.items():
        method = getattr(pi, name)
        whole = _stacked(method(*args))
        assert whole.dtype == y.dtype
        assert whole.shape[-2:] == ((T, K) if name in ("score", "entropy_grad", "kl_grad", "fisher") else (T,))
        for some in [slice(0)] + [slice(t, t + 1) for t in range(T)]:  # a row depends on its own row alone
            part = _stacked(method(*(a[some] for a in args)))
            np.testing.assert_allclose(part, whole[some] if whole.ndim == 1 else whole[..., some, :], 1e-12, 1e-12)
        small = _stacked(method(*(a if a is act else a.astype(np.float32) for a in args)))
        assert small.dtype == np.float32
        assert np.abs(small - whole).max() <= 1e-3 * max(1, np.abs(whole).max())
    empty = pi.draw(y[:0], noise[:0])
    assert empty.shape == (0, *pi.act_shape)
    pi.check_actions(empty)
    assert pi.draw(y.astype(np.float32), noise).dtype == pi.act_dtype
    np.testing.assert_array_equal(pi.draw(y[:1], noise[:1])[0], act[0])


def _stacked(rows: Any) -> np.ndarray:
    return np.stack(rows) if isinstance(rows, tuple) else rows


def assert_wrong_actions_rejected(pi: Any, wrong: list[tuple[Any, str]]) -> None:
    """Each wrong `act` raises, and the message holds the given words."""
    for act, words in wrong:
        with pytest.raises((InvalidInput, FloatingPointError), match=words):
            pi.check_actions(act)


def arrays(shape: tuple[int, ...], size: float = 4.0) -> st.SearchStrategy[np.ndarray]:
    """Normal numbers times `size` from a drawn seed: Hypothesis chooses, NumPy fills."""
    return st.integers(0, 2**32 - 1).map(lambda seed: size * np.random.default_rng(seed).normal(size=shape))
