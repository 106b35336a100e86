import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.errors import InvalidInput
from npgrad.functions import MLP, Linear, Recurrent, Stacked
from tests import naive
from tests.functions.products import assert_close, assert_contract, assert_products, cuts


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_products(data):
    k, d = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 2))
    g = data.draw(st.sampled_from([MLP(k * d, 2, hidden=(3,)), Linear(k * d, 1), Recurrent(k * d, 1, n_hidden=2)]))
    f = Stacked(g, k)
    T = data.draw(st.sampled_from([0, 1, 2, 9]))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    theta, obs, episodes = rng.normal(size=f.n_params), rng.normal(size=(T, d)), data.draw(cuts(T))
    lin = assert_products(f, theta, obs, rng, offsets=episodes, segments=data.draw(cuts(T)))
    np.testing.assert_array_equal(lin.y, g.at(theta, naive.windows(obs, k, episodes), episodes).y)


FUNCTIONS = [Stacked(MLP(6, 2, hidden=(3,)), 3), Stacked(Recurrent(4, 1, n_hidden=3), 2), Stacked(Linear(2, 1), 1)]


@pytest.mark.parametrize("f", FUNCTIONS)
def test_advance_walks_along_at(f):
    rng = np.random.default_rng(0)
    theta = f.init(rng) + 0.5 * rng.normal(size=f.n_params)
    obs = rng.normal(size=(3, 7, 2))  # three slots, seven steps
    y = f.at(theta, obs.reshape(21, 2), np.array([0, 7, 14, 21])).y.reshape(3, 7, -1)
    memory = np.zeros((3, f.n_memory))
    for t in range(7):
        step, memory = f.advance(theta, obs[:, t], memory)
        assert_close(step, y[:, t])


@pytest.mark.parametrize("f", FUNCTIONS)
def test_contract(f):
    rng = np.random.default_rng(0)
    assert_contract(f, rng.normal(size=(6, 2)), rng, np.array([0, 4, 6]))


def test_bad_input():
    with pytest.raises(InvalidInput, match="n_in is 5, expected a multiple of k = 2"):
        Stacked(Linear(5, 1), 2)
    with pytest.raises(InvalidInput, match="k is 0"):
        Stacked(Linear(5, 1), 0)
    f = Stacked(Linear(4, 1), 2)
    with pytest.raises(InvalidInput, match="memory has shape"):
        f.advance(np.zeros(5), np.zeros((3, 2)), np.zeros((3, 4)))
