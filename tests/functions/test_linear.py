import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.errors import InvalidInput
from npgrad.functions import Linear
from npgrad.functions.linear import SHORT
from tests import naive
from tests.functions.products import assert_close, assert_contract, assert_products, cuts


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_products(data):
    draw = data.draw
    f = Linear(draw(st.integers(1, 5)), draw(st.integers(1, 4)), bias=draw(st.booleans()))
    T = draw(st.sampled_from([0, 1, 2, 7, 40]))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    theta, obs = rng.normal(size=f.n_params), rng.normal(size=(T, f.n_in))
    lin = assert_products(f, theta, obs, rng, segments=draw(cuts(T)))
    assert_close(lin.y, naive.linear(theta, obs, f.n_out, f.bias))


@pytest.mark.parametrize("length", [1, SHORT, SHORT + 1])
def test_segments_on_both_sides_of_short(length):
    rng = np.random.default_rng(0)
    f = Linear(3, 2)
    obs, w = rng.normal(size=(4 * length + 5, 3)), rng.normal(size=(4 * length + 5, 2))
    lin = f.at(rng.normal(size=f.n_params), obs)
    edges = np.append(np.arange(5) * length, len(obs))
    expected = np.add.reduceat(lin.vjp_rows(w), edges[:-1], axis=0)
    assert_close(lin.vjp_segments(w, edges), expected)


def test_rows_are_one_sample_products():
    rng = np.random.default_rng(0)
    f = Linear(3, 2)
    theta, obs, w = rng.normal(size=f.n_params), rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    rows = f.at(theta, obs).vjp_rows(w)
    for t in range(5):
        assert_close(rows[t], f.at(theta, obs[t : t + 1]).vjp(w[t : t + 1]))


@pytest.mark.parametrize("bias", [True, False])
def test_contract(bias):
    rng = np.random.default_rng(0)
    assert_contract(Linear(3, 2, bias=bias), rng.normal(size=(6, 3)), rng)


def test_init():
    f = Linear(400, 100, scale=2.0)
    W, b = f.split(f.init(np.random.default_rng(0)))
    assert W.std() == pytest.approx(2 / 20, rel=0.02)
    assert not b.any()
    assert not Linear(4, 2).init(np.random.default_rng(0)).any()


def test_numpy_counts_become_plain_integers():
    f = Linear(np.int64(3), np.int32(2))
    assert type(f.n_in) is type(f.n_out) is int
    assert f == Linear(3, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Linear(0, 2), "n_in is 0, expected an integer of at least 1"),
        (lambda: Linear(2, 1.5), "n_out is 1.5"),
        (lambda: Linear(2, 1, scale=-1.0), "scale is -1.0"),
        (lambda: Linear(2, 1).at(np.zeros(4), np.zeros((1, 2))), r"theta has shape \(4,\), expected .*\(3,\)"),
        (lambda: Linear(2, 1).at([0.0, 0.0, 0.0], np.zeros((1, 2))), "theta has list"),
        (lambda: Linear(2, 1).at(np.zeros(3, int), np.zeros((1, 2))), "theta has dtype int64"),
        (
            lambda: Linear(2, 1).at(np.zeros(3), np.zeros(2)),
            r"obs has shape \(2,\), expected \(any, 2\); .*obs\[None\]",
        ),
        (lambda: Linear(2, 1).at(np.zeros(3), np.zeros((1, 3))), r"obs has shape \(1, 3\)"),
        (lambda: Linear(2, 1).at(np.zeros(3), np.array([["a", "b"]])), "obs has dtype"),
        (lambda: Linear(2, 1).at(np.zeros(3), np.zeros((1, 2), complex)), "obs has dtype complex128"),
    ],
)
def test_bad_descriptions_and_inputs(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda lin: lin.vjp(np.zeros(3)), r"w has shape \(3,\), expected \(3, 1\)"),
        (lambda lin: lin.vjp_rows(np.zeros((2, 1))), r"w has shape \(2, 1\)"),
        (lambda lin: lin.vjp(np.zeros((3, 1), complex)), "w has dtype complex128, expected real"),
        (lambda lin: lin.jvp(np.zeros(4)), r"v has shape \(4,\), expected \(3,\)"),
        (lambda lin: lin.vjp_segments(np.zeros((3, 1)), [0, 2]), "rise from 0 to the number of rows, 3"),
        (lambda lin: lin.vjp_segments(np.zeros((3, 1)), [0, 2, 1, 3]), "rise from 0"),
        (lambda lin: lin.vjp_segments(np.zeros((3, 1)), [0.0, 3.0]), "expected N . 1 integers"),
        (lambda lin: lin.vjp_segments(np.zeros((3, 1)), []), "expected N . 1 integers"),
    ],
)
def test_bad_products(call, message):
    lin = Linear(2, 1).at(np.zeros(3), np.zeros((3, 2)))
    with pytest.raises(InvalidInput, match=message):
        call(lin)
