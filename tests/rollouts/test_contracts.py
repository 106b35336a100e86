"""Environments that never end, change, or reward in arrays, and policies that draw what no environment takes."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from npgrad.errors import EnvironmentFailure, InvalidInput
from npgrad.policies import make_policy
from npgrad.rollouts import GymnasiumRollout, VectorRollout, loop


class Odd(gymnasium.Env):
    """Three steps an episode, unless told otherwise."""

    def __init__(self, how=""):
        self.observation_space, self.action_space = Box(-1, 1, (2,), np.float32), Discrete(2)
        self.how, self.t, self.episodes = how, 0, 0

    def reset(self, *, seed=None, options=None):
        self.t = 0
        self.episodes += 1
        if self.episodes == 3:
            if self.how == "actions":
                self.action_space = Discrete(3)
            if self.how == "observations":
                self.observation_space = Box(-2, 2, (2,), np.float32)
            if self.how == "equal":
                self.action_space = Discrete(2)
        return np.zeros(2, np.float32), {}

    def step(self, action):
        assert self.action_space.contains(action)
        self.t += 1
        rew = {"array": np.ones(1), "array0": np.array(1.0), "list": [1.0]}.get(self.how, 1.0)
        return np.zeros(2, np.float32), rew, self.t == 3 and self.how != "endless", False, {}


def roll(how, count=6, policy=None, **kwargs):
    rollout = GymnasiumRollout(lambda: Odd(how), n_envs=1, **kwargs)
    policy = policy or make_policy(rollout, "linear")
    return rollout.episodes(policy, np.zeros(policy.n_params), seed=0, first=0, count=count)


@pytest.mark.parametrize("how", ["", "equal", "array0"])
def test_sound_ones(how):
    assert roll(how).returns().tolist() == [3.0] * 6


def test_an_episode_without_end(monkeypatch):
    monkeypatch.setattr(loop, "LONGEST", 3000)
    with pytest.raises(EnvironmentFailure, match=r"episode 0 has not ended after 3,000 steps.*max_episode_steps"):
        roll("endless")


def test_an_episode_that_may_not_end_is_spoken_of_once(monkeypatch):
    monkeypatch.setattr(loop, "LONG", 2000)
    monkeypatch.setattr(loop, "LONGEST", 5000)
    says = r"after 2,000 steps.*--env-kwargs max_episode_steps=1000"
    with pytest.warns(UserWarning, match=says) as said, pytest.raises(EnvironmentFailure):
        roll("endless")
    assert len(said) == 1


def test_an_episode_without_end_that_would_fill_the_memory(monkeypatch):
    monkeypatch.setattr(loop, "MOST", 2 * 4 * 2000)  # two float32 a step
    with pytest.raises(EnvironmentFailure, match="has not ended after 2,000 steps"):
        roll("endless")


def test_an_episode_without_end_can_be_cut():
    rollout = GymnasiumRollout(lambda: Odd("endless"), n_envs=1)
    policy = make_policy(rollout, "linear")
    theta = np.zeros(policy.n_params)
    batch, _ = rollout.steps(policy, theta, seed=0, n_steps=1500, state=rollout.start(policy, theta))
    assert batch.n_steps == 1500


def test_an_endless_vector_environment(monkeypatch):
    monkeypatch.setattr(loop, "LONGEST", 1000)
    env = gymnasium.vector.SyncVectorEnv([lambda: Odd("endless")] * 2)
    rollout = VectorRollout(env)
    policy = make_policy(rollout, "linear")
    with pytest.raises(EnvironmentFailure, match="has not ended"):
        rollout.episodes(policy, np.zeros(policy.n_params), seed=0, first=0, count=2)


@pytest.mark.parametrize(("how", "what"), [("actions", "action space"), ("observations", "observation space")])
def test_spaces_that_change(how, what):
    with pytest.raises(EnvironmentFailure, match=rf"episode 2 .*has changed its {what} from .* to .*keep the spaces"):
        roll(how)


def test_a_function_that_makes_unlike_environments():
    made = iter([Odd(""), gymnasium.make("CartPole-v1")])
    rollout = GymnasiumRollout(lambda: next(made), n_envs=2)
    policy = make_policy(rollout, "linear")
    with pytest.raises(EnvironmentFailure, match="has changed its observation space"):
        rollout.episodes(policy, np.zeros(policy.n_params), seed=0, first=0, count=2)


@pytest.mark.parametrize("how", ["array", "list"])
def test_rewards_are_numbers(how):
    with pytest.raises(
        EnvironmentFailure, match=r"episode 0 .*step 0: .*gave the reward .*expected one number; let step return float"
    ):
        roll(how)


def test_float_actions_in_a_discrete_space():
    sound = make_policy((Box(-1, 1, (2,), np.float32), Discrete(2)), "linear")

    class Floats:
        def __getattr__(self, name):
            return getattr(sound, name)

        def act(self, *args):
            act, logp, memory = sound.act(*args)
            return act + 0.25, logp, memory

    with pytest.raises(InvalidInput, match=r"actions of dtype float64, but .* takes Discrete.*draw integers"):
        roll("", policy=Floats())
