"""Environments that break their contract: one clear error that says where."""

import gymnasium
import numpy as np
import pytest

from npgrad.errors import EnvironmentFailure, InvalidInput, MissingExtra, NonFinite, UnknownName, UnsupportedSpace
from npgrad.policies import make_policy
from npgrad.rollouts import GymnasiumRollout, make_rollout


class Broken(gymnasium.Env):
    """Fails in a way of its own at step 3."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, how):
        self.how, self.t = how, 0

    def reset(self, *, seed=None, options=None):
        self.t = 0
        if self.how == "reset":
            raise KeyError("lost")
        if self.how == "older gym's reset":
            return np.zeros(2, np.float32)
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.t += 1
        obs, rew = np.zeros(2, np.float32), 1.0
        if self.t == 3:
            if self.how == "raise":
                raise ValueError("motor on fire")
            if self.how == "nan obs":
                obs[1] = np.nan
            if self.how == "inf reward":
                rew = np.inf
            if self.how == "array reward":
                rew = np.ones(2)
            if self.how == "shape":
                obs = np.zeros(3, np.float32)
            if self.how == "older gym":
                return obs, rew, True, {}
        return obs, rew, self.t == 5, False, {}


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ("raise", EnvironmentFailure, r"episode \d+ \(reset seed \d+\), step 2.*ValueError: motor on fire"),
        ("reset", EnvironmentFailure, "KeyError.*in reset"),
        ("older gym", EnvironmentFailure, "gave 4 values in step, expected 5: observation, reward, term.*wrapper"),
        (
            "older gym's reset",
            EnvironmentFailure,
            "gave one ndarray in reset, expected 2: obs.*wrapper",
        ),
        ("nan obs", NonFinite, r"step 3: obs\[1\] is nan"),
        ("inf reward", NonFinite, "step 2: reward is inf"),
        ("array reward", EnvironmentFailure, "expected one number; let step return float"),
        ("shape", EnvironmentFailure, r"outside its space.*\(3,\), expected \(2,\).*let observation_space say"),
    ],
)
def test_faults_are_named(how, error, message):
    rollout = GymnasiumRollout(lambda: Broken(how), n_envs=2)
    policy = make_policy(rollout, "linear")
    with pytest.raises(error, match=message):
        rollout.episodes(policy, np.zeros(policy.n_params), seed=0, first=0, count=3)


def test_faults_are_named_where_a_mask_is_looked_for():
    with pytest.raises(EnvironmentFailure, match=r"reset seed 0: the environment raised KeyError: 'lost' in reset"):
        GymnasiumRollout(lambda: Broken("reset")).n_masked  # noqa: B018
    assert GymnasiumRollout(lambda: Broken("older gym's reset")).n_masked == 0  # its first episode says what it lacks


def test_a_sound_environment_passes():
    rollout = GymnasiumRollout(lambda: Broken("not"), n_envs=2)
    policy = make_policy(rollout, "linear")
    batch = rollout.episodes(policy, np.zeros(policy.n_params), seed=0, first=0, count=3)
    np.testing.assert_array_equal(batch.lengths, 5)


def test_an_environment_that_cannot_be_made():
    with pytest.raises(InvalidInput, match=r"env_kwargs is \{'map_name': '5x5'\}, and .* KeyError: '5x5'; give what"):
        make_rollout("FrozenLake-v1", map_name="5x5")
    gymnasium.register("NotMade-v0", entry_point=lambda: Broken())
    with pytest.raises(EnvironmentFailure, match=r"NotMade-v0 could not be made: TypeError: .*'how'.*; gymnasium.make"):
        make_rollout("NotMade-v0")
    del gymnasium.registry["NotMade-v0"]
    with pytest.raises(InvalidInput, match=r"No module named 'nowhere'.*; is the module installed, or beside you"):
        make_rollout("nowhere:NotMade-v0")


def test_an_environment_without_spaces():
    class Bare(gymnasium.Env):
        observation_space = gymnasium.spaces.Discrete(2)

    with pytest.raises(InvalidInput, match=r"has no action_space; set it to one of gymnasium.spaces"):
        make_rollout(Bare)


def test_unknown_environments_get_near_matches():
    with pytest.raises(UnknownName, match="CartPole-v1"):
        make_rollout("CartPoel-v1")


def test_a_missing_twin_is_an_error_only_when_asked_for():
    with pytest.raises(InvalidInput, match="compiled twin"):
        make_rollout("Blackjack-v1", engine="compiled")
    with pytest.raises(InvalidInput, match="takes no argument but max_episode_steps"):
        make_rollout("CartPole-v1", engine="compiled", sutton_barto_reward=True)
    rollout = make_rollout("CartPole-v1", sutton_barto_reward=True)
    assert isinstance(rollout, GymnasiumRollout)
    rollout.close()


def test_missing_extras_come_with_the_command(monkeypatch):
    def make(*args, **kwargs):
        raise gymnasium.error.DependencyNotInstalled("MuJoCo is not installed")

    monkeypatch.setattr(gymnasium, "make", make)
    with pytest.raises(MissingExtra, match=r"pip install 'npgrad\[mujoco\]'"):
        make_rollout("Hopper-v5")


def test_spaces_without_a_policy_are_refused():
    class Texts(Broken):
        action_space = gymnasium.spaces.Text(5)

    with pytest.raises(UnsupportedSpace):
        GymnasiumRollout(lambda: Texts("not"))
