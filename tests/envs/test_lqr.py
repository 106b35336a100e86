"""The compiled LQR against matrix products, and against the oracle."""

import numpy as np
import pytest

from npgrad import jit, oracle
from npgrad.checks import check_environment
from npgrad.envs import compiled_twin
from npgrad.envs.block import Block
from npgrad.envs.lqr import lqr_env
from npgrad.errors import InvalidInput, NonFinite

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(3, 3)), RNG.normal(size=(3, 2))
Q, R = RNG.normal(size=(3, 3)), RNG.normal(size=(2, 2))
W = np.outer([1.0, 2.0, 0.0], [1.0, 2.0, 0.0])  # of rank 1
START = np.diag([1.0, 4.0, 0.0])
ENV = lqr_env(A, B, Q, R, W=W, start=START)


def test_a_step_is_its_formula():
    n = 50
    x, a, e = RNG.normal(size=(3, n)), RNG.normal(size=(2, n)), RNG.normal(size=(1, n))
    state, obs, rew, terminated = x.copy(), np.empty((3, n)), np.empty(n), np.ones(n, dtype=np.bool_)
    jit.njit_function(ENV.step, "step")(ENV.params_array, a, e, state, obs, rew, terminated)
    noise = state - A @ x - B @ a
    np.testing.assert_allclose(noise @ noise.T, W * (e @ e.T), rtol=0, atol=1e-12)  # L with L Lᵀ = W, up to its sign
    np.testing.assert_allclose(rew, -np.einsum("in,ij,jn->n", x, Q, x) - np.einsum("in,ij,jn->n", a, R, a), atol=1e-12)
    np.testing.assert_array_equal(obs, state)
    assert not terminated.any()


def test_the_start_has_its_covariance():
    assert ENV.reset_noise == ("normal",) * 2  # rank of START
    state, obs = np.full((3, 2), np.nan), np.full((3, 2), np.nan)
    jit.njit_function(ENV.reset, "reset")(ENV.params_array, np.arange(2), np.eye(2), state, obs)
    np.testing.assert_allclose(state @ state.T, START, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(obs, state)


def test_mean_return_is_the_oracles():
    A, B, Q, R, W = ([[1.0, 0.1], [0.0, 1.0]], [[0.005], [0.1]], np.diag([1.0, 0.1]), [[0.1]], np.diag([0.0, 0.0025]))
    K, n, horizon = np.array([[1.0, 1.5]]), 4000 if jit.enabled() else 100, 50
    block = Block(compiled_twin("npgrad/LQR-v0"), n)
    block.begin(np.arange(n), np.full(n, 3), np.arange(n))
    returns = np.zeros(n)
    for _ in range(horizon):
        block.step(-K @ block.obs)
        returns += block.rew
    exact = oracle.LQR(A, B, Q, R, start=np.eye(2), W=W, horizon=horizon).objective(K)
    assert abs(returns.mean() - exact) <= 5 * returns.std() / np.sqrt(n)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(B=np.ones((2, 1))), r"B has shape \(2, 1\), expected \(3, any\)"),
        (dict(Q=np.eye(2)), r"Q has shape \(2, 2\), expected \(3, 3\)"),
        (dict(R=np.eye(3)), r"R has shape \(3, 3\), expected \(2, 2\)"),
        (dict(W=-np.eye(3)), "W is .*, expected a covariance"),
        (dict(start=np.tri(3)), "start is .*, expected a covariance"),
    ],
)
def test_bad_matrices_are_named(change, message):
    with pytest.raises(InvalidInput, match=message):
        lqr_env(**dict(A=A, B=B, Q=Q, R=R) | change)


def test_a_nan_is_named():
    with pytest.raises(NonFinite, match="A"):
        lqr_env([[np.nan]], [[1.0]], [[1.0]], [[1.0]])


@pytest.mark.parametrize("env", [ENV, lqr_env(A, B, Q, R, start=np.zeros((3, 3)))], ids=["noise", "none"])
def test_contract(env):
    check_environment(env).raise_if_failed()
