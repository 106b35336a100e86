"""A compiled rollout's episodes, replayed through the Gymnasium face: the same observations, rewards and ends."""

import gymnasium
import numpy as np
import pytest

from npgrad.envs import COMPILED, compiled_twin
from npgrad.envs.gymnasium import CompiledEnvironment
from npgrad.policies import make_policy
from npgrad.rollouts import make_rollout
from npgrad.spaces import to_gymnasium

SEED = 3
ENVS = [name for name in COMPILED if not name.startswith("Cliff") and name != "Taxi-v4"]  # no limit, and 500 columns


def flat(space, obs):
    return np.asarray(gymnasium.spaces.flatten(space, obs), dtype=np.float64)


@pytest.mark.parametrize("env_id", ENVS)
def test_an_episode_is_the_same_through_gymnasium(env_id):
    rollout = make_rollout(env_id, n_envs=2, max_episode_steps=1 if "Bandit" in env_id else 30)
    policy = make_policy(rollout, "linear")
    theta = policy.init(np.random.default_rng(0))
    theta = theta + 0.3 * np.random.default_rng(1).normal(size=len(theta))
    batch = rollout.episodes(policy, theta, seed=SEED, first=0, count=5)
    actions = policy.action_map(batch.act)
    face = CompiledEnvironment(compiled_twin(env_id))
    space = to_gymnasium(rollout.observation_space)
    for i, episode in enumerate(batch.episode):
        obs, _ = face.reset(seed=SEED, options={"episode": int(episode)})
        for t in range(batch.offsets[i], batch.offsets[i + 1]):
            np.testing.assert_array_equal(flat(space, obs), batch.obs[t])
            obs, rew, terminated, _, _ = face.step(actions[t])
            assert rew == batch.rew[t]
            last = t == batch.offsets[i + 1] - 1
            assert terminated == (last and bool(batch.terminated[i]))
        np.testing.assert_array_equal(flat(space, obs), batch.final_obs[i])
