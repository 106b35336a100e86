import numpy as np
import pytest
from hypothesis import given, settings

from npgrad.distributions import Categorical
from npgrad.errors import InvalidInput
from npgrad.functions import Recurrent
from npgrad.oracle import (
    TabularMDP,
    from_gymnasium,
    gradient,
    marginals,
    objective,
    random_mdp,
    trajectories,
    with_emissions,
)
from npgrad.policies import ComposedPolicy
from tests import naive
from tests.oracle.problems import assert_close, brute_force, complex_step, linear_policy, random_table, small_mdps


@given(small_mdps())
@settings(max_examples=30, deadline=None)
def test_the_same_trajectories_as_brute_force(mdp):
    pi = random_table((mdp.horizon, mdp.n_states, mdp.n_actions))
    t = trajectories(mdp, pi)
    prob, found = brute_force(naive, mdp, pi)
    expected = {
        (tuple(s), tuple(a)): (p, naive.return_of(mdp.R, 1, s, a)) for p, (s, a) in zip(prob, found, strict=True)
    }
    assert len(t) == len(expected)
    for i in range(len(t)):
        rows = slice(*t.batch.offsets[i : i + 2])
        states = (*t.states[rows], t.final_states[i])
        p, total = expected[tuple(int(s) for s in states), tuple(t.batch.act[rows])]
        assert abs(t.prob[i] - p) < 1e-15
        assert abs(t.batch.returns()[i] - total) < 1e-12
        assert_close(t.batch.obs[rows], mdp.obs[t.states[rows]])
        assert_close(t.batch.final_obs[i], mdp.obs[t.final_states[i]])
        times = np.arange(rows.stop - rows.start)
        assert_close(t.batch.logp[rows], np.log(pi[times, t.states[rows], t.batch.act[rows]]))
    assert abs(t.prob.sum() - 1) < 1e-14
    assert t.batch.terminated.all()
    assert not t.batch.truncated.any()


def test_expectations():
    mdp = random_mdp(4, 2, 4, seed=0, n_terminal=1, n_next=2)
    policy, theta = linear_policy(mdp)
    t = trajectories(mdp, policy, theta)
    R, F = t.batch.returns(), t.sum(policy.score(theta, t.batch.obs, t.batch.act))
    assert_close(t.expect(R), objective(mdp, policy, theta))
    assert_close(t.expect(F * R[:, None]), gradient(mdp, policy, theta))
    assert_close(t.expect(F), np.zeros(len(theta)))
    at_2 = t.pad(np.eye(4)[t.states])[:, 2]
    alive = marginals(mdp, policy, theta)[2] * ~mdp.terminal
    assert_close(t.expect(at_2), alive)
    assert_close(t.next_states[:-1][np.diff(t.batch.segment) == 0], t.states[1:][np.diff(t.batch.segment) == 0])
    assert_close(t.next_states[t.batch.offsets[1:] - 1], t.final_states)
    with pytest.raises(InvalidInput, match="one value for each trajectory"):
        t.expect(t.batch.rew)


def test_covariance():
    coin = TabularMDP([1.0], np.ones((1, 2, 1)), [[1.0, 0.0]], horizon=2)
    t = trajectories(coin, np.array([[0.9, 0.1]]))
    x = np.stack([t.batch.returns(), -t.batch.returns()], axis=1)
    assert_close(t.covariance(x), 0.18 * np.array([[1, -1], [-1, 1]]))


def test_what_stops_at_a_length():
    mdp = random_mdp(3, 2, None, seed=0, gamma=0.9, n_terminal=1)
    pi = random_table((3, 2))
    t = trajectories(mdp, pi, length=2)
    ended = mdp.terminal[t.final_states]
    assert (t.batch.terminated == ended).all()
    assert (t.batch.truncated == ~ended).all()
    t = trajectories(mdp, pi, length=2, cut=True)
    assert (t.batch.terminated == ended).all()
    assert not t.batch.truncated.any()
    finite = mdp.replace(horizon=2)
    assert trajectories(finite, pi).batch.terminated.all()
    assert trajectories(finite, pi, length=1).batch.truncated.any()
    for length in (None, 0):
        with pytest.raises(InvalidInput, match="the horizon None"):
            trajectories(mdp, pi, length=length)
    with pytest.raises(InvalidInput, match="length is 3 and the horizon 2"):
        trajectories(finite, pi, length=3)


def test_impossible_actions_are_left_out():
    mdp = random_mdp(2, 3, 3, seed=0, n_start=1)
    t = trajectories(mdp, np.array([[0.0, 1.0, 0.0]] * 2))
    assert (t.batch.act == 1).all()
    assert len(t) == 2**3


def test_too_many():
    lake = from_gymnasium("FrozenLake8x8-v1")
    with pytest.raises(InvalidInput, match=r"e\+.* trajectories of up to 200 steps.*limit=1000000; use causal_moments"):
        trajectories(lake, np.full((64, 4), 0.25))
    mdp = random_mdp(3, 2, 4, seed=0)
    rows = 3 * 6**4 * 4
    assert trajectories(mdp, np.full((3, 2), 0.5), limit=rows).batch.n_steps == rows
    with pytest.raises(InvalidInput, match=r"3.89e.03 trajectories"):
        trajectories(mdp, np.full((3, 2), 0.5), limit=rows - 1)


def test_time_in_the_observation():
    mdp = random_mdp(3, 2, 3, seed=0, n_terminal=1, n_next=2).with_time()
    policy, theta = linear_policy(mdp)
    t = trajectories(mdp, policy, theta)
    assert_close(t.batch.obs, mdp.obs[t.batch.time, t.states])
    assert_close(t.batch.final_obs, mdp.obs[t.batch.lengths, t.final_states])
    F = t.sum(policy.score(theta, t.batch.obs, t.batch.act))
    assert_close(t.expect(F * t.batch.returns()[:, None]), gradient(mdp, policy, theta))


def test_policy_with_memory():
    hidden = random_mdp(2, 2, 3, seed=1)
    mdp, _ = with_emissions(hidden.start, hidden.P, hidden.R, [[0.8, 0.2], [0.3, 0.7]], horizon=3)
    policy = ComposedPolicy(Recurrent(2, 2, n_hidden=2), Categorical(2), mdp.observation_space, mdp.action_space)
    theta = np.random.default_rng(0).normal(size=policy.n_params)
    t = trajectories(mdp, policy, theta)
    assert abs(t.prob.sum() - 1) < 1e-13
    lin = policy.at(theta, t.batch.obs, t.batch.act, t.batch.offsets)
    assert_close(t.batch.logp, lin.log_prob)
    # E R Σ f by enumeration is the derivative of E R with every history's probability moving
    dynamics = t.prob / np.exp(t.sum(t.batch.logp))

    def expected_return(x):
        log_prob = policy.at(x, t.batch.obs, t.batch.act, t.batch.offsets).log_prob
        return (dynamics * np.exp(t.sum(log_prob))) @ t.batch.returns()

    F = lin.vjp_segments(np.ones(t.batch.n_steps), t.batch.offsets)
    assert_close(t.expect(F * t.batch.returns()[:, None]), complex_step(expected_return, theta))
    with pytest.raises(InvalidInput, match="the policy remembers 2 numbers"):
        objective(mdp, policy, theta)
