"""Fitted baselines: cross-fitting looks at other folds only; its limiting cases (B3)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad.baselines import (
    BiasedFitted,
    CrossFitted,
    TableFit,
    biased_batch_mean,
    biased_batch_mean_return,
    leave_one_out,
    leave_one_out_return,
    return_mean_fit,
    time_mean_fit,
)
from npgrad.errors import InvalidInput
from tests.baselines.test_sample import batch_of

lengths = st.lists(st.integers(1, 5), min_size=2, max_size=6)
seeds = st.integers(0, 99)


def same(got, expected):
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


@given(lengths, seeds)
def test_one_fold_an_episode_is_leave_one_out(lengths, seed):
    batch, rng = batch_of(lengths), np.random.default_rng(seed)
    psi, returns = rng.normal(size=batch.n_steps), np.repeat(rng.normal(size=len(lengths)), lengths)
    same(CrossFitted(time_mean_fit, len(lengths))(psi, batch), leave_one_out(psi, batch))
    same(CrossFitted(return_mean_fit, len(lengths))(returns, batch), leave_one_out_return(returns, batch))


@given(lengths, seeds)
def test_fitted_on_itself_it_is_the_batch_mean(lengths, seed):
    batch, rng = batch_of(lengths), np.random.default_rng(seed)
    psi, returns = rng.normal(size=batch.n_steps), np.repeat(rng.normal(size=len(lengths)), lengths)
    same(BiasedFitted(time_mean_fit)(psi, batch), biased_batch_mean(psi, batch))
    same(BiasedFitted(return_mean_fit)(returns, batch), biased_batch_mean_return(returns, batch))


@given(lengths, st.integers(2, 6), st.integers(0, 5))
def test_a_fold_is_not_looked_at_by_its_own_baseline(lengths, n_folds, i):
    batch, n_folds, i = batch_of(lengths), min(n_folds, len(lengths)), i % len(lengths)
    psi = np.arange(1.0, batch.n_steps + 1)
    own = batch.segment % n_folds == i % n_folds
    other = psi + 1000.0 * own
    fit = TableFit(lambda b: b.time, 5)
    np.testing.assert_array_equal(
        CrossFitted(fit, n_folds)(psi, batch)[own], CrossFitted(fit, n_folds)(other, batch)[own]
    )
    assert (BiasedFitted(fit)(psi, batch)[own] != BiasedFitted(fit)(other, batch)[own]).all()


def test_a_table_on_distinct_states_leaves_nothing():
    batch = batch_of([6])
    psi = np.array([3.0, 1, 4, 1, 5, 9])
    np.testing.assert_array_equal(psi - BiasedFitted(TableFit(lambda b: b.time, 6))(psi, batch), 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CrossFitted(time_mean_fit, 1), "n_folds is 1, expected at least 2"),
        (lambda: CrossFitted(time_mean_fit, 3)(np.ones(2), batch_of([1, 1])), "n_folds is 3, expected at most"),
    ],
)
def test_folds_must_fit(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()
