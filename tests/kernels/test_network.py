"""The perceptron inside kernels against `npgrad.functions`, on the same θ."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad.functions import MLP, Linear
from npgrad.kernels.network import IDENTITY, RELU, TANH, backward, forward

PHI = {"identity": IDENTITY, "tanh": TANH, "relu": RELU}


def case(f, sizes, activation, bias, seed):
    rng = np.random.default_rng(seed)
    theta, x, w = rng.normal(size=f.n_params), rng.normal(size=f.n_in), rng.normal(size=f.n_out)
    units, slopes = np.zeros(sum(sizes)), np.zeros(sum(sizes))
    units[: f.n_in], slopes[-f.n_out :] = x, w
    start = rng.normal(size=f.n_params)
    gradient = start.copy()
    forward(np.array(sizes), activation, bias, theta, units)
    backward(np.array(sizes), activation, bias, theta, units, slopes, gradient)
    lin = f.at(theta, x[None])
    np.testing.assert_allclose(units[-f.n_out :], lin.y[0], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(gradient - start, lin.vjp(w[None]), rtol=1e-11, atol=1e-12)  # it is added to
    np.testing.assert_allclose(slopes[: f.n_in], lin.vjp_inputs(w[None])[0], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("activation", PHI)
@given(
    hidden=st.lists(st.integers(1, 5), max_size=3),
    n_in=st.integers(1, 4),
    n_out=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_perceptron(activation, hidden, n_in, n_out, seed):
    case(
        MLP(n_in, n_out, hidden=tuple(hidden), activation=activation), [n_in, *hidden, n_out], PHI[activation], 1, seed
    )


@pytest.mark.parametrize("bias", [False, True])
def test_linear(bias):
    case(Linear(3, 2, bias=bias), [3, 2], IDENTITY, int(bias), 0)
