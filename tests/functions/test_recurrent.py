import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.errors import InvalidInput
from npgrad.functions import Concatenated, Constant, Featured, Polynomial, Recurrent, recurrent
from tests import naive
from tests.functions.products import assert_close, assert_contract, assert_products, cuts


@st.composite
def problems(draw):
    f = Recurrent(draw(st.integers(1, 3)), draw(st.integers(1, 2)), n_hidden=draw(st.integers(1, 3)))
    T = draw(st.sampled_from([0, 1, 2, 9, 14]))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    return f, rng.normal(size=f.n_params), rng.normal(size=(T, f.n_in)), rng, draw(cuts(T)), draw(cuts(T))


@given(problems())
@settings(max_examples=50, deadline=None)
def test_products(problem):
    f, theta, obs, rng, episodes, segments = problem
    lin = assert_products(f, theta, obs, rng, offsets=episodes, segments=segments)
    assert_products(f, theta, obs, rng, offsets=episodes, segments=episodes)
    assert_close(lin.y, naive.elman(theta, obs, episodes, f.n_hidden, f.n_out))


@given(problems())
@settings(max_examples=20, deadline=None)
def test_segments_in_many_batches(problem):
    f, theta, obs, rng, episodes, segments = problem
    lin, w = f.at(theta, obs, episodes), rng.normal(size=(len(obs), f.n_out))
    whole = lin.vjp_rows(w), lin.vjp_segments(w, segments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recurrent, "UNROLLED", 3)
        assert_close(lin.vjp_rows(w), whole[0])
        assert_close(lin.vjp_segments(w, segments), whole[1])


def test_rows_are_products_of_the_episode_so_far():
    rng = np.random.default_rng(0)
    f = Recurrent(2, 1, n_hidden=3)
    theta, obs, w = rng.normal(size=f.n_params), rng.normal(size=(6, 2)), rng.normal(size=(6, 1))
    rows = f.at(theta, obs, [0, 2, 6]).vjp_rows(w)
    for start, t in [(0, 0), (0, 1), (2, 2), (2, 5)]:
        alone = np.zeros((t + 1 - start, 1))
        alone[-1] = w[t]
        assert_close(rows[t], f.at(theta, obs[start : t + 1]).vjp(alone))


FUNCTIONS = [
    Recurrent(2, 2, n_hidden=4),
    Concatenated((Recurrent(2, 1, n_hidden=3), Constant(2, 1), Recurrent(2, 2, n_hidden=2))),
    Featured(Polynomial(2, 2), Recurrent(6, 1, n_hidden=3)),
]


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
    obs = rng.normal(size=(6, 2))
    assert_contract(f, obs, rng, np.array([0, 4, 6]))
    assert_products(f, rng.normal(size=f.n_params), obs, rng, offsets=[0, 4, 6], segments=[0, 3, 3, 6])


def test_no_offsets_is_one_episode():
    rng = np.random.default_rng(0)
    f = Recurrent(2, 1)
    theta, obs = rng.normal(size=f.n_params), rng.normal(size=(5, 2))
    np.testing.assert_array_equal(f.at(theta, obs).y, f.at(theta, obs, [0, 5]).y)
    assert abs(f.at(theta, obs).y - f.at(theta, obs, np.arange(6)).y)[1:].min() > 1e-3


def test_init():
    f = Recurrent(2, 1, n_hidden=4, last_scale=0.1)
    cell, readout = (
        layer.split(f.init(np.random.default_rng(0))[p]) for layer, p in zip(f.layers, f.parts, strict=True)
    )
    assert_close(cell[0][:2] @ cell[0][:2].T, np.eye(2))
    assert_close(cell[0][2:] @ cell[0][2:].T, np.eye(4))
    assert_close(readout[0].T @ readout[0], np.array([[0.01]]))
    assert not cell[1].any()
    assert not readout[1].any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: Recurrent(2, 1, n_hidden=0), "n_hidden is 0"),
        (lambda f: Recurrent(2, 1, last_scale=-1), "last_scale is -1"),
        (lambda f: f.at(np.zeros(f.n_params), np.zeros((3, 2)), [0, 2]), "rise from 0 to the number of rows, 3"),
        (lambda f: f.advance(np.zeros(f.n_params), np.zeros((3, 2)), np.zeros((3, 5))), r"memory has shape \(3, 5\)"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InvalidInput, match=message):
        call(Recurrent(2, 1, n_hidden=4))
