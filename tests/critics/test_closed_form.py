"""Linear critics: normal equations, the limits of V1 and V2 on enumerated problems, contraction and divergence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.critics import ValueCritic, features, fitted_iteration, lstd, reward_to_go, ridge_regression
from npgrad.errors import InvalidInput, NonFinite
from npgrad.functions import MLP, Featured, Linear, OneHot
from tests import naive
from tests.critics.batches import random_batch
from tests.estimators.worlds import World, close

seeds = st.integers(0, 10_000)
unit = st.floats(0, 0.99)


def table(n):
    return ValueCritic(Featured(OneHot((n,)), Linear(n, 1, bias=False)), np.zeros(n))


@given(seeds, st.sampled_from([0.0, 0.3, 2.0]))
def test_the_solution_makes_the_gradient_vanish(seed, ridge):
    rng = np.random.default_rng(seed)
    phi, y, c, centre = rng.normal(size=(9, 3)), rng.normal(size=9), rng.random(9), rng.normal(size=3)
    w = ridge_regression(phi, y, weights=c, ridge=ridge, centre=centre)
    gradient = naive.ridge_gradient(w, phi, y, c, ridge, centre)
    np.testing.assert_allclose(gradient, 0, atol=1e-10)


def test_without_a_ridge_the_least_weights_are_taken():
    phi = np.array([[1.0, 1.0, 0.0]])
    np.testing.assert_allclose(ridge_regression(phi, np.array([2.0])), [1, 1, 0], atol=1e-14)


@settings(max_examples=10)
@given(seeds)
def test_monte_carlo_on_a_table_is_the_visit_weighted_mean_of_values(seed):
    world = World.random(seed, S=3, T=3, terminal=(2,))
    theta = np.random.default_rng(seed).normal(size=6)
    paths = world.paths()
    p = np.array([world.probability(path, world.probabilities(theta)) for path in paths])
    batch = world.batch(paths)
    phi, _ = features(table(3), batch)
    w = ridge_regression(phi, reward_to_go(batch), weights=np.repeat(p, batch.lengths))
    d = np.zeros((world.T, 3))
    np.add.at(d, (batch.time, batch.obs[:, 0].astype(int)), np.repeat(p, batch.lengths))
    visited = d.sum(axis=0) > 0
    close(w[visited], ((d * world.V(theta)[:-1]).sum(axis=0) / np.where(visited, d.sum(axis=0), 1))[visited])


@given(seeds, unit, st.sampled_from([0.0, 1.0, 5.0]))
def test_a_table_contracts_to_the_empirical_chain(seed, gamma, ridge):
    rng = np.random.default_rng(seed)
    n, t = 4, 20
    s = np.concatenate([np.arange(n), rng.integers(n, size=t - n)])  # every state visited
    phi, phi_next, rew = np.eye(n)[s], np.eye(n)[rng.integers(n, size=t)], rng.normal(size=t)
    phi_next[rng.random(t) < 0.2] = 0  # terminated
    fixed = lstd(phi, phi_next, rew, gamma=gamma)
    visits = phi.sum(axis=0)
    P, r = (phi.T @ phi_next) / visits[:, None], (phi.T @ rew) / visits
    close(fixed, np.linalg.solve(np.eye(n) - gamma * P, r), 1e-9)
    factor = ((visits * gamma + ridge) / (visits + ridge)).max()
    w = rng.normal(size=n)
    once = fitted_iteration(phi, phi_next, rew, gamma=gamma, w=w, ridge=ridge)
    assert np.abs(once - fixed).max() <= factor * np.abs(w - fixed).max() + 1e-10


def test_iterations_end_at_the_td_fixed_point():
    rng = np.random.default_rng(0)
    P = rng.dirichlet(np.ones(4), size=4)
    mu = np.linalg.matrix_power(P, 500)[0]  # on-policy: the stationary distribution
    pairs = [(i, j) for i in range(4) for j in range(4)]
    table_of = rng.normal(size=(4, 2))
    phi, phi_next = table_of[[i for i, _ in pairs]], table_of[[j for _, j in pairs]]
    c, rew = np.array([mu[i] * P[i, j] for i, j in pairs]), rng.normal(size=16)
    fixed = lstd(phi, phi_next, rew, gamma=0.9, weights=c)
    w = fitted_iteration(phi, phi_next, rew, gamma=0.9, w=np.zeros(2), weights=c, n_iterations=400)
    close(w, fixed, 1e-9)


@given(st.floats(0.5, 1.0), st.floats(0, 10))
def test_w_2w_grows_beyond_five_sixths(gamma, ridge):
    phi, phi_next = np.array([[1.0], [2.0]]), np.array([[2.0], [2.0]])
    w = fitted_iteration(phi, phi_next, np.zeros(2), gamma=gamma, w=[1.0], ridge=ridge, n_iterations=3)
    np.testing.assert_allclose(w, [((6 * gamma + ridge) / (5 + ridge)) ** 3], rtol=1e-12)


def test_features_are_read_off_a_linear_critic():
    batch = random_batch([2, 3, 1], 3)
    critic = ValueCritic(Linear(2, 1), np.array([0.5, -1.0, 2.0]))
    phi, phi_next = features(critic, batch)
    values = critic(batch)
    np.testing.assert_allclose(phi @ critic.w, values.rows, rtol=1e-13)
    final = phi_next[batch.offsets[1:] - 1]
    np.testing.assert_allclose(final @ critic.w, np.where(batch.terminated, 0, values.final), rtol=1e-13)
    np.testing.assert_array_equal(phi_next[0], phi[1])


def test_a_critic_that_is_not_linear_has_no_features():
    function = MLP(2, 1, hidden=(3,))
    with pytest.raises(InvalidInput, match="MLP is not linear in its weights"):
        features(ValueCritic(function, np.zeros(function.n_params)), random_batch([2], 0))


PHI = np.ones((2, 1))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ridge_regression(np.ones(2), np.ones(2)), InvalidInput, "phi has shape"),
        (lambda: ridge_regression(PHI, np.ones(3)), InvalidInput, "targets has shape"),
        (lambda: ridge_regression(PHI, np.array([1.0, np.nan])), NonFinite, "targets"),
        (lambda: ridge_regression(PHI, np.ones(2), weights=[1.0]), InvalidInput, "weights has shape"),
        (lambda: ridge_regression(PHI, np.ones(2), weights=[1.0, -1.0]), InvalidInput, "expected none below 0"),
        (lambda: ridge_regression(PHI, np.ones(2), ridge=-1.0), InvalidInput, "ridge is -1"),
        (lambda: ridge_regression(PHI, np.ones(2), ridge=1.0, centre=[1.0, 2.0]), InvalidInput, "centre has shape"),
        (lambda: lstd(PHI, np.ones((2, 2)), np.ones(2), gamma=0.5), InvalidInput, "phi_next has shape"),
        (lambda: lstd(PHI, PHI, np.ones(2), gamma=1.5), InvalidInput, "gamma"),
        (lambda: fitted_iteration(PHI, PHI, np.ones(2), gamma=0.5, w=[1.0, 2.0]), InvalidInput, "w has shape"),
    ],
)
def test_errors_name_what_is_wrong(call, error, message):
    with pytest.raises(error, match=message):
        call()
