"""Gradients in the inputs, ∂y/∂x: against differences, and against what moving the first layer's bias does."""

import numpy as np
import pytest

from npgrad.functions import MLP, Linear
from tests.functions.products import assert_close

FUNCTIONS = [
    Linear(3, 2),
    Linear(3, 2, bias=False),
    MLP(3, 2, hidden=(5,)),
    MLP(3, 1, hidden=(4, 6)),
    MLP(3, 2, hidden=()),
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=str)
def test_gradient_in_the_inputs_is_the_slope(function):
    rng = np.random.default_rng(0)
    theta, x, w = rng.normal(size=function.n_params), rng.normal(size=(7, 3)), rng.normal(size=(7, function.n_out))
    h, slopes = 1e-5, []
    for e in np.eye(3):
        y = [function.at(theta, x + sign * h * e).y for sign in (1, -1)]
        slopes.append(((y[0] - y[1]) / (2 * h) * w).sum(axis=1))
    assert_close(function.at(theta, x).vjp_inputs(w), np.stack(slopes, axis=1), tol=1e-8)


@pytest.mark.parametrize("hidden", [(5,), (4, 6)])
def test_moving_an_input_moves_the_first_bias_by_its_weights(hidden):
    f, rng = MLP(3, 2, hidden=hidden, activation="tanh"), np.random.default_rng(1)
    theta, x, w = rng.normal(size=f.n_params), rng.normal(size=(7, 3)), rng.normal(size=(7, 2))
    lin, first = f.at(theta, x), f.layers[0]
    W, _ = first.split(theta[f.parts[0]])
    _, D = first.split(lin.vjp_rows(w)[:, f.parts[0]])  # ∂/∂b_0 of each row
    assert_close(lin.vjp_inputs(w), D @ W.T)
