import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.errors import InvalidInput
from npgrad.functions import OneHot, Polynomial
from tests import naive
from tests.functions.products import assert_close


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_one_hot_inverts(data):
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    starts = data.draw(st.lists(st.integers(-5, 5), min_size=len(sizes), max_size=len(sizes)))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    obs = starts + rng.integers(sizes, size=(data.draw(st.integers(0, 6)), len(sizes)))
    phi = OneHot(sizes, starts)(obs)
    assert phi.shape == (len(obs), sum(sizes))
    assert set(np.unique(phi)) <= {0.0, 1.0}
    for j, block in enumerate(np.split(phi, np.cumsum(sizes)[:-1], axis=1)):
        np.testing.assert_array_equal(block.sum(axis=1), 1)
        np.testing.assert_array_equal(starts[j] + block.argmax(axis=1), obs[:, j])


@given(st.integers(1, 4), st.integers(1, 4), st.booleans(), st.integers(0, 999))
@settings(max_examples=40, deadline=None)
def test_polynomial_has_every_monomial_once(n_in, degree, interactions, seed):
    f = Polynomial(n_in, degree, interactions)
    obs = np.random.default_rng(seed).uniform(0.5, 2, size=(3, n_in))
    expected = naive.monomials(obs, degree, interactions)
    assert f.n_out == expected.shape[1]
    assert_close(np.sort(f(obs), axis=1), np.sort(expected, axis=1))


def test_polynomial_without_interactions_is_powers():
    obs = np.array([[2.0, 3.0]])
    np.testing.assert_array_equal(Polynomial(2, 3, interactions=False)(obs), [[1, 2, 3, 4, 9, 8, 27]])


@pytest.mark.parametrize("features", [OneHot((3, 2)), Polynomial(2, 3)])
def test_dtype_is_that_of_obs_and_integers_are_welcome(features):
    obs = np.array([[1, 0], [2, 1]])
    for dtype in (np.float32, np.float64):
        assert features(obs.astype(dtype)).dtype == dtype
    np.testing.assert_array_equal(features(obs), features(obs.astype(float)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: OneHot((3,))([[0], [3]]), r"obs\[1, 0\] is 3.0, expected an integer in 0 … 2"),
        (lambda: OneHot((3,), (1,))([[0]]), "expected an integer in 1 … 3"),
        (lambda: OneHot((2, 3))([[0, 0.5]]), r"obs\[0, 1\] is 0.5"),
        (lambda: OneHot((3,))([[np.nan]]), r"obs\[0, 0\] is nan"),
        (lambda: OneHot((3,))([0]), r"obs has shape \(1,\)"),
        (lambda: OneHot(()), "expected one of each per column"),
        (lambda: OneHot((0,)), "sizes of at least 1"),
        (lambda: OneHot((3, 2), (1,)), "expected one of each per column"),
        (lambda: Polynomial(0, 2), "n_in is 0"),
        (lambda: Polynomial(17, 20), "features, expected at most 1,000,000; lower the degree"),
        (lambda: Polynomial(2, 2)([["a", "b"]]), "obs has dtype"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()
