import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.errors import InvalidInput
from npgrad.functions import MLP, ActionPreferences, Featured, Linear, OneHot, Polynomial, Recurrent
from tests.functions.products import assert_close, assert_contract, assert_products, cuts

QUADRATIC = Featured(Polynomial(3, degree=2), Linear(10, 1, bias=False))


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_products(data):
    h = data.draw(st.sampled_from([QUADRATIC, MLP(3, 1, hidden=(3,))]))
    f = ActionPreferences(h, data.draw(st.integers(1, 4)))
    T = data.draw(st.sampled_from([0, 1, 2, 7]))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    theta, obs = rng.normal(size=f.n_params), rng.normal(size=(T, 2))
    lin = assert_products(f, theta, obs, rng, segments=data.draw(cuts(T)))
    for t in range(T):
        for a in range(f.n_actions):
            assert_close(lin.y[t, a], h.at(theta, [[*obs[t], a]]).y[0, 0])


@pytest.mark.parametrize("h", [QUADRATIC, MLP(3, 1, hidden=(3,))])
def test_contract(h):
    rng = np.random.default_rng(0)
    assert_contract(ActionPreferences(h, 3), rng.normal(size=(4, 2)), rng)


def test_a_table_of_states_and_actions():
    """φ(s, a) with one entry of θ for each state and each action: h = θ_s + θ_a."""
    f = ActionPreferences(Featured(OneHot((2, 3)), Linear(5, 1, bias=False)), 3)
    theta = np.array([10.0, 20.0, 1.0, 2.0, 3.0])
    np.testing.assert_array_equal(f.at(theta, [[1], [0]]).y, [[21, 22, 23], [11, 12, 13]])


@pytest.mark.parametrize("h", [Linear(3, 2), Linear(1, 1), Recurrent(3, 1)])
def test_bad_functions(h):
    with pytest.raises(InvalidInput, match=r"expected \(s, a\) to one preference"):
        ActionPreferences(h, 2)


def test_bad_count():
    with pytest.raises(InvalidInput, match="n_actions is 0"):
        ActionPreferences(Linear(3, 1), 0)
