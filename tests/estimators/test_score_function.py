"""Score-function estimators with critics: means by enumeration, and the bias of a wrong critic (P2, P6 … P9)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.baselines import no_baseline
from npgrad.critics import Values
from npgrad.errors import InvalidInput
from npgrad.estimators import (
    GAE,
    Advantage,
    NStepAdvantage,
    PolicyGradient,
    RewardsTimesPastScores,
    ScoreFunction,
    Standardised,
    TDResidual,
    unit_weights,
)
from tests import naive
from tests.estimators.test_base import case
from tests.estimators.worlds import close, complex_gradient, enumerated, random_case, states

few = settings(max_examples=6)
seeds = st.integers(0, 10_000)
gammas = st.floats(0.1, 1)


def table(V):
    """Values of a table V_t(s), (T + 1, S), at the states of a batch."""

    def values(batch):
        return Values(V[batch.time, states(batch)], V[batch.start + batch.lengths, batch.final_obs[:, 0].astype(int)])

    return values


def action_table(Q):
    return lambda batch: Q[batch.time, states(batch), batch.act]


def mean(world, theta, psi, gamma=1.0):
    return world.expectation(ScoreFunction(psi, discount=gamma, keep_per_episode=True), theta)


@pytest.mark.parametrize("kind", ["softmax", "gaussian"])
@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=6), seed=seeds, gamma=st.floats(0, 1))
def test_rewards_times_past_scores_is_reward_to_go_on_every_trajectory(kind, lengths, seed, gamma):
    policy, theta, batch, _ = case(kind, lengths, seed)
    other = RewardsTimesPastScores(gamma, keep_per_episode=True)(policy, theta, batch)
    same = PolicyGradient(gamma, baseline=no_baseline, keep_per_episode=True)(policy, theta, batch)
    close(other.per_episode, same.per_episode, 1e-12)
    naively = naive.rewards_times_past_scores(
        policy.score(theta, batch.obs, batch.act), batch.rew, batch.offsets, gamma
    )
    close(other.per_episode, naively, 1e-12)


@few
@given(seed=seeds, gamma=gammas)
def test_true_action_values_and_advantages_are_unbiased(seed, gamma):
    world, theta = random_case(seed, S=3, T=2, terminal=(2,))
    Q, V = world.Q(theta, gamma), world.V(theta, gamma)
    gradient = world.gradient(theta, gamma)
    close(mean(world, theta, action_table(Q), gamma), gradient)
    close(mean(world, theta, Advantage(action_table(Q), table(V)), gamma), gradient)
    close(mean(world, theta, Advantage(action_table(Q), table(V + 1.5)), gamma), gradient)


@few
@given(seed=seeds)
def test_the_whole_horizons_q_at_every_step_is_biased(seed):
    world, theta = random_case(seed)
    Q = np.broadcast_to(world.Q(theta)[0], world.Q(theta).shape)
    gradient = world.gradient(theta)
    assert np.linalg.norm(mean(world, theta, action_table(Q)) - gradient) > 1e-4 * np.linalg.norm(gradient)


@few
@given(seed=seeds, gamma=gammas, n=st.sampled_from([1, 2, None]))
def test_the_bias_of_n_steps_is_that_of_the_value_they_end_in(seed, gamma, n):
    world, theta = random_case(seed, S=3, terminal=(2,))
    V = world.V(theta, gamma)
    wrong = V + np.random.default_rng(seed).normal(size=V.shape)
    got = mean(world, theta, NStepAdvantage(table(wrong), gamma, n), gamma)
    expected = world.gradient(theta, gamma)
    if n is not None:  # + Σ_t γ^{t+n} E[f_t (V − V^π)(s_{t+n})], 0 once the episode has ended
        batch, p = enumerated(world, theta)
        f = world.policy().score(theta, batch.obs, batch.act)
        for i in range(batch.n_episodes):
            a, length = batch.offsets[i], batch.lengths[i]
            for t in range(length - n):
                s = states(batch)[a + t + n]
                expected = expected + p[i] * gamma ** (t + n) * f[a + t] * (wrong - V)[t + n, s]
    close(got, expected)


@few
@given(seed=seeds, gamma=gammas)
def test_td_residuals_are_one_step(seed, gamma):
    world, theta = random_case(seed)
    values = table(np.random.default_rng(seed).normal(size=(world.T + 1, world.S)))
    close(mean(world, theta, TDResidual(values, gamma)), mean(world, theta, NStepAdvantage(values, gamma, 1)), 1e-13)
    close(mean(world, theta, TDResidual(values, gamma)), mean(world, theta, GAE(values, gamma, 0.0)), 1e-13)


@few
@given(seed=seeds, gamma=gammas, lam=st.floats(0, 1))
def test_gae_is_unbiased_with_the_true_values_or_with_lambda_one(seed, gamma, lam):
    world, theta = random_case(seed, S=3, T=2, terminal=(2,))
    V = world.V(theta, gamma)
    wrong = np.random.default_rng(seed).normal(size=V.shape)
    gradient = world.gradient(theta, gamma)
    close(mean(world, theta, GAE(table(V), gamma, lam), gamma), gradient)
    close(mean(world, theta, GAE(table(wrong), gamma, 1.0), gamma), gradient)
    p5 = world.expectation(
        PolicyGradient(gamma, discount_states=False, baseline=no_baseline, keep_per_episode=True), theta
    )
    close(mean(world, theta, GAE(table(wrong), gamma, 1.0)), p5)


def test_unit_weights_are_maximum_likelihood():
    policy, theta, batch, _ = case("gaussian", [3, 2], 5)
    log_likelihood = lambda th: policy.at(th, batch.obs, batch.act).log_prob.sum() / 2  # noqa: E731
    close(ScoreFunction(unit_weights)(policy, theta, batch).gradient, complex_gradient(log_likelihood, theta), 1e-12)


def test_standardised_has_mean_0_and_deviation_1():
    _, _, batch, psi = case("softmax", [3, 2], 5)
    scaled = Standardised(lambda b: psi)(batch)
    assert scaled.mean() == pytest.approx(0, abs=1e-15)
    assert scaled.std() == pytest.approx(1, rel=1e-7)


def test_discount_outside_the_unit_interval_is_refused():
    with pytest.raises(InvalidInput, match="discount is 2"):
        ScoreFunction(unit_weights, discount=2.0)
