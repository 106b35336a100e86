"""Returns of a batch: how a segment ended decides what follows its last reward (V4)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad import critics
from npgrad.critics import Values
from npgrad.errors import InvalidInput, NonFinite
from tests import naive
from tests.critics.batches import ENDS, by_segment, random_batch

lengths = st.lists(st.integers(1, 6), min_size=1, max_size=5)
seeds = st.integers(0, 10_000)
unit = st.floats(0, 1)


def case(lengths, seed):
    batch, rng = random_batch(lengths, seed), np.random.default_rng(seed + 1)
    return batch, Values(rng.normal(size=batch.n_steps), rng.normal(size=batch.n_episodes))


def twin(function, batch, values, *args):
    """The naive function on each segment, V(s_T) = 0 where it terminated."""
    return np.concatenate(
        [
            function(batch.rew[rows], values.rows[rows], 0.0 if batch.terminated[i] else values.final[i], *args)
            for rows, i in by_segment(batch)
        ]
    )


def same(got, expected):
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


@given(lengths, seeds, unit, unit, st.integers(1, 7))
def test_every_return_against_its_twin(lengths, seed, gamma, lam, n):
    batch, values = case(lengths, seed)
    same(critics.gae(batch, values, gamma, lam), twin(naive.gae, batch, values, gamma, lam))
    same(critics.td_residual(batch, values, gamma), twin(naive.gae, batch, values, gamma, 0.0))
    same(critics.lambda_return(batch, values, gamma, lam), twin(naive.lambda_return, batch, values, gamma, lam))
    same(critics.n_step_return(batch, values, gamma, n), twin(naive.n_step_return, batch, values, gamma, n))
    same(critics.n_step_return(batch, values, gamma), twin(naive.n_step_return, batch, values, gamma, 99))
    same(
        critics.td_residual(batch, values, gamma), batch.rew + gamma * critics.next_values(batch, values) - values.rows
    )


@given(lengths, seeds, unit, unit)
def test_vtrace_against_its_twin(lengths, seed, gamma, lam):
    batch, values = case(lengths, seed)
    rho = np.exp(np.random.default_rng(seed).normal(size=batch.n_steps))
    targets, advantages = critics.vtrace(batch, values, rho, gamma, lam, rho_bar=1.5, c_bar=0.8)
    for rows, i in by_segment(batch):
        last = 0.0 if batch.terminated[i] else values.final[i]
        v = naive.vtrace(batch.rew[rows], values.rows[rows], last, rho[rows], gamma, lam, 1.5, 0.8)
        same(targets[rows], v)
        following = np.append(v[1:], last)
        same(advantages[rows], np.minimum(1.5, rho[rows]) * (batch.rew[rows] + gamma * following - values.rows[rows]))


@pytest.mark.parametrize(("how", "expected"), [("terminated", 1.0), ("truncated", 6.0), ("cut", 6.0)])
def test_only_termination_ends_the_future(how, expected):
    batch = random_batch([1], 0)
    terminated, truncated = ENDS[how]
    batch = type(batch)(
        batch.obs, batch.act, np.ones(1), batch.logp, batch.offsets, [terminated], [truncated], batch.final_obs
    )
    values = Values(np.zeros(1), np.array([10.0]))
    for f in (critics.td_residual, critics.gae, critics.lambda_return, critics.n_step_return):
        np.testing.assert_array_equal(f(batch, values, gamma=0.5), [expected])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (dict(values=Values(np.zeros(2), np.zeros(1))), InvalidInput, r"values.rows has shape \(2,\), expected \(3,\)"),
        (
            dict(values=Values(np.zeros(3), np.zeros(2))),
            InvalidInput,
            r"values.final has shape \(2,\), expected \(1,\)",
        ),
        (dict(values=Values(np.full(3, np.nan), np.zeros(1))), NonFinite, r"values.rows\[0\] is nan"),
        (dict(gamma=2.0), InvalidInput, "gamma"),
        (dict(gae_lambda=-1.0), InvalidInput, "gae_lambda"),
    ],
)
def test_errors_name_what_is_wrong(change, error, message):
    args = dict(values=Values(np.zeros(3), np.zeros(1))) | change
    with pytest.raises(error, match=message):
        critics.gae(random_batch([3], 0), **args)


def test_n_below_one_is_refused():
    batch, values = case([3], 0)
    with pytest.raises(InvalidInput, match="n is 0"):
        critics.n_step_return(batch, values, n=0)


def test_ratios_of_another_shape_are_refused():
    batch, values = case([3], 0)
    with pytest.raises(InvalidInput, match="rho has shape"):
        critics.vtrace(batch, values, np.ones(2))
