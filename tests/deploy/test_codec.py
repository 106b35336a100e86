"""Descriptions survive JSON exactly, and nothing off the list gets in."""

import contextlib
import copy
import json
import tracemalloc
from dataclasses import dataclass, fields, is_dataclass

import numpy as np
import pytest

from npgrad import distributions as d
from npgrad import functions as f
from npgrad import policies as p
from npgrad import spaces as s
from npgrad.deploy import codec, register
from npgrad.errors import InvalidInput, UnknownName

box, two = s.Box([-1.0, -np.inf], [1.0, np.inf], dtype="float64"), s.Discrete(2, start=-1)
linear = f.Linear(2, 2, bias=False, scale=0.1)
examples = {
    type(example): example
    for example in [
        *(box, two, s.MultiDiscrete(((2, 3), (4, 1)), start=1), s.MultiBinary((2, 2))),
        *(s.Dict({"b": box, "a": two}), s.Tuple((box, s.Tuple((two,))))),
        *(linear, f.MLP(2, 2, hidden=(3,), activation="relu"), f.Constant(2, 2, 0.5), f.Fixed(2, (0.1, 1e-300))),
        *(f.Concatenated((linear, f.Constant(2, 1))), f.Featured(f.OneHot((2, 3), (0, -1)), f.Linear(5, 2))),
        *(f.Polynomial(2, 3, interactions=False), f.Fourier(((1.0, 2.0),), (0.5,)), f.RBF(((0.0, 1.0),), (1.0, 2.0))),
        *(f.TileCoding((0.0,), (1.0,), tiles=3), f.Recurrent(2, 2, 3), f.Stacked(f.Linear(4, 2), 2)),
        f.ActionPreferences(f.Linear(3, 1), 2),
        *(f.OneHot((2,)), d.Categorical(2), d.DiagonalGaussian(1), d.Bernoulli(2), d.Autoregressive((2, 3))),
        *(d.Deterministic(2), d.FullGaussian(2), d.GaussianMixture(k=1, components=2)),
        d.Product((d.Categorical(2), d.Bernoulli(1))),
        *(p.Identity(), p.Offset(-1), p.Clip((-np.inf,), (1.0,)), p.Rescale((0.0,), (2.0,)), p.Tanh((0.0,), (2.0,))),
        p.Bins((3,), (0.0,), (2.0,)),
        p.Normaliser(np.array([0.1, -2.0]), np.array([1.0, 3.0]), bound=np.inf),
        p.ComposedPolicy(linear, d.Categorical(2), box, two, p.Offset(-1), p.Normaliser(np.zeros(2), np.ones(2))),
    ]
}


def through_json(value):
    arrays = {}
    text = json.dumps(codec.encode(value, "it", arrays), allow_nan=False)
    return codec.decode(json.loads(text), arrays)


def same(x, y):
    if is_dataclass(x):
        return type(x) is type(y) and all(same(getattr(x, n.name), getattr(y, n.name)) for n in fields(x))
    if isinstance(x, np.ndarray):
        return x.dtype == y.dtype and np.array_equal(x, y)
    if isinstance(x, tuple):
        return type(y) is tuple and len(x) == len(y) and all(map(same, x, y))
    return type(x) is type(y) and x == y


@pytest.mark.parametrize("example", examples.values(), ids=lambda example: type(example).__name__)
def test_every_class_survives(example):
    assert same(through_json(example), example)


def test_every_class_has_an_example():
    known = {cls for cls, name in codec._names.items() if cls.__module__.startswith("npgrad.")}
    assert known == set(examples)


def test_plain_data_survives():
    data = {"a": (1, 2.5, None, True, "x"), "b": {"c": (float("inf"), float("-inf"))}, "n": 2**70, "s": "inf"}
    assert same(through_json(data)["a"], data["a"])
    assert through_json(data) == data
    assert np.isnan(through_json(float("nan")))
    assert same(through_json([np.float64(0.1), np.int64(3), np.bool_(True)]), (0.1, 3, True))


def test_arrays_are_named_by_their_place():
    arrays = {}
    policy = examples[p.ComposedPolicy]
    codec.encode(policy, "policy", arrays)
    assert set(arrays) == {"policy.normaliser.mean", "policy.normaliser.std"}


def test_a_class_of_the_users_own():
    @dataclass(frozen=True)
    class Mine:
        x: tuple[float, ...]
        table: np.ndarray

    mine = Mine((1.0, np.inf), np.eye(2))
    with pytest.raises(InvalidInput, match=r"it is a Mine.*register"):
        through_json(mine)
    assert register(Mine, "test.Mine") is Mine
    assert same(through_json(mine), mine)


def test_register_refuses():
    @dataclass
    class Melting:
        x: int

    @dataclass(frozen=True)
    class Other:
        x: int

    with pytest.raises(InvalidInput, match="no frozen dataclass"):
        register(Melting)
    with pytest.raises(InvalidInput, match="taken"):
        register(Other, "functions.Linear")


@pytest.mark.parametrize("value", [object(), {1: 2}, {"$class": 1}, {"a": {2, 3}}, len, b"x", 1j])
def test_encode_refuses_what_is_no_data(value):
    with pytest.raises(InvalidInput):
        through_json(value)


def test_decode_refuses_classes_off_the_list():
    with pytest.raises(UnknownName, match=r"unknown class 'os\.system'"):
        codec.decode({"$class": "os.system", "command": "true"}, {})


hostile = [10**12, 2**63, 2**200, -1, 0, 1.5, "inf", None, [], {}, [[1]], True, {"$float": "nan"}, {"$array": "it"}]


@pytest.mark.parametrize("example", examples.values(), ids=lambda example: type(example).__name__)
def test_hostile_fields_cost_no_memory(example):
    """Whatever stands in a field, construction is cheap: it succeeds or raises an ordinary exception."""
    text = json.dumps(codec.encode(example, "it", {}))
    arrays = {"it": np.zeros(2), "it.mean": np.zeros(2), "it.std": np.ones(2)}
    tracemalloc.start()
    for place in places(json.loads(text)):
        for value in hostile:
            data = json.loads(text)
            put(data, place, value)
            with contextlib.suppress(Exception):
                made = codec.decode(data, arrays)
                [getattr(made, name, None) for name in ("n_in", "n_out", "n_params", "n_memory", "n_y")]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22


def places(data):
    """The way to every value inside JSON data."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield (key,)
        yield from ((key, *rest) for rest in places(value))


def put(data, place, value):
    for key in place[:-1]:
        data = data[key]
    data[place[-1]] = copy.deepcopy(value)
