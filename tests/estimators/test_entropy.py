"""Entropy in the objective: exact gradients by enumeration, and what A3C's bonus leaves out (P12)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.baselines import no_baseline
from npgrad.distributions import GaussianMixture
from npgrad.errors import NotImplementedBy
from npgrad.estimators import EntropyBonus, EntropyRegularised, PolicyGradient, SampledEntropy, entropies
from npgrad.functions import Linear
from npgrad.policies import ComposedPolicy
from npgrad.spaces import Box
from tests.estimators.test_base import OBS, case
from tests.estimators.worlds import close, complex_gradient, enumerated, random_case, states

few = settings(max_examples=6)
seeds = st.integers(0, 10_000)


def entropy_table(world, theta):
    pi = world.probabilities(theta)
    return -(pi * np.log(pi)).sum(axis=1)


def objective(world, beta, gamma):
    """θ ↦ J_γ + β E Σ_t γ^t H_t, by going through all trajectories."""

    def f(theta):
        pi, h = world.probabilities(theta), entropy_table(world, theta)
        bonus = sum(
            world.probability(path, pi) * sum(gamma**t * h[s] for t, s in enumerate(path[0:-1:2]))
            for path in world.paths()
        )
        return world.J(theta, gamma) + beta * bonus

    return f


@few
@given(seed=seeds, beta=st.floats(-1, 1), gamma=st.floats(0.1, 1))
@pytest.mark.parametrize("estimator", [EntropyRegularised, SampledEntropy])
def test_the_regularised_gradient_is_unbiased(estimator, seed, beta, gamma):
    world, theta = random_case(seed, S=3, T=2, terminal=(2,))
    options = dict(beta=beta, gamma=gamma, baseline=no_baseline, keep_per_episode=True)
    close(world.expectation(estimator(**options), theta), complex_gradient(objective(world, beta, gamma), theta))


@few
@given(seed=seeds)
def test_the_bonus_alone_freezes_the_states(seed):
    world, theta = random_case(seed)
    psi = PolicyGradient(baseline=no_baseline).weights
    got = world.expectation(EntropyBonus(psi, beta=0.5, keep_per_episode=True), theta)
    batch, p = enumerated(world, theta)
    weights = np.repeat(p, batch.lengths)
    frozen = complex_gradient(lambda th: weights @ entropy_table(world, th)[states(batch)], theta)
    close(got, world.gradient(theta) + 0.5 * frozen)
    whole = complex_gradient(objective(world, 0.5, 1.0), theta)
    assert np.linalg.norm(got - whole) > 1e-4 * np.linalg.norm(whole)


@pytest.mark.parametrize("kind", ["softmax", "gaussian"])
def test_entropies_are_those_of_the_policy(kind):
    policy, theta, batch, _ = case(kind, [3, 4], 0)
    np.testing.assert_allclose(entropies(policy, theta, batch), policy.at(theta, batch.obs, batch.act).entropy())


def test_a_distribution_without_entropy_says_so():
    mixture = GaussianMixture(2, 2)
    policy = ComposedPolicy(Linear(3, mixture.n_y), mixture, OBS, Box(-1.0, 1.0, (2,), "float64"))
    _, _, batch, _ = case("gaussian", [2], 0)
    theta = np.zeros(policy.n_params)
    with pytest.raises(NotImplementedBy, match="entropy"):
        EntropyRegularised(0.1, baseline=no_baseline)(policy, theta, batch)
    SampledEntropy(0.1, baseline=no_baseline)(policy, theta, batch)
