import os
import signal
from dataclasses import dataclass, replace

import numpy as np
import pytest

from npgrad.deploy import load_agent
from npgrad.errors import EnvironmentFailure, InvalidInput, NonFinite
from npgrad.training import EvaluationResult, RunFolder, train
from tests.training.quadratic import TARGET, Quadratic, evaluate, objective

COMMON = {"seed": 3, "total_timesteps": 400, "evaluate": evaluate, "eval_every": 60}


def test_the_loop_is_the_recipe_and_nothing_else():
    recipe = Quadratic()
    state = recipe.init(3)
    while state.timesteps < 400:
        state, _ = recipe.step(state)
    result = train(recipe, **COMMON)
    assert result.stopped == "steps"
    assert result.state.timesteps == state.timesteps
    np.testing.assert_array_equal(result.state.theta, state.theta)
    assert np.linalg.norm(state.theta - TARGET) < 0.3


def test_nothing_but_the_recipe_has_an_influence(tmp_path):
    plain = train(Quadratic(), seed=3, total_timesteps=400)
    folder = RunFolder.create(tmp_path / "run", {"env": "Q"})
    noisy = train(
        Quadratic(), **COMMON, folder=folder, callbacks=[lambda seen: None], progress=True, checkpoint_every=0
    )
    np.testing.assert_array_equal(plain.state.theta, noisy.state.theta)
    np.testing.assert_array_equal(plain.agent.theta, plain.state.theta)


def test_evaluations_come_when_due_and_at_the_end():
    seen = []
    result = train(Quadratic(), **COMMON, callbacks=[lambda s: seen.append((s.state.timesteps, s.evaluation))])
    due, expected = 60, []
    for timesteps, _ in seen:
        if timesteps >= due or timesteps >= 400:
            expected.append(timesteps)
            due = (timesteps // 60 + 1) * 60
    assert [t for t, e in seen if e is not None] == expected
    assert [e.timesteps for e in result.evaluations] == expected
    assert expected[-1] == seen[-1][0]


def test_the_agent_is_the_best_evaluated_and_the_latest_of_equals():
    result = train(Quadratic(), **COMMON)
    means = [e.result.mean_return for e in result.evaluations]
    assert result.best.result.mean_return == max(means)
    assert means[-1] < max(means)  # else this shows nothing
    assert evaluate(result.agent, 1).mean_return == max(means)
    flat = train(Quadratic(), **COMMON | {"evaluate": lambda agent, n: EvaluationResult(np.ones(n), np.ones(n))})
    assert flat.best is flat.evaluations[-1]
    np.testing.assert_array_equal(flat.agent.theta, flat.state.theta)


def test_stop_at_a_threshold():
    result = train(Quadratic(), **COMMON | {"total_timesteps": 10**6}, stop_at=-0.5)
    assert result.stopped == "threshold"
    assert result.evaluations[-1].result.mean_return >= -0.5
    assert all(e.result.mean_return < -0.5 for e in result.evaluations[:-1])


def test_a_callback_stops_with_false_and_only_with_false():
    count = []
    result = train(Quadratic(), **COMMON, callbacks=[lambda s: count.append(s), lambda s: len(count) < 4])
    assert result.stopped == "callback"
    assert len(count) == 4
    assert set(count[-1].row) >= {"rollout/ep_rew_mean", "train/late", "time/fps", "time/total_timesteps"}
    np.testing.assert_array_equal(count[-1].agent.theta, result.state.theta)


def test_a_state_to_begin_with():
    first = train(Quadratic(), seed=3, total_timesteps=200)
    second = train(Quadratic(), seed=3, total_timesteps=400, state=first.state)
    np.testing.assert_array_equal(second.state.theta, train(Quadratic(), seed=3, total_timesteps=400).state.theta)


def test_rolling_means_are_over_the_last_hundred_episodes():
    rows, returns = [], []

    @dataclass(frozen=True)
    class Watched(Quadratic):
        def step(self, state):
            new, metrics = super().step(state)
            returns.extend(metrics.returns)
            return new, metrics

    train(Watched(), seed=0, total_timesteps=700, callbacks=[lambda s: rows.append(s.row)])
    assert len(returns) > 110
    assert rows[-1]["rollout/ep_rew_mean"] == pytest.approx(np.mean(returns[-100:]), rel=1e-14)
    assert rows[0]["rollout/ep_rew_mean"] == pytest.approx(np.mean(returns[:3]), rel=1e-14)


def test_no_episode_ended():
    rows = []
    train(Quadratic(episodes=0), seed=0, total_timesteps=20, callbacks=[lambda s: rows.append(s.row)])
    assert "rollout/ep_rew_mean" not in rows[-1]


@dataclass(frozen=True)
class Interrupted(Quadratic):
    """Presses Ctrl-C in its third iteration."""

    times: int = 1
    number: int = signal.SIGINT

    def step(self, state):
        if state.iteration == 2:
            for _ in range(self.times):
                os.kill(os.getpid(), self.number)
        return super().step(state)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_iteration_and_saves(tmp_path, capsys, number):
    folder = RunFolder.create(tmp_path / "run", {"env": "Q"})
    before = signal.getsignal(number)
    result = train(Interrupted(number=number), **COMMON | {"folder": folder})
    assert signal.getsignal(number) is before
    assert result.stopped == "interrupted"
    assert result.state.iteration == 3
    folder.close()
    np.testing.assert_array_equal(load_agent(tmp_path / "run" / "agent.npz").theta, result.state.theta)
    assert RunFolder.reopen(tmp_path / "run").load().state.iteration == 3
    assert "stopping after this iteration" in capsys.readouterr().err


def test_a_second_signal_stops_at_once():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(Interrupted(times=2), **COMMON)
    assert signal.getsignal(signal.SIGINT) is before


@dataclass(frozen=True)
class Failing(Quadratic):
    """Fails in its fifth iteration."""

    how: str = "nan"

    def step(self, state):
        new, metrics = super().step(state)
        if state.iteration == 4:
            if self.how == "nan":
                new = replace(new, theta=np.array([0.0, 0.0, np.nan, 0.0, 0.0, 0.0]))
            elif self.how == "still":
                new = replace(new, timesteps=state.timesteps)
            else:
                raise {"env": EnvironmentFailure("it fell"), "other": RuntimeError("boom")}[self.how]
        return new, metrics


@pytest.mark.parametrize(
    ("how", "error", "says"),
    [
        ("nan", NonFinite, r"iteration 5, after timestep \d+: theta\[2\] is nan"),
        ("env", EnvironmentFailure, r"iteration 5, after timestep \d+: it fell"),
        ("other", RuntimeError, "boom"),
        ("still", InvalidInput, "expected it to rise"),
    ],
)
def test_the_last_good_agent_is_kept(tmp_path, how, error, says):
    folder = RunFolder.create(tmp_path / "run", {"env": "Q"})
    with pytest.raises(error, match=says):
        train(Failing(how=how), seed=0, total_timesteps=400, folder=folder)
    folder.close()
    good = train(Quadratic(), seed=0, total_timesteps=400, callbacks=[lambda s: s.state.iteration < 4]).state
    np.testing.assert_array_equal(load_agent(tmp_path / "run" / "agent.npz").theta, good.theta)
    assert objective(good.theta) > objective(np.zeros(6))
    assert RunFolder.reopen(tmp_path / "run").load().state.iteration == 4


def test_a_new_agent_that_cannot_be_evaluated_is_not_kept(tmp_path):
    def evaluates(agent, n_episodes):
        if objective(agent.theta) > -0.5:
            raise NonFinite("obs[0, 0] is nan")
        return evaluate(agent, n_episodes)

    seen, folder = [], RunFolder.create(tmp_path / "run", {"env": "Q"})
    with pytest.raises(NonFinite, match=rf"^in iteration \d+, .*: obs.*; the last good agent is in {folder.path}$"):
        train(Quadratic(), **COMMON | {"evaluate": evaluates, "eval_every": 1}, folder=folder, callbacks=[seen.append])
    folder.close()
    np.testing.assert_array_equal(load_agent(tmp_path / "run" / "last_agent.npz").theta, seen[-1].state.theta)
    assert objective(seen[-1].state.theta) <= -0.5


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"total_timesteps": 0}, "total_timesteps"),
        ({"eval_episodes": -1}, "eval_episodes"),
        ({"eval_every": -5}, "eval_every"),
        ({"stop_at": 1.0, "evaluate": None}, "pass evaluate="),
        ({"resume": True}, "pass folder="),
    ],
)
def test_bad_arguments(wrong, says):
    with pytest.raises(InvalidInput, match=says):
        train(Quadratic(), **{"seed": 0, "total_timesteps": 10, "evaluate": evaluate} | wrong)


def test_a_clock_that_jumps_changes_nothing(tmp_path, monkeypatch):
    """The wall clock is written down and never reckoned with."""
    import time

    jumps = iter(range(10**6))
    monkeypatch.setattr(time, "time", lambda: (-1) ** next(jumps) * 1e9)
    folder = RunFolder.create(tmp_path / "run", {"env": "Quadratic-v0"})
    result = train(Quadratic(), seed=3, total_timesteps=100, folder=folder, minutes=5.0, checkpoint_every=0.0)
    folder.close()
    assert result.stopped == "steps"
    assert 0 <= result.seconds < 300
