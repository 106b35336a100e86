"""Noise by place: published vectors, one set of bits from three ways of computing, distribution and independence."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad import noise
from npgrad.errors import InvalidInput, UnknownName
from npgrad.noise import formulas
from npgrad.noise.compiled import fill

# Random123 1.14, tests/kat_vectors (github.com/DEShawResearch/random123): philox4x32, 10 rounds; counter, key, result
KNOWN_ANSWERS = """
00000000 00000000 00000000 00000000 00000000 00000000 6627e8d5 e169c58d bc57ac4c 9b00dbd8
ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff 408f276d 41c83b0e a20bc7c6 6d5451fd
243f6a88 85a308d3 13198a2e 03707344 a4093822 299f31d0 d16cfe09 94fdcceb 5001e420 24126ea1
"""

SEEDS = st.integers(0, 2**64 - 1)
STREAMS = st.integers(0, 255)
EPISODES = st.integers(0, 2**63 - 1)
STEPS = st.integers(0, 2**32 - 1)
KINDS = st.lists(st.sampled_from(["uniform", "normal"]), max_size=7)


def vectors():
    return np.array([[int(word, 16) for word in line.split()] for line in KNOWN_ANSWERS.split("\n")[1:-1]])


def test_philox_gives_the_published_vectors_on_python_integers():
    for row in vectors().tolist():
        assert list(formulas.philox(*row[:6])) == row[6:]


def test_philox_gives_the_published_vectors_on_arrays():
    table = vectors().T
    assert np.array_equal(np.array(formulas.philox(*table[:6])), table[6:])


@given(seed=SEEDS, stream=STREAMS, block=st.integers(0, 2**23 - 1), episode=EPISODES, step=STEPS)
def test_a_block_is_philox_of_its_place(seed, stream, block, episode, step):
    words = formulas.counter(stream, 1, block, episode, step)
    assert words == (step, stream << 24 | 1 << 23 | block, episode % 2**32, episode >> 32)


@given(kinds=KINDS, seed=SEEDS, stream=STREAMS, places=st.lists(st.tuples(EPISODES, STEPS), min_size=1, max_size=9))
def test_arrays_kernel_plain_python_and_single_places_agree_to_the_bit(kinds, seed, stream, places):
    episodes, steps = np.array(places, dtype=np.int64).T.copy()
    drawn = noise.draw(kinds, seed, stream, episodes, steps)
    assert drawn.shape == (len(places), len(kinds))
    codes = noise.kind_codes(kinds)
    out, plain = np.zeros((2, len(kinds), len(places)))
    fill(codes, seed, stream, episodes, steps, out)
    with np.errstate(all="ignore"):
        fill.py_func(codes, seed, stream, episodes, steps, plain)
    assert np.array_equal(drawn.T, out)
    assert np.array_equal(drawn.T, plain)
    episode, step = places[0]
    assert np.array_equal(noise.draw(kinds, seed, stream, episode, step), drawn[0])


def test_a_long_row_agrees_to_the_bit():  # the vectorised loop and its remainder
    kinds = ["normal", "uniform", "normal", "normal", "uniform", "uniform"]
    episodes, steps = np.arange(1003) * (2**40 + 12345), np.arange(1003)[::-1].copy()
    out = np.empty((6, 1003))
    fill(noise.kind_codes(kinds), 2**64 - 59, noise.DYNAMICS, episodes, steps, out)
    assert np.array_equal(noise.draw(kinds, 2**64 - 59, noise.DYNAMICS, episodes, steps).T, out)


@given(kinds=KINDS, seed=SEEDS, episode=EPISODES, step=STEPS)
def test_a_number_depends_on_its_kind_and_rank_alone(kinds, seed, episode, step):
    drawn = noise.draw(kinds, seed, noise.RESET, episode, step)
    is_normal = np.array(kinds, dtype=object) == "normal"
    n = int(is_normal.sum())
    assert np.array_equal(drawn[is_normal], noise.normal(n, seed, noise.RESET, episode, step))
    assert np.array_equal(drawn[~is_normal], noise.uniform(len(kinds) - n, seed, noise.RESET, episode, step))
    longer = noise.draw([*kinds, "normal", "uniform"], seed, noise.RESET, episode, step)
    assert np.array_equal(longer[: len(kinds)], drawn)


def test_episodes_and_steps_broadcast():
    grid = noise.draw(["uniform", "normal", "uniform"], 3, noise.ACTION, np.arange(4)[:, None], np.arange(5))
    assert grid.shape == (4, 5, 3)
    assert np.array_equal(grid[2, 3], noise.draw(["uniform", "normal", "uniform"], 3, noise.ACTION, 2, 3))
    assert noise.draw(["uniform"], 3, noise.ACTION, np.zeros(0, np.int64), 0).shape == (0, 1)
    assert noise.draw([], 3, noise.ACTION, np.arange(2), 0).shape == (2, 0)


def test_uniform_numbers_keep_off_0_and_1():
    low, high = (float(formulas._unit(word, word)) for word in (0, 2**32 - 1))
    assert low == 2.0**-53
    assert high == 1.0 - 2.0**-53
    assert formulas._unit(2**32 - 1, 2**31 - 1) + formulas._unit(0, 2**31) == 1.0


def test_normal_numbers_are_box_muller_of_the_uniform_formula():
    place = formulas.counter(2, formulas.NORMAL, 0, np.arange(2000), 7)
    u, v = formulas.uniforms(*place, 11, 12)
    cosine_half, sine_half = formulas.normals(*place, 11, 12)
    np.testing.assert_allclose(cosine_half, np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(sine_half, np.sqrt(-2 * np.log(u)) * np.sin(2 * np.pi * v), rtol=1e-12, atol=1e-14)


def kolmogorov_distance(sample, cdf):
    """Largest distance of the empirical distribution function from cdf; P(√n D > 1.95) = 0.001."""
    values = cdf(np.sort(sample))
    n = values.size
    return np.sqrt(n) * max(np.max(np.arange(1, n + 1) / n - values), np.max(values - np.arange(n) / n))


def normal_cdf(x):
    # the density summed up on a fine grid
    grid = np.linspace(-9, 9, 36001)
    density = np.exp(-0.5 * grid**2) / np.sqrt(2 * np.pi)
    return np.interp(
        x, grid, np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2) * (grid[1] - grid[0])])
    )


@pytest.mark.parametrize("axis", ["episode", "step", "j"])
def test_distributions_along_every_axis(axis):
    n = 20_000
    n_draws, episode, step = {"episode": (2, np.arange(n), 0), "step": (2, 0, np.arange(n)), "j": (n, 0, 0)}[axis]
    u = noise.uniform(n_draws, 1, noise.ACTION, episode, step).ravel()
    z = noise.normal(n_draws, 1, noise.ACTION, episode, step).ravel()
    assert kolmogorov_distance(u, lambda x: x) < 1.95
    assert kolmogorov_distance(z, normal_cdf) < 1.95
    # 99.9 % intervals of the first moments
    assert abs(u.mean() - 0.5) < 3.3 * np.sqrt(1 / 12 / u.size)
    assert abs(z.mean()) < 3.3 / np.sqrt(z.size)
    assert abs((z**2).mean() - 1) < 3.3 * np.sqrt(2 / z.size)
    assert abs((z**3).mean()) < 3.3 * np.sqrt(15 / z.size)
    assert abs((z**4).mean() - 3) < 3.3 * np.sqrt(96 / z.size)


def test_the_distance_sees_a_wrong_scale_and_a_wrong_mean():
    z = noise.normal(1, 1, noise.ACTION, np.arange(20_000), 0)[:, 0]
    assert kolmogorov_distance(0.95 * z, normal_cdf) > 1.95
    assert kolmogorov_distance(z + 0.05, normal_cdf) > 1.95


def test_streams_kinds_seeds_and_neighbours_are_uncorrelated():
    n = 20_000
    episode = np.arange(n)
    columns = [noise.normal(4, 1, stream, episode, 0) for stream in range(7)]
    columns += [noise.normal(4, seed, noise.ACTION, episode, 0) for seed in (2, 2**32 + 1)]
    columns += [noise.uniform(2, 1, noise.ACTION, episode, 0), noise.normal(2, 1, noise.ACTION, episode, 1)]
    correlation = np.corrcoef(np.concatenate(columns, axis=1).T)
    off_diagonal = correlation[np.triu_indices_from(correlation, 1)]
    assert np.abs(off_diagonal).max() < 4.9 / np.sqrt(n)  # 780 pairs: 4.9 σ holds all of them with probability 0.999
    z = noise.normal(1, 1, noise.ACTION, episode, 0)[:, 0]
    assert abs(np.corrcoef(z[1:], z[:-1])[0, 1]) < 3.3 / np.sqrt(n)


@given(seed=SEEDS, stream=STREAMS, i=EPISODES)
def test_derived_seeds(seed, stream, i):
    derived = noise.derive_seed(seed, stream, i)
    assert isinstance(derived, int)
    assert 0 <= derived < 2**64
    assert derived == noise.derive_seed(seed, stream, i)
    others = {noise.derive_seed(seed, (stream + 1) % 256, i), noise.derive_seed(seed ^ 1, stream, i), derived}
    assert len(others | {noise.derive_seed(seed, stream, i ^ 1)}) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": -1}, "seed is -1, expected 0 <= seed < 2\\*\\*64"),
        ({"seed": 2**64}, "seed is"),
        ({"seed": 1.0}, "expected one integer"),
        ({"seed": True}, "expected one integer"),
        ({"stream": 256}, "stream is 256"),
        ({"episode": -1}, "episode is -1"),
        ({"episode": np.array([3, -2])}, "episode is -2"),
        ({"episode": 2**63}, "episode is"),
        ({"step": 2**32}, "step is 4294967296, expected 0 <= step < 2\\*\\*32"),
        ({"step": np.array([0, 2**32])}, "step is 4294967296"),
        ({"step": np.array([0.0])}, "step has dtype float64, expected integers"),
        ({"kinds": ["unifrom"]}, "unifrom"),
    ],
)
def test_bad_arguments(change, message):
    arguments = {"kinds": ["uniform"], "seed": 0, "stream": 0, "episode": 0, "step": 0, **change}
    with pytest.raises((InvalidInput, UnknownName), match=message):
        noise.draw(**arguments)


def test_the_numpy_half_never_reaches_jit_or_numba():
    code = (
        "import sys; from npgrad import noise; noise.draw(['normal'], 0, 0, 0, 0); "
        "print([m for m in sys.modules if m.startswith('npgrad.jit') or m == 'numba'])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
