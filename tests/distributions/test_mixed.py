"""Products with continuous parts, and the deterministic policy, which lacks what needs a density."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.distributions import (
    Bernoulli,
    Categorical,
    Deterministic,
    DiagonalGaussian,
    FullGaussian,
    GaussianMixture,
    Product,
    provides,
    require_method,
)
from npgrad.errors import InvalidInput, NotImplementedBy
from tests.distributions.rows import (
    arrays,
    assert_close,
    assert_contract,
    assert_gradients,
    assert_wrong_actions_rejected,
    complex_gradient,
)

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")
MIXED = Product((Categorical(3), DiagonalGaussian(2), Bernoulli(1), FullGaussian(2)))


@st.composite
def cases(draw):
    T = draw(st.integers(1, 4))
    y, y_other, v, noise = (draw(arrays((T, MIXED.n_y), 1.0)) for _ in range(4))
    noise[:, [0, 3]] = np.abs(np.sin(noise[:, [0, 3]])) * 0.98 + 0.01
    return y, y_other, v, noise[:, :6]


@given(cases())
@settings(max_examples=20, deadline=None)
def test_gradients_are_those_of_complex_step(case):
    y, y_other, v, noise = case
    assert_gradients(MIXED, y, MIXED.draw(y, noise), y_other, v)


@given(cases())
@settings(max_examples=20, deadline=None)
def test_contract(case):
    y, y_other, _, noise = case
    assert_contract(MIXED, y, y_other, noise)


@given(cases())
@settings(max_examples=20, deadline=None)
def test_rows_are_those_of_the_parts(case):
    y, _, v, noise = case
    discrete, gaussian, coin, full = MIXED.parts
    columns = [(discrete, y[:, :3]), (gaussian, y[:, 3:7]), (coin, y[:, 7:8]), (full, y[:, 8:])]
    act = MIXED.draw(y, noise)
    drawn = [noise[:, :1], noise[:, 1:3], noise[:, 3:4], noise[:, 4:]]
    acts = [part.draw(x, u) for (part, x), u in zip(columns, drawn, strict=True)]
    assert act.dtype == np.float64
    assert (act == np.column_stack(acts)).all()
    assert_close(MIXED.log_prob(y, act), sum(part.log_prob(x, a) for (part, x), a in zip(columns, acts, strict=True)))
    assert_close(MIXED.entropy(y), sum(part.entropy(x) for part, x in columns))
    assert_close(MIXED.fisher(y, v)[:, 3:7], gaussian.fisher(y[:, 3:7], v[:, 3:7]))


def test_wrong_actions_are_named():
    right = np.array([[2, 0.5, -7.0, 1, 0.0, 0.0]])
    MIXED.check_actions(right)
    wrong = []
    for column, value, words in [
        (0, 0.5, r"act\[0, 0\] is 0\.5, expected a whole number: this column is for Categorical\(n=3\)"),
        (0, 3, r"columns 0 to 0 of act, for Categorical\(n=3\): act\[0\] is 3"),
        (3, -1, r"columns 3 to 3 of act, for Bernoulli\(n=1\): act\[0, 0\] is -1"),
        (1, np.nan, r"act\[0, 1\] is nan"),
    ]:
        act = right.copy()
        act[0, column] = value
        wrong.append((act, words))
    assert_wrong_actions_rejected(MIXED, [*wrong, (right[:, :5], r"shape \(1, 5\), expected \(1, 6\)")])
    integers = Product((Categorical(2), Categorical(2)))
    assert_wrong_actions_rejected(integers, [(np.zeros((1, 2)), "dtype float64, expected int64")])
    with pytest.raises(InvalidInput, match="parts is empty"):
        Product(())


def test_what_a_part_lacks_the_product_lacks():
    lacking = Product((Categorical(2), Product((GaussianMixture(2, 2),))))
    assert [name for name in ("log_prob", "score", "entropy", "kl", "fisher") if provides(lacking, name)] == [
        "log_prob",
        "score",
    ]
    y = np.zeros((1, lacking.n_y))
    for call in (lambda: lacking.entropy(y), lambda: require_method(lacking, "entropy")(y)):
        with pytest.raises(NotImplementedBy, match=r"has no entropy, it provides log_prob, score; choose"):
            call()


def test_the_deterministic_policy_is_its_mode():
    pi, y = Deterministic(2), np.array([[0.5, -1.0], [2.0, 3.0]])
    act = pi.draw(y, np.zeros((2, 0)))
    assert (act == y).all()
    assert not np.shares_memory(act, y)
    assert (pi.mode(y) == y).all()
    pi.check_actions(act)
    w = np.array([[3.0, -4.0], [1.0, 2.0]])
    assert_close(pi.action_vjp(y, w), complex_gradient(lambda x: (pi.mode(x) * w).sum(axis=1), y))  # S6
    assert pi.draw(y[:0].astype(np.float32), np.zeros((0, 0))).shape == (0, 2)


def test_the_deterministic_policy_says_that_it_has_no_density():
    pi, y = Deterministic(1), np.zeros((1, 1))
    assert not any(provides(pi, name) for name in ("log_prob", "score", "entropy", "kl", "fisher"))
    with pytest.raises(
        NotImplementedBy, match=r"Deterministic\(k=1\) has no log_prob, it provides draw and mode alone"
    ):
        pi.log_prob(y, y)
    with pytest.raises(NotImplementedBy, match="has no score"):
        require_method(pi, "score")
    with pytest.raises(NotImplementedBy, match="has no score"):
        pi.score(y, y)
