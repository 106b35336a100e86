import numpy as np
import pytest

from npgrad.errors import InvalidInput, NonFinite
from npgrad.oracle import (
    TabularMDP,
    exact_moments,
    gradient,
    pair_estimates,
    random_mdp,
    separable_moments,
    trajectories,
    u_statistic,
)
from tests.oracle.problems import assert_close, linear_policy, random_table

MDP = random_mdp(3, 2, 2, seed=0, n_terminal=1, n_next=2, n_start=1)
POLICY, THETA = linear_policy(MDP)


def terms(policy, theta, batch, baseline=0.0):
    """(R − b) Σ f of each episode."""
    lin = policy.at(theta, batch.obs, batch.act)
    return lin.vjp_segments(np.repeat(batch.returns() - baseline, batch.lengths), batch.offsets)


def reinforce(policy, theta, batch):
    return terms(policy, theta, batch).mean(axis=0)


def batch_mean(policy, theta, batch):
    return terms(policy, theta, batch, batch.returns().mean()).mean(axis=0)


def leave_one_out(policy, theta, batch):
    n = batch.n_episodes
    return batch_mean(policy, theta, batch) * n / (n - 1)


def off_policy(policy, theta, batch):
    """Πρ R Σ f."""
    lin = policy.at(theta, batch.obs, batch.act)
    ratio = np.exp(np.add.reduceat(lin.log_prob - batch.logp, batch.offsets[:-1]))
    return lin.vjp(np.repeat(ratio * batch.returns(), batch.lengths)) / batch.n_episodes


def brute_force_moments(estimator, n, prob, batch):
    """Over all tuples of episodes, one after the other."""
    mean, square = 0.0, 0.0
    for index in np.ndindex(*[len(prob)] * n):
        p, g = np.prod(prob[list(index)]), estimator(POLICY, THETA, batch.select(index))
        mean, square = mean + p * g, square + p * np.outer(g, g)
    return mean, square - np.outer(mean, mean)


@pytest.mark.parametrize("estimator", [reinforce, batch_mean])
@pytest.mark.parametrize("n", [1, 2])
def test_moments_are_those_of_brute_force(estimator, n):
    t = trajectories(MDP, POLICY, THETA)
    m = exact_moments(estimator, MDP, POLICY, THETA, n=n)
    mean, covariance = brute_force_moments(estimator, n, t.prob, t.batch)
    assert_close(m.mean, mean)
    assert_close(m.covariance, covariance)
    assert_close(m.variance, np.trace(covariance))
    assert m.n == n


def test_known_means():
    g = gradient(MDP, POLICY, THETA)
    assert_close(exact_moments(reinforce, MDP, POLICY, THETA).mean, g)
    assert_close(exact_moments(batch_mean, MDP, POLICY, THETA, n=2).mean, g / 2)  # B3: (N − 1)/N
    assert_close(exact_moments(leave_one_out, MDP, POLICY, THETA, n=2, symmetric=True).mean, g)


def test_variance_falls_as_one_over_n():
    one, two = (exact_moments(reinforce, MDP, POLICY, THETA, n=n, symmetric=True) for n in (1, 2))
    assert_close(two.covariance, one.covariance / 2)
    fast = separable_moments(terms, MDP, POLICY, THETA, n=2)
    assert_close(fast.mean, two.mean)
    assert_close(fast.covariance, two.covariance)


def test_three_episodes():
    coin = TabularMDP([1.0], np.ones((1, 2, 1)), [[1.0, 0.0]], horizon=1)
    policy, theta = linear_policy(coin)
    m = exact_moments(leave_one_out, coin, policy, theta, n=3)
    assert_close(m.mean, gradient(coin, policy, theta))
    u = u_statistic(*pair_estimates(leave_one_out, coin, policy, theta), n=3)
    assert_close(u.mean, m.mean)
    assert_close(u.covariance, m.covariance)


def test_u_statistic_at_two_is_the_enumeration():
    m = exact_moments(leave_one_out, MDP, POLICY, THETA, n=2)
    u = u_statistic(*pair_estimates(leave_one_out, MDP, POLICY, THETA), n=2)
    assert_close(u.mean, m.mean)
    assert_close(u.covariance, m.covariance)
    with pytest.raises(InvalidInput, match="at least two"):
        u_statistic(np.ones(1), np.ones((1, 1, 1)), 1)
    with pytest.raises(InvalidInput, match="h has shape"):
        u_statistic(np.ones(2), np.ones((1, 1, 1)), 2)


def test_off_policy():
    g = gradient(MDP, POLICY, THETA)
    beta = random_table((3, 2), seed=5)
    other = np.random.default_rng(1).normal(size=len(THETA))
    assert_close(exact_moments(off_policy, MDP, POLICY, THETA, behaviour=beta).mean, g)
    assert_close(exact_moments(off_policy, MDP, POLICY, THETA, behaviour=(POLICY, other)).mean, g)
    assert_close(exact_moments(off_policy, MDP, POLICY, THETA, n=2, behaviour=[beta, (POLICY, other)]).mean, g)
    assert np.abs(exact_moments(reinforce, MDP, POLICY, THETA, behaviour=beta).mean - g).max() > 1e-3


def test_planted_errors_show():
    """A flipped sign, a reward off by one, a dropped term: each moves the mean."""
    g = gradient(MDP, POLICY, THETA)

    def shifted(policy, theta, batch):
        rew = np.append(batch.rew[1:], 0.0)
        return policy.at(theta, batch.obs, batch.act).vjp(rew)

    for wrong in (lambda *x: -reinforce(*x), shifted, lambda p, th, b: terms(p, th, b).sum(axis=0) * 2):
        assert np.abs(exact_moments(wrong, MDP, POLICY, THETA).mean - g).max() > 1e-3


def test_bad_estimators():
    rng = np.random.default_rng(0)
    with pytest.raises(InvalidInput, match=r"estimator is random: two calls on one batch differ by .*a seed"):
        exact_moments(lambda p, th, b: rng.normal(size=len(th)), MDP, POLICY, THETA)
    with pytest.raises(InvalidInput, match=r"the estimator's gradient has shape \(2,\), expected \(8,\)"):
        exact_moments(lambda p, th, b: np.zeros(2), MDP, POLICY, THETA)
    with pytest.raises(NonFinite, match=r"the estimator's gradient\[0\] is nan"):
        exact_moments(lambda p, th, b: th * np.nan, MDP, POLICY, THETA)
    with pytest.raises(InvalidInput, match="depends on the order"):
        exact_moments(lambda p, th, b: th * b.rew[0], MDP, POLICY, THETA, n=2, symmetric=True)
    with pytest.raises(InvalidInput, match=r"called on .* batches of .*limit=3"):
        exact_moments(reinforce, MDP, POLICY, THETA, n=2, limit=3)
    with pytest.raises(InvalidInput, match="list of 1, expected n = 2"):
        exact_moments(reinforce, MDP, POLICY, THETA, n=2, behaviour=[random_table((3, 2))])
    with pytest.raises(InvalidInput, match="n is 0"):
        exact_moments(reinforce, MDP, POLICY, THETA, n=0)
    with pytest.raises(InvalidInput, match="changes with its batch"):
        separable_moments(lambda p, th, b: terms(p, th, b, b.returns().mean()), MDP, POLICY, THETA)
    with pytest.raises(InvalidInput, match="the estimator's terms has shape"):
        separable_moments(reinforce, MDP, POLICY, THETA)
