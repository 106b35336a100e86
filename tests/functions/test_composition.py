import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.errors import InvalidInput
from npgrad.functions import MLP, Concatenated, Constant, Featured, Fixed, Linear, OneHot
from tests.functions.products import assert_close, assert_contract, assert_products, cuts

SIGMAS = [Constant(3, 2, start=-1.0), Fixed(3, (0.5, 0.25)), Linear(3, 2), MLP(3, 2, hidden=(4,))]


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_products_of_mean_and_log_sigma(data):
    f = Concatenated((data.draw(st.sampled_from(SIGMAS)), MLP(3, 2, hidden=(3,)), data.draw(st.sampled_from(SIGMAS))))
    T = data.draw(st.sampled_from([0, 1, 2, 9]))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    theta, obs = rng.normal(size=f.n_params), rng.normal(size=(T, 3))
    lin = assert_products(f, theta, obs, rng, segments=data.draw(cuts(T)))
    stretches = np.split(theta, np.cumsum([part.n_params for part in f.parts])[:-1])
    ys = [part.at(stretch, obs).y for part, stretch in zip(f.parts, stretches, strict=True)]
    np.testing.assert_array_equal(lin.y, np.hstack(ys))


@pytest.mark.parametrize("f", [*SIGMAS[:2], Concatenated((Linear(3, 2), Fixed(3, (1.0,)), Constant(3, 2)))])
@pytest.mark.parametrize("T", [0, 1, 5])
def test_products(f, T):
    rng = np.random.default_rng(T)
    theta, obs = f.init(rng) + rng.normal(size=f.n_params), rng.normal(size=(T, 3))
    assert_products(f, theta, obs, rng, segments=np.array([0, 0, T // 2, T]))
    assert_contract(f, rng.normal(size=(T, 3)), rng)


def test_values_of_constant_and_fixed():
    obs = np.zeros((2, 3))
    np.testing.assert_array_equal(Constant(3, 2).at(np.array([1.0, 2.0]), obs).y, [[1, 2], [1, 2]])
    np.testing.assert_array_equal(Fixed(3, (1.0, 2.0)).at(np.zeros(0), obs).y, [[1, 2], [1, 2]])
    np.testing.assert_array_equal(Constant(3, 2, start=(1, 2)).init(np.random.default_rng(0)), [1, 2])


def test_featured_is_the_function_of_the_features():
    rng = np.random.default_rng(0)
    features, g = OneHot((3, 2), (1, 0)), MLP(5, 2, hidden=(4,))
    f = Featured(features, g)
    assert (f.n_in, f.n_out, f.n_params, f.n_memory) == (2, 2, g.n_params, 0)
    obs = np.array([[1, 0], [3, 1], [2, 0]])
    lin = assert_products(f, rng.normal(size=f.n_params), obs, rng, segments=np.array([0, 1, 3]))
    assert_contract(f, obs, rng)
    assert lin.y.shape == (3, 2)


def test_featured_one_hot_is_a_table():
    table = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    f = Featured(OneHot((3,)), Linear(3, 2, bias=False))
    assert_close(f.at(table.ravel(), [[2], [0], [2]]).y, table[[2, 0, 2]])


def test_descriptions_are_equal_to_their_copies():
    assert Fixed(2, np.array([1.0, 2.0])) == Fixed(2, [1, 2])
    assert Constant(2, 2, start=np.float32(1)) == Constant(2, 2, start=1.0)
    assert Concatenated([Linear(2, 1)]) == Concatenated((Linear(2, 1),))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Concatenated(()), r"the parts have n_in \[\]"),
        (lambda: Concatenated((Linear(2, 1), Linear(3, 1))), r"the parts have n_in \[2, 3\]"),
        (lambda: Constant(2, 3, start=(1.0, 2.0)), "start has 2 numbers, expected one, or n_out = 3"),
        (lambda: Constant(2, 1, start=np.nan), "start is .*expected a row of finite numbers"),
        (lambda: Fixed(2, ()), "values is .*expected a row of finite"),
        (lambda: Fixed(2, (np.inf,)), "values is .*expected a row of finite"),
        (lambda: Featured(OneHot((3,)), Linear(2, 1)), "features give 3 columns, the function takes 2"),
        (lambda: Concatenated((Linear(2, 1),)).at(np.zeros(2), np.zeros((1, 2))), "theta has shape"),
        (lambda: Concatenated((Linear(2, 1),)).advance(np.zeros(3), np.zeros((1, 2)), np.zeros((1, 1))), "memory has"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()
