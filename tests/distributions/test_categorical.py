import itertools

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.distributions import Categorical, apply_mask
from npgrad.errors import InvalidInput
from tests import naive
from tests.distributions.rows import (
    all_actions,
    arrays,
    assert_close,
    assert_contract,
    assert_expectations,
    assert_gradients,
    assert_wrong_actions_rejected,
)

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@st.composite
def cases(draw, sizes=(1, 1e6)):
    """Logits of every size, some of them masked, the same mask for both arguments of KL."""
    n, T, size = draw(st.integers(1, 12)), draw(st.integers(1, 5)), draw(st.sampled_from(sizes))
    y, y_other, v = draw(arrays((T, n), size)), draw(arrays((T, n), size)), draw(arrays((T, n)))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    mask = rng.random((T, n)) < draw(st.sampled_from([0.3, 0.7, 1.0]))
    act = rng.integers(0, n, T)
    mask[np.arange(T), act] = True
    return Categorical(n), apply_mask(y, mask), act, apply_mask(y_other, mask), v


@given(cases())
@settings(max_examples=60, deadline=None)
def test_gradients_are_those_of_complex_step(case):
    assert_gradients(*case)


@given(cases())
@settings(max_examples=60, deadline=None)
def test_rows_are_sums_over_all_actions(case):
    pi, y, _, y_other, v = case
    assert_expectations(pi, y, y_other, v, all_actions(pi, y, (pi.n,)), 1e-12)


@given(cases(sizes=(1,)))
@settings(max_examples=20, deadline=None)
def test_contract(case):
    pi, y, _, y_other, v = case
    assert_contract(pi, y, y_other, np.abs(np.sin(v[:, :1])) * 0.98 + 0.01)


@given(cases())
@settings(max_examples=40, deadline=None)
def test_log_prob_is_the_naive_one(case):
    pi, y, act, _, _ = case
    assert_close(pi.log_prob(y, act), naive.softmax_log_prob(y, act))


@given(cases())
@settings(max_examples=40, deadline=None)
def test_masked_entries_are_zero_in_every_row(case):
    pi, y, act, y_other, v = case
    masked = np.isneginf(y)
    for row in (pi.score(y, act), pi.entropy_grad(y), *pi.kl_grad(y, y_other), pi.fisher(y, v)):
        assert (row[masked] == 0).all()
    few = Categorical(1 + int(act.max()))  # what is masked might as well not be there
    rest = y[:, : few.n]
    if np.isneginf(y[:, few.n :]).all():
        assert_close(pi.entropy(y), few.entropy(rest))
        assert_close(pi.log_prob(y, act), few.log_prob(rest, act))


@given(cases(sizes=(1, 5)))
@settings(max_examples=60, deadline=None)
def test_each_action_is_drawn_by_a_stretch_of_u_as_long_as_its_probability(case):
    pi, y, _, _, _ = case
    for row in y:
        p = np.exp(row - row.max())
        ends = np.concatenate([[0.0], np.cumsum(p / p.sum())])
        for a, (first, last) in enumerate(itertools.pairwise(ends)):
            if last - first > 1e-9:
                u = np.array([[first + 1e-12], [last - 1e-12]])
                assert (pi.draw(np.stack([row, row]), u) == a).all()


@given(cases(sizes=(1, 50, 1e6)), st.sampled_from([2.0**-1074, 2.0**-53, 0.5, 1 - 2.0**-53]))
@settings(max_examples=60, deadline=None)
def test_an_action_of_probability_zero_is_never_drawn(case, u):
    pi, y, _, _, _ = case
    for x in (y, y.astype(np.float32), y.astype(complex)):
        act = pi.draw(x, np.full((len(y), 1), u))
        assert (np.exp(pi.log_prob(y, act)) > 0).all()
    assert (np.exp(pi.log_prob(y, pi.mode(y))) >= 1 / pi.n - 1e-15).all()


def test_extreme_logits_keep_their_digits():
    y = np.array([[1e6, 1e6 - 1.5, -1e6, -np.inf]])
    pi = Categorical(4)
    with mpmath.workdps(40):
        e = mpmath.exp(-1.5)
        p = [1 / (1 + e), e / (1 + e)]
        h = -sum(x * mpmath.log(x) for x in p)
        log_p = [float(mpmath.log(p[0])), float(mpmath.log(p[1])), float(mpmath.log(p[0]) - mpmath.mpf(2e6)), -np.inf]
    for a in range(4):
        assert pi.log_prob(y, np.array([a]))[0] == pytest.approx(log_p[a], rel=1e-15)
    assert_close(pi.entropy(y), [float(h)], 1e-15)
    assert_close(pi.score(y, np.array([2])), [[-float(p[0]), -float(p[1]), 1, 0]], 1e-15)


def test_kl_is_infinite_where_the_other_masks_what_this_one_does():
    y, y_other = np.array([[0.0, 0.0]]), np.array([[0.0, -np.inf]])
    assert Categorical(2).kl(y, y_other) == np.inf
    assert Categorical(2).kl(y_other, y) == pytest.approx(np.log(2))


def test_wrong_actions_are_named():
    assert_wrong_actions_rejected(
        Categorical(3),
        [
            (np.zeros((5, 1), int), r"shape \(5, 1\), expected \(5,\); discrete actions are integers: try act\[:, 0\]"),
            (np.array(1), r"shape \(\), expected \(any,\); one action is a batch of one: try act\[None\]"),
            (
                np.zeros(2),
                r"dtype float64, expected int64; discrete actions are integers: try act\.astype\(np\.int64\)",
            ),
            (np.array([0, 3]), r"act\[1\] is 3, expected an integer from 0 to 2 \(1 of 2"),
            (np.array([-1]), r"act\[0\] is -1"),
            ([0, 1], r"act is a list, expected an array"),
        ],
    )
    with pytest.raises(InvalidInput, match=r"act has shape \(2, 1\), expected \(2,\)"):
        Categorical(3).log_prob(np.zeros((2, 3)), np.zeros((2, 1), int))
    with pytest.raises(InvalidInput, match=r"y has shape \(2, 4\), expected \(any, 3\)"):
        Categorical(3).score(np.zeros((2, 4)), np.zeros(2, int))


@pytest.mark.parametrize(("n", "words"), [(0, "n is 0, expected at least 1"), (2.5, r"n is 2\.5, expected a whole")])
def test_wrong_sizes_are_named(n, words):
    with pytest.raises(InvalidInput, match=words):
        Categorical(n)
    assert type(Categorical(np.int64(3)).n) is int


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.array([[True, True], [False, False]]), r"mask\[1\] allows no action \(1 of 2"),
        (np.ones((2, 2)), "mask has dtype float64, expected bool"),
        (np.ones((2, 3), bool), r"mask has shape \(2, 3\), expected \(2, 2\)"),
    ],
)
def test_wrong_masks_are_named(mask, words):
    with pytest.raises(InvalidInput, match=words):
        apply_mask(np.zeros((2, 2)), mask)


def test_apply_mask_leaves_its_argument_and_keeps_the_dtype():
    for dtype in (np.float32, np.float64, np.complex128):
        y = np.zeros((1, 2), dtype)
        masked = apply_mask(y, np.array([[True, False]]))
        assert masked.dtype == dtype
        assert (y == 0).all()
        assert np.isneginf(masked.real[0, 1])
