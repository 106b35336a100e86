"""Overlap of collection and update: batches one update old, the same bits whether a thread was ahead or not."""

import numpy as np
import pytest

from npgrad.algorithms.ahead import Ahead
from npgrad.algorithms.registry import algorithm
from npgrad.errors import InvalidInput
from npgrad.pool import single_blas_thread
from npgrad.types import State

CASES = {
    "reinforce": ("reinforce", {"n_episodes": 4, "normalize_observations": True}),
    "ppo": ("ppo", {"n_envs": 2, "n_steps": 32, "policy": "mlp"}),
    "a2c-gymnasium": ("a2c", {"n_envs": 2, "engine": "gymnasium"}),
    "trpo": ("trpo", {"n_episodes": 4}),
}


def made(case, **options):
    name, settings = CASES[case]
    return algorithm(name).load()("CartPole-v1", seed=5, **settings, **options)


def walk(model, state, n):
    """States after 1, …, n iterations."""
    found = []
    with single_blas_thread():
        for _ in range(n):
            state, _ = model.recipe.step(state)
            found.append(state)
    return found


def bits(state):
    return {name: array.tobytes() for name, array in state.as_arrays().items()}


@pytest.mark.parametrize("case", CASES)
def test_a_thread_ahead_changes_no_bit(case, monkeypatch):
    model = made(case, overlap=True)
    ahead = walk(model, model.recipe.init(5), 4)
    with monkeypatch.context() as patch:
        patch.setattr(Ahead, "begin", lambda self, key, compute: None)
        model = made(case, overlap=True)
        behind = walk(model, model.recipe.init(5), 4)
    assert [bits(s) for s in ahead] == [bits(s) for s in behind]


@pytest.mark.parametrize("case", CASES)
def test_a_saved_state_goes_on_to_the_bit(case):
    model = made(case, overlap=True)
    states = walk(model, model.recipe.init(5), 5)
    again = made(case, overlap=True)
    saved = State.from_arrays({name: np.array(array) for name, array in states[1].as_arrays().items()})
    assert bits(walk(again, saved, 3)[-1]) == bits(states[-1])


@pytest.mark.parametrize("case", ["reinforce", "ppo"])
def test_a_batch_is_of_the_theta_before(case):
    model = made(case, overlap=True)
    states = [model.recipe.init(5)]
    states += walk(model, states[0], 3)
    for i in range(1, 4):
        data = model.recipe.experience.collect(states[i])
        lin = data.policy.at(states[i - 1].theta, data.batch.obs, data.batch.act, data.batch.offsets)
        assert np.allclose(lin.log_prob, data.batch.logp, atol=1e-9)
    assert not np.array_equal(states[2].theta, states[1].theta)


def test_without_overlap_it_is_of_this_theta():
    model = made("reinforce")
    states = walk(model, model.recipe.init(5), 2)
    data = model.recipe.experience.collect(states[1])
    lin = data.policy.at(states[1].theta, data.batch.obs, data.batch.act, data.batch.offsets)
    assert np.allclose(lin.log_prob, data.batch.logp, atol=1e-9)
    assert "acting/theta" not in states[1].arrays


@pytest.mark.parametrize("name", ["es", "online"])
def test_where_there_is_nothing_to_collect(name):
    with pytest.raises(InvalidInput, match="no batches to collect ahead"):
        algorithm(name).load()("CartPole-v1", overlap=True)


def test_a_failure_ahead_is_told_by_who_takes_it():
    def fail():
        raise ValueError("in the thread")

    ahead = Ahead()
    ahead.begin(b"a", fail)
    with pytest.raises(ValueError, match="in the thread"):
        ahead.take(b"a", lambda: 1)
    ahead.begin(b"a", fail)
    assert ahead.take(b"b", lambda: 1) == 1
