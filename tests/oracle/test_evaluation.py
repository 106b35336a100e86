import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings

from npgrad.errors import InvalidInput
from npgrad.oracle import (
    TabularMDP,
    average_reward,
    differential_values,
    from_gymnasium,
    marginals,
    objective,
    occupancy,
    performance_difference,
    random_mdp,
    state_action_chain,
    stationary_distribution,
    surrogate,
    values,
)
from npgrad.oracle.graphs import closed_classes
from tests import naive
from tests.oracle.problems import MIXED, assert_close, brute_force, random_table, small_mdps


@given(small_mdps())
@settings(max_examples=30, deadline=None)
def test_values_are_those_of_brute_force(mdp):
    pi = random_table((mdp.horizon, mdp.n_states, mdp.n_actions))  # depends on time
    v = values(mdp, pi)
    arguments = (mdp.P, mdp.R, mdp.terminal, pi, mdp.gamma, mdp.horizon)
    for (t, s, a), q in np.ndenumerate(v.Q):
        assert abs(q - naive.action_value(*arguments, t, s, a)) < 1e-12
    prob, found = brute_force(naive, mdp, pi)
    assert abs(prob.sum() - 1) < 1e-12
    returns = np.array([naive.return_of(mdp.R, mdp.gamma, s, a) for s, a in found])
    assert_close(objective(mdp, pi), prob @ returns)


@given(small_mdps())
@settings(max_examples=20, deadline=None)
def test_marginals_are_those_of_brute_force(mdp):
    pi = random_table((mdp.n_states, mdp.n_actions))
    prob, found = brute_force(naive, mdp, pi)
    d = np.zeros((mdp.horizon + 1, mdp.n_states))
    visits = np.zeros(mdp.n_states)
    for p, (states, actions) in zip(prob, found, strict=True):
        for t in range(mdp.horizon + 1):
            d[t, states[min(t, len(actions))]] += p  # stays where it ended
        for t in range(len(actions)):
            visits[states[t]] += p * mdp.gamma**t
    assert_close(marginals(mdp, pi), d)
    assert_close(occupancy(mdp, pi), visits)


@pytest.mark.parametrize("name", MIXED)
def test_bellman_equations(name):
    mdp = random_mdp(**MIXED[name], seed=3)
    pi = random_table((mdp.n_states, mdp.n_actions))
    v = values(mdp, pi)
    after = v.V[1:] if mdp.horizon else v.V
    V_next = np.where(mdp.terminal, 0, after)[..., None, None, :]
    assert_close(v.Q, (mdp.P * (mdp.R + mdp.gamma * V_next)).sum(axis=-1))
    assert_close(v.V[:-1] if mdp.horizon else v.V, (pi * v.Q).sum(axis=-1))
    assert_close((pi * v.A).sum(axis=-1), 0 * v.A[..., 0])
    assert_close(v.V[..., mdp.terminal], 0 * v.V[..., mdp.terminal])
    assert_close(objective(mdp, pi), mdp.start @ (v.V[0] if mdp.horizon else v.V))


@pytest.mark.parametrize("name", ["discounted", "episodic"])
def test_no_horizon_is_the_limit_of_long_ones(name):
    mdp = random_mdp(**MIXED[name], seed=1)
    pi = random_table((mdp.n_states, mdp.n_actions))
    long = mdp.replace(horizon=500)
    assert_close(values(long, pi).Q[0], values(mdp, pi).Q, 1e-11)
    assert_close(occupancy(long, pi), occupancy(mdp, pi), 1e-11)


def test_occupancy_counts_steps():
    mdp = random_mdp(**MIXED["episodic"], seed=1)
    pi = random_table((mdp.n_states, mdp.n_actions))
    assert_close(occupancy(mdp, pi) @ (pi * mdp.r).sum(axis=1), objective(mdp, pi))
    ones = mdp.replace(R=np.ones_like(mdp.R))
    assert_close(occupancy(mdp, pi).sum(), objective(ones, pi))  # E[T]


def test_long_run():
    mdp = random_mdp(5, 2, None, seed=0, gamma=0.9)
    pi = random_table((5, 2))
    mu = stationary_distribution(mdp, pi)
    assert_close(mu, marginals(mdp, pi, steps=400)[-1])
    T = state_action_chain(mdp, pi)
    assert_close((mu[:, None] * pi).ravel() @ T, (mu[:, None] * pi).ravel())
    J = average_reward(mdp, pi)
    assert_close(J, (1 - 0.9) * (mu @ values(mdp, pi).V))  # E_μ V^γ = J_avg/(1 − γ)
    v = differential_values(mdp, pi)
    assert_close(v.Q, mdp.r - J + mdp.P @ v.V)
    assert_close((pi * v.Q).sum(axis=1), v.V)
    assert_close(mu @ v.V, 0.0)


def test_a_cycle_has_a_stationary_distribution_but_no_limit():
    cycle = TabularMDP([1.0, 0.0], [[[0.0, 1.0]], [[1.0, 0.0]]], [[0.0], [1.0]], gamma=0.9)
    pi = np.ones((2, 1))
    assert_close(stationary_distribution(cycle, pi), np.array([0.5, 0.5]))
    d = marginals(cycle, pi, steps=101)
    assert_close(d[-2:], np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert_close(average_reward(cycle, pi), 0.5)


def test_several_closed_classes():
    apart = TabularMDP([0.5, 0.5], [[[1.0, 0.0]], [[0.0, 1.0]]], [[0.0], [1.0]], gamma=0.9)
    with pytest.raises(InvalidInput, match=r"2 closed classes, the first two \[0\] and \[1\]"):
        average_reward(apart, np.ones((2, 1)))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 9])
def test_closed_classes_of_a_long_path(n):
    path = np.eye(n, k=1, dtype=bool)
    path[-1, -1] = True
    assert closed_classes(path) == [[n - 1]]
    ring = np.roll(np.eye(n, dtype=bool), 1, axis=1)
    assert closed_classes(ring) == [list(range(n))]


def test_policy_that_never_ends():
    stay_or_go = TabularMDP([1.0, 0.0], [[[1.0, 0.0], [0.0, 1.0]]] * 2, np.ones((2, 2)), terminal=[False, True])
    assert_close(objective(stay_or_go, [[0.75, 0.25], [1.0, 0.0]]), 4.0)
    with pytest.raises(InvalidInput, match="an episode in state 0 never ends"):
        objective(stay_or_go, [[1.0, 0.0], [1.0, 0.0]])
    with pytest.raises(InvalidInput, match="an episode in state 0 never ends"):
        occupancy(stay_or_go, [[1.0, 0.0], [1.0, 0.0]])


@pytest.mark.parametrize("name", MIXED)
def test_performance_difference(name):
    mdp = random_mdp(**MIXED[name], seed=5)
    shape = (mdp.n_states, mdp.n_actions)
    new, old = random_table(shape, 1), random_table(shape, 2)
    assert_close(performance_difference(mdp, new, old), objective(mdp, new) - objective(mdp, old))
    near = old + 1e-7 * (new - old)
    assert abs(surrogate(mdp, near, old) - performance_difference(mdp, near, old)) < 1e-12


def test_raising_a_good_action_can_lower_j():
    bandit = TabularMDP([1.0], np.ones((1, 3, 1)), [[2.0, 1.0, -9.0]], horizon=1)
    old, new = np.array([[0.3, 0.4, 0.3]]), np.array([[0.2, 0.5, 0.3]])
    assert values(bandit, old).A[0, 0, 1] > 0
    assert_close([objective(bandit, old), objective(bandit, new)], [-1.7, -1.8])
    assert_close(performance_difference(bandit, new, old), -0.1)


@pytest.mark.parametrize(("name", "episodes"), [("FrozenLake-v1", 1500), ("CliffWalking-v1", 150), ("Taxi-v4", 40)])
def test_simulation_of_gymnasium_stays_in_its_interval(name, episodes):
    """Σ r and the discounted Σ γ^t r of random actions, in units of their standard errors."""
    env = gymnasium.make(name, max_episode_steps=50)
    n = env.action_space.n
    mdp = from_gymnasium(env)
    pi = np.full((mdp.n_states, mdp.n_actions), 1 / n)
    rng = np.random.default_rng(0)
    returns = np.zeros((episodes, 2))
    for i in range(episodes):
        env.reset(seed=i)
        over, t = False, 0
        while not over:
            _, reward, terminated, truncated, _ = env.step(int(rng.integers(n)))
            returns[i] += reward * np.array([1.0, 0.97**t])
            over, t = terminated or truncated, t + 1
    exact = np.array([objective(mdp, pi), objective(mdp.replace(gamma=0.97), pi)])
    z = (returns.mean(axis=0) - exact) / (returns.std(axis=0, ddof=1) / np.sqrt(episodes))
    assert (np.abs(z) < 3.2905).all()  # 99.9 %
