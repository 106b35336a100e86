"""Baselines of the sample: exact relations, and the bias of the batch mean (B3)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad.baselines import (
    BASELINES,
    RETURN_BASELINES,
    biased_alive_mean,
    biased_batch_mean,
    biased_batch_mean_return,
    leave_one_out,
    leave_one_out_return,
    no_baseline,
)
from npgrad.errors import InvalidInput
from npgrad.types import Batch


def batch_of(lengths):
    t, n = sum(lengths), len(lengths)
    return Batch(
        obs=np.zeros((t, 1)),
        act=np.zeros(t, dtype=np.int64),
        rew=np.zeros(t),
        logp=np.zeros(t),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        terminated=np.ones(n, bool),
        truncated=np.zeros(n, bool),
        final_obs=np.zeros((n, 1)),
    )


@given(st.lists(st.integers(1, 6), min_size=2, max_size=6), st.integers(0, 99))
def test_leave_one_out_is_n_over_n_minus_one_times_batch_mean(lengths, seed):
    batch = batch_of(lengths)
    psi = np.random.default_rng(seed).normal(size=batch.n_steps)
    n = batch.n_episodes
    np.testing.assert_allclose(
        psi - leave_one_out(psi, batch), n / (n - 1) * (psi - biased_batch_mean(psi, batch)), rtol=1e-12, atol=1e-12
    )


@given(st.lists(st.integers(1, 6), min_size=2, max_size=6), st.integers(0, 5))
def test_leave_one_out_does_not_look_at_its_own_episode(lengths, i):
    batch, i = batch_of(lengths), i % len(lengths)
    psi = np.arange(1.0, batch.n_steps + 1)
    other = psi.copy()
    other[batch.segment == i] += 1000.0
    own = batch.segment == i
    np.testing.assert_allclose(leave_one_out(psi, batch)[own], leave_one_out(other, batch)[own], rtol=0, atol=1e-9)
    assert not np.allclose(biased_batch_mean(psi, batch)[own], biased_batch_mean(other, batch)[own])


def test_none_is_zero():
    assert not no_baseline(np.ones(3), batch_of([3])).any()


@given(st.lists(st.integers(1, 6), min_size=2, max_size=6), st.integers(0, 99))
def test_of_whole_returns_they_are_constant_in_time(lengths, seed):
    batch = batch_of(lengths)
    returns = np.random.default_rng(seed).normal(size=len(lengths))
    psi, n = np.repeat(returns, lengths), len(lengths)
    others = [np.mean([r for j, r in enumerate(returns) if j != i]) for i in range(n)]
    np.testing.assert_allclose(leave_one_out_return(psi, batch), np.repeat(others, lengths), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(biased_batch_mean_return(psi, batch), np.mean(returns), rtol=1e-12, atol=1e-12)


@given(st.lists(st.lists(st.floats(-9, 9), min_size=1, max_size=5), min_size=1, max_size=5))
def test_alive_mean_counts_those_alive(lists):
    batch = batch_of([len(x) for x in lists])
    b = biased_alive_mean(np.concatenate(lists), batch)
    expected = [np.mean([x[t] for x in lists if len(x) > t]) for x in lists for t in range(len(x))]
    np.testing.assert_allclose(b, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("baseline", [leave_one_out, leave_one_out_return])
def test_leave_one_out_needs_two(baseline):
    with pytest.raises(InvalidInput, match="at least 2"):
        baseline(np.ones(3), batch_of([3]))


def test_batch_mean_of_one_episode_leaves_nothing():
    psi = np.array([3.0, 1.0])
    np.testing.assert_array_equal(psi - biased_batch_mean(psi, batch_of([2])), 0)


def test_settings_name_the_baselines_there_are():
    from npgrad.algorithms.settings import BASELINE_NAMES

    assert set(BASELINES) == set(RETURN_BASELINES) < set(BASELINE_NAMES)
