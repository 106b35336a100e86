"""Baselines of the sample: exact relations, and the bias of the batch mean (B3)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad.baselines import BASELINES, batch_mean, leave_one_out, no_baseline
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
        psi - leave_one_out(psi, batch), n / (n - 1) * (psi - batch_mean(psi, batch)), rtol=1e-12, atol=1e-12
    )


@given(st.lists(st.integers(1, 6), min_size=2, max_size=6), st.integers(0, 5))
def test_leave_one_out_does_not_look_at_its_own_episode(lengths, i):
    batch, i = batch_of(lengths), i % len(lengths)
    psi = np.arange(1.0, batch.n_steps + 1)
    other = psi.copy()
    other[batch.segment == i] += 1000.0
    own = batch.segment == i
    np.testing.assert_allclose(leave_one_out(psi, batch)[own], leave_one_out(other, batch)[own], rtol=0, atol=1e-9)
    assert not np.allclose(batch_mean(psi, batch)[own], batch_mean(other, batch)[own])


def test_none_is_zero():
    assert not no_baseline(np.ones(3), batch_of([3])).any()


def test_leave_one_out_needs_two():
    with pytest.raises(InvalidInput, match="at least 2"):
        leave_one_out(np.ones(3), batch_of([3]))


def test_batch_mean_of_one_episode_leaves_nothing():
    psi = np.array([3.0, 1.0])
    np.testing.assert_array_equal(psi - batch_mean(psi, batch_of([2])), 0)


def test_settings_name_the_baselines_there_are():
    from npgrad.algorithms.settings import BASELINE_NAMES

    assert set(BASELINE_NAMES) == set(BASELINES)
