"""Several steps on several batches: who made them is remembered, the constraint holds, the ratios are right."""

import itertools

import numpy as np
import pytest

from npgrad.algorithms.offpolicy import OffPolicy, within
from npgrad.estimators import (
    Behaviour,
    LocalGeometry,
    OffPolicyGradient,
    PerDecisionGradient,
    PolicyGradient,
    as_from_mixture,
    balance_log_weights,
    log_ratios,
    trajectory_ratio,
)
from tests.estimators.worlds import close, random_case


def no_baseline(psi, batch):
    return np.zeros(len(psi))


PLAIN = PolicyGradient(baseline=no_baseline).weights


@pytest.mark.parametrize("estimator", [OffPolicyGradient(PLAIN), PerDecisionGradient()], ids=["W2", "W3"])
def test_weighed_against_the_mixture_the_gradient_is_unbiased(estimator):
    """Every pair of one episode of each behaviour, weighed by its probability: ∇J(θ) (W10)."""
    world, theta = random_case(3, T=2)
    policy, rng = world.policy(), np.random.default_rng(9)
    betas = [theta + rng.normal(size=len(theta)) for _ in range(2)]
    behaviours = [Behaviour(policy, beta, 1) for beta in betas]
    paths, mean, own = world.paths(), 0.0, 0.0
    p = [[world.probability(path, world.probabilities(beta)) for path in paths] for beta in betas]
    whole = world.batch(paths)
    for i, j in itertools.product(range(len(paths)), repeat=2):
        batch = whole.select([i, j])
        mean = mean + p[0][i] * p[1][j] * estimator(policy, theta, as_from_mixture(batch, behaviours)).gradient
        own = own + p[0][i] * p[1][j] * estimator(policy, theta, batch).gradient  # log β of a uniform policy: wrong
    close(mean, world.gradient(theta))
    assert np.abs(own - world.gradient(theta)).max() > 1e-3


def test_the_mixture_is_the_balance_heuristic():
    world, theta = random_case(5, T=3)
    policy, rng = world.policy(), np.random.default_rng(1)
    behaviours = [Behaviour(policy, theta + rng.normal(size=len(theta)), n) for n in (2, 3)]
    batch = world.batch(world.paths()[:5])
    log_w = trajectory_ratio(log_ratios(policy, theta, as_from_mixture(batch, behaviours)), batch)
    np.testing.assert_allclose(log_w, balance_log_weights(policy, theta, batch, behaviours), atol=1e-12)


def make(**settings):
    return OffPolicy("CartPole-v1", seed=2, n_envs=4, n_episodes=3, **settings)


def test_past_batches_come_with_those_who_made_them():
    recipe = make(n_batches=2, normalize_observations=True).recipe
    state, thetas = recipe.init(2), []
    for _ in range(3):
        thetas.append(state.theta)
        policy, state = recipe.experience.policy_at(state), recipe.step(state)[0]
    batch, behaviours = recipe.replay.read(state.group("replay"), recipe.policy)
    assert batch.episode.tolist() == [3, 4, 5, 6, 7, 8]
    for b, theta, part in zip(behaviours, thetas[1:], ([0, 1, 2], [3, 4, 5]), strict=True):
        np.testing.assert_array_equal(b.theta, theta)
        own = batch.select(part)
        np.testing.assert_allclose(log_ratios(b.policy, b.theta, own), 0, atol=1e-12)  # normaliser and all
    np.testing.assert_array_equal(behaviours[-1].policy.normaliser.mean, policy.normaliser.mean)


@pytest.mark.parametrize("learning_rate", [0.01, 0.3, 30.0])
@pytest.mark.parametrize("ratio", ["step", "trajectory"])
def test_the_constraint_holds_after_every_iteration(learning_rate, ratio):
    recipe = make(delta=0.01, learning_rate=learning_rate, ratio=ratio).recipe
    state = recipe.init(2)
    for _ in range(4):
        data, before = recipe.experience.collect(state), state
        state, metrics = recipe.step(state)
        weights = np.full(data.batch.n_steps, 1 / data.batch.n_steps)
        kl = LocalGeometry(recipe.policy, before.theta, data.batch, weights=weights).kl_new_old(state.theta)
        assert kl <= 0.01
        assert metrics.values["train/kl_new_old"] == pytest.approx(kl, rel=1e-9, abs=1e-15)
        assert (state.theta != before.theta).any()
        assert metrics.values["train/n_updates"] == 1 or learning_rate < 30
        n = state.group("replay")["rew" if ratio == "step" else "episode"].size
        assert 1 <= metrics.values["train/effective_sample_size"] <= n * (1 + 1e-12)


def test_a_step_that_leads_nowhere_is_not_taken():
    theta, kl, whole = within(lambda th: np.inf if (th != 0).any() else 0.0, np.zeros(2), np.ones(2), 0.1)
    assert (theta == 0).all()
    assert kl == 0.0
    assert not whole


def test_one_step_on_fresh_data_is_that_of_reinforce():
    """At θ = β every ratio is 1: whatever the settings say of them, ĝ is P3."""
    steps = []
    for ratio, behaviours in itertools.product(("step", "causal", "trajectory", "per-decision"), ("own", "mixture")):
        model = make(
            ratio=ratio, behaviours=behaviours, baseline="leave-one-out", normalize_advantage=False, gamma=1.0,
            optimizer="sgd", learning_rate=1e-5, n_updates=1, delta=1e9,
        )  # fmt: skip
        state = model.recipe.init(2)
        steps.append((model.recipe.step(state)[0].theta - state.theta) / 1e-5)
    batch = model.recipe.experience.collect(state).batch
    expected = PolicyGradient()(model.policy, state.theta, batch).gradient
    for step in steps:
        np.testing.assert_allclose(step, expected, rtol=1e-9)
