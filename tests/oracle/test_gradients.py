import numpy as np
import pytest
from hypothesis import given, settings

from npgrad.errors import InvalidInput
from npgrad.oracle import (
    average_gradient,
    average_reward,
    fisher,
    from_gymnasium,
    gradient,
    marginals,
    objective,
    occupancy,
    probabilities,
    random_mdp,
    scores,
    values,
    with_emissions,
)
from npgrad.policies import make_policy
from tests import naive
from tests.oracle.problems import MIXED, assert_close, brute_force, complex_step, linear_policy, small_mdps


@pytest.mark.parametrize("name", MIXED)
def test_gradient_is_the_complex_step_of_j(name):
    mdp = random_mdp(**MIXED[name], seed=7)
    policy, theta = linear_policy(mdp)
    assert_close(gradient(mdp, policy, theta), complex_step(lambda x: objective(mdp, policy, x), theta))


@given(small_mdps())
@settings(max_examples=30, deadline=None)
def test_gradient_of_random_problems(mdp):
    policy, theta = linear_policy(mdp)
    exact = gradient(mdp, policy, theta)
    assert_close(exact, complex_step(lambda x: objective(mdp, policy, x), theta))
    # and Σ_τ p(τ) R(τ) Σ_t f_t
    f = scores(mdp, policy, theta)
    prob, found = brute_force(naive, mdp, probabilities(mdp, policy, theta))
    terms = [naive.return_of(mdp.R, mdp.gamma, s, a) * sum(f[s[t], a[t]] for t in range(len(a))) for s, a in found]
    assert_close(prob @ np.array(terms), exact)


@pytest.mark.parametrize("kind", ["linear", "mlp"])
@pytest.mark.parametrize("one_hot", [True, False])
def test_gradient_of_policies_in_time(kind, one_hot):
    mdp = random_mdp(3, 2, 4, seed=2, gamma=0.8, n_terminal=1).with_time(one_hot=one_hot)
    policy = make_policy(mdp, kind, hidden=(3,))
    theta = np.random.default_rng(0).normal(size=policy.n_params)
    assert_close(gradient(mdp, policy, theta), complex_step(lambda x: objective(mdp, policy, x), theta))


def test_gradient_with_emissions():
    hidden = random_mdp(3, 2, 3, seed=4)
    O = np.array([[0.8, 0.2], [0.3, 0.7], [0.5, 0.5]])
    mdp, _ = with_emissions(hidden.start, hidden.P, hidden.R, O, horizon=3)
    policy, theta = linear_policy(mdp)
    assert_close(gradient(mdp, policy, theta), complex_step(lambda x: objective(mdp, policy, x), theta))


def test_average_gradient_is_the_complex_step_of_the_average():
    mdp = random_mdp(4, 3, None, seed=0, gamma=0.9)
    policy, theta = linear_policy(mdp)
    assert_close(average_gradient(mdp, policy, theta), complex_step(lambda x: average_reward(mdp, policy, x), theta))


def test_softmax_gradient_in_closed_form():
    mdp = random_mdp(4, 3, None, seed=0, gamma=0.9)
    policy, theta = linear_policy(mdp)
    pi = probabilities(mdp, policy, theta)
    expected = occupancy(mdp, pi)[:, None] * pi * values(mdp, pi).A  # P13: d(s) π(a|s) A(s,a)
    assert_close(gradient(mdp, policy, theta), np.append(expected.ravel(), expected.sum(axis=0)))


@pytest.mark.parametrize("name", ["finite", "terminal", "discounted"])
def test_fisher(name):
    mdp = random_mdp(**MIXED[name], seed=1)
    policy, theta = linear_policy(mdp)
    pi, f = probabilities(mdp, policy, theta), scores(mdp, policy, theta)
    F = fisher(mdp, policy, theta)
    assert_close(F, np.einsum("s,sa,sap,saq->pq", occupancy(mdp, pi), pi, f, f))
    # the policy's own Fisher product, and −E ∇² log π by the complex step of the score
    v = np.random.default_rng(0).normal(size=len(theta))
    lin = policy.at(theta, mdp.obs, np.zeros(mdp.n_states, int))
    assert_close(F @ v, lin.fisher_vp(v, occupancy(mdp, pi)))
    w = (occupancy(mdp, pi)[:, None] * pi)[..., None]
    hessian = complex_step(lambda x: (w * scores(mdp, policy, x)).sum(axis=(0, 1)), theta)
    assert_close(F, -hessian)


def test_fisher_weights():
    mdp = random_mdp(3, 2, 4, seed=2)
    policy, theta = linear_policy(mdp)
    d = marginals(mdp, policy, theta)[:-1]
    F = fisher(mdp, policy, theta)
    assert_close(fisher(mdp, policy, theta, d), F)
    assert_close(fisher(mdp, policy, theta, d.sum(axis=0)), F)
    with pytest.raises(InvalidInput, match=r"weights have shape \(2,\), expected \(3,\)"):
        fisher(mdp, policy, theta, np.ones(2))
    timed = mdp.with_time()
    policy, theta = linear_policy(timed)
    d = marginals(timed, policy, theta)[:-1]
    assert_close(fisher(timed, policy, theta, d), fisher(timed, policy, theta))


def test_gradient_climbs_frozen_lake():
    mdp = from_gymnasium("FrozenLake8x8-v1")
    policy = make_policy(mdp, "linear")
    theta = np.zeros(policy.n_params)
    before, g = objective(mdp, policy, theta), gradient(mdp, policy, theta)
    after = objective(mdp, policy, theta + g / np.linalg.norm(g) * 1e-3)
    assert abs((after - before) / 1e-3 / np.linalg.norm(g) - 1) < 0.01
