"""Learning in C: the score and the online actor-critic, against the library's score and a slow twin."""

import shutil

import numpy as np
import pytest

from npgrad.deploy import Agent
from npgrad.deploy.export import export_c
from npgrad.errors import InvalidInput
from npgrad.functions import Fixed
from npgrad.policies import ComposedPolicy
from tests import naive
from tests.deploy.export.compiled import Compiled
from tests.deploy.export.expected import SEED, expected
from tests.deploy.zoo import POLICIES, agent_of

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")

NAMES = [
    "normalised softmax",
    "relu, shared σ, clip",
    "state σ, tanh",
    "mixture of kinds",
    "sensors",
    "masked",
    "coins",
]


@pytest.mark.parametrize("name", NAMES)
def test_score_and_updates_are_the_librarys(name, tmp_path):
    agent = agent_of(name)
    policy, theta = agent.policy, agent.theta
    c, e = Compiled(agent, tmp_path, learning=True), expected(agent, 300)
    tail = slice(20, 300)  # behind the edge cases, on which scores are as large as observations
    obs, act = e.obs[tail], e.latent[tail]

    score, status = c.score(obs, act, policy.n_params)
    assert (status == 0).all()
    exact = policy.score(theta, obs, act)
    assert np.abs(score - exact).max() <= 1e-12 * (1 + np.abs(exact).max())

    latent, _ = c.learner_act(obs, SEED, e.episode[tail], e.step[tail])
    np.testing.assert_allclose(latent, act.reshape(latent.shape), rtol=1e-12, atol=1e-12)

    if policy.n_masked:
        return
    rng = np.random.default_rng(3)
    n = len(obs)
    rew, next_obs = rng.normal(size=n), obs[rng.permutation(n)]
    begins = (np.arange(n) % 50 == 0) | (rng.random(n) < 0.05)
    terminated = np.append(begins[1:], True) & (rng.random(n) < 0.5)
    settings = (1e-4, 2e-3, 0.9, 0.7)
    twin_theta, twin_critic = naive.online_actor_critic(
        policy, theta, obs, act, rew, next_obs, terminated, begins, settings
    )
    got_theta, got_critic, status = c.update(settings, obs, act, rew, next_obs, terminated, begins, policy.n_params)
    assert (status == 0).all()
    assert np.abs(got_theta - twin_theta).max() <= 1e-12 * (1 + np.abs(twin_theta).max())
    assert np.abs(got_critic - twin_critic).max() <= 1e-12 * (1 + np.abs(twin_critic).max())
    assert np.abs(got_theta - theta).max() > 1e-4  # something was learned


def test_bad_transitions_change_nothing(tmp_path):
    agent = agent_of("relu, shared σ, clip")
    c = Compiled(agent, tmp_path, learning=True)
    obs, act = np.ones((6, 4)), np.zeros((6, 2))
    next_obs, rew = np.ones((6, 4)), np.ones(6)
    obs[0, 1], act[1, 0], next_obs[2, 3], rew[3], rew[4], act[5, 1] = np.nan, np.nan, np.inf, np.nan, np.inf, 1e200
    flags = np.zeros(6), np.arange(6) == 0
    theta, critic, status = c.update((0.1, 0.1, 0.9, 0.5), obs, act, rew, next_obs, *flags, agent.policy.n_params)
    np.testing.assert_array_equal(status, [1, 2, 1, 1, 1, 1])
    np.testing.assert_array_equal(theta, agent.theta)
    np.testing.assert_array_equal(critic, 0)


def test_nothing_to_learn(tmp_path):
    known = POLICIES["fixed σ, rescale"]
    policy = ComposedPolicy(
        Fixed(4, (0.5, 0.5, 0.0, 0.0)),
        known.distribution,
        known.observation_space,
        known.action_space,
        known.action_map,
    )
    agent = Agent(policy, np.zeros(0))
    with pytest.raises(InvalidInput, match="no parameters to learn"):
        export_c(agent, tmp_path, learning=True)
    action, status = Compiled(agent, tmp_path).act(np.zeros((1, 4)))
    assert status == 0
    np.testing.assert_allclose(action, [[0.5, 2.25]])
