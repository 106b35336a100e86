"""Critics read their functions at every state of a batch, the final ones too."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad.critics import ActionValueCritic, ValueCritic, visited
from npgrad.errors import InvalidInput
from npgrad.functions import MLP, Linear, Recurrent
from npgrad.kernels import ragged
from npgrad.pool import thread_pool
from tests.critics.batches import by_segment, random_batch

lengths = st.lists(st.integers(1, 6), min_size=1, max_size=5)
seeds = st.integers(0, 10_000)


def critic_of(function, seed=0, **options):
    rng = np.random.default_rng(seed)
    return ValueCritic(function, rng.normal(size=function.n_params), **options)


@pytest.mark.parametrize("function", [Linear(2, 1), MLP(2, 1, hidden=(4,)), Recurrent(2, 1, n_hidden=3)])
@given(lengths=lengths, seed=seeds)
def test_values_are_those_of_each_segment_by_itself(function, lengths, seed):
    batch, critic = random_batch(lengths, seed), critic_of(function, seed)
    values = critic(batch)
    for rows, i in by_segment(batch):
        states = np.vstack([batch.obs[rows], batch.final_obs[i]])
        v = function.at(critic.w, states).y[:, 0]
        np.testing.assert_allclose(values.rows[rows], v[:-1], rtol=1e-12, atol=1e-13)
        assert values.final[i] == pytest.approx(v[-1], rel=1e-12, abs=1e-13)


@given(lengths=lengths, seed=seeds)
def test_states_are_visited_in_order(lengths, seed):
    batch = random_batch(lengths, seed)
    obs, time, offsets = visited(batch)
    for rows, i in by_segment(batch):
        part = slice(offsets[i], offsets[i + 1])
        np.testing.assert_array_equal(obs[part], np.vstack([batch.obs[rows], batch.final_obs[i]]))
        np.testing.assert_array_equal(time[part], batch.start[i] + np.arange(lengths[i] + 1))


def test_time_may_be_among_the_inputs():
    batch = random_batch([2, 3], 1)
    critic = ValueCritic(
        Linear(3, 1, bias=False), np.array([0.0, 0.0, 1.0]), inputs=lambda obs, t: np.column_stack([obs, t])
    )
    values = critic(batch)
    np.testing.assert_array_equal(values.rows, batch.time)
    np.testing.assert_array_equal(values.final, batch.start + batch.lengths)


def test_action_values_pick_the_action():
    batch, function = random_batch([4, 1], 2), MLP(2, 3, hidden=(4,))
    critic = ActionValueCritic(function, np.random.default_rng(0).normal(size=function.n_params))
    table = function.at(critic.w, batch.obs).y
    np.testing.assert_allclose(critic.table(batch), table, rtol=1e-13)
    np.testing.assert_allclose(critic(batch), [table[t, a] for t, a in enumerate(batch.act)], rtol=1e-13)


@pytest.mark.parametrize("rows", [1, 7])
def test_chunks_and_threads_change_nothing_but_rounding(rows, monkeypatch):
    batch, critic = random_batch([3, 1, 6, 2] * 5, 0), critic_of(Recurrent(2, 1, n_hidden=3))
    whole = critic(batch)
    monkeypatch.setattr(ragged, "CHUNK_ROWS", rows)
    chunked = critic(batch)
    np.testing.assert_allclose(chunked.rows, whole.rows, rtol=1e-12)
    with thread_pool(2) as executor:
        shared = ValueCritic(critic.function, critic.w, executor=executor)(batch)
    np.testing.assert_array_equal(shared.rows, chunked.rows)
    np.testing.assert_array_equal(shared.final, chunked.final)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ValueCritic(Linear(2, 3), np.zeros(9)), "3 outputs, expected 1"),
        (lambda: ValueCritic(Linear(2, 1), np.zeros(9)), r"theta has shape \(9,\)"),
        (lambda: ActionValueCritic(Linear(2, 3), np.zeros(9)).columns(np.zeros(2)), "float64, expected"),
    ],
)
def test_errors_name_what_is_wrong(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()
