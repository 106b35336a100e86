"""Return kernels against their naive twins, and the relations between them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad import kernels
from tests import naive

segments = st.lists(st.lists(st.floats(-100, 100), min_size=1, max_size=9), min_size=2, max_size=6)
gammas = st.floats(0, 1)


def csr(lists):
    offsets = np.concatenate([[0], np.cumsum([len(x) for x in lists])])
    return np.array([r for x in lists for r in x], dtype=float), offsets


def run(kernel, rew, offsets, *args):
    out = np.full(len(rew), np.nan)
    kernel(rew, offsets, *args, out)
    return out


@given(segments, gammas)
def test_reward_to_go_is_the_sum_of_later_rewards(lists, gamma):
    rew, offsets = csr(lists)
    expected = np.concatenate([naive.reward_to_go(r, gamma) for r in lists])
    np.testing.assert_allclose(run(kernels.reward_to_go, rew, offsets, gamma), expected, rtol=1e-12, atol=1e-9)


@given(segments, gammas)
def test_the_return_is_the_reward_to_go_at_the_start(lists, gamma):
    rew, offsets = csr(lists)
    first = run(kernels.reward_to_go, rew, offsets, gamma)[offsets[:-1]]
    total = run(kernels.discounted_return, rew, offsets, gamma)
    np.testing.assert_array_equal(total, np.repeat(first, np.diff(offsets)))


@given(segments)
def test_time_mean_of_others_leaves_one_out(lists):
    x, offsets = csr(lists)
    out = run(kernels.time_mean_of_others, x, offsets, np.zeros(int(np.diff(offsets).max())))
    np.testing.assert_allclose(out, naive.time_mean_of_others(lists), rtol=1e-12, atol=1e-9)


@given(st.lists(st.integers(-1, 4), max_size=40))
def test_segment_rows_is_a_stable_sort(segment):
    segment = np.array(segment, dtype=np.int64)
    counts = np.bincount(segment[segment >= 0], minlength=5)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    rows, cursor = np.full(offsets[-1], -1), offsets[:-1].copy()
    kernels.segment_rows(segment, cursor, rows)
    kept = np.flatnonzero(segment >= 0)
    np.testing.assert_array_equal(rows, kept[np.argsort(segment[kept], kind="stable")])
    np.testing.assert_array_equal(cursor, offsets[1:])


def test_read_only_arrays_are_accepted_and_left_alone():
    rew = np.arange(3.0)
    rew.flags.writeable = False
    assert run(kernels.reward_to_go, rew, np.array([0, 3]), 0.5) == pytest.approx([1.0, 2.0, 2.0])
