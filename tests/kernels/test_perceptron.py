"""The perceptron's kernels against NumPy's perceptron, and against themselves as plain Python."""

import numpy as np
import pytest

from npgrad import jit
from npgrad.compiled import CompiledMLP, compiled_function, compiled_policy
from npgrad.elementary import tanh
from npgrad.functions import MLP, Concatenated, Constant, Featured, Linear, OneHot
from npgrad.functions.mlp import MLPLinearisation
from npgrad.jit import blas
from npgrad.kernels import perceptron
from npgrad.kernels.network import IDENTITY, RELU, TANH

needs_products = pytest.mark.skipif(
    not (jit.enabled() and all(map(jit.product_address, blas.LETTERS))), reason="no compiled kernels, or another BLAS"
)
EXACT = {"float32": 1e-5, "float64": 1e-14}  # of the largest entry


def problem(mlp, n_rows, dtype, seed=0):
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=mlp.n_params) / 4
    x, w = rng.normal(size=(n_rows, mlp.n_in)), rng.normal(size=(n_rows, mlp.n_out))
    return tuple(each.astype(dtype) for each in (theta, x, w))


def far(a, b):
    return np.abs(a - b).max(initial=0) / max(np.abs(b).max(initial=0), 1e-30)


@needs_products
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["tanh", "relu", "identity"])
@pytest.mark.parametrize("hidden", [(), (5,), (64, 64), (7, 1, 3)])
def test_the_same_as_numpys(hidden, activation, dtype):
    mlp = MLP(3, 2, hidden=hidden, activation=activation)
    fast = compiled_function(mlp)
    assert isinstance(fast, CompiledMLP)
    for n_rows in (0, 1, perceptron.BLOCK, 2 * perceptron.BLOCK + 7):
        theta, x, w = problem(mlp, n_rows, dtype)
        lin, twin = fast.at(theta, x), mlp.at(theta, x)
        assert lin.y.dtype == dtype
        assert lin.y.shape == twin.y.shape
        assert far(lin.y, twin.y) < EXACT[dtype]
        v, edges = problem(mlp, 1, dtype, seed=1)[0], np.array([0, n_rows // 3, n_rows])
        for ours, theirs in (
            (lin.vjp(w), twin.vjp(w)),
            (lin.jvp(v), twin.jvp(v)),
            (lin.vjp_rows(w), twin.vjp_rows(w)),
            (lin.vjp_segments(w, edges), twin.vjp_segments(w, edges)),
            (lin.vjp_inputs(w), twin.vjp_inputs(w)),
        ):
            assert ours.dtype == dtype
            assert far(ours, theirs) < 10 * EXACT[dtype]


@needs_products
def test_a_row_is_the_same_wherever_its_block_begins():
    mlp = compiled_function(MLP(4, 2))
    theta, x, _ = problem(mlp, 3 * perceptron.BLOCK, "float64")
    whole = mlp.at(theta, x).y
    for low in range(0, len(x), perceptron.BLOCK):
        assert (mlp.at(theta, x[low : low + perceptron.BLOCK]).y == whole[low : low + perceptron.BLOCK]).all()


@needs_products
@pytest.mark.parametrize("layout", ["read-only", "columns first", "every other row", "whole numbers"])
def test_arrays_of_any_layout(layout):
    mlp = MLP(3, 2, hidden=(8,))
    theta, x, w = problem(mlp, 40, "float64")
    if layout == "read-only":
        x.flags.writeable = w.flags.writeable = theta.flags.writeable = False
    elif layout == "columns first":
        x, w = np.asfortranarray(x), np.asfortranarray(w)
    elif layout == "every other row":
        theta, x, w = theta.repeat(2)[::2], x[::2], w[::2]
    else:
        x = np.arange(120).reshape(40, 3) % 5
    assert far(compiled_function(mlp).at(theta, x).vjp(w), mlp.at(theta, x).vjp(w)) < 1e-13


@needs_products
def test_complex_parameters_go_to_numpy():
    mlp = compiled_function(MLP(3, 2, hidden=(8,)))
    theta, x, _ = problem(mlp, 5, "float64")
    assert type(mlp.at(theta + 0j, x)) is MLPLinearisation


@needs_products
def test_plain_python_gives_the_same_bits(monkeypatch):
    monkeypatch.setattr(perceptron, "BLOCK", 4)  # of the plain functions; the compiled ones have theirs
    sizes, n_rows = np.array([2, 3, 3, 1]), 3
    for dtype in blas.LETTERS:
        theta, x, w = problem(MLP(2, 1, hidden=(3, 3)), n_rows, dtype)
        for activation in (IDENTITY, TANH, RELU):
            results = []
            for plain in (False, True):
                product = blas.find_product(dtype) if plain else jit.product_address(dtype)
                units, y = np.empty(n_rows * 6, dtype), np.empty(n_rows, dtype)
                offsets, out = np.array([0, 2, 2, 3]), np.empty((3, len(theta)), dtype)
                scratch = np.empty(2 * 3 * 512, dtype)
                forward, backward = perceptron.perceptron_forward, perceptron.perceptron_backward
                if plain:
                    forward, backward = forward.py_func, backward.py_func
                forward(product, sizes, activation, theta, x.ravel(), units, y)
                backward(product, sizes, activation, theta, x.ravel(), units, w.ravel(), offsets, scratch, out)
                results.append((units, y, out))
            for compiled, plainly in zip(*results, strict=True):
                assert compiled.tobytes() == plainly.tobytes()


def test_tanh_in_32_bits():
    x = np.concatenate([np.linspace(-12, 12, 20_001), np.geomspace(1e-38, 1, 2_001), [0.0]]).astype(np.float32)
    ours = np.array([perceptron.tanh32(each) for each in x])
    assert ours.dtype == np.float32
    assert (np.abs(ours) <= 1).all()
    exact = tanh(x.astype(np.float64))
    assert (np.abs(ours - exact) <= 6 * np.spacing(np.abs(exact).astype(np.float32))).all()
    assert not (np.abs(ours - exact) <= np.spacing(np.abs(exact).astype(np.float32)) / 2).all()  # it can fail


def test_parts_are_compiled_and_others_left_alone():
    mlp, constant = MLP(3, 2), Constant(3, 2)
    both = compiled_function(Concatenated((mlp, constant)))
    kind = type(compiled_function(mlp))
    assert [type(part) for part in both.parts] == [kind, Constant]
    assert type(compiled_function(Featured(OneHot((3,)), mlp)).function) is kind
    linear = Linear(3, 2)
    assert compiled_function(linear) is linear
    assert compiled_function(compiled_function(mlp)) == compiled_function(mlp)


def test_another_blas_leaves_everything_to_numpy(monkeypatch):
    monkeypatch.setattr(blas, "NAMES", ("no_such_{}gemm",))
    assert blas.find_product("float64") is None
    monkeypatch.setattr(jit, "product_address", lambda dtype: None)
    mlp = MLP(3, 2)
    assert compiled_function(mlp) is mlp


def test_other_policies_are_left_alone():
    class Mine:
        pass

    mine = Mine()
    assert compiled_policy(mine) is mine
