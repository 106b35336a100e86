"""Draws for all slots beside the distributions'; the short way for two actions beside the general one."""

import numpy as np
import pytest

from npgrad import jit
from npgrad.distributions import Categorical, DiagonalGaussian
from npgrad.functions import MLP
from npgrad.rollouts import draws, parts
from npgrad.rollouts.fused import ACTIVATIONS

SOFTMAX = (
    "void(float64[:,::1], float64[:,::1], float64[:,::1], float64[::1], float64[:,::1], float64[::1], float64[::1])"
)
draw_softmax = jit.kernel(SOFTMAX)(draws.draw_softmax)
draw_one_of_two = jit.kernel("void(float64[:,::1], float64[:,::1], float64[:,::1], float64[::1])")(
    draws.draw_one_of_two
)
take_modes = jit.kernel("void(float64[:,::1], float64[:,::1], float64[::1], float64[::1])")(draws.take_modes)
draw_gaussian = jit.kernel("void(float64[:,::1], float64[:,::1], boolean, float64[:,::1], float64[::1])")(
    draws.draw_gaussian
)
hot_entry = jit.kernel("void(float64[:,::1], float64[::1])")(draws.hot_entry)
FORWARD = "void(intp, int64[::1], float64[::1], float64[:,::1], float64[::1], float64[:,::1])"
linear, selection, perceptron = (jit.kernel(FORWARD)(function) for function in parts.FORWARDS)

B = 1001


def softmax(y, u):
    act, logp = np.empty((1, y.shape[1])), np.empty(y.shape[1])
    draw_softmax(y, u.copy(), act, logp, np.empty_like(y), np.empty(y.shape[1]), np.empty(y.shape[1]))
    return act, logp


def logits(n, seed=0):
    """Among them equal ones, and ones so far apart that an action cannot be drawn."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(n, B)) * rng.choice([0.0, 0.1, 1.0, 30.0, 1000.0], size=B)
    return y, rng.random((1, B))


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_softmax(n):
    y, u = logits(n)
    act, logp = softmax(y, u)
    pi = Categorical(n)
    np.testing.assert_array_equal(act[0], pi.draw(y.T, u.T))
    np.testing.assert_allclose(logp, pi.log_prob(y.T, act[0].astype(int)), rtol=1e-13, atol=1e-14)
    top = np.empty(B)
    take_modes(y, act, logp, top)
    np.testing.assert_array_equal(act[0], pi.mode(y.T))
    np.testing.assert_allclose(logp, pi.log_prob(y.T, act[0].astype(int)), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("bad", [0, 1])
def test_logits_that_are_not_numbers_have_no_probability(bad):
    """Of a policy that has overflowed: batches refuse a log π that is NaN, and would keep any number."""
    y, u, act, of_two, of_modes = np.ones((2, 1)), np.full((1, 1), 0.5), np.empty((1, 1)), np.empty(1), np.empty(1)
    y[bad] = np.nan
    draw_one_of_two(y, u, act, of_two)
    take_modes(y, act, of_modes, np.empty(1))
    assert np.isnan([softmax(y, u)[1], of_two, of_modes]).all()


def test_two_actions_the_short_way_to_the_bit():
    y, u = logits(2, seed=1)
    act, logp = np.empty((1, B)), np.empty(B)
    draw_one_of_two(y, u, act, logp)
    expected_act, expected_logp = softmax(y, u)
    np.testing.assert_array_equal(act, expected_act)
    np.testing.assert_array_equal(logp, expected_logp)
    assert 0 < act.sum() < B


@pytest.mark.parametrize("k", [1, 3])
def test_gaussian(k):
    rng = np.random.default_rng(k)
    y, z = rng.normal(size=(2 * k, B)), rng.normal(size=(k, B))
    act, logp, pi = np.empty((k, B)), np.empty(B), DiagonalGaussian(k)
    draw_gaussian(y, z.copy(), False, act, logp)
    np.testing.assert_allclose(act.T, pi.draw(y.T, z.T), rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(logp, pi.log_prob(y.T, act.T), rtol=1e-9, atol=1e-9)
    draw_gaussian(y, z.copy(), True, act, logp)
    np.testing.assert_array_equal(act.T, pi.mode(y.T))


def test_a_one_hot_row_selects_what_the_product_gives():
    rng = np.random.default_rng(5)
    d, n = 6, 4
    x = np.ascontiguousarray(np.eye(d)[rng.integers(d, size=B)].T)
    W, b = rng.normal(size=(d, n)), rng.normal(size=n)
    y, selected, hot = np.empty((n, B)), np.empty((n, B)), np.empty((1, B))
    sizes, theta = np.array([0, 0, d, n]), np.concatenate([W.reshape(-1), b])
    linear(0, sizes, theta, x, np.empty(0), y)
    hot_entry(x, hot[0])
    selection(0, sizes, theta, hot, np.empty(0), selected)
    np.testing.assert_array_equal(selected, y)
    np.testing.assert_array_equal(hot[0], x.argmax(axis=0))
    np.testing.assert_allclose(y, W.T @ x + b[:, None], rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("activation", ["tanh", "relu", "identity"])
@pytest.mark.parametrize(("hidden", "n_constants"), [((), 0), ((5,), 2), ((8, 3), 0)])
def test_a_perceptron_beside_constants(activation, hidden, n_constants):
    f, rng = MLP(6, 4, hidden, activation), np.random.default_rng(6)
    theta, x = rng.normal(size=f.n_params + n_constants), rng.normal(size=(6, B))
    sizes = np.array([ACTIVATIONS[activation], n_constants, 6, *hidden, 4])
    y = np.empty((4 + n_constants, B))
    perceptron(jit.product_address("float64"), sizes, theta, x, np.empty(sum(hidden) * B), y)
    np.testing.assert_allclose(y[:4].T, f.at(theta[: f.n_params], x.T).y, rtol=1e-11, atol=1e-12)
    np.testing.assert_array_equal(y[4:], np.broadcast_to(theta[f.n_params :, None], (n_constants, B)))
