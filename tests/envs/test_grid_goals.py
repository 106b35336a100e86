"""The grid with goals: its moves, its walls, its goal interface."""

import gymnasium
import numpy as np

from npgrad.checks import check_environment
from npgrad.envs import compiled_twin, register_all
from npgrad.envs.grid_goals import grid_goals_env


def test_moves_and_walls():
    register_all()
    env = gymnasium.make("npgrad/GridGoals-v0").unwrapped
    rng, seen = np.random.default_rng(0), set()
    obs, _ = env.reset(seed=1)
    for _ in range(2000):
        action = int(rng.integers(5))
        cell, goal = int(obs["achieved_goal"]), obs["desired_goal"]
        assert obs["observation"] == cell
        x, y = cell % 5, cell // 5
        dx, dy = ((0, 0), (1, 0), (0, 1), (-1, 0), (0, -1))[action]
        obs, reward, terminated, _, _ = env.step(action)
        expected = min(max(x + dx, 0), 4) + 5 * min(max(y + dy, 0), 4)
        assert (obs["achieved_goal"], obs["desired_goal"]) == (expected, goal)
        assert reward == (expected == goal)
        assert not terminated
        seen.add(cell)
    assert len(seen) == 25


def test_slips():
    env = grid_goals_env(3, slip=1.0)
    assert env.n_obs == 27
    check_environment(env).raise_if_failed()


def test_contracts():
    for name in ("npgrad/GridGoals-v0", "npgrad/PointMassGoals-v0"):
        check_environment(compiled_twin(name)).raise_if_failed()


def test_the_point_mass_in_the_form_of_the_goal_interface():
    register_all()
    plain, goals = (gymnasium.make(f"npgrad/{name}-v0").unwrapped for name in ("PointMass", "PointMassGoals"))
    flat, named = plain.reset(seed=3)[0], goals.reset(seed=3)[0]
    for t in range(20):
        np.testing.assert_array_equal(flat, np.concatenate([named["achieved_goal"], named["desired_goal"]]))
        np.testing.assert_array_equal(named["observation"], named["achieved_goal"])
        flat, named = plain.step(t % 5)[0], goals.step(t % 5)[0]
