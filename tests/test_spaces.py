"""Spaces against Gymnasium's own, by Hypothesis."""

import json
import subprocess
import sys
from collections import OrderedDict
from dataclasses import asdict

import gymnasium.spaces as gym
import numpy as np
import pytest
from gymnasium.spaces.utils import flatdim
from gymnasium.spaces.utils import flatten as gym_flatten
from gymnasium.spaces.utils import unflatten as gym_unflatten
from gymnasium.vector.utils import batch_space
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad import spaces
from npgrad.errors import InvalidInput, UnsupportedSpace

checked = settings(max_examples=40)
shapes = st.lists(st.integers(1, 3), max_size=3).map(tuple)


@st.composite
def boxes(draw):
    shape, dtype = draw(shapes), draw(st.sampled_from(["float32", "float64", "uint8", "int64", "int8"]))
    low, high = (0.0, 9.0) if dtype[0] == "u" else (-3.0, 4.0)
    if draw(st.booleans()):
        values = np.arange(np.prod(shape, dtype=int)).reshape(shape) % 3
        return gym.Box((low + values).astype(dtype), (high - values).astype(dtype), dtype=np.dtype(dtype).type)
    if dtype[0] == "f" and draw(st.booleans()):
        low, high = -np.inf, np.inf
    return gym.Box(low, high, shape, np.dtype(dtype).type)


leaves = st.one_of(
    boxes(),
    st.builds(gym.Discrete, st.integers(1, 5), start=st.integers(-3, 3)),
    st.builds(gym.Discrete, st.integers(1, 5), dtype=st.sampled_from([np.int32, np.uint8])),
    st.builds(
        lambda n, start: gym.MultiDiscrete([n, 2, 3], start=[start, 0, -1]), st.integers(1, 4), st.integers(-2, 2)
    ),
    st.builds(lambda n: gym.MultiDiscrete([[n, 2], [3, 1]], dtype=np.int32), st.integers(1, 4)),
    st.builds(gym.MultiBinary, st.sampled_from([1, 4, (2, 3)])),
)
names = st.sampled_from(["b", "a", "z", "m"])
gym_spaces = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(gym.Tuple, st.lists(inner, min_size=1, max_size=3)),
        st.builds(gym.Dict, st.dictionaries(names, inner, min_size=1, max_size=3)),
        st.builds(lambda d: gym.Dict(OrderedDict(d)), st.dictionaries(names, inner, min_size=1, max_size=3)),
    ),
    max_leaves=4,
)


def equal(x, y):
    if isinstance(x, dict):
        return list(x) == list(y) and all(equal(x[k], y[k]) for k in x)
    if isinstance(x, tuple):
        return len(x) == len(y) and all(map(equal, x, y))
    return np.array_equal(x, y) and (np.ndim(x) == 0 or x.dtype == y.dtype)


@checked
@given(gym_spaces, st.integers(0, 99))
def test_flatten_is_gymnasiums(theirs, seed):
    theirs.seed(seed)
    ours, x = spaces.from_gymnasium(theirs), theirs.sample()
    flat = spaces.flatten(ours, x)
    assert equal(flat, gym_flatten(theirs, x))
    assert flat.shape == (spaces.flat_dim(ours),) == (flatdim(theirs),)
    assert equal(gym_unflatten(theirs, flat), spaces.unflatten(ours, flat))
    assert spaces.contains(ours, x)


@checked
@given(gym_spaces, st.integers(0, 99))
def test_batches_are_rows(theirs, seed):
    batched = batch_space(theirs, 3)
    batched.seed(seed)
    ours, xs = spaces.from_gymnasium(theirs), batched.sample()
    rows = [spaces.flatten(ours, _row(xs, i)) for i in range(3)]
    flat = spaces.flatten_batch(ours, xs)
    assert equal(flat, np.stack(rows))


def _row(xs, i):
    if isinstance(xs, dict):
        return {key: _row(part, i) for key, part in xs.items()}
    return tuple(_row(part, i) for part in xs) if isinstance(xs, tuple) else xs[i]


@checked
@given(gym_spaces)
def test_there_and_back(theirs):
    ours = spaces.from_gymnasium(theirs)
    back = spaces.to_gymnasium(ours)
    assert back == theirs
    assert spaces.from_gymnasium(back) == ours == spaces.from_gymnasium(ours)
    assert hash(spaces.from_gymnasium(back)) == hash(ours)
    assert json.loads(json.dumps(asdict(ours)))  # plain numbers, strings and lists only


@checked
@given(leaves, leaves, st.integers(0, 99))
def test_contains_agrees_with_gymnasium(theirs, others, seed):
    others.seed(seed)
    x = np.asarray(others.sample())
    if theirs.contains(x):
        assert spaces.contains(spaces.from_gymnasium(theirs), x)


@pytest.mark.parametrize(
    ("space", "x"),
    [
        (spaces.Box(0.0, 1.0, (2,)), [0.5, 1.5]),
        (spaces.Box(0.0, 1.0, (2,)), [0.5, np.nan]),
        (spaces.Box(0, 9, (1,), "uint8"), [300]),
        (spaces.Discrete(3, start=1), 0),
        (spaces.Discrete(3), 1.0),
        (spaces.MultiDiscrete((2, 3)), [1, 3]),
        (spaces.MultiBinary(2), [0, 2]),
        (spaces.Dict({"a": spaces.Discrete(2)}), {"b": 0}),
        (spaces.Tuple((spaces.Discrete(2),)), (2,)),
    ],
)
def test_contains_says_no(space, x):
    assert not spaces.contains(space, x)
    assert not spaces.to_gymnasium(space).contains(np.array(x) if isinstance(x, list) else x)


def test_a_dict_keeps_gymnasiums_order():
    given = {"b": gym.Discrete(2), "a": gym.Discrete(3)}
    assert spaces.from_gymnasium(gym.Dict(given)).names == ("a", "b")  # Gymnasium sorts a plain dict
    assert spaces.from_gymnasium(gym.Dict(OrderedDict(given))).names == ("b", "a")


def test_flatten_lends_no_buffer():
    x = np.zeros(3, np.float32)
    spaces.flatten(spaces.Box(-1.0, 1.0, (3,)), x)[0] = 1.0
    assert x[0] == 0.0


def test_floats_are_rounded_to_a_float_box():
    flat = spaces.flatten(spaces.Box(-np.inf, np.inf, (2,)), [0.1, 1e300])
    assert flat.dtype == np.float32
    assert flat.tolist() == [np.float32(0.1), np.inf]


@pytest.mark.parametrize(
    ("space", "x", "message"),
    [
        (spaces.Box(0.0, 1.0, (2,)), [1.0, 2.0, 3.0], r"obs has shape \(3,\), expected \(2,\)"),
        (spaces.Box(0.0, 1.0, (2,)), ["a", "b"], "dtype"),
        (spaces.Box(0.0, 1.0, (2,)), [1j, 0], "dtype complex128"),
        (spaces.Box(0.0, 1.0, (2,)), [[1.0], [1.0, 2.0]], "ragged"),
        (spaces.Box(0, 9, (1,), "uint8"), [0.5], "dtype float64"),
        (spaces.Box(0, 9, (1,), "uint8"), [300], "does not hold"),
        (spaces.Discrete(3, start=1), 4, "holds 4"),
        (spaces.Discrete(3), [1], "shape"),
        (spaces.MultiDiscrete((2, 3)), [0, 3], "holds 3"),
        (spaces.Dict({"a": spaces.Discrete(2)}), {}, "keys"),
        (spaces.Dict({"a": spaces.Discrete(2)}), {"a": 2}, r"obs\['a'\] holds 2"),
        (spaces.Dict({"a": spaces.Discrete(2)}), 1, "a dict with the keys"),
        (spaces.Tuple((spaces.Discrete(2),)), (1, 1), "a tuple of 1 parts"),
    ],
)
def test_wrong_observations(space, x, message):
    with pytest.raises(InvalidInput, match=message):
        spaces.flatten(space, x)


def test_wrong_batches():
    pair = spaces.Tuple((spaces.Discrete(2), spaces.Discrete(2)))
    with pytest.raises(InvalidInput, match="rows"):
        spaces.flatten_batch(pair, ([0, 1], [0]))
    with pytest.raises(InvalidInput, match=r"expected \(B, 2\)"):
        spaces.flatten_batch(spaces.Box(0.0, 1.0, (2,)), [0.0, 0.0])


@pytest.mark.parametrize(
    "make",
    [
        lambda: spaces.Box(1.0, 0.0),
        lambda: spaces.Box(np.nan, 0.0),
        lambda: spaces.Box(0.0, 1.0, dtype="complex128"),
        lambda: spaces.Box(0.0, np.inf, dtype="int64"),
        lambda: spaces.Box(-1, 1, dtype="uint8"),
        lambda: spaces.Box([0.0, 0.0], 1.0, shape=(3,)),
        lambda: spaces.Discrete(0),
        lambda: spaces.Discrete(2, dtype="float32"),
        lambda: spaces.Discrete(2, start=255, dtype="uint8"),
        lambda: spaces.Discrete(2, start=2**200),
        lambda: spaces.MultiDiscrete((2, 3), start=(0, 126), dtype="int8"),
        lambda: spaces.MultiDiscrete((2, 3), start=0.5),
        lambda: spaces.MultiDiscrete((2, 0)),
        lambda: spaces.MultiDiscrete((2.5, 1)),
        lambda: spaces.MultiDiscrete(2, shape=(10**12,)),
        lambda: spaces.MultiBinary(0),
        lambda: spaces.Dict({}),
        lambda: spaces.Dict((("a", spaces.Discrete(2)), ("a", spaces.Discrete(2)))),
        lambda: spaces.Tuple(()),
        lambda: spaces.Tuple((gym.Discrete(2),)),
    ],
)
def test_wrong_spaces(make):
    with pytest.raises(InvalidInput):
        make()


@pytest.mark.parametrize(
    "space",
    [
        gym.Text(5),
        gym.Sequence(gym.Discrete(2)),
        gym.Graph(gym.Discrete(2), None),
        gym.OneOf((gym.Discrete(2), gym.Discrete(3))),
        gym.Dict({"a": gym.Tuple((gym.Text(5),))}),
        "CartPole-v1",
    ],
)
def test_unsupported_spaces(space):
    with pytest.raises(UnsupportedSpace, match="supported are Box, Discrete"):
        spaces.from_gymnasium(space)


@pytest.mark.parametrize("flat", [[0, 0, 0], [1, 1, 0], [1, 0]])
def test_unflatten_refuses_what_is_not_one_hot(flat):
    with pytest.raises(InvalidInput):
        spaces.unflatten(spaces.Discrete(3), flat)


def test_a_subclass_counts_as_its_base():
    class Angle(gym.Box):
        pass

    assert spaces.from_gymnasium(Angle(-1.0, 1.0)) == spaces.Box(-1.0, 1.0)


def test_a_huge_box_costs_nothing_until_used():
    box = spaces.Box(0.0, 1.0, (10**6, 10**7))
    assert spaces.flat_dim(box) == 10**13


def test_large_integers_keep_their_digits():
    top = np.iinfo(np.int64).max - 1
    assert spaces.Box(-5, top, dtype="int64").bounds()[1][0] == top


def test_gymnasium_stays_out():
    code = "import sys, npgrad.spaces as s; s.flatten(s.Discrete(2), 1); sys.exit('gymnasium' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_entries_have_names():
    space = spaces.Dict(
        {"a": spaces.Tuple((spaces.Discrete(2), spaces.Box(0.0, 1.0, (1, 2)))), "b": spaces.Discrete(3)}
    )
    named = [spaces.entry(space, i) for i in range(spaces.flat_dim(space))]
    assert named == ["obs['a'][0]"] * 2 + ["obs['a'][1][0, 0]", "obs['a'][1][0, 1]"] + ["obs['b']"] * 3


@checked
@given(gym_spaces)
def test_batches_are_told_from_single_observations(theirs):
    ours = spaces.from_gymnasium(theirs)
    assert not spaces.is_batch(ours, theirs.sample())
    assert spaces.is_batch(ours, batch_space(theirs, 2).sample())


@pytest.mark.parametrize(
    ("space", "rows"),
    [
        (gym.Discrete(3, start=5), np.array([5, 7])),
        (gym.Box(-1.0, 1.0, (2, 1)), np.array([[0.5, 1.0], [0.0, -1.0]])),
        (gym.Box(-1.0, 1.0, ()), np.array([[0.5], [1.0]])),
        (gym.MultiDiscrete([2, 3]), np.array([[1, 2], [0, 0]])),
        (gym.MultiBinary((1, 2)), np.array([[1, 0], [0, 0]])),
    ],
)
def test_actions_have_the_environments_form(space, rows):
    actions = spaces.as_actions(spaces.from_gymnasium(space), rows)
    assert actions.dtype == space.dtype
    assert all(actions[i, ...] in space for i in range(2))
    np.testing.assert_array_equal(actions.ravel(), rows.ravel())


def test_no_policy_acts_in_a_composite_space():
    with pytest.raises(UnsupportedSpace, match="Tuple"):
        spaces.as_actions(spaces.Tuple((spaces.Discrete(2),)), np.zeros((1, 1)))
