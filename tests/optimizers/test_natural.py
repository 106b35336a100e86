"""Natural steps: three solves agree, the step has the length asked for, backtracking stops where it should (N2, N4)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad.errors import InvalidInput, NonFinite
from npgrad.optimizers import backtrack, conjugate_gradient, kl_step_length, solve_direct, solve_in_sample_space

seeds = st.integers(0, 10_000)


def case(seed, n_rows=7, n_params=4):
    rng = np.random.default_rng(seed)
    R, g = rng.normal(size=(n_rows, n_params)), rng.normal(size=n_params)
    return R, R.T @ R, g


@given(seeds, st.sampled_from([1e-3, 0.1, 3.0]), st.integers(1, 8))
def test_three_ways_agree(seed, damping, n_rows):
    R, F, g = case(seed, n_rows)
    direct = solve_direct(F, g, damping)
    condition = np.linalg.cond(F + damping * np.eye(4))
    np.testing.assert_allclose((F + damping * np.eye(4)) @ direct, g, rtol=0, atol=1e-12 * condition)
    scale = 1e-12 * condition * np.abs(direct).max()
    np.testing.assert_allclose(solve_in_sample_space(R, g, damping), direct, rtol=0, atol=scale)
    found = conjugate_gradient(lambda v: F @ v, g, damping=damping, max_iterations=60, tolerance=1e-14)
    np.testing.assert_allclose(found.x, direct, rtol=0, atol=scale)
    assert found.residual <= 1e-14


@given(seeds)
def test_without_damping_it_is_the_pseudo_inverse(seed):
    R, F, _ = case(seed, n_rows=2)
    g = R.T @ np.array([1.0, -2.0])
    x = solve_direct(F, g)
    np.testing.assert_allclose(F @ x, g, atol=1e-9 * np.abs(g).max())
    np.testing.assert_allclose(x - np.linalg.pinv(R) @ (R @ x), 0, atol=1e-8 * np.abs(x).max())  # in the range of F


@given(seeds)
def test_a_change_of_parameters_moves_the_same_way_only_without_damping(seed):
    _, F, g = case(seed)
    B = np.random.default_rng(seed + 1).normal(size=(4, 4)) + 3 * np.eye(4)  # θ = Bη
    there = B @ solve_direct(B.T @ F @ B, B.T @ g)
    here = solve_direct(F, g)
    np.testing.assert_allclose(there, here, rtol=1e-6, atol=1e-7 * np.abs(here).max())
    damped = B @ solve_direct(B.T @ F @ B, B.T @ g, 1.0) - solve_direct(F, g, 1.0)
    assert np.linalg.norm(damped) > 1e-3 * np.linalg.norm(here)


def test_conjugate_gradient_takes_as_many_steps_as_there_are_eigenvalues():
    d = np.array([1.0, 1.0, 5.0, 5.0, 9.0])
    found = conjugate_gradient(lambda v: d * v, np.arange(1.0, 6.0), max_iterations=50)
    assert found.n_iterations == 3
    np.testing.assert_allclose(found.x, np.arange(1.0, 6.0) / d, rtol=1e-12)


def test_conjugate_gradient_stops_when_told_or_when_there_is_nothing_to_do():
    _, F, g = case(0)
    assert conjugate_gradient(lambda v: F @ v, g, max_iterations=2).n_iterations == 2
    nothing = conjugate_gradient(lambda v: F @ v, np.zeros(4))
    assert (nothing.n_iterations, nothing.residual) == (0, 0.0)
    assert not nothing.x.any()
    singular = conjugate_gradient(lambda v: np.zeros(4), g)
    assert not singular.x.any()
    assert singular.residual == 1


def test_arguments_are_left_alone():
    _, F, g = case(1)
    kept = g.copy()
    for solve in (lambda: solve_direct(F, g, 0.1), lambda: conjugate_gradient(lambda v: F @ v, g)):
        solve()
        np.testing.assert_array_equal(g, kept)


@given(seeds, st.floats(1e-4, 1.0))
def test_the_step_has_the_kl_asked_for(seed, delta):
    _, F, g = case(seed)
    x = solve_direct(F, g, 0.1)
    step = kl_step_length(g, x, delta) * x
    assert 0.5 * step @ (F + 0.1 * np.eye(4)) @ step == pytest.approx(delta, rel=1e-9)


def test_no_gradient_no_step():
    assert kl_step_length(np.zeros(2), np.zeros(2), 0.1) == 0


@given(st.floats(0.01, 3), st.floats(0.1, 0.9))
def test_backtracking_takes_the_first_fraction_that_holds(delta, shrink):
    def kl(theta):
        return float(theta @ theta)

    def gain(theta):
        return float(theta[0] - 0.6 * theta[0] ** 2)

    found = backtrack(np.zeros(2), np.array([2.0, 1.0]), gain=gain, kl=kl, delta=delta, shrink=shrink, max_tries=30)
    fractions = [shrink**j for j in range(30)]
    holds = [kl(f * np.array([2.0, 1.0])) <= delta and gain(f * np.array([2.0, 1.0])) > 0 for f in fractions]
    first = holds.index(True) if True in holds else None
    assert found.fraction == (fractions[first] if first is not None else 0.0)
    if first is not None:
        assert found.n_tried == first + 1
        np.testing.assert_array_equal(found.theta, found.fraction * np.array([2.0, 1.0]))
        assert (found.gain, found.kl) == (gain(found.theta), kl(found.theta))


@pytest.mark.parametrize(("gain", "kl"), [(-1.0, 0.0), (np.nan, 0.0), (1.0, np.nan), (1.0, 5.0)])
def test_a_step_that_never_holds_is_not_taken(gain, kl):
    theta = np.ones(2)
    found = backtrack(theta, np.ones(2), gain=lambda th: gain, kl=lambda th: kl, delta=0.1, max_tries=4)
    assert (found.fraction, found.n_tried) == (0.0, 4)
    np.testing.assert_array_equal(found.theta, theta)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: solve_direct(np.eye(2), np.ones(3)), InvalidInput, "F has shape"),
        (lambda: solve_direct(np.eye(2), np.ones(2), -1.0), InvalidInput, "damping is -1"),
        (lambda: solve_direct(np.full((2, 2), np.nan), np.ones(2)), NonFinite, "F"),
        (lambda: solve_in_sample_space(np.ones((3, 2)), np.ones(3), 1.0), InvalidInput, "rows has shape"),
        (lambda: solve_in_sample_space(np.ones((3, 2)), np.ones(2), 0.0), InvalidInput, "damping is 0"),
        (lambda: conjugate_gradient(lambda v: v * np.nan, np.ones(2)), NonFinite, "iteration 1"),
        (lambda: conjugate_gradient(lambda v: v, np.ones(2), max_iterations=0), InvalidInput, "max_iterations is 0"),
        (lambda: kl_step_length(np.ones(1), -np.ones(1), 0.1), InvalidInput, "positive definite"),
        (lambda: kl_step_length(np.ones(1), np.ones(1), 0.0), InvalidInput, "delta is 0"),
        (
            lambda: backtrack(np.zeros(1), np.ones(1), gain=sum, kl=sum, delta=0.1, shrink=1.0),
            InvalidInput,
            "shrink is 1",
        ),
    ],
)
def test_errors_name_what_is_wrong(call, error, message):
    with pytest.raises(error, match=message):
        call()
