"""The compiled classics against Gymnasium's, from the same states and actions; 10⁶ steps each: tests/studies."""

import math

import gymnasium
import numpy as np
import pytest

from npgrad import jit, spaces
from npgrad.envs import compiled_twin
from npgrad.envs.block import Block
from tests.envs.originals import CLASSIC, anywhere, differences, episodes, is_discrete, original

pytestmark = pytest.mark.filterwarnings("ignore:.*out of date")
N = 2500 if jit.enabled() else 60
# Gymnasium's float32 arithmetic of Python numbers with float32 scalars is that of NumPy 2
NUMPY_2 = int(np.__version__.split(".")[0]) >= 2
ROUNDING = {"MountainCarContinuous-v0", "Pendulum-v1"}


def tolerance(env_id):
    return 1e-12 if NUMPY_2 or env_id not in ROUNDING else 1e-6


def assert_close(found, env_id, atol=None):
    atol = tolerance(env_id) if atol is None else atol
    assert found["state"] <= atol
    assert found["rew"] <= atol
    assert found["obs"] <= max(atol, 2e-6)  # float32 of nearly the same number
    assert found["terminated"] == 0


def random_states(env_id, n, rng):
    """All over the state space, edges among them."""
    if env_id.startswith("CartPole"):
        return rng.uniform(-1, 1, (4, n)) * np.array([[2.5], [3.0], [0.25], [3.5]])
    if env_id == "Acrobot-v1":
        return rng.uniform(-1, 1, (4, n)) * np.array([[math.pi], [math.pi], [4.0], [8.0]])
    if env_id == "Pendulum-v1":
        return rng.uniform(-1, 1, (2, n)) * np.array([[80.0], [8.0]])
    x = np.where(rng.random(n) < 0.3, rng.choice([-1.19, 0.45, 0.5, 0.59], n), rng.uniform(-1.2, 0.6, n))
    states = np.stack([x + rng.normal(0, 0.01, n), rng.uniform(-0.07, 0.07, n)])
    if env_id == "MountainCar-v0":
        return states
    fresh = rng.random(n) < 0.3  # just reset: not rounded, and at rest
    states = np.where(fresh, [rng.uniform(-0.6, -0.4, n), np.zeros(n)], states.astype(np.float32))
    return np.vstack([states, fresh])


def random_actions(env_id, n, rng):
    if is_discrete(env_id):
        return rng.integers(compiled_twin(env_id).action_space.n, size=(1, n)).astype(np.float64)
    edge = np.where(rng.random(n) < 0.2, rng.choice([-1.0, 0.0, 1.0], n), rng.uniform(-1, 1, n))
    return (edge[None] * compiled_twin(env_id).action_space.high).astype(np.float32).astype(np.float64)


def steps_from_anywhere(env_id, n=N):
    rng = np.random.default_rng(0)
    return anywhere(env_id, random_states(env_id, n, rng), random_actions(env_id, n, rng))


@pytest.mark.parametrize("env_id", CLASSIC)
def test_each_step_of_whole_episodes_equals_gymnasiums(env_id):
    assert_close(differences(episodes(env_id, N, seed=1)), env_id)


@pytest.mark.parametrize("env_id", CLASSIC)
def test_each_step_from_anywhere_equals_gymnasiums(env_id):
    assert_close(differences(steps_from_anywhere(env_id)), env_id)


def test_acrobot_at_full_speed_differs_by_rounding_alone():
    # accelerations of some 10³ rad/s² within the step: the last place of 10³ · 0.2 s, a few times
    rng = np.random.default_rng(0)
    states = rng.uniform(-1, 1, (4, N)) * np.array([[math.pi], [math.pi], [4 * math.pi], [9 * math.pi]])
    assert_close(differences(anywhere("Acrobot-v1", states, random_actions("Acrobot-v1", N, rng))), "Acrobot-v1", 1e-10)


@pytest.mark.parametrize("env_id", CLASSIC)
@pytest.mark.parametrize("planted", ["state", "rew", "terminated"])
def test_the_comparison_sees_a_planted_error(env_id, planted):
    right = jit.njit_function(compiled_twin(env_id).step, "step")

    def wrong(params, act, noise, state, obs, rew, terminated):
        right(params, act, noise, state, obs, rew, terminated)
        if planted == "state":
            state[1] += 1e-9
        elif planted == "rew":
            rew += 1e-9
        else:
            terminated[3] = not terminated[3]

    found = differences(steps_from_anywhere(env_id, n=20), wrong)
    assert found[planted] >= (1 if planted == "terminated" else 1e-10)


@pytest.mark.parametrize("env_id", CLASSIC)
def test_compiled_and_plain_python_give_the_same_bits(env_id):
    twin, rng, n = compiled_twin(env_id), np.random.default_rng(2), 20
    states, act = random_states(env_id, n, rng), random_actions(env_id, n, rng)
    results = []
    for step in (jit.njit_function(twin.step, "step"), twin.step):
        block = Block(twin, n)
        block._step = step
        block.load(states)
        block.step(act)
        results.append([block.state, block.obs, block.rew, block.terminated])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


# Reset: each number an affine map of its own uniform, so its ends and its middle tell the distribution

STARTS = {  # low, high of each entry of the state
    "CartPole": [(-0.05, 0.05)] * 4,
    "Acrobot": [(-0.1, 0.1)] * 4,
    "MountainCar": [(-0.6, -0.4), (0.0, 0.0)],
    "MountainCarContinuous": [(-0.6, -0.4), (0.0, 0.0), (1.0, 1.0)],
    "Pendulum": [(-math.pi, math.pi), (-1.0, 1.0)],
}


def start(env_id, u):
    twin = compiled_twin(env_id)
    state, obs = np.zeros((twin.n_state, len(u))), np.zeros((twin.n_obs, len(u)))
    noise = np.tile(u, (len(twin.reset_noise), 1))
    jit.njit_function(twin.reset, "reset")(twin.params_array, np.arange(len(u)), noise, state, obs)
    return state, obs


@pytest.mark.parametrize("env_id", CLASSIC)
def test_reset_is_uniform_where_the_originals_is(env_id):
    low, high = np.array(STARTS[env_id.split("-")[0]]).T
    state, _ = start(env_id, np.array([0.0, 0.5, 1.0]))
    atol = 1e-8 if env_id == "Acrobot-v1" else 1e-15  # its original rounds to float32
    np.testing.assert_allclose(state.T, [low, (low + high) / 2, high], rtol=1e-15, atol=atol)
    assert set(compiled_twin(env_id).reset_noise) == {"uniform"}


@pytest.mark.parametrize("env_id", CLASSIC)
def test_reset_has_the_originals_bounds_and_moments(env_id):
    n, env, twin = 400, original(env_id), compiled_twin(env_id)
    env.reset(seed=5)
    theirs = np.stack([env.reset()[0] for _ in range(n)])
    block = Block(twin, n)
    block.begin(np.arange(n), np.full(n, 7), np.arange(n))
    ours = block.obs.T
    reach = start(env_id, np.linspace(0, 1, 201))[1].T
    for sample in (ours, theirs):
        assert (sample >= reach.min(axis=0) - 1e-3).all()
        assert (sample <= reach.max(axis=0) + 1e-3).all()
    for power in (1, 2):
        a, b = ours**power, theirs.astype(np.float64) ** power
        error = np.sqrt((a.var(axis=0) + b.var(axis=0)) / n) + 1e-9
        assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) <= 5 * error).all()


@pytest.mark.parametrize("env_id", CLASSIC)
def test_reset_fills_its_lanes_alone_with_the_observation_of_the_state(env_id):
    twin = compiled_twin(env_id)
    state, obs = np.full((twin.n_state, 4), 7.0), np.full((twin.n_obs, 4), 7.0)
    lanes, noise = np.array([2, 0]), np.random.default_rng(0).random((len(twin.reset_noise), 2))
    jit.njit_function(twin.reset, "reset")(twin.params_array, lanes, noise, state, obs)
    assert (state[:, [1, 3]] == 7).all()
    assert (obs[:, [1, 3]] == 7).all()
    env = original(env_id)
    env.reset(seed=0)
    for lane in lanes:
        s = state[:, lane]
        if hasattr(env, "_get_obs"):
            env.state = s
            expected = env._get_obs()
        else:
            expected = [np.cos(s[0]), np.sin(s[0]), np.cos(s[1]), np.sin(s[1]), s[2], s[3]] if len(s) == 4 else s[:2]
            expected = s if env_id.startswith("CartPole") else expected
        np.testing.assert_array_equal(obs[:, lane], np.float32(expected))


@pytest.mark.parametrize("env_id", CLASSIC)
def test_spaces_and_limit_are_the_originals(env_id):
    twin, env = compiled_twin(env_id), gymnasium.make(env_id)
    assert spaces.from_gymnasium(env.observation_space) == twin.observation_space
    assert spaces.from_gymnasium(env.action_space) == twin.action_space
    assert env.spec.max_episode_steps == twin.max_episode_steps
    assert twin.id == env_id
