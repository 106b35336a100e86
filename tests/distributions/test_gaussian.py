import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.distributions import DiagonalGaussian, FullGaussian
from npgrad.errors import InvalidInput
from tests import naive
from tests.distributions.rows import (
    arrays,
    assert_close,
    assert_contract,
    assert_expectations,
    assert_gradients,
    assert_wrong_actions_rejected,
    gauss_hermite_actions,
)

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@st.composite
def cases(draw, most=4):
    """Both Gaussians, with correlations and scales of order one."""
    k, T = draw(st.integers(1, most)), draw(st.integers(1, 4))
    pi = draw(st.sampled_from([DiagonalGaussian(k), FullGaussian(k)]))
    y, y_other, v = (draw(arrays((T, pi.n_y), 1.0)) for _ in range(3))
    return pi, y, draw(arrays((T, k), 3.0)), y_other, v


@given(cases())
@settings(max_examples=60, deadline=None)
def test_gradients_are_those_of_complex_step(case):
    assert_gradients(*case)


@given(cases(most=2))
@settings(max_examples=25, deadline=None)
def test_rows_are_expectations_under_the_draw(case):
    pi, y, _, y_other, v = case
    assert_expectations(pi, y, y_other, v, gauss_hermite_actions(pi, y), 1e-11)


@given(cases())
@settings(max_examples=20, deadline=None)
def test_contract(case):
    pi, y, act, y_other, _ = case
    assert_contract(pi, y, y_other, act)


@given(cases())
@settings(max_examples=40, deadline=None)
def test_log_prob_is_the_naive_one(case):
    pi, y, act, _, _ = case
    k = pi.k
    L = np.zeros((len(y), k, k))
    L[:, np.arange(k), np.arange(k)] = np.exp(y[:, k : 2 * k])
    if isinstance(pi, FullGaussian):
        column = 2 * k
        for i in range(k):
            for j in range(i):
                L[:, i, j] = y[:, column]
                column += 1
    cov = L @ L.swapaxes(1, 2)
    expected = naive.gaussian_log_density(act, y[:, :k], cov)
    assert_close(pi.log_prob(y, act), expected, 1e-11 * max(1, np.linalg.cond(cov).max()))


@given(cases(most=3))
@settings(max_examples=20, deadline=None)
def test_a_full_gaussian_without_correlations_is_the_diagonal_one(case):
    pi, y, act, y_other, v = case
    k = pi.k
    diagonal, full = DiagonalGaussian(k), FullGaussian(k)
    y, y_other, v = y[:, : 2 * k], y_other[:, : 2 * k], v[:, : 2 * k]
    more = np.zeros((len(y), full.n_y - 2 * k))
    y_full, other_full, v_full = (np.concatenate([x, more], axis=1) for x in (y, y_other, v))
    assert_close(full.log_prob(y_full, act), diagonal.log_prob(y, act))
    assert_close(full.score(y_full, act)[:, : 2 * k], diagonal.score(y, act))
    assert_close(full.entropy(y_full), diagonal.entropy(y))
    assert_close(full.kl(y_full, other_full), diagonal.kl(y, y_other))
    assert_close(full.kl_grad(y_full, other_full)[1][:, : 2 * k], diagonal.kl_grad(y, y_other)[1])
    assert_close(full.fisher(y_full, v_full), np.concatenate([diagonal.fisher(y, v), more], axis=1))


@pytest.mark.parametrize("pi", [DiagonalGaussian(2), FullGaussian(2)])
def test_density_integrates_to_one(pi):
    y = np.zeros((1, pi.n_y))
    y[0, :4] = -1.0, 0.3, np.log(0.5), np.log(2.0)  # N(−1, 0.5) of COL778 among them
    if isinstance(pi, FullGaussian):
        y[0, 4] = 1.2
    first, second = np.linspace(-6, 4, 201), np.linspace(-24, 24, 401)  # equal steps: exponentially accurate
    grid = np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(pi.log_prob(np.repeat(y, len(grid), axis=0), grid))
    assert density.sum() * (first[1] - first[0]) * (second[1] - second[0]) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("log_std", np.log([1e-12, 1e-6, 1.0, 1e6, 1e12]))
@pytest.mark.parametrize("pi", [DiagonalGaussian(2), FullGaussian(2)])
def test_rows_are_right_from_the_narrowest_to_the_widest(pi, log_std):
    y = np.zeros((1, pi.n_y))
    y[:, 1] = 2.0
    y[:, 2:4] = log_std, -log_std
    std = np.exp(y[:, 2:4])
    act = np.array([[0.0, 2.0]]) + np.array([[1.5, -0.5]]) * std
    z = (act - y[:, :2]) / std
    score = np.concatenate([z / std, z * z - 1], axis=1)
    np.testing.assert_allclose(pi.score(y, act)[:, :4], score, rtol=1e-9)  # a − μ is rounded to that at σ = 1e-12
    np.testing.assert_allclose(pi.log_prob(y, act), -(z * z / 2).sum() - np.log(2 * np.pi), rtol=1e-9)
    np.testing.assert_allclose(pi.entropy(y), np.log(2 * np.pi * np.e), rtol=1e-13)
    np.testing.assert_allclose(pi.fisher(y, np.ones_like(y))[0, :4], [*(std[0] ** -2), 2, 2], rtol=1e-12)
    other = y.copy()
    other[:, 2:4] += np.log(2.0)
    np.testing.assert_allclose(pi.kl(y, other), 2 * (np.log(2) + 0.125 - 0.5), rtol=1e-12)
    for row in pi.kl_grad(y, other):
        assert np.isfinite(row).all()


def test_kl_of_near_neighbours_keeps_its_digits():
    y = np.array([[0.0, 0.0]])
    near = np.array([[0.0, 1e-6]])
    assert DiagonalGaussian(1).kl(y, near)[0] == pytest.approx(1e-12 - 2e-18 / 3, rel=1e-4)


def test_wrong_actions_are_named():
    for pi in (DiagonalGaussian(2), FullGaussian(2)):
        assert_wrong_actions_rejected(
            pi,
            [
                (np.zeros((5, 3)), r"shape \(5, 3\), expected \(5, 2\)"),
                (np.zeros(2), r"shape \(2,\), expected \(2, 2\); one action is a batch of one: try act\[None\]"),
                (np.array([[0.0, np.nan]]), r"act\[0, 1\] is nan"),
                (np.array([[0.0, np.inf]]), r"act\[0, 1\] is inf"),
                (np.zeros((1, 2), complex), "dtype complex128, expected float64"),
            ],
        )
    with pytest.raises(InvalidInput, match=r"act has shape \(4,\), expected \(4, 1\); try act\[:, None\]"):
        DiagonalGaussian(1).log_prob(np.zeros((4, 2)), np.zeros(4))
