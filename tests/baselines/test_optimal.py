"""Baselines of least variance against their naive twins, and by brute force: no other baseline does better."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad.baselines import (
    best_state_baseline,
    leave_one_out_optimal,
    leave_one_out_optimal_per_coordinate,
    optimal_constant,
    optimal_per_coordinate,
)
from npgrad.errors import InvalidInput
from tests import naive

sizes = st.tuples(st.integers(2, 6), st.integers(1, 4))
seeds = st.integers(0, 10_000)


@given(sizes, seeds)
def test_optimal_is_the_ratio_of_means(size, seed):
    rng = np.random.default_rng(seed)
    g, R, w = rng.normal(size=size), rng.normal(size=size[0]), rng.random(size[0])
    assert optimal_constant(g, R, w) == pytest.approx(naive.optimal_baseline(g, R, w), rel=1e-12)
    columns = [naive.optimal_baseline(g[:, k : k + 1], R, w) for k in range(size[1])]
    np.testing.assert_allclose(optimal_per_coordinate(g, R, w), columns, rtol=1e-12)


@given(sizes, seeds)
def test_leave_one_out_is_optimal_on_the_others(size, seed):
    rng = np.random.default_rng(seed)
    g, R = rng.normal(size=size), rng.normal(size=size[0])
    for i in range(size[0]):
        others = np.arange(size[0]) != i
        scalar, rows = leave_one_out_optimal(g, R), leave_one_out_optimal_per_coordinate(g, R)
        assert scalar[i, 0] == pytest.approx(optimal_constant(g[others], R[others]), rel=1e-11)
        np.testing.assert_allclose(rows[i], optimal_per_coordinate(g[others], R[others]), rtol=1e-11)


@given(sizes, seeds, st.floats(-3, 3))
def test_excess_second_moment_is_a_parabola(size, seed, b):
    rng = np.random.default_rng(seed)
    g, R = rng.normal(size=size), rng.normal(size=size[0])

    def second_moment(b):
        return np.mean(np.sum((g * (R - b)[:, None]) ** 2, axis=1))

    best = optimal_constant(g, R)
    expected = np.mean(np.sum(g**2, axis=1)) * (b - best) ** 2  # E‖g‖² (b − b*)²
    assert second_moment(b) - second_moment(best) == pytest.approx(expected, abs=1e-10)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), seeds)
def test_best_state_baseline_is_the_ratio_of_means_by_cells(lengths, seed):
    rng = np.random.default_rng(seed)
    offsets, t = np.concatenate([[0], np.cumsum(lengths)]), sum(lengths)
    scores, psi, cells, w = (
        rng.normal(size=(t, 2)),
        rng.normal(size=t),
        rng.integers(3, size=t),
        rng.random(len(lengths)),
    )
    got = best_state_baseline(scores, psi, offsets, cells, 4, w)
    np.testing.assert_allclose(got, naive.best_state_baseline(scores, psi, offsets, cells, 4, w), rtol=1e-11)


def test_without_scores_there_is_no_baseline():
    assert optimal_constant(np.zeros((2, 3)), np.ones(2)) == 0
    np.testing.assert_array_equal(leave_one_out_optimal(np.zeros((2, 3)), np.ones(2)), 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optimal_constant(np.ones(3), np.ones(3)), "scores has shape"),
        (lambda: optimal_constant(np.ones((3, 1)), np.ones(2)), "returns has shape"),
        (lambda: optimal_per_coordinate(np.ones((3, 1)), np.ones(3), np.ones(2)), "weights has shape"),
        (lambda: leave_one_out_optimal(np.ones((1, 1)), np.ones(1)), "at least 2"),
        (
            lambda: best_state_baseline(np.ones((2, 1)), np.ones(2), np.array([0, 2]), np.array([0, 3]), 3),
            "expected 0 … 2",
        ),
    ],
)
def test_errors_name_what_is_wrong(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()
