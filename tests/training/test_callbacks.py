import sys

import numpy as np
import pytest

from npgrad.deploy import load_agent
from npgrad.errors import InvalidInput, MissingExtra, UnknownName
from npgrad.training import KeepBest, StopAtReturn, TensorBoardLog, train
from npgrad.training.callbacks import load_callback
from tests.training.quadratic import Quadratic, evaluate

COMMON = {"seed": 0, "total_timesteps": 400}


def test_stop_at_a_return():
    rows = []
    result = train(Quadratic(), **COMMON, callbacks=[lambda s: rows.append(s.row), StopAtReturn(-0.5)])
    returns = [row["rollout/ep_rew_mean"] for row in rows]
    assert result.stopped == "callback"
    assert max(returns[:-1]) < -0.5 <= returns[-1]


def test_stop_at_another_column():
    stop = StopAtReturn(-0.5, column="eval/mean_reward")
    result = train(Quadratic(), **COMMON, evaluate=evaluate, eval_every=50, callbacks=[stop])
    assert result.stopped == "callback"
    assert [e.result.mean_return >= -0.5 for e in result.evaluations] == [False] * (len(result.evaluations) - 1) + [
        True
    ]
    assert train(Quadratic(), **COMMON, callbacks=[stop]).stopped == "steps"  # no such column in this log


def test_keep_the_best_agent(tmp_path):
    result = train(Quadratic(), **COMMON, evaluate=evaluate, eval_every=50, callbacks=[KeepBest(tmp_path / "best.npz")])
    np.testing.assert_array_equal(load_agent(tmp_path / "best.npz").theta, result.agent.theta)
    assert (result.agent.theta != result.state.theta).any()


def test_by_the_clock():
    result = train(
        Quadratic(), seed=0, total_timesteps=10**12, minutes=1e-4, evaluate=evaluate, eval_every=10**9, eval_episodes=1
    )
    assert result.stopped == "time"
    assert 0.006 <= result.seconds < 5
    assert [e.timesteps for e in result.evaluations] == [result.state.timesteps]  # judged as it ended
    assert train(Quadratic(), seed=0, total_timesteps=40, minutes=10).stopped == "steps"
    with pytest.raises(InvalidInput, match="minutes is 0"):
        train(Quadratic(), seed=0, total_timesteps=40, minutes=0)


@pytest.fixture
def beside(tmp_path, monkeypatch):
    (tmp_path / "beside_me.py").write_text("number = 3\ndef stop(seen):\n    return seen.state.iteration < 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("beside_me", None)


def test_a_function_by_its_name(beside):
    assert train(Quadratic(), **COMMON, callbacks=[load_callback("beside_me:stop")]).state.iteration == 2


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("beside_me", InvalidInput, "expected module:function"),
        (":stop", InvalidInput, "expected module:function"),
        ("no_such_module:stop", InvalidInput, "No module named"),
        ("beside_me:stpo", UnknownName, "did you mean 'stop'"),
        ("beside_me:number", InvalidInput, "a int, expected a function"),
    ],
)
def test_names_of_no_function(beside, name, error, says):
    with pytest.raises(error, match=says):
        load_callback(name)


def test_tensorboard_has_the_rows(tmp_path):
    pytest.importorskip("tensorboardX")
    rows, log = {}, TensorBoardLog(tmp_path)
    train(Quadratic(), **COMMON, callbacks=[lambda s: rows.update({s.state.timesteps: s.row}), log])
    log.close()
    (path,) = tmp_path.iterdir()
    from tensorboardX.proto.event_pb2 import Event

    found, data = {}, path.read_bytes()
    while data:  # length (8), its checksum (4), event, checksum (4)
        size = int.from_bytes(data[:8], "little")
        event = Event.FromString(data[12 : 12 + size])
        for value in event.summary.value:
            found.setdefault(event.step, {})[value.tag] = value.simple_value
        data = data[16 + size :]
    assert set(found) == set(rows)
    for step, row in rows.items():
        assert set(found[step]) == set(row) - {"time/total_timesteps"}
        assert found[step]["train/gradient_norm"] == pytest.approx(row["train/gradient_norm"], rel=1e-6)


def test_tensorboard_is_an_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingExtra, match=r"pip install 'npgrad\[tensorboard\]'"):
        TensorBoardLog(tmp_path)
