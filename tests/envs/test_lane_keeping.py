"""Lane keeping against its twin and against what geometry says."""

import math

import numpy as np
import pytest

from npgrad.checks import check_environment
from npgrad.envs import compiled_twin
from npgrad.envs.block import Block
from npgrad.envs.lane_keeping import lane_keeping_env
from npgrad.errors import InvalidInput
from tests import naive

ENV = compiled_twin("npgrad/LaneKeeping-v0")


def stepped(env, states, act, noise):
    """One step of all columns."""
    block = Block(env, states.shape[1])
    block.load(states)
    block._step(block._params, act, noise, block._state, block.obs, block.rew, block.terminated)
    return block


def some(n, rng):
    states = rng.uniform(-1, 1, (3, n)) * np.array([[2.0], [1.1], [0.01]])
    act = rng.uniform(-1.2, 1.2, (1, n)).astype(np.float32).astype(np.float64)
    return states, act, rng.normal(size=(2, n))


@pytest.mark.parametrize("env", [ENV, lane_keeping_env(speed=25.0, drift=0.4, gust=0.3, max_curvature=0.02)])
def test_steps_equal_the_naive_twins(env):
    states, act, noise = some(300, np.random.default_rng(0))
    block = stepped(env, states, act, noise)
    for i in range(300):
        state, rew, terminated = naive.lane_keeping(env.params, states[:, i], act[0, i], noise[:, i])
        np.testing.assert_allclose(block.state[:, i], state, rtol=0, atol=1e-14)
        assert block.rew[i] == pytest.approx(rew, abs=1e-14)
        assert block.terminated[i] == terminated
    w, k_max = env.params[3], env.params[8]
    scaled = block.state / np.array([[w], [1.0], [k_max]])
    np.testing.assert_allclose(block.obs, scaled, rtol=1e-6, atol=1e-7)


def test_left_and_right_are_alike():
    states, act, noise = some(200, np.random.default_rng(1))
    one, other = stepped(ENV, states, act, noise), stepped(ENV, -states, -act, -noise)
    np.testing.assert_array_equal(one.state, -other.state)
    np.testing.assert_array_equal(one.rew, other.rew)


def test_the_steering_angle_of_a_curve_follows_the_curve():
    # δ = atan(l κ) drives the circle of curvature κ: y and ψ stay 0
    kappa = np.array([[-0.01, 0.0, 0.004]])
    env = lane_keeping_env(curvature_time=1e12)
    act = np.float64(np.float32(np.arctan(2.7 * kappa) / 0.1))
    block = stepped(env, np.vstack([np.zeros((2, 3)), kappa]), act, np.zeros((2, 3)))
    np.testing.assert_allclose(block.state[:2], 0, rtol=0, atol=1e-8)  # an action is a float32
    np.testing.assert_allclose(block.rew, 1, rtol=0, atol=1e-15)


def test_a_straight_road_driven_askew():
    states = np.array([[0.0], [0.02], [0.0]])
    block = stepped(ENV, states, np.zeros((1, 1)), np.zeros((2, 1)))
    np.testing.assert_allclose(block.state[:, 0], [15.0 * 0.1 * math.sin(0.02), 0.02, 0.0], rtol=1e-14)


def test_the_curvature_keeps_its_deviation():
    # κ' = (1 − dt/τ) κ + σ √(2 dt/τ) ε: from σ² to σ² (1 + (dt/τ)²)
    k = 0.004 * np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, -1.0]])
    noise = np.array([[0.0] * 3, [0.0, 1.0, 0.0]])
    after = stepped(lane_keeping_env(max_curvature=0.1), k, np.zeros((1, 3)), noise).state[2] / 0.004
    np.testing.assert_allclose(after, [0.95, math.sqrt(0.1), -0.95], rtol=1e-12)


def steering(obs):
    """What a driver does who knows the car: the curve, less the offset, less the angle."""
    delta = np.arctan(2.7 * 0.01 * obs[2]) - 0.02 * 1.8 * obs[0] - 0.25 * obs[1]
    return np.clip(delta / 0.1, -1, 1)[None]


def lengths_and_returns(env, act, n=40):
    block, alive, returns, lengths = Block(env, n), np.ones(n, bool), np.zeros(n), np.zeros(n)
    block.begin(np.arange(n), np.arange(n), np.zeros(n, int))
    for _ in range(env.max_episode_steps):
        block.step(act(block.obs))
        returns, lengths = returns + block.rew * alive, lengths + alive
        alive &= ~block.terminated
    return lengths, returns


def test_good_driving_stays_in_the_lane_and_none_leaves_it():
    lengths, returns = lengths_and_returns(ENV, steering)
    assert (lengths == 200).all()
    assert returns.mean() > 195
    lengths, returns = lengths_and_returns(ENV, lambda obs: np.zeros((1, obs.shape[1])))
    assert lengths.mean() < 100
    assert (returns <= lengths).all()


def test_a_drift_pushes_aside():
    _, still = lengths_and_returns(ENV, steering)
    _, pushed = lengths_and_returns(lane_keeping_env(drift=0.6), steering)
    assert pushed.mean() < still.mean() - 5


@pytest.mark.parametrize("change", [dict(dt=0.0), dict(speed=-1.0), dict(max_steering=1.6), dict(max_curvature=0.2)])
def test_bad_constants_are_named(change):
    with pytest.raises(InvalidInput, match=next(iter(change))):
        lane_keeping_env(**change)


def test_contract():
    check_environment(ENV).raise_if_failed()
