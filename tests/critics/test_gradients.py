"""Gradients of critics: complex step, central differences, and the semi-gradient against the full one (V1, V5)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad.critics import (
    ActionValueCritic,
    ValueCritic,
    bellman_error,
    descend,
    features,
    fit_error,
    n_step_return,
    reward_to_go,
    ridge_regression,
    squared_error,
)
from npgrad.errors import InvalidInput
from npgrad.functions import MLP, Featured, Linear, OneHot, Recurrent
from npgrad.kernels import ragged
from npgrad.optimizers import SGD
from npgrad.pool import thread_pool
from tests.critics.batches import random_batch
from tests.estimators.worlds import World, close, complex_gradient

lengths = st.lists(st.integers(1, 5), min_size=1, max_size=4)
seeds = st.integers(0, 10_000)
FUNCTIONS = [Linear(2, 1), MLP(2, 1, hidden=(4,)), Recurrent(2, 1, n_hidden=2)]


def central_gradient(f, w, h=1e-5):
    return np.array([(f(w + h * e) - f(w - h * e)) / (2 * h) for e in np.eye(len(w))])


@pytest.mark.parametrize("function", FUNCTIONS)
@given(lengths=lengths, seed=seeds)
def test_squared_error_is_the_sum_and_its_gradient(function, lengths, seed):
    batch, rng = random_batch(lengths, seed), np.random.default_rng(seed)
    w, y, c, centre = (rng.normal(size=n) for n in (function.n_params, batch.n_steps, batch.n_steps, function.n_params))
    options = dict(weights=c**2, offsets=batch.offsets, ridge=0.3, centre=centre)
    loss, gradient = squared_error(function, w, batch.obs, y, **options)
    v = function.at(w, batch.obs, batch.offsets).y[:, 0]
    assert loss == pytest.approx(sum(c**2 * (y - v) ** 2) + 0.3 * sum((w - centre) ** 2), rel=1e-12)
    expected = complex_gradient(lambda w: squared_error(function, w, batch.obs, y, **options)[0], w)
    close(gradient, expected, 1e-12)


@given(lengths=lengths, seed=seeds)
def test_action_values_move_in_the_column_of_the_action(lengths, seed):
    batch, function = random_batch(lengths, seed), MLP(2, 3, hidden=(3,))
    rng = np.random.default_rng(seed)
    critic, y = ActionValueCritic(function, rng.normal(size=function.n_params)), rng.normal(size=batch.n_steps)
    loss, gradient = fit_error(critic, batch, y)
    assert loss == pytest.approx(sum((y - critic(batch)) ** 2), rel=1e-12)
    close(gradient, central_gradient(lambda w: fit_error(critic.with_weights(w), batch, y)[0], critic.w), 1e-7)


@pytest.mark.parametrize("n", [1, 2, None])
@pytest.mark.parametrize("function", FUNCTIONS)
@given(lengths=lengths, seed=seeds, gamma=st.floats(0, 1))
def test_bellman_error_is_differentiated_through_its_targets(function, n, lengths, seed, gamma):
    batch, rng = random_batch(lengths, seed), np.random.default_rng(seed)
    critic, c = ValueCritic(function, rng.normal(size=function.n_params)), rng.random(batch.n_steps)
    loss, gradient = bellman_error(critic, batch, gamma=gamma, n=n, weights=c)

    def error(w):
        values = critic.with_weights(w)(batch)
        return c @ (n_step_return(batch, values, gamma, n) - values.rows) ** 2

    assert loss == pytest.approx(error(critic.w), rel=1e-12)
    close(gradient, central_gradient(error, critic.w), 1e-7)


def test_the_semi_gradient_holds_the_target_fixed():
    batch, critic = random_batch([3, 2], 4), ValueCritic(Linear(2, 1), np.array([1.0, -1.0, 0.5]))
    targets = n_step_return(batch, critic(batch), 0.9, 1)
    loss, semi = fit_error(critic, batch, targets)
    same_loss, full = bellman_error(critic, batch, gamma=0.9)
    assert loss == pytest.approx(same_loss, rel=1e-12)
    assert np.linalg.norm(semi - full) > 0.1 * np.linalg.norm(full)


def test_chunks_are_summed_in_order_whoever_computes_them(monkeypatch):
    batch, function = random_batch([3, 5, 2] * 9, 1), MLP(2, 1, hidden=(4,))
    w, y = function.init(np.random.default_rng(0)), batch.rew
    whole = squared_error(function, w, batch.obs, y)
    monkeypatch.setattr(ragged, "CHUNK_ROWS", 8)
    alone = squared_error(function, w, batch.obs, y)
    with thread_pool(2) as executor:
        shared = squared_error(function, w, batch.obs, y, executor=executor)
    close(alone[1], whole[1], 1e-13)
    assert shared[0] == alone[0]
    np.testing.assert_array_equal(shared[1], alone[1])


def test_descent_on_a_table_ends_at_the_closed_form():
    world = World.random(3, S=3, T=3)
    batch = world.batch(world.paths())
    critic = ValueCritic(Featured(OneHot((3,)), Linear(3, 1, bias=False)), np.zeros(3))
    targets, weights = reward_to_go(batch), np.full(batch.n_steps, 1 / batch.n_steps)
    w, losses = descend(
        lambda w: fit_error(critic.with_weights(w), batch, targets, weights=weights), critic.w, SGD(1.0), 200
    )
    close(w, ridge_regression(features(critic, batch)[0], targets), 1e-9)
    assert (np.diff(losses) <= 1e-12).all()
    assert not critic.w.any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: squared_error(Linear(1, 1), np.zeros(2), np.zeros((3, 1)), np.zeros(2)), "targets has shape"),
        (
            lambda: squared_error(Linear(1, 1), np.zeros(2), np.zeros((3, 1)), np.zeros(3), weights=[1.0]),
            "weights has shape",
        ),
        (lambda: descend(lambda w: (0.0, w), np.zeros(1), SGD(1.0), -1), "n_steps is -1"),
    ],
)
def test_errors_name_what_is_wrong(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()
