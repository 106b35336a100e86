"""Goals in hindsight, iterated: in the plane, on a grid, and through Gymnasium's goal interface."""

import gymnasium
import numpy as np
import pytest

from npgrad.data import GoalColumns, goal_columns
from npgrad.errors import InvalidInput
from npgrad.imitation import CloningSettings, GoalSettings, final_distances, reach_goals
from npgrad.rollouts import make_rollout


def test_the_point_mass_gets_there():
    few = GoalSettings(n_iterations=2, n_episodes=10)
    found = reach_goals("npgrad/PointMassGoals-v0", settings=few, seed=3)
    assert found.log[-1]["eval/median_distance"] < 0.2  # at random it is 1
    assert found.demonstrations.n_episodes == 20
    assert found.log[-1]["time/episodes"] == 20
    again = reach_goals("npgrad/PointMassGoals-v0", settings=few, seed=3)
    np.testing.assert_array_equal(found.agent.theta, again.agent.theta)
    assert (found.agent.info["algo"], found.agent.info["seed"]) == ("goals", 3)


def test_flat_observations_say_where_goals_are():
    few = GoalSettings(n_iterations=2, n_episodes=10, goals="final")
    found = reach_goals("npgrad/PointMass-v0", settings=few, columns=GoalColumns((2, 3), (0, 1)))
    assert found.log[-1]["eval/median_distance"] < 0.5
    with pytest.raises(InvalidInput, match="for others give GoalColumns"):
        reach_goals("npgrad/PointMass-v0", settings=few)


def test_a_grid_with_goals():
    few = GoalSettings(n_iterations=3, n_episodes=80, copies=1)
    fit = CloningSettings(epochs=10, learning_rate=5e-3, held_out=0, normalize_observations=False)
    found = reach_goals("npgrad/GridGoals-v0", settings=few, cloning=fit, seed=1)
    rollout = make_rollout("npgrad/GridGoals-v0")
    batch = rollout.episodes(found.agent.policy, found.agent.theta, seed=9, first=0, count=200, deterministic=True)
    reached = final_distances(batch, goal_columns(rollout.observation_space)) == 0
    assert reached.mean() > 0.3  # by chance 1 in 25


class Line(gymnasium.Env):
    """Left or right along −3 … 3, in the form of a user's own goal environment."""

    def __init__(self):
        place = gymnasium.spaces.Box(-3.0, 3.0, (1,))
        self.observation_space = gymnasium.spaces.Dict(observation=place, desired_goal=place, achieved_goal=place)
        self.action_space = gymnasium.spaces.Discrete(2)

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.x, self.t = np.zeros(1, np.float32), 0
        self.goal = self.np_random.integers(-3, 4, size=1).astype(np.float32)
        return self.seen(), {}

    def seen(self):
        return {"observation": self.x, "desired_goal": self.goal, "achieved_goal": self.x}

    def step(self, action):
        self.x, self.t = np.clip(self.x + np.float32(2 * action - 1), -3, 3), self.t + 1
        return self.seen(), 0.0, False, self.t == 9, {}


def test_a_users_environment():
    fit = CloningSettings(epochs=10, learning_rate=0.05, held_out=0)
    found = reach_goals(Line, "linear", GoalSettings(n_iterations=2, n_episodes=10), fit, eval_episodes=20)
    assert found.log[-1]["eval/median_distance"] <= 1  # after nine steps it is odd: 1 beside an even goal


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"copies": 0}, "copies is 0"), ({"goals": "late"}, "unknown goals 'late'"), ({"n_episodes": -1}, "n_episodes")],
)
def test_settings_out_of_range(changes, words):
    with pytest.raises(InvalidInput, match=words):
        GoalSettings(**changes)
