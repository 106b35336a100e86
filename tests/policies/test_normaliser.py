"""Running moments merge exactly, in any split."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad.errors import InvalidInput
from npgrad.policies.normaliser import Moments, Normaliser


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 1000))
def test_merged_moments_are_those_of_all_rows(n, m, seed):
    rows = np.random.default_rng(seed).normal(5, 3, size=(n + m, 2))
    merged = Moments.of(rows[:n]).merge(Moments.of(rows[n:]))
    assert merged.count == n + m
    if n + m:
        np.testing.assert_allclose(merged.mean, rows.mean(0), rtol=1e-12)
        np.testing.assert_allclose(merged.m2, ((rows - rows.mean(0)) ** 2).sum(0), rtol=1e-9, atol=1e-9)


def test_normalised_rows_have_mean_zero_and_deviation_one():
    rows = np.random.default_rng(0).normal(5, 3, size=(1000, 2))
    out = Moments.of(rows).normaliser()(rows)
    np.testing.assert_allclose(out.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(out.std(0), 1, rtol=1e-8)


def test_before_the_second_row_it_is_the_identity():
    x = np.array([[3.0, -2.0]])
    np.testing.assert_array_equal(Moments.of(x).normaliser()(x), x)


def test_arrays_round_trip():
    m = Moments.of(np.arange(6.0).reshape(3, 2))
    again = Moments.from_arrays(m.as_arrays())
    assert again.count == 3
    np.testing.assert_array_equal(again.m2, m.m2)


@pytest.mark.parametrize("std", [0.0, -1.0, np.nan])
def test_a_deviation_must_be_above_zero(std):
    with pytest.raises(InvalidInput, match=r"std\[1\] is .*expected more than 0; 1 if entry 1 never varies"):
        Normaliser(np.zeros(3), np.array([1.0, std, 2.0]))


def test_an_entry_that_never_varies_is_zero():
    layer = Moments.of(np.array([[5.0, 1.0], [5.0, 2.0], [5.0, 3.0]])).normaliser()
    assert layer(np.array([[5.0, 2.0]])).tolist() == [[0.0, 0.0]]
