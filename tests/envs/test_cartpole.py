"""The compiled CartPole against Gymnasium's, from the same states and actions."""

import gymnasium
import numpy as np
import pytest

from npgrad import jit, spaces
from npgrad.envs import cartpole, compiled_twin, register
from npgrad.errors import InvalidInput

ENV = compiled_twin("CartPole-v1")


@pytest.fixture(scope="module")
def original():
    with gymnasium.make("CartPole-v1") as env:
        yield env.unwrapped


def compiled_step(state, act, step=None):
    """State, obs, rew, terminated after one step of all columns."""
    state, b = state.copy(), state.shape[1]
    obs, rew, terminated = np.full((4, b), np.nan), np.full(b, np.nan), np.zeros(b, dtype=np.bool_)
    step = step or jit.njit_function(ENV.step, "step")
    step(ENV.params_array, act, np.empty((0, b)), state, obs, rew, terminated)
    return state, obs, rew, terminated


def largest_difference(original, step=None, n=4000):
    """Over random states, some beyond the limits, and both actions."""
    rng = np.random.default_rng(0)
    states = rng.uniform(-1, 1, size=(4, n)) * np.array([[2.5], [3.0], [0.25], [3.5]])
    act = rng.integers(0, 2, size=(1, n)).astype(float)
    after, obs, rew, terminated = compiled_step(states, act, step)
    worst = 0.0
    for i in range(n):
        original.reset(seed=0)
        original.state = states[:, i].copy()
        o, r, done, _, _ = original.step(int(act[0, i]))
        worst = max(worst, np.abs(original.state - after[:, i]).max())
        assert (r, done) == (rew[i], terminated[i])
        np.testing.assert_allclose(obs[:, i], o, rtol=1e-6, atol=1e-12)
        assert (obs[:, i] == np.float32(after[:, i])).all()
    return worst


def test_each_step_equals_gymnasiums(original):
    assert largest_difference(original) <= 1e-12


def test_the_comparison_sees_a_planted_error(original):
    def wrong(params, act, noise, state, obs, rew, terminated):
        cartpole.step(params, act, noise, state, obs, rew, terminated)
        state[3] += 1e-9
        obs[:] = np.float32(state)

    assert largest_difference(original, wrong, n=50) > 1e-10


def test_whole_episodes_equal_gymnasiums(original):
    rng = np.random.default_rng(1)
    for seed in range(20):
        original.reset(seed=seed)
        state = original.state.copy()[:, None]
        for _ in range(500):
            a = int(rng.integers(2))
            _, _, done, _, _ = original.step(a)
            state, _, _, terminated = compiled_step(state, np.array([[float(a)]]))
            np.testing.assert_allclose(state[:, 0], original.state, rtol=0, atol=1e-12)
            assert done == terminated[0]
            if done:
                break


def test_reset_fills_only_its_lanes_uniformly():
    state, obs = np.full((4, 3), 7.0), np.full((4, 3), 7.0)
    noise = np.array([[0.25], [0.5], [0.75], [0.0]])
    jit.njit_function(ENV.reset, "reset")(ENV.params_array, np.array([1]), noise, state, obs)
    np.testing.assert_allclose(state[:, 1], [-0.025, 0.0, 0.025, -0.05])
    assert (state[:, [0, 2]] == 7).all()
    assert (obs[:, 1] == np.float32(state[:, 1])).all()


def test_spaces_and_limit_are_the_originals():
    with gymnasium.make("CartPole-v1") as env:
        assert spaces.from_gymnasium(env.observation_space) == ENV.observation_space
        assert spaces.from_gymnasium(env.action_space) == ENV.action_space
        assert env.spec.max_episode_steps == ENV.max_episode_steps


def test_an_id_is_registered_once():
    with pytest.raises(InvalidInput, match="already"):
        register(ENV)
