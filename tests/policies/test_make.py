"""`make_policy`: every supported space, and clear refusals."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces as gs

from npgrad.errors import InvalidInput, UnknownName, UnsupportedSpace
from npgrad.policies import make_policy
from npgrad.rollouts import GymnasiumRollout

OBSERVATIONS = {
    "box": gs.Box(-1, 1, (3,), np.float32),
    "image": gs.Box(0, 255, (2, 3), np.uint8),
    "discrete": gs.Discrete(4, start=-2),
    "multi-discrete": gs.MultiDiscrete([2, 3]),
    "multi-binary": gs.MultiBinary(3),
    "dict": gs.Dict({"b": gs.Discrete(2), "a": gs.Box(-1, 1, (2,), np.float64)}),
    "tuple": gs.Tuple((gs.Discrete(2), gs.Box(-1, 1, (1,), np.float32))),
}
ACTIONS = {
    "discrete": (gs.Discrete(3, start=5), {}),
    "multi-discrete": (gs.MultiDiscrete([2, 3], start=[1, 7]), {}),
    "multi-binary": (gs.MultiBinary(2), {}),
    "shared σ": (gs.Box(-2, 3, (2,), np.float32), {}),
    "state σ": (gs.Box(-2, 3, (2,), np.float32), {"std": "state", "action_map": "tanh"}),
    "fixed σ": (gs.Box(-2, 3, (2, 2), np.float64), {"std": "fixed", "log_std_init": -1.0}),
    "full covariance": (gs.Box(-2, 3, (3,), np.float32), {"std": "full", "action_map": "rescale"}),
}


class Anything(gym.Env):
    """Random observations of any space; checks that actions lie in its space."""

    def __init__(self, observation_space, action_space):
        self.observation_space, self.action_space = observation_space, action_space

    def reset(self, *, seed=None, options=None):
        self.observation_space.seed(seed)
        self.t = 0
        return self.observation_space.sample(), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        self.t += 1
        return self.observation_space.sample(), 1.0, self.t == 4, False, {}


def roll(observation_space, action_space, kind, **options):
    rollout = GymnasiumRollout(lambda: Anything(observation_space, action_space), n_envs=2)
    policy = make_policy(rollout, kind, hidden=(5,), **options)
    theta = policy.init(np.random.default_rng(0)) + 0.1
    batch = rollout.episodes(policy, theta, seed=0, first=0, count=3)
    return policy, theta, batch


@pytest.mark.parametrize("kind", ["linear", "mlp", "recurrent"])
@pytest.mark.parametrize("observations", OBSERVATIONS)
def test_every_observation_space(observations, kind):
    policy, theta, batch = roll(OBSERVATIONS[observations], gs.Discrete(2), kind)
    assert batch.obs.shape == (12, gs.flatdim(OBSERVATIONS[observations]))
    lin = policy.at(theta, batch.obs, batch.act, batch.offsets)
    np.testing.assert_allclose(lin.log_prob, batch.logp, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("window", [1, 3])
@pytest.mark.parametrize("actions", ACTIONS)
def test_every_action_space(actions, window):
    space, options = ACTIONS[actions]
    policy, theta, batch = roll(OBSERVATIONS["box"], space, "mlp", window=window, **options)
    lin = policy.at(theta, batch.obs, batch.act, batch.offsets)
    np.testing.assert_allclose(lin.log_prob, batch.logp, rtol=1e-10, atol=1e-10)
    assert np.isfinite(lin.vjp_rows(np.ones(12))).all()


def test_masks_are_columns_of_the_observation():
    policy = make_policy((OBSERVATIONS["box"], gs.Discrete(2)), masked=True)
    assert policy.n_obs == 5
    act, _, _ = policy.act(np.zeros(policy.n_params), np.array([[0.1, 0.2, 0.3, 0, 1]]), np.array([[0.01]]))
    assert act == [1]


@pytest.mark.parametrize(
    ("action_space", "options", "error", "message"),
    [
        (gs.Discrete(2), {"kind": "lienar"}, UnknownName, "did you mean 'linear'"),
        (gs.Box(0, 9, (2,), np.int64), {}, UnsupportedSpace, "a Box of floats"),
        (gs.Tuple((gs.Discrete(2),)), {}, UnsupportedSpace, "expected Discrete"),
        (gs.Box(-np.inf, np.inf, (1,)), {"action_map": "tanh"}, InvalidInput, "not finite.*Clip"),
        (gs.Box(-1, 1, (1,)), {"masked": True}, InvalidInput, "masked=True takes Discrete"),
        (gs.Box(-1, 1, (1,)), {"std": "wild"}, InvalidInput, "std is 'wild'"),
        (gs.Text(3), {}, UnsupportedSpace, "Text"),
    ],
)
def test_what_does_not_fit_is_refused(action_space, options, error, message):
    with pytest.raises(error, match=message):
        make_policy((OBSERVATIONS["box"], action_space), **options)


def test_an_object_without_spaces_is_refused():
    with pytest.raises(InvalidInput, match="has no observation_space"):
        make_policy(object())


def test_a_linear_policy_without_b():
    spaces = gs.Box(-1, 1, (4,), np.float32), gs.Discrete(2)
    with_b, without = make_policy(spaces, "linear"), make_policy(spaces, "linear", bias=False)
    assert (with_b.n_params, without.n_params) == (10, 8)
    W, obs = np.arange(8.0), np.array([[0.5, -1.0, 2.0, 0.25]])
    y = [policy.function.at(np.append(W, b), obs).y for policy, b in ((with_b, [0.0, 0.0]), (without, []))]
    np.testing.assert_array_equal(*y)
