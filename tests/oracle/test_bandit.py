import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.errors import InvalidInput
from npgrad.oracle import GaussianBandit, SoftmaxBandit, normal_expectation, whole_return_moments
from npgrad.policies import make_policy
from tests.oracle.problems import assert_close, complex_step


@given(st.integers(1, 5), st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_softmax_bandit_by_sums_over_actions(n, seed):
    rng = np.random.default_rng(seed)
    R, v, theta = rng.normal(size=n), rng.random(n), rng.normal(size=n)
    bandit = SoftmaxBandit(R, v)
    pi = np.exp(theta) / np.exp(theta).sum()
    f = np.eye(n) - pi
    assert_close(bandit.objective(theta), pi @ R)
    assert_close(bandit.gradient(theta), complex_step(bandit.objective, theta))
    m = bandit.moments(theta)
    for b in (0.0, 0.7, m.R):
        second = pi @ (f**2 * ((R - b) ** 2 + v)[:, None])
        assert_close(m.variances(b), second - bandit.gradient(theta) ** 2)


def test_softmax_bandit_is_a_problem_of_one_step():
    bandit = SoftmaxBandit([1.0, -0.5, 2.0])
    mdp = bandit.mdp().replace(obs=[[1.0]])
    policy, theta = make_policy(mdp, "linear"), np.array([0.3, -0.2, 0.1])
    exact = whole_return_moments(mdp, policy, np.append(theta, np.zeros(3)))
    m = bandit.moments(theta)
    for name, value in vars(m).items():
        assert_close(np.ravel(getattr(exact, name))[-np.size(value) :], np.ravel(value))
    assert_close(exact.leave_one_out_variances(4)[3:], m.leave_one_out_variances(4))
    with pytest.raises(InvalidInput, match="rewards are noisy"):
        SoftmaxBandit([1.0, 2.0], [0.0, 1.0]).mdp()


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=6), st.floats(-1.5, 1.5), st.floats(-1, 0.5))
@settings(max_examples=30, deadline=None)
def test_gaussian_bandit_by_quadrature(coefficients, mu, log_std):
    bandit, theta, sigma = GaussianBandit(coefficients), np.array([mu, log_std]), np.exp(log_std)

    def r(a):
        return np.polynomial.polynomial.polyval(a, coefficients)

    def terms(a):
        z = (a - mu) / sigma
        f = np.stack([z / sigma, z**2 - 1], axis=1)
        return np.concatenate(
            [r(a)[:, None], r(a)[:, None] ** 2, f**2, f * r(a)[:, None], (f * r(a)[:, None]) ** 2], axis=1
        )

    J, RR, *rest = normal_expectation(terms, mu, sigma, n=20)
    FF, RF, RRFF = np.reshape(rest, (3, 2))
    m = bandit.moments(theta)
    assert_close(bandit.objective(theta), J, 1e-11)
    assert_close(bandit.gradient(theta), RF, 1e-11)
    assert_close(bandit.gradient(theta), complex_step(bandit.objective, theta), 1e-11)
    assert_close(m.RR, RR, 1e-11)
    assert_close(m.RF, RF, 1e-11)
    assert_close(m.FF, FF, 1e-11)
    assert_close(m.RRFF, RRFF, 1e-11)


def test_bad_input():
    with pytest.raises(InvalidInput, match="rewards have shape"):
        SoftmaxBandit([[1.0]])
    with pytest.raises(InvalidInput, match="at least 0"):
        SoftmaxBandit([1.0], [-1.0])
    with pytest.raises(InvalidInput, match=r"theta has shape \(1,\), expected \(2,\)"):
        SoftmaxBandit([1.0, 2.0]).gradient(np.zeros(1))
    with pytest.raises(InvalidInput, match=r"theta has shape \(3,\), expected \(2,\)"):
        GaussianBandit([1.0]).gradient(np.zeros(3))
    with pytest.raises(InvalidInput, match="coefficients have shape"):
        GaussianBandit([])
