"""One matrix of contracts over the optimisers, and Adam against its definition."""

import numpy as np
import pytest

from npgrad.errors import InvalidInput
from npgrad.optimizers import OPTIMIZERS, SGD, Adam
from tests import naive


@pytest.mark.parametrize("name", OPTIMIZERS)
class TestEvery:
    def test_ascends_a_concave_quadratic(self, name):
        optimizer = OPTIMIZERS[name](0.1)
        theta = np.array([3.0, -2.0])
        moments = optimizer.init(theta)
        for _ in range(500):
            theta, moments = optimizer.step(theta, -theta, moments)
        np.testing.assert_allclose(theta, 0, atol=1e-2)

    def test_mutates_nothing(self, name):
        optimizer = OPTIMIZERS[name](0.1)
        theta, g = np.ones(3), np.full(3, 2.0)
        moments = optimizer.init(theta)
        before = {k: v.copy() for k, v in moments.items()}
        optimizer.step(theta, g, moments)
        np.testing.assert_array_equal(theta, 1)
        np.testing.assert_array_equal(g, 2)
        for k, v in before.items():
            np.testing.assert_array_equal(moments[k], v)

    def test_keeps_float32(self, name):
        optimizer = OPTIMIZERS[name](0.1)
        theta = np.ones(3, dtype=np.float32)
        new, _ = optimizer.step(theta, theta, optimizer.init(theta))
        assert new.dtype == np.float32

    @pytest.mark.parametrize("rate", [0.0, -1.0, np.nan, np.inf])
    def test_refuses_a_bad_learning_rate(self, name, rate):
        with pytest.raises(InvalidInput, match="learning_rate"):
            OPTIMIZERS[name](rate)


def test_adam_is_its_definition():
    gradients = np.random.default_rng(0).normal(size=(7, 3))
    adam, theta = Adam(0.01), np.zeros(3)
    moments = adam.init(theta)
    for g in gradients:
        theta, moments = adam.step(theta, g, moments)
    np.testing.assert_allclose(theta, naive.adam(gradients, 0.01), rtol=1e-13)


def test_plain_ascent_is_exact():
    theta, _ = SGD(0.5).step(np.array([1.0]), np.array([4.0]), SGD(0.5).init(np.zeros(1)))
    assert theta == [3.0]


def test_momentum_adds_up_past_gradients():
    sgd, theta = SGD(1.0, momentum=0.5), np.zeros(1)
    moments = sgd.init(theta)
    for _ in range(3):
        theta, moments = sgd.step(theta, np.ones(1), moments)
    assert theta == [1 + 1.5 + 1.75]
