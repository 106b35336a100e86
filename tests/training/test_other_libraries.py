"""Agents under another library's own evaluation, where that is installed: to the number what ours says."""

import gymnasium
import numpy as np
import pytest

from npgrad import REINFORCE, evaluate_policy, load_agent


class Line(gymnasium.Env):
    """Places on a line, left or right; paid by the place, over at the end or after 12 steps. Nothing is random."""

    def __init__(self, kind="box"):
        self.observation_space = gymnasium.spaces.Box(-9, 9, (1,), np.float32)
        if kind == "discrete":
            self.observation_space = gymnasium.spaces.Discrete(19)
        self.action_space = gymnasium.spaces.Discrete(2)
        if kind == "continuous":
            self.action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)

    def observe(self):
        if isinstance(self.observation_space, gymnasium.spaces.Discrete):
            return 9 + round(self.place)
        return np.array([self.place], np.float32)

    def reset(self, *, seed=None, options=None):
        self.place, self.t = 1.0, 0
        return self.observe(), {}

    def step(self, action):
        discrete = isinstance(self.action_space, gymnasium.spaces.Discrete)
        self.place += 2.0 * action - 1 if discrete else float(action[0])
        self.t += 1
        return self.observe(), self.place, abs(self.place) >= 9, self.t == 12, {}


@pytest.mark.parametrize("kind", ["box", "discrete", "continuous"])
@pytest.mark.parametrize("policy", ["linear", "mlp", "recurrent"])
def test_stable_baselines3_evaluates_an_agent(kind, policy, tmp_path):
    evaluation = pytest.importorskip("stable_baselines3.common.evaluation")
    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.vec_env import DummyVecEnv

    model = REINFORCE(lambda: Line(kind), policy=policy, seed=0, n_episodes=4).learn(400)
    model.save(tmp_path / "agent.npz")
    ours = evaluate_policy(model, Line(kind), 5, return_episode_rewards=True)
    for agent in (model, load_agent(tmp_path / "agent.npz")):
        for envs in (Monitor(Line(kind)), DummyVecEnv([lambda: Monitor(Line(kind))] * 3)):
            returns, lengths = evaluation.evaluate_policy(agent, envs, 5, return_episode_rewards=True)
            assert lengths == ours[1]
            assert returns == pytest.approx(ours[0], abs=1e-5)
        assert len(evaluation.evaluate_policy(agent, Monitor(Line(kind)), 3, deterministic=False)) == 2
