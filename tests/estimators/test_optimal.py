"""Optimal baselines on enumerated problems: unbiased by leave-one-out, and least variance (B5, B12)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.baselines import (
    StateTable,
    best_state_baseline,
    biased_optimal,
    leave_one_out_optimal,
    leave_one_out_optimal_per_coordinate,
    optimal_constant,
    optimal_per_coordinate,
)
from npgrad.estimators import OptimalBaselineGradient, PolicyGradient, reward_to_go
from tests.estimators.test_monte_carlo import seeds, world_and_theta
from tests.estimators.worlds import close


def enumerated(world, theta):
    paths = world.paths()
    p = np.array([world.probability(path, world.probabilities(theta)) for path in paths])
    return world.batch(paths), p


def variance(p, terms):
    """tr Var of one episode's term."""
    mean = p @ terms
    return p @ np.sum((terms - mean) ** 2, axis=1)


@settings(max_examples=2)
@given(seed=seeds)
@pytest.mark.parametrize("baseline", [leave_one_out_optimal, leave_one_out_optimal_per_coordinate])
def test_leave_one_out_is_unbiased(baseline, seed):
    world, theta = world_and_theta(seed, T=2, terminal=(1,))
    mean = world.expectation_of_pairs(OptimalBaselineGradient(baseline=baseline), theta)
    close(mean, world.gradient(theta))


@settings(max_examples=2)
@given(seed=seeds)
def test_on_its_own_batch_it_is_biased(seed):
    world, theta = world_and_theta(seed, T=2, terminal=(1,))
    mean, gradient = (
        world.expectation_of_pairs(OptimalBaselineGradient(baseline=biased_optimal), theta),
        world.gradient(theta),
    )
    assert np.linalg.norm(mean - gradient) > 1e-3 * np.linalg.norm(gradient)


@settings(max_examples=8)
@given(seed=seeds, b=st.floats(-3, 3), gamma=st.floats(0.1, 1))
def test_constant_baselines_lose_by_the_square_of_the_distance(seed, b, gamma):
    world, theta = world_and_theta(seed)
    batch, p = enumerated(world, theta)
    g = np.add.reduceat(world.policy().score(theta, batch.obs, batch.act), batch.offsets[:-1])  # Σ_t f_t
    R = np.array([sum(gamma**t * r for t, r in enumerate(world.rewards(path))) for path in world.paths()])

    def terms(baseline):
        estimator = OptimalBaselineGradient(gamma, baseline=lambda g, R: baseline, keep_per_episode=True)
        return estimator(world.policy(), theta, batch).per_episode

    best = optimal_constant(g, R, p)
    close(variance(p, terms(b)) - variance(p, terms(best)), p @ np.sum(g**2, axis=1) * (b - best) ** 2)
    each = optimal_per_coordinate(g, R, p)
    close(variance(p, terms(b)) - variance(p, terms(each)), (p @ g**2) @ (b - each) ** 2)


@settings(max_examples=8)
@given(seed=seeds)
def test_state_baselines_lose_by_the_square_of_the_distance(seed):
    world, theta = world_and_theta(seed)
    batch, p = enumerated(world, theta)
    cells, n_cells = batch.time * world.S + batch.obs[:, 0].astype(int), world.T * world.S
    scores = world.policy().score(theta, batch.obs, batch.act)
    best = best_state_baseline(scores, reward_to_go(batch), batch.offsets, cells, n_cells, p)
    other = np.random.default_rng(seed).normal(size=n_cells)

    def terms(values):
        estimator = PolicyGradient(baseline=StateTable(values, lambda _: cells), keep_per_episode=True)
        return estimator(world.policy(), theta, batch).per_episode

    w = np.repeat(p, batch.lengths)
    norms = np.bincount(cells, w * np.sum(scores**2, axis=1), n_cells)  # p(c) E[‖f‖² | c]
    close(variance(p, terms(other)) - variance(p, terms(best)), norms @ (other - best) ** 2)
