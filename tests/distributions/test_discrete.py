"""Bernoulli, products of discrete parts, and the autoregressive discretisation: all actions can be enumerated."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.distributions import Autoregressive, Bernoulli, Categorical, Product, bin_centres, provides
from npgrad.errors import InvalidInput, NotImplementedBy
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
def cases(draw, kinds=("bernoulli", "product", "autoregressive"), sizes=(1, 1e6)):
    """(distribution, y, act, y_other, v), and how many values each column of an action has."""
    kind, T = draw(st.sampled_from(kinds)), draw(st.integers(1, 3))
    if kind == "bernoulli":
        values = (2,) * draw(st.integers(1, 5))
        pi = Bernoulli(len(values))
    else:
        values = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
        pi = Autoregressive(values) if kind == "autoregressive" else Product([Categorical(n) for n in values])
        if kind == "product" and draw(st.booleans()):
            pi, values = Product((pi, Bernoulli(2))), (*values, 2, 2)  # nested
    size = draw(st.sampled_from(sizes))
    y, y_other = draw(arrays((T, pi.n_y), size)), draw(arrays((T, pi.n_y), size))
    v, seed = draw(arrays((T, pi.n_y))), draw(st.integers(0, 999))
    act = np.random.default_rng(seed).integers(0, values, (T, len(values)))
    return (pi, y, act, y_other, v), values


@given(cases())
@settings(max_examples=60, deadline=None)
def test_gradients_are_those_of_complex_step(case):
    assert_gradients(*case[0])


@given(cases())
@settings(max_examples=40, deadline=None)
def test_rows_are_sums_over_all_actions(case):
    (pi, y, _, y_other, v), values = case
    assert_expectations(pi, y, y_other, v, all_actions(pi, y, values), 1e-11)


@given(cases(sizes=(1,)), arrays((3, 8)))
@settings(max_examples=30, deadline=None)
def test_contract(case, noise):
    (pi, y, _, y_other, _), _ = case
    assert_contract(pi, y, y_other, np.abs(np.sin(noise[: len(y), : len(pi.draws)])) * 0.98 + 0.01)


@given(cases(kinds=("bernoulli", "autoregressive"), sizes=(1,)))
@settings(max_examples=40, deadline=None)
def test_log_prob_is_the_naive_one(case):
    (pi, y, act, _, _), values = case
    if isinstance(pi, Bernoulli):
        expected = naive.bernoulli_log_prob(y, act)
    else:
        expected = naive.autoregressive_log_prob(y, act, values)
    assert_close(pi.log_prob(y, act), expected)


@given(cases(kinds=("autoregressive", "bernoulli"), sizes=(1,)))
@settings(max_examples=40, deadline=None)
def test_each_action_is_drawn_by_a_box_of_noise_as_large_as_its_probability(case):
    (pi, y, _, _, _), values = case
    y = y[:1]
    for action in itertools.product(*map(range, values)):
        # the edges of the box, dimension by dimension, from the conditional probabilities
        lower, upper = [], []
        for i, a in enumerate(action):
            p = np.array([_marginal(pi, y, values, (*action[:i], b)) for b in range(values[i])])
            p /= p.sum()
            if isinstance(pi, Bernoulli):
                p, a = p[::-1], 1 - a  # u < p_1 means 1
            lower.append(p[:a].sum())
            upper.append(p[: a + 1].sum())
        low, high = np.array(lower), np.array(upper)
        assert np.prod(high - low) == pytest.approx(np.exp(pi.log_prob(y, np.array([action]))[0]), rel=1e-9)
        inside = np.stack([low + (high - low) * f for f in (1e-6, 0.5, 1 - 1e-6)])
        if (high - low > 1e-9).all():
            assert (pi.draw(np.repeat(y, 3, axis=0), inside) == action).all()


def _marginal(pi, y, values, prefix):
    """P(a begins with prefix), by summing over the rest."""
    rest = itertools.product(*map(range, values[len(prefix) :]))
    return sum(np.exp(pi.log_prob(y, np.array([prefix + tail]))[0]) for tail in rest)


def test_bernoulli_with_pinned_coins():
    pi, y = Bernoulli(3), np.array([[-np.inf, np.inf, 0.5]])
    one = Bernoulli(1)
    act = np.array([[0, 1, 1]])
    assert_close(pi.log_prob(y, act), one.log_prob(y[:, 2:], act[:, 2:]))
    assert_close(pi.entropy(y), one.entropy(y[:, 2:]))
    assert_close(pi.kl(y, y), [0.0])
    assert pi.log_prob(y, np.array([[1, 1, 1]])) == -np.inf
    for row in (pi.score(y, act), pi.entropy_grad(y), *pi.kl_grad(y, y), pi.fisher(y, np.ones((1, 3)))):
        assert np.isfinite(row).all()
        assert (row[0, :2] == 0).all()
    assert (pi.draw(np.repeat(y, 2, axis=0), np.array([[1e-300] * 3, [1 - 2.0**-53] * 3]))[:, :2] == [0, 1]).all()


@given(arrays((3, 5), 2.0))
@settings(max_examples=20, deadline=None)
def test_a_coin_is_a_categorical_with_one_logit_at_zero(y):
    coin, two = Bernoulli(1), Categorical(2)
    y = y[:, :1]
    logits = np.concatenate([np.zeros_like(y), y], axis=1)
    act = np.array([[0], [1], [1]])
    assert_close(coin.log_prob(y, act), two.log_prob(logits, act[:, 0]))
    assert_close(coin.score(y, act), two.score(logits, act[:, 0])[:, 1:])
    assert_close(coin.entropy(y), two.entropy(logits))
    assert_close(coin.fisher(y, y), two.fisher(logits, np.concatenate([0 * y, y], axis=1))[:, 1:])


@given(arrays((2, 9), 2.0), arrays((2, 9), 2.0))
@settings(max_examples=20, deadline=None)
def test_autoregressive_without_dependence_is_the_product(y, y_other):
    pi, product = Autoregressive((3, 2)), Product((Categorical(3), Categorical(2)))
    free = [0, 1, 2, 3, 4]  # base rows; the rest, one row for each first bin, at zero
    full, full_other = (np.concatenate([x[:, :5], np.zeros((2, 6))], axis=1) for x in (y, y_other))
    act = np.array([[2, 1], [0, 0]])
    assert_close(pi.log_prob(full, act), product.log_prob(y[:, free], act))
    assert_close(pi.score(full, act)[:, free], product.score(y[:, free], act))
    assert_close(pi.kl(full, full_other), product.kl(y[:, free], y_other[:, free]))


def test_autoregressive_rows_are_finite_where_bins_are_masked():
    pi = Autoregressive((2, 2))
    y = np.array([[0.0, -np.inf, 0.3, 0.1, 0.0, -np.inf, 1.0, 2.0]])  # the second bin never; then never after 0
    assert_close(np.exp(pi.log_prob(y, np.array([[0, 0]]))), [1.0])
    assert_close(pi.entropy(y), [0.0])
    for row in (pi.score(y, np.array([[0, 0]])), pi.entropy_grad(y), *pi.kl_grad(y, y), pi.fisher(y, np.ones_like(y))):
        assert_close(row, np.zeros_like(y))


def test_too_many_prefixes_are_said_to_be_too_many():
    pi = Autoregressive((16, 16, 16, 2))  # 1 + 16 + 256 + 4096
    assert not provides(pi, "entropy")
    with pytest.raises(NotImplementedBy, match=r"Autoregressive\(bins=.*has no entropy, it provides log_prob, score;"):
        pi.entropy(np.zeros((1, pi.n_y)))
    assert provides(Autoregressive((16, 16, 16)), "entropy")
    assert_close(pi.log_prob(np.zeros((1, pi.n_y)), np.zeros((1, 4), int)), [-np.log(2 * 16**3)])


def test_greedy_mode_is_taken_bin_by_bin():
    y = np.log([[0.4, 0.6, 1.0, 1.0, 0.99, 0.01, 0.5, 0.5]])  # the joint mode begins with the less likely bin 0
    assert (Autoregressive((2, 2)).mode(y) == [[1, 0]]).all()


def test_bin_centres_are_in_the_middle():
    centres = bin_centres(np.array([[0, 2], [3, 1]]), (4, 3), np.array([-1.0, 0.0]), np.array([1.0, 6.0]))
    assert_close(centres, [[-0.75, 5.0], [0.75, 3.0]])


def test_wrong_actions_are_named():
    assert_wrong_actions_rejected(
        Bernoulli(2),
        [
            (np.array([[0, 2]]), r"act\[0, 1\] is 2, expected an integer from 0 to 1"),
            (np.zeros((1, 2)), r"expected int64; discrete actions are integers"),
        ],
    )
    assert_wrong_actions_rejected(
        Autoregressive((2, 5)),
        [
            (np.array([[1, 4], [2, 4]]), r"act\[1, 0\] is 2, expected an integer from 0 to 1"),
            (np.array([[0, 5]]), r"act\[0, 1\] is 5, expected an integer from 0 to 4"),
        ],
    )
    for wrong in ((), (2, 0)):
        with pytest.raises(InvalidInput, match="bins is"):
            Autoregressive(wrong)
