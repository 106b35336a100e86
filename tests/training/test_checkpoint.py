from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad.errors import CorruptFile
from npgrad.training import Checkpoint, Evaluation, EvaluationResult, load_checkpoint, save_checkpoint
from npgrad.types import State

STATE = State(
    2**63 + 1, 4, 50, 6, np.array([1.0, -0.0, 5e-324]), {"a/b": np.arange(3, dtype=np.int32), "c": np.ones(())}
)
EVALUATIONS = (
    Evaluation(10, EvaluationResult(np.array([1.0, 2.0]), np.array([3, 4]))),
    Evaluation(20, EvaluationResult(np.array([5.0]), np.array([6]))),
)
FULL = Checkpoint(
    STATE, State(0, 1, 2, 3, np.zeros(2, np.float32)), EVALUATIONS, 30, np.array([7.0]), np.array([8]), 9, 10, 11.5
)


def same(one, other):
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert one.tobytes() == other.tobytes()
    elif isinstance(one, (Checkpoint, State, Evaluation, EvaluationResult)):
        for field in fields(one):
            same(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            same(one[key], other[key])
    elif isinstance(one, tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            same(a, b)
    else:
        assert one == other


@pytest.mark.parametrize("checkpoint", [Checkpoint(STATE), FULL])
def test_there_and_back(tmp_path, checkpoint):
    save_checkpoint(tmp_path / "c.npz", checkpoint)
    same(load_checkpoint(tmp_path / "c.npz"), checkpoint)


def test_numpy_reads_it_without_pickle(tmp_path):
    save_checkpoint(tmp_path / "c.npz", FULL)
    with np.load(tmp_path / "c.npz", allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["state/theta"], STATE.theta)


def test_the_best_is_the_highest_and_the_latest_of_equals():
    def at(timesteps, value):
        return Evaluation(timesteps, EvaluationResult(np.array([value]), np.array([1])))

    assert Checkpoint(STATE).best_evaluation is None
    evaluations = (at(1, 3.0), at(2, 5.0), at(3, 5.0), at(4, 1.0))
    assert Checkpoint(STATE, evaluations=evaluations).best_evaluation is evaluations[2]


def test_objects_are_not_pickled(tmp_path):
    bad = Checkpoint(State(0, 0, 0, 0, np.zeros(1), {"x": np.array([object()])}))
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        save_checkpoint(tmp_path / "c.npz", bad)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    path = tmp_path_factory.mktemp("intact") / "c.npz"
    save_checkpoint(path, FULL)
    return path.read_bytes()


@given(st.data())
def test_damage_is_noticed(intact, tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damaged") / "c.npz"
    at = data.draw(st.integers(0, len(intact) - 1))
    if data.draw(st.booleans()):
        damaged = intact[:at]
    else:
        damaged = bytearray(intact)
        damaged[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(damaged)
    try:
        loaded = load_checkpoint(path)
    except CorruptFile as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        same(loaded, FULL)  # a byte that says nothing, as a date


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ({"npgrad": "checkpoint", "version": 99}, "update npgrad"),
        ({"npgrad": "other", "version": 1}, "no checkpoint"),
        ({"npgrad": "checkpoint", "version": 1, "sha256": "0"}, "checksum"),
        ([], "no checkpoint"),
    ],
)
def test_foreign_files(tmp_path, header, says):
    import json

    from npgrad.deploy.archive import write_archive

    with (tmp_path / "c.npz").open("wb") as file:
        write_archive(file, json.dumps(header), FULL.as_arrays())
    with pytest.raises(CorruptFile, match=says):
        load_checkpoint(tmp_path / "c.npz")
