import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.errors import InvalidInput, UnknownName
from npgrad.functions import MLP, Linear
from npgrad.functions.mlp import orthogonal
from tests import naive
from tests.functions.products import assert_close, assert_contract, assert_products, central_jacobian, cuts


@st.composite
def problems(draw, activations):
    f = MLP(
        draw(st.integers(1, 4)),
        draw(st.integers(1, 3)),
        hidden=draw(st.lists(st.integers(1, 4), max_size=3)),
        activation=draw(st.sampled_from(activations)),
    )
    T = draw(st.sampled_from([0, 1, 2, 9, 30]))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    return f, rng.normal(size=f.n_params), rng.normal(size=(T, f.n_in)), rng, draw(cuts(T))


@given(problems(["tanh", "relu", "identity"]))
@settings(max_examples=60, deadline=None)
def test_products_against_complex_step(problem):
    f, theta, obs, rng, segments = problem
    lin = assert_products(f, theta, obs, rng, segments=segments)
    assert_close(lin.y, naive.mlp(theta, obs, (*f.hidden, f.n_out), f.activation))


@given(problems(["relu"]))
@settings(max_examples=30, deadline=None)
def test_relu_against_central_differences(problem):
    f, theta, obs, rng, _ = problem
    far = naive.distance_to_kinks(theta, obs, (*f.hidden, f.n_out)) > 0.02
    J = central_jacobian(f, theta, obs[far], step=1e-4)
    assert_products(f, theta, obs[far], rng, jacobian=J, tol=1e-7)


def test_relu_has_slope_zero_at_its_kink():
    f = MLP(1, 1, hidden=(1,), activation="relu")
    theta, obs = np.array([1.0, 0.0, 1.0, 0.0]), np.zeros((1, 1))  # z = 0
    np.testing.assert_array_equal(f.at(theta, obs).vjp([[1.0]]), [0, 0, 0, 1])
    assert f.at(theta + np.array([0, 1e-30j, 0, 0]), obs).y.imag == 0


def test_no_hidden_layer_is_linear():
    rng = np.random.default_rng(0)
    f, g = MLP(3, 2, hidden=()), Linear(3, 2)
    theta, obs, w = rng.normal(size=f.n_params), rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    np.testing.assert_array_equal(f.at(theta, obs).y, g.at(theta, obs).y)
    np.testing.assert_array_equal(f.at(theta, obs).vjp(w), g.at(theta, obs).vjp(w))


def test_rows_are_one_sample_products():
    rng = np.random.default_rng(0)
    f = MLP(3, 2, hidden=(5, 4))
    theta, obs, w = rng.normal(size=f.n_params), rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    rows = f.at(theta, obs).vjp_rows(w)
    for t in range(5):
        assert_close(rows[t], f.at(theta, obs[t : t + 1]).vjp(w[t : t + 1]))


def test_a_nan_does_not_vanish_in_relu():
    f = MLP(1, 1, hidden=(2,), activation="relu")
    assert np.isnan(f.at(np.full(f.n_params, np.nan), np.ones((1, 1))).y).all()


@pytest.mark.parametrize("activation", ["tanh", "relu", "identity"])
def test_contract(activation):
    rng = np.random.default_rng(0)
    assert_contract(MLP(3, 2, hidden=(4, 5), activation=activation), rng.normal(size=(6, 3)), rng)


def test_parameters_of_the_pong_network():
    assert MLP(80 * 80, 1, hidden=(200,)).n_params == 1_280_401  # 10-703


def test_init_is_orthogonal_with_a_small_last_layer():
    f = MLP(6, 2, hidden=(8, 4), last_scale=0.1)
    theta = f.init(np.random.default_rng(0))
    W = [layer.split(theta[part])[0] for layer, part in zip(f.layers, f.parts, strict=True)]
    assert_close(W[0] @ W[0].T, 2 * np.eye(6))
    assert_close(W[1].T @ W[1], 2 * np.eye(4))
    assert_close(W[2].T @ W[2], 0.01 * np.eye(2))
    np.testing.assert_array_equal(theta, f.init(np.random.default_rng(0)))


def test_orthogonal_matrices_are_uniform():
    rng = np.random.default_rng(0)
    q = np.array([orthogonal(rng, 2, 2) for _ in range(4000)])
    assert abs(q.mean(axis=0)).max() < 0.05  # QR without its sign fixed has a mean far from zero
    assert abs((q**2).mean(axis=0) - 0.5).max() < 0.03


@pytest.mark.parametrize("hidden", [(0,), (4, -1), (4.5,), ((4, 4), (4, 4)), "64"])
def test_bad_hidden(hidden):
    with pytest.raises(InvalidInput, match=r"hidden is .*expected integers of at least 1"):
        MLP(2, 1, hidden=hidden)


def test_bad_activation_and_scale():
    with pytest.raises(UnknownName, match="unknown activation 'tahn'; did you mean 'tanh'"):
        MLP(2, 1, activation="tahn")
    with pytest.raises(InvalidInput, match="last_scale is -1"):
        MLP(2, 1, last_scale=-1)


def test_hidden_may_be_a_list_or_one_integer():
    assert MLP(2, 1, hidden=[4, 3]) == MLP(2, 1, hidden=(4, 3))
    assert MLP(2, 1, hidden=4).hidden == (4,)
