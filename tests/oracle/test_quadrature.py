from math import erf, pi, sqrt

import numpy as np
import pytest

from npgrad.errors import InvalidInput
from npgrad.oracle import integral, normal_expectation, normal_nodes
from tests.oracle.problems import assert_close


@pytest.mark.parametrize("n", [1, 3, 5])
def test_hermite_is_exact_for_polynomials(n):
    z, w = normal_nodes(n)
    for m in range(2 * n):
        exact = 0.0 if m % 2 else float(np.prod(np.arange(1, m, 2)))  # (m − 1)!!
        assert_close(w @ z[:, 0] ** m, exact)
    assert abs(w @ z[:, 0] ** (2 * n) - np.prod(np.arange(1, 2 * n, 2))) > 0.5  # and not beyond


def test_expectations_of_a_normal():
    assert_close(normal_expectation(np.exp, 0.3, 0.5), np.exp(0.3 + 0.125))
    assert_close(normal_expectation(lambda x: np.exp(1j * x), 0.3, 0.5), np.exp(0.3j - 0.125))
    assert normal_expectation(lambda x: np.ones((len(x), 2, 3))).shape == (2, 3)


def test_integral_of_a_density():
    def density(x):  # COL778's N(−1, 0.5)
        return np.exp(-((x + 1) ** 2) / (2 * 0.5)) / sqrt(2 * pi * 0.5)

    assert_close(integral(density, np.linspace(-12, 10, 12)), 1.0)
    assert_close(integral(density, np.linspace(-12, -1, 8)), 0.5)
    assert_close(integral(density, [-2.0, 0.0]), erf(1.0))
    assert_close(integral(lambda x: np.stack([x, np.sign(x)], axis=1), [-1.0, 0.0, 3.0]), np.array([4.0, 2.0]))


def test_bad_input():
    with pytest.raises(InvalidInput, match="at least two finite numbers that rise"):
        integral(np.sin, [1.0, 1.0])
    with pytest.raises(InvalidInput, match="one row for each point"):
        integral(lambda x: 1.0, [0.0, 1.0])
    with pytest.raises(InvalidInput, match="std is 0"):
        normal_expectation(np.sin, 0.0, 0.0)
    with pytest.raises(InvalidInput, match="n is 0"):
        normal_nodes(0)
