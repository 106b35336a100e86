"""A batch that would not fit is refused with its size, before it is made."""

import numpy as np
import pytest

from npgrad.errors import InvalidInput
from npgrad.policies import make_policy
from npgrad.rollouts import make_rollout, room


def test_there_is_memory():
    assert room.free_memory() is None or room.free_memory() > 1e6


@pytest.fixture
def little(monkeypatch):
    monkeypatch.setattr(room, "free_memory", lambda: 150_000_000)


@pytest.mark.parametrize("engine", ["compiled", "gymnasium"])
def test_steps(engine, little):
    rollout = make_rollout("CartPole-v1", engine, n_envs=2)
    policy = make_policy(rollout, "linear")
    theta = np.zeros(policy.n_params)
    state = rollout.start(policy, theta)
    with pytest.raises(
        InvalidInput, match=r"20,000,000,000 rows and take 1,120\.0 GB, and 0\.1 are free; fewer n_steps"
    ):
        rollout.steps(policy, theta, seed=0, n_steps=10**10, state=state)
    batch, _ = rollout.steps(policy, theta, seed=0, n_steps=10, state=state)
    assert batch.n_steps == 20


def test_episodes(little):
    rollout = make_rollout("CartPole-v1")
    policy = make_policy(rollout, "linear")
    with pytest.raises(InvalidInput, match=r"GB, and 0\.1 are free; fewer episodes"):
        rollout.episodes(policy, np.zeros(policy.n_params), seed=0, first=0, count=10**6)
    assert rollout.episodes(policy, np.zeros(policy.n_params), seed=0, first=0, count=10).n_episodes == 10


@pytest.mark.parametrize(("count", "rows"), [(200_000, r"[\d,]+"), (10**10, "10,000,000,000")])
def test_one_hot_episodes(count, rows, little):
    """The kernel keeps a place, the batch a row of 64 numbers: refused before there is one."""
    rollout = make_rollout("FrozenLake8x8-v1")
    policy = make_policy(rollout, "linear")
    with pytest.raises(InvalidInput, match=rf"have {rows} rows and take [\d,.]+ GB, and 0\.1 are free; fewer epis"):
        rollout.episodes(policy, np.zeros(policy.n_params), seed=0, first=0, count=count)


def test_nobody_says(monkeypatch):
    monkeypatch.setattr(room, "Path", lambda _path: (_ for _ in ()).throw(OSError("no such file")))
    assert room.free_memory() is None
    room.require_room(1e30, 8, "nothing")
