"""The two Gymnasium faces: Gymnasium's own checks, lanes of the vector equal to single environments, bad actions."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from npgrad import jit
from npgrad.envs import COMPILED, CompiledEnv, compiled_twin
from npgrad.envs.gymnasium import CompiledEnvironment, CompiledVectorEnvironment
from npgrad.errors import InvalidInput, UnknownName
from npgrad.policies import make_policy
from npgrad.rollouts import GymnasiumRollout
from npgrad.spaces import Box, Dict, Discrete

FEW = ("CartPole-v1", "Pendulum-v1", "FrozenLake-v1", "npgrad/LaneKeeping-v0", "npgrad/GaussianBandit-v0")


def name(env_id):
    return env_id if env_id.startswith("npgrad/") else "npgrad/" + env_id


@pytest.fixture(autouse=True)
def _quiet():
    """CartPole-v0 is out of date, Gymnasium says."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*out of date.*")
        yield


@pytest.mark.parametrize("env_id", COMPILED)
def test_gymnasiums_checker_passes(env_id):
    env = gymnasium.make(name(env_id))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if env_id == "npgrad/LQR-v0" or env_id.startswith(("CartPole", "Pendulum")):  # spaces as the originals'
            warnings.filterwarnings("ignore", message=".*(-?infinity|normalized space)")
        check_env(env.unwrapped)


@pytest.mark.parametrize("env_id", COMPILED)
def test_spaces_limits_and_thresholds_are_the_originals(env_id):
    spec = gymnasium.spec(name(env_id))
    assert spec.max_episode_steps == compiled_twin(env_id).max_episode_steps
    if not env_id.startswith("npgrad/"):
        original, face = gymnasium.make(env_id), gymnasium.make(name(env_id))
        assert original.observation_space == face.observation_space
        assert original.action_space == face.action_space
        assert original.spec.reward_threshold == spec.reward_threshold
        obs, rew, terminated, truncated, _ = (face.reset(seed=0), face.step(face.action_space.sample()))[1]
        assert obs in original.observation_space
        assert (type(rew), type(terminated), type(truncated)) == (float, bool, bool)


@pytest.mark.parametrize("env_id", FEW)
def test_gymnasiums_rollout_runs_it(env_id):
    rollout = GymnasiumRollout(name(env_id), n_envs=2)
    policy = make_policy(rollout, "linear")
    theta = policy.init(np.random.default_rng(0))
    batches = [rollout.episodes(policy, theta, seed=1, first=first, count=1) for first in (0, 0, 1)]
    np.testing.assert_array_equal(batches[0].obs, batches[1].obs)
    if env_id != "npgrad/GaussianBandit-v0":
        assert batches[0].obs.shape != batches[2].obs.shape or (batches[0].obs != batches[2].obs).any()


def test_an_episode_is_that_of_its_seed_and_number():
    env = CompiledEnvironment("npgrad/LaneKeeping-v0")

    def run(**reset):
        rows = [env.reset(**reset)[0]]
        for _ in range(5):
            rows.append(env.step(np.zeros(1, np.float32))[0])
        return np.array(rows)

    zero, one = run(seed=4), run()
    np.testing.assert_array_equal(run(seed=4), zero)
    np.testing.assert_array_equal(run(), one)
    np.testing.assert_array_equal(run(seed=4, options={"episode": 1}), one)
    np.testing.assert_array_equal(run(options={"episode": 0}), zero)
    assert (run(seed=5) != zero).any()
    assert (CompiledEnvironment("CartPole-v1").reset()[0] != CompiledEnvironment("CartPole-v1").reset()[0]).any()


# Vector


def batch_of_actions(env, n, rng):
    if isinstance(env.single_action_space, gymnasium.spaces.Discrete):
        return rng.integers(env.single_action_space.n, size=n)
    return rng.uniform(-1, 1, size=(n, *env.single_action_space.shape)).astype(np.float32)


def assert_same(a, b):
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    elif isinstance(a, np.ndarray) and a.dtype == object:
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        np.testing.assert_array_equal(a, b)
        assert np.asarray(a).dtype == np.asarray(b).dtype


@pytest.mark.parametrize("env_id", FEW)
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_the_vector_equals_single_environments_side_by_side(env_id, mode):
    n, rng = 4, np.random.default_rng(0)
    limit = 1 if "Bandit" in env_id else 9
    ours = gymnasium.make_vec(name(env_id), n, max_episode_steps=limit, autoreset_mode=mode)
    assert isinstance(ours.unwrapped, CompiledVectorEnvironment)
    single = [lambda: gymnasium.make(name(env_id), max_episode_steps=limit)] * n
    theirs = SyncVectorEnv(single, autoreset_mode=mode)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert ours.metadata["autoreset_mode"] == mode
    assert_same(ours.reset(seed=7), theirs.reset(seed=7))
    ends = 0
    for _ in range(40 if jit.enabled() else 15):
        act = batch_of_actions(ours, n, rng)
        a, b = ours.step(act), theirs.step(act)
        assert_same(a, b)
        assert a[0] in ours.observation_space
        ended = a[2] | a[3]
        ends += ended.sum()
        if mode is AutoresetMode.DISABLED and ended.any():
            assert_same(*(env.reset(options={"reset_mask": ended.copy()}) for env in (ours, theirs)))
    assert ends >= 4
    assert_same(ours.reset(seed=[3, None, 5, None]), theirs.reset(seed=[3, None, 5, None]))


def test_what_is_handed_out_is_not_written_to_again():
    env = CompiledVectorEnvironment("CartPole-v1", num_envs=3)
    kept = [*env.reset(seed=0)[:1], *env.step(np.ones(3, int))[:4]]
    before = [array.copy() for array in kept]
    for _ in range(20):
        env.step(np.ones(3, int))
    for a, b in zip(kept, before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_without_autoreset_an_ended_lane_must_be_reset():
    env = CompiledVectorEnvironment("npgrad/GaussianBandit-v0", num_envs=2, autoreset_mode="Disabled")
    env.reset(seed=0)
    env.step(np.zeros(2, int))
    with pytest.raises(gymnasium.error.ResetNeeded, match=r"\[0 1\]"):
        env.step(np.zeros(2, int))
    env.reset(options={"reset_mask": np.array([True, False])})
    with pytest.raises(gymnasium.error.ResetNeeded, match=r"\[1\]"):
        env.step(np.zeros(2, int))


def test_a_step_before_the_first_reset():
    with pytest.raises(gymnasium.error.ResetNeeded):
        CompiledEnvironment("CartPole-v1").step(0)
    env = CompiledVectorEnvironment("CartPole-v1", num_envs=2)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(np.zeros(2, int))
    env.reset(options={"reset_mask": np.array([True, False])})
    with pytest.raises(gymnasium.error.ResetNeeded, match=r"\[1\]"):
        env.step(np.zeros(2, int))


# Actions outside the space: an error, and no step

BAD = [
    ("CartPole-v1", 2, "is 2, expected an integer from 0 to 1"),
    ("CartPole-v1", -1, "is -1, expected an integer from 0 to 1"),
    ("CartPole-v1", 10**12, "expected an integer from 0 to 1"),
    ("CartPole-v1", 0.5, r"dtype float64, expected shape \(\), an integer"),
    ("CartPole-v1", True, "dtype bool"),
    ("CartPole-v1", [1], r"shape \(1,\)"),
    ("CartPole-v1", None, "dtype object"),
    ("Taxi-v4", 6, "expected an integer from 0 to 5"),
    ("Pendulum-v1", [2.5], r"is \[2.5\], expected numbers in \[-2.0, 2.0\]; clip"),
    ("Pendulum-v1", [np.nan], "is .nan., expected numbers"),
    ("Pendulum-v1", [-np.inf], "expected numbers"),
    ("Pendulum-v1", 0.5, r"shape \(\), dtype float64, expected shape \(1,\), floats"),
    ("Pendulum-v1", ["a"], "dtype <U1"),
]


@pytest.mark.parametrize(("env_id", "action", "message"), BAD)
def test_an_action_outside_the_space(env_id, action, message):
    single, vector = CompiledEnvironment(env_id), CompiledVectorEnvironment(env_id, num_envs=3)
    for env in (single, vector):
        env.reset(seed=0)
    before = single._block.state
    with pytest.raises(InvalidInput, match=message):
        single.step(action)
    np.testing.assert_array_equal(single._block.state, before)
    with pytest.raises(InvalidInput, match=message.replace("is ", "", 1) if message.startswith("is") else message):
        vector.step(np.array([action] * 3))
    np.testing.assert_array_equal(vector._block.t, 0)


def test_the_lane_of_a_bad_action_is_named():
    env = CompiledVectorEnvironment("CartPole-v1", num_envs=3)
    env.reset(seed=0)
    with pytest.raises(InvalidInput, match="action 1 for CartPole-v1 is 5"):
        env.step(np.array([0, 5, 1]))
    with pytest.raises(InvalidInput, match="got 2 actions, expected 3"):
        env.step(np.array([0, 1]))
    with pytest.raises(InvalidInput, match="got one action, expected 3"):
        env.step(1)


@pytest.mark.parametrize("action", [np.int8(1), np.array(1), np.array(1, dtype=np.uint8), np.int32(1)])
def test_integers_of_any_kind_are_actions(action):
    env = CompiledEnvironment("CartPole-v1")
    env.reset(seed=0)
    first = env.step(1)[0]
    env.reset(seed=0)
    np.testing.assert_array_equal(env.step(action)[0], first)


@pytest.mark.parametrize("seed", [-1, 1.5, 2**64, True])
def test_a_seed_that_is_none(seed):
    for env in (CompiledEnvironment("CartPole-v1"), CompiledVectorEnvironment("CartPole-v1", num_envs=1)):
        with pytest.raises((InvalidInput, gymnasium.error.Error, TypeError)):
            env.reset(seed=seed)
    with pytest.raises(InvalidInput):
        CompiledVectorEnvironment("CartPole-v1", num_envs=2).reset(seed=[seed, 1])


@pytest.mark.parametrize("options", [{"episode": -1}, {"episode": 0.5}, {"episode": [0, 1, 2]}])
def test_an_episode_that_is_none(options):
    for env in (CompiledEnvironment("CartPole-v1"), CompiledVectorEnvironment("CartPole-v1", num_envs=2)):
        with pytest.raises(InvalidInput, match="episode"):
            env.reset(seed=0, options=options)


@pytest.mark.parametrize("mask", [[True, False], np.array([1, 0]), np.zeros(2, bool), np.ones(3, bool)])
def test_a_mask_that_is_none(mask):
    with pytest.raises(InvalidInput, match="reset_mask"):
        CompiledVectorEnvironment("CartPole-v1", num_envs=2).reset(options={"reset_mask": mask})
    with pytest.raises(InvalidInput, match="3 seeds, expected 2"):
        CompiledVectorEnvironment("CartPole-v1", num_envs=2).reset(seed=[1, 2, 3])


def test_an_unknown_id_or_mode():
    with pytest.raises(UnknownName, match="CartPole-v1"):
        CompiledEnvironment("CartPole-v7")
    with pytest.raises(ValueError, match="Sometimes"):
        CompiledVectorEnvironment("CartPole-v1", autoreset_mode="Sometimes")


# An observation with parts


def reset(params, lanes, noise, state, obs):
    for k in range(lanes.shape[0]):
        for j in range(4):
            obs[j, lanes[k]] = 0.0
        obs[1, lanes[k]] = 1.0
        obs[3, lanes[k]] = noise[0, k]


def step(params, act, noise, state, obs, rew, terminated):
    for i in range(rew.shape[0]):
        obs[0, i], obs[1, i], obs[2, i], obs[3, i] = 0.0, 0.0, 1.0, 0.5
        rew[i], terminated[i] = act[0, i], False


PARTS = CompiledEnv(
    id="Parts-v0",
    reset=reset,
    step=step,
    params=(),
    n_state=0,
    observation_space=Dict({"door": Discrete(3), "place": Box(0.0, 1.0, (1,), "float64")}),
    action_space=Box(-1.0, 1.0, (1,)),
    reset_noise=("uniform",),
    max_episode_steps=5,
)


def test_observations_with_parts():
    env, envs = CompiledEnvironment(PARTS), CompiledVectorEnvironment(PARTS, num_envs=2)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*render modes")
        check_env(env)
    obs, _ = envs.reset(seed=0)
    assert obs["door"].tolist() == [1, 1]
    assert obs["place"].shape == (2, 1)
    obs, rew, *_ = envs.step(np.array([[0.5], [-0.5]]))
    assert obs in envs.observation_space
    assert obs["door"].tolist() == [2, 2]
    assert rew.tolist() == [0.5, -0.5]
