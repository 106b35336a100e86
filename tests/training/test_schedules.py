import itertools

import numpy as np
import pytest

from npgrad import REINFORCE
from npgrad.algorithms.settings import SCHEDULE_NAMES
from npgrad.errors import InvalidInput
from npgrad.optimizers import SGD, Adam
from npgrad.training.schedules import SCHEDULES, Schedule


def test_the_names_in_the_settings_are_those_there_are():
    assert SCHEDULE_NAMES == SCHEDULES


@pytest.mark.parametrize(("kind", "half", "quarter"), [("linear", 0.5, 0.75), ("cosine", 0.5, 0.5 + 0.5**1.5)])
def test_rates(kind, half, quarter):
    schedule = Schedule(kind, 1000)
    assert schedule.factor(0) == 1.0
    assert schedule.factor(500) == pytest.approx(half)
    assert schedule.factor(250) == pytest.approx(quarter)
    assert schedule.factor(1000) == schedule.factor(10**9) == 1e-3
    rates = [schedule.factor(t) for t in range(0, 1200, 10)]
    assert all(a >= b for a, b in itertools.pairwise(rates))


@pytest.mark.parametrize("optimizer", [SGD(0.5, momentum=0.9), Adam(0.5, beta1=0.8)])
def test_only_the_rate_changes(optimizer):
    later = Schedule("linear", 100)(optimizer, 75)
    assert later.learning_rate == 0.125
    assert {**vars(later), "learning_rate": 0.5} == vars(optimizer)
    assert Schedule()(optimizer, 75) is optimizer


def test_wrong_schedules():
    with pytest.raises(InvalidInput, match="learning_rate_schedule is 'step'"):
        Schedule("step", 10)
    with pytest.raises(InvalidInput, match="schedule_steps is 0"):
        Schedule("linear", 0)
    with pytest.raises(InvalidInput, match="falls over a number of timesteps"):
        Schedule("linear").factor(3)


def test_reinforce_follows_its_schedule():
    rates = []

    def watch(seen):
        rates.append((seen.state.timesteps, seen.row["train/learning_rate"]))

    model = REINFORCE("CartPole-v1", seed=0, learning_rate=0.1, learning_rate_schedule="linear", n_episodes=4)
    model.learn(1000, callback=watch)
    before = [0, *(t for t, _ in rates)][:-1]
    np.testing.assert_allclose([r for _, r in rates], [0.1 * (1 - t / 1000) for t in before])
    fixed = REINFORCE("CartPole-v1", learning_rate_schedule="linear", schedule_steps=10**9, n_episodes=4)
    constant = REINFORCE("CartPole-v1", n_episodes=4)
    np.testing.assert_allclose(fixed.learn(500).state.theta, constant.learn(500).state.theta, rtol=1e-4)


def test_settings_that_contradict_each_other():
    with pytest.raises(InvalidInput, match="schedule_steps is 10, but a constant learning rate"):
        REINFORCE("CartPole-v1", schedule_steps=10)
    with pytest.raises(InvalidInput, match=r"reward_scale is 2\.0, but normalize_rewards"):
        REINFORCE("CartPole-v1", reward_scale=2.0, normalize_rewards=True)
