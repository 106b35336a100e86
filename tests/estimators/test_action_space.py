"""Sums over all actions, and deterministic policies (P13, P19)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.critics import visited
from npgrad.distributions import Deterministic
from npgrad.errors import InvalidInput, NotImplementedBy
from npgrad.estimators import AllActions, DeterministicGradient, ScoreFunction, action_probabilities
from npgrad.functions import MLP
from npgrad.policies import ComposedPolicy, Normaliser
from npgrad.spaces import Box
from tests.estimators.test_base import OBS, case
from tests.estimators.worlds import close, complex_gradient, enumerated, random_case, states

few = settings(max_examples=6)
seeds = st.integers(0, 10_000)


@few
@given(seed=seeds, gamma=st.floats(0.1, 1))
def test_all_actions_with_the_true_q_are_unbiased(seed, gamma):
    world, theta = random_case(seed, S=3, T=2, terminal=(2,))
    Q = world.Q(theta, gamma)
    estimator = AllActions(lambda b: Q[b.time, states(b)], discount=gamma, keep_per_episode=True)
    close(world.expectation(estimator, theta), world.gradient(theta, gamma))


@few
@given(seed=seeds)
def test_a_table_moves_by_visits_times_probability_times_advantage(seed):
    world, theta = random_case(seed)
    batch, p = enumerated(world, theta)
    Q, V, pi = world.Q(theta), world.V(theta), world.probabilities(theta)
    per_episode = AllActions(lambda b: Q[b.time, states(b)], keep_per_episode=True)(
        world.policy(), theta, batch
    ).per_episode
    expected = np.zeros((world.S, world.A))  # Σ_t d_t(s) π(a|s) A_t(s, a)
    for s, t, w in zip(states(batch), batch.time, np.repeat(p, batch.lengths), strict=True):
        expected[s] += w * pi[s] * (Q[t, s] - V[t, s])
    close(p @ per_episode, expected.ravel())


@given(lengths=st.lists(st.integers(1, 4), min_size=1, max_size=4), seed=seeds)
def test_it_is_the_mean_over_actions_of_what_one_action_gives(lengths, seed):
    policy, theta, batch, _ = case("softmax", lengths, seed)
    q = np.random.default_rng(seed).normal(size=(batch.n_steps, 3))
    total = 0.0
    for a in range(3):
        act = np.full(batch.n_steps, a)
        changed = type(batch)(
            **{
                name: getattr(batch, name)
                for name in ("obs", "rew", "logp", "offsets", "terminated", "truncated", "final_obs")
            },
            act=act,
        )
        pi = np.exp(policy.at(theta, batch.obs, act).log_prob)
        total = total + ScoreFunction(lambda b, a=a, pi=pi: pi * q[:, a])(policy, theta, changed).gradient
    close(AllActions(lambda b: q)(policy, theta, batch).gradient, total, 1e-12)


@given(lengths=st.lists(st.integers(1, 4), min_size=1, max_size=4), seed=seeds)
def test_probabilities_of_actions_at_every_state(lengths, seed):
    policy, theta, batch, _ = case("softmax", lengths, seed)
    probabilities = action_probabilities(policy, theta, batch)
    obs, _, _ = visited(batch)
    for a in range(3):
        expected = np.exp(policy.at(theta, obs, np.full(len(obs), a)).log_prob)
        np.testing.assert_allclose(probabilities[:, a], expected, rtol=1e-12)


def deterministic(normaliser=None):
    f = MLP(3, 2, hidden=(4,))
    return ComposedPolicy(f, Deterministic(2), OBS, Box(-1.0, 1.0, (2,), "float64"), normaliser=normaliser)


@pytest.mark.parametrize("normaliser", [None, Normaliser(np.full(3, 0.5), np.full(3, 2.0))])
def test_a_deterministic_policy_climbs_q(normaliser):
    policy, (_, _, batch, _) = deterministic(normaliser), case("gaussian", [2, 3], 1)
    theta = np.random.default_rng(0).normal(size=policy.n_params)
    target, gamma = np.array([0.3, -0.2]), 0.9

    def q(theta):  # 1/N Σ γ^t Q(s, μ(s)), Q = −‖a − target‖²
        x = batch.obs if normaliser is None else normaliser(batch.obs)
        mu = policy.function.at(theta, x).y
        return (-((mu - target) ** 2).sum(axis=1) * gamma**batch.time).sum() / batch.n_episodes

    estimate = DeterministicGradient(lambda b, mu: 2 * (target - mu), discount=gamma)(policy, theta, batch)
    close(estimate.gradient, complex_gradient(q, theta), 1e-12)


def test_errors_name_what_is_wrong():
    policy, theta, batch, _ = case("softmax", [2], 0)
    gaussian, gaussian_theta, gaussian_batch, _ = case("gaussian", [2], 0)
    with pytest.raises(InvalidInput, match=r"q has shape \(2, 2\), expected \(2, 3\)"):
        AllActions(lambda b: np.zeros((2, 2)))(policy, theta, batch)
    with pytest.raises(InvalidInput, match="expected Categorical"):
        AllActions(lambda b: np.zeros((2, 2)))(gaussian, gaussian_theta, gaussian_batch)
    with pytest.raises(InvalidInput, match="expected Deterministic"):
        DeterministicGradient(lambda b, mu: mu)(gaussian, gaussian_theta, gaussian_batch)
    det = deterministic()
    with pytest.raises(InvalidInput, match="action gradient has shape"):
        DeterministicGradient(lambda b, mu: mu[:, 0])(det, np.zeros(det.n_params), gaussian_batch)
    with pytest.raises(NotImplementedBy, match="no ComposedPolicy"):
        AllActions(lambda b: np.zeros((2, 2)))(object(), theta, batch)
