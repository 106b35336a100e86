"""Compiled tables: every outcome as often as its probability says, counted exactly; Gymnasium's toys draw by draw."""

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad import jit, oracle
from npgrad.envs import compiled_twin
from npgrad.envs.block import Block
from npgrad.envs.tabular import outcomes_env, tabular_env
from npgrad.errors import InvalidInput, NonFinite
from npgrad.policies import make_policy
from npgrad.rollouts import CompiledRollout
from npgrad.spaces import Box, Discrete

TOYS = ("FrozenLake-v1", "FrozenLake8x8-v1", "CliffWalking-v1", "CliffWalkingSlippery-v1", "Taxi-v4")


def as_env(mdp):
    return tabular_env(mdp.start, mdp.P, mdp.R, terminal=mdp.terminal, obs=mdp.obs, horizon=mdp.horizon)


def step_all(env, states, act, u, t=0.0):
    """One step of many lanes with the noise u."""
    block = Block(env, len(u))
    block._state[:] = [np.broadcast_to(states, len(u)), np.full(len(u), t)]
    block._noise[:] = u
    actions = np.ascontiguousarray(np.broadcast_to(act, (1, len(u))), dtype=np.float64)
    block._step(block._params, actions, block._noise, block._state, block.obs, block.rew, block.terminated)
    return block


def start_all(env, u):
    block = Block(env, len(u))
    block._reset(block._params, np.arange(len(u)), u[None].copy(), block._state, block.obs)
    return block


@given(st.integers(2, 7), st.integers(1, 3), st.integers(0, 2), st.integers(0, 10**6))
def test_outcomes_come_as_often_as_their_probability(S, A, n_terminal, seed):
    mdp = oracle.random_mdp(S, A, 5, seed, n_terminal=min(n_terminal, S - 1))
    env, m = as_env(mdp), 400
    u = (np.arange(m) + 0.5) / m  # one in each of m parts of (0, 1)
    # an interval of length p holds m p of them, give or take one; each outcome has one interval
    counts = np.bincount(start_all(env, u)._state[0].astype(int), minlength=S)
    assert np.abs(counts - m * mdp.start).max() <= 1
    for s in np.flatnonzero(~mdp.terminal):
        for a in range(A):
            block = step_all(env, s, a, u)
            following = block.state[0].astype(int)
            assert np.abs(np.bincount(following, minlength=S) - m * mdp.P[s, a]).max() <= 1
            np.testing.assert_array_equal(block.rew, mdp.R[s, a, following])
            np.testing.assert_array_equal(block.terminated, mdp.terminal[following])
            np.testing.assert_array_equal(block.obs.T, np.eye(S)[following])


def test_a_probability_of_0_never_comes_and_rounding_of_the_sum_does_no_harm():
    P = np.array([[[0.0, 0.1 + 0.2, 0.7 - 1e-12, 0.0]]] * 4)
    env = tabular_env([0.0, 1.0, 0.0, 0.0], P, np.zeros((4, 1)))
    tiny = 2.0**-53
    assert set(step_all(env, 0, 0, np.array([tiny, 1 - tiny]))._state[0]) == {1.0, 2.0}
    assert set(start_all(env, np.array([tiny, 1 - tiny]))._state[0]) == {1.0}


def test_mean_return_is_the_oracles():
    mdp = oracle.random_mdp(5, 3, 8, seed=4, n_terminal=1)
    rollout = CompiledRollout(as_env(mdp))
    policy = make_policy(rollout, "linear")
    theta = np.random.default_rng(0).normal(size=policy.n_params)
    returns = rollout.episodes(policy, theta, seed=1, first=0, count=3000 if jit.enabled() else 60).returns()
    error = returns.std() / np.sqrt(len(returns))
    assert abs(returns.mean() - oracle.objective(mdp, policy, theta)) <= 5 * error


def test_observations_may_be_symbols_features_and_timed():
    P, R = np.full((3, 1, 3), 1 / 3), np.zeros((3, 1))
    symbols = tabular_env([1.0, 0, 0], P, R, obs=np.eye(2)[[0, 1, 1]])
    assert symbols.observation_space == Discrete(2)
    u = np.array([0.1, 0.5, 0.9])
    np.testing.assert_array_equal(step_all(symbols, 0, 0, u).obs.T, [[1, 0], [0, 1], [0, 1]])
    features = np.array([[2.5, -1.0], [0.0, 3.0], [7.0, 0.5]])
    seen = tabular_env([1.0, 0, 0], P, R, obs=features)
    assert seen.observation_space == Box(-np.inf, np.inf, (2,), "float64")
    np.testing.assert_array_equal(step_all(seen, 0, 0, u).obs.T, features)
    np.testing.assert_array_equal(start_all(seen, u).obs.T, features[[0, 0, 0]])
    single = tabular_env([1.0, 0, 0], P, R, obs=[[2.0], [3.0], [4.0]])
    np.testing.assert_array_equal(step_all(single, 0, 0, u).obs[0], [2, 3, 4])


@pytest.mark.parametrize("one_hot", [True, False])
def test_timed_observations_count_to_the_horizon_and_no_further(one_hot):
    mdp = oracle.random_mdp(3, 2, 4, seed=0).with_time(one_hot=one_hot)
    env = as_env(mdp)
    block = Block(env, 2)
    block.begin(np.arange(2), np.array([1, 2]), np.zeros(2, int))
    for t in range(7):
        np.testing.assert_array_equal(block.obs.T, mdp.obs[min(t, 4)][block.state[0].astype(int)])
        block.step(np.zeros((1, 2)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(P=np.ones((2, 2))), r"P has shape \(2, 2\), expected \(S, A, S\)"),
        (dict(R=np.zeros(3)), r"R has shape \(3,\), expected \(2, 1\) or \(2, 1, 2\)"),
        (dict(start=[1.0]), r"start has shape \(1,\), expected \(2,\)"),
        (dict(start=[0.5, 0.4]), "start.*probabilities that sum to 1"),
        (dict(P=[[[0.5, 0.4]], [[1.0, 0.0]]]), r"\[0, 0\].*probabilities that sum to 1"),
        (dict(P=[[[1.5, -0.5]], [[1.0, 0.0]]]), r"\[0, 0\].*probabilities"),
        (dict(terminal=[True]), r"terminal has shape \(1,\), expected \(2,\)"),
        (dict(obs=np.eye(3)), r"obs has shape \(3, 3\), expected \(2, any\)"),
        (dict(obs=np.zeros((2, 2, 3)), horizon=3), r"obs has shape \(2, 2, 3\), expected \(4, 2, any\)"),
        (dict(horizon=0), "max_episode_steps of Tabular-v0 is 0"),
    ],
)
def test_bad_tables_are_named(change, message):
    good = dict(start=[1.0, 0.0], P=[[[0.5, 0.5]], [[1.0, 0.0]]], R=np.zeros((2, 1)))
    with pytest.raises(InvalidInput, match=message):
        tabular_env(**good | change)


def test_bad_outcomes_are_named():
    good = dict(start=[1.0], prob=[[[0.5, 0.5]]], following=[[[0, 0]]], rew=[[[1.0, 0.0]]], ends=[[[0, 1]]])
    assert outcomes_env(**good).n_obs == 1
    with pytest.raises(InvalidInput, match=r"following\[0, 0, 1\] is 1, expected a state below 1"):
        outcomes_env(**good | dict(following=[[[0, 1]]]))
    with pytest.raises(InvalidInput, match=r"rew has shape \(1, 1, 1\)"):
        outcomes_env(**good | dict(rew=[[[1.0]]]))
    with pytest.raises(InvalidInput, match=r"prob has shape \(1, 2\), expected \(S, A, K\)"):
        outcomes_env(**good | dict(prob=[[0.5, 0.5]]))
    with pytest.raises(NonFinite, match="params of Tabular-v0"):
        outcomes_env(**good | dict(rew=[[[np.nan, 0.0]]]))


# Gymnasium's toys


class Fixed:
    """A generator that draws one number, for ever."""

    def __init__(self, u):
        self.u = u

    def random(self):
        return self.u


@pytest.mark.parametrize("env_id", TOYS)
def test_every_state_and_action_of_a_toy_goes_where_gymnasiums_goes_on_the_same_draw(env_id):
    env, twin, rng = gymnasium.make(env_id).unwrapped, compiled_twin(env_id), np.random.default_rng(0)
    env.reset(seed=0)
    n_draws = 3 if env_id.startswith("Taxi") else 10
    states = np.repeat(np.arange(env.observation_space.n), env.action_space.n * n_draws)
    act = np.tile(np.repeat(np.arange(env.action_space.n), n_draws), env.observation_space.n)
    u = rng.random(len(states))
    block = step_all(twin, states, act, u)
    for i in range(len(u)):
        env.s, env._np_random = int(states[i]), Fixed(u[i])
        s, r, terminated, _, _ = env.step(int(act[i]))
        assert (s, r, terminated) == (block.state[0, i], block.rew[i], block.terminated[i])
        assert block.obs[s, i] == block.obs[:, i].sum() == 1


@pytest.mark.parametrize("env_id", TOYS)
def test_a_toy_starts_where_gymnasiums_starts_on_the_same_draw(env_id):
    env, u = gymnasium.make(env_id).unwrapped, np.random.default_rng(1).random(300)
    states = []
    for x in u:
        env._np_random = Fixed(x)
        states.append(env.reset()[0])
    np.testing.assert_array_equal(start_all(compiled_twin(env_id), u)._state[0], states)


@pytest.mark.parametrize("env_id", TOYS)
def test_spaces_and_limit_of_a_toy_are_gymnasiums(env_id):
    env, twin = gymnasium.make(env_id), compiled_twin(env_id)
    assert (twin.observation_space, twin.action_space) == (
        Discrete(int(env.observation_space.n)),
        Discrete(int(env.action_space.n)),
    )
    assert twin.max_episode_steps == env.spec.max_episode_steps
    assert compiled_twin(env_id) is twin  # built once
