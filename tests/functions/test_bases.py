import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.errors import InvalidInput
from npgrad.functions import RBF, Fourier, TileCoding
from tests import naive
from tests.functions.products import assert_close

BOX = {"low": (-1.0, 2.0), "high": (3.0, 4.0)}


def inside(n, seed=0):
    return np.random.default_rng(seed).uniform(BOX["low"], BOX["high"], size=(n, 2))


def test_cosine_basis_is_konidaris():
    obs = inside(5)
    s = (obs - BOX["low"]) / np.subtract(BOX["high"], BOX["low"])
    f = Fourier.cosine(**BOX, order=2)
    expected = [np.cos(np.pi * (c * s[:, 0] + e * s[:, 1])) for c, e in itertools.product(range(3), repeat=2)]
    assert f.n_out == 9
    assert_close(f(obs), np.transpose(expected))


def test_random_basis_approaches_the_gaussian_kernel():
    f = Fourier.random(2, 20_000, np.random.default_rng(0), scale=1.5)
    x = np.array([[0.0, 0.0], [1.0, -1.0], [0.5, 2.0]])
    phi = f(x)
    kernel = np.exp(-0.5 * ((x[:, None] - x) ** 2).sum(axis=-1) / 1.5**2)
    assert abs(phi @ phi.T * 2 / f.n_out - kernel).max() < 0.04  # √(1/20000) = 0.007


@pytest.mark.parametrize("normalised", [False, True])
def test_rbf_number_by_number(normalised):
    f = RBF.grid(**BOX, n=3, normalised=normalised)
    obs = inside(4)
    assert_close(f(obs), naive.radial_basis(obs, f.centres, f.widths, normalised))
    assert (f.n_in, f.n_out, f.widths) == (2, 9, (2.0, 1.0))


def test_normalised_rbf_far_from_every_centre():
    f = RBF.grid([0.0], [1.0], 2, normalised=True)
    np.testing.assert_array_equal(f([[1e6], [-1e6]]), [[0, 1], [1, 0]])


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5), st.integers(0, 999))
@settings(max_examples=40, deadline=None)
def test_tiles_number_by_number(n, m, tilings, seed):
    f = TileCoding(**BOX, tiles=(n, m), tilings=tilings)
    obs = np.vstack([inside(6, seed), [BOX["low"], BOX["high"]], inside(2, seed) * 100])
    phi = f(obs)
    np.testing.assert_array_equal(phi, naive.tile_coding(obs, f.low, f.high, f.tiles, tilings))
    np.testing.assert_array_equal(phi.reshape(len(obs), tilings, -1).sum(axis=2), 1)


def test_tilings_are_displaced_by_odd_fractions():
    """Along a line, grid i of column 0 changes tile where u + i/tilings is whole."""
    f = TileCoding([0.0], [1.0], tiles=1, tilings=4)
    edges = [np.flatnonzero(np.diff(f(np.linspace(0, 0.999, 1000)[:, None])[:, 2 * i + 1]))[0] + 1 for i in (1, 2, 3)]
    assert edges == [750, 500, 250]


@pytest.mark.parametrize(
    "features", [Fourier.cosine(**BOX, order=2), RBF.grid(**BOX, n=3), TileCoding(**BOX, tiles=3, tilings=2)]
)
def test_descriptions(features):
    obs = np.round(inside(3))
    before = obs.copy()
    for dtype in (np.float32, np.float64):
        assert features(obs.astype(dtype)).dtype == dtype
    assert_close(features(obs.astype(int)), features(obs))
    np.testing.assert_array_equal(obs, before)
    assert features(np.zeros((0, 2))).shape == (0, features.n_out)
    fields = {name: getattr(features, name) for name in features.__dataclass_fields__}
    assert hash(type(features)(**fields)) == hash(features)
    assert type(features)(**fields) == features


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Fourier.cosine([0.0], [0.0], 2), r"low is \[0.\] and high \[0.\], expected one of each"),
        (lambda: Fourier.cosine([0.0], [np.inf], 2), r"high is \[inf\], expected a row of finite numbers"),
        (lambda: Fourier.cosine(["a"], [1.0], 2), "low is .'a'., expected a row"),
        (lambda: Fourier.cosine([0.0], [1.0, 2.0], 2), "one of each per column"),
        (lambda: Fourier.cosine([0.0] * 17, [1.0] * 17, 3), "17,179,869,184 features, .* use Fourier.random"),
        (lambda: Fourier.cosine([0.0], [1.0], -1), "order is -1"),
        (lambda: Fourier.random(2, 3, np.random.default_rng(0), scale=0.0), "scale is 0.0"),
        (lambda: Fourier.random(2, 0, np.random.default_rng(0)), "n_out is 0"),
        (lambda: Fourier([[1.0]], [0.0, 1.0]), "1 frequencies and 2 phases"),
        (lambda: Fourier([1.0], [0.0]), r"frequencies is \(?\[1.0\], expected a table"),
        (lambda: RBF([[0.0], [0.0, 1.0]], [1.0]), "centres is .*expected a table"),
        (lambda: RBF([[0.0, 1.0]], [1.0]), "widths is .*expected 2 numbers above 0"),
        (lambda: RBF([[0.0]], [0.0]), "numbers above 0"),
        (lambda: RBF.grid([0.0], [1.0], 1), "n is 1, expected an integer of at least 2"),
        (lambda: TileCoding([0.0], [1.0], tiles=0), "tiles is 0"),
        (lambda: TileCoding([0.0], [1.0], tiles=(2, 2)), "one or 1 of them"),
        (lambda: TileCoding([0.0], [1.0], tiles=1.5), "tiles is 1.5"),
        (lambda: TileCoding([0.0] * 8, [1.0] * 8, tiles=9), "take fewer tiles"),
        (lambda: TileCoding([0.0], [1.0], tiles=2)(np.zeros((1, 2))), r"obs has shape \(1, 2\)"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()
