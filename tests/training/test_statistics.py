"""Statistics over runs, against naive ones and against what they estimate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad.errors import InvalidInput
from npgrad.training.evaluation import interquartile_mean, mean_interval
from npgrad.training.statistics import curves_on_grid, difference, improvement, over_runs

samples = st.lists(st.integers(-5, 5), min_size=1, max_size=8).map(lambda x: np.array(x, float))


@given(samples, samples)
def test_improvement_pair_by_pair(x, y):
    pairs = [(a > b) + 0.5 * (a == b) for a in x for b in y]
    p, (low, high) = improvement(x, y)
    assert p == pytest.approx(np.mean(pairs), rel=1e-12)
    assert 0 <= low <= high <= 1
    opposite, (other_low, other_high) = improvement(y, x)
    assert p + opposite == pytest.approx(1)
    assert 0 <= other_low <= other_high <= 1


def test_improvement_at_its_ends():
    assert improvement(np.arange(5.0) + 10, np.arange(5.0)) == (1.0, (1.0, 1.0))
    assert improvement(np.ones(5), np.ones(3))[0] == 0.5
    with pytest.raises(InvalidInput, match="there are 0 and 2 scores"):
        improvement(np.zeros(0), np.ones(2))


def test_intervals_cover_as_often_as_they_say():
    """Normals a standard deviation apart: P(X > Y) = Φ(1/√2) = 0.7602."""
    rng, hits, means = np.random.default_rng(0), 0, 0
    for seed in range(60):
        x, y = rng.normal(1, 1, 40), rng.normal(0, 1, 40)
        low, high = improvement(x, y, seed=seed)[1]
        hits += low < 0.76025 < high
        low, high = difference(x, y, seed=seed)[1]
        means += low < 1 < high
    assert 51 <= hits <= 60
    assert 51 <= means <= 60


def test_difference():
    gain, (low, high) = difference(np.array([3.0, 5.0]), np.array([1.0, 1.0]))
    assert (gain, low, high) == (3.0, 2.0, 4.0)


@given(st.integers(1, 9), st.integers(0, 100))
def test_each_point_by_itself(n, seed):
    values = np.random.default_rng(seed).normal(size=(n, 4))
    for statistic, naive in (("mean", np.mean), ("iqm", interquartile_mean)):
        center, low, high = over_runs(values, statistic)
        np.testing.assert_allclose(center, [naive(values[:, g]) for g in range(4)], rtol=1e-12)
        assert (low <= high).all()
        if n == 1:
            np.testing.assert_array_equal(low, center)


def test_the_interval_is_that_of_the_mean():
    values = np.random.default_rng(0).normal(size=(30, 3))
    _, low, high = over_runs(values)
    for g in range(3):
        np.testing.assert_allclose((low[g], high[g]), mean_interval(values[:, g], seed=1), atol=0.03)
    with pytest.raises(InvalidInput, match="statistic is 'median'"):
        over_runs(values, "median")


def test_the_grid():
    a = np.array([10.0, 20.0]), np.array([0.0, 10.0])
    b = np.array([0.0, 40.0]), np.array([0.0, 4.0])
    grid, values = curves_on_grid([a, b])
    assert (grid[0], grid[-1]) == (10.0, 40.0)
    np.testing.assert_allclose(values[0], np.minimum(grid - 10, 10))  # ended: its last value
    np.testing.assert_allclose(values[1], grid / 10)
    grid, values = curves_on_grid([(np.array([5.0]), np.array([1.0]))])
    assert grid.tolist() == [5.0]
    assert values.tolist() == [[1.0]]
