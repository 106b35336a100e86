import numpy as np
import pytest
from hypothesis import given, settings

from npgrad.errors import InvalidInput
from npgrad.oracle import (
    TabularMDP,
    backward_induction,
    from_gymnasium,
    greedy,
    optimal_values,
    policy_iteration,
    random_mdp,
    value_iteration,
    values,
)
from tests import naive
from tests.oracle.problems import MIXED, assert_close, random_table, small_mdps


@given(small_mdps())
@settings(max_examples=20, deadline=None)
def test_greedy_policy_improves_everywhere(mdp):
    pi = random_table((mdp.n_states, mdp.n_actions))
    v = values(mdp, pi)
    better = values(mdp, greedy(v.Q))
    assert (better.V >= v.V - 1e-12).all()
    best = optimal_values(mdp)
    assert (best.V >= better.V - 1e-12).all()
    assert_close(values(mdp, greedy(best.Q)).V, best.V)


def test_backward_induction_is_the_best_of_all_policies():
    mdp = random_mdp(2, 2, 2, seed=3)
    tables = [np.eye(2)[np.array(bits).reshape(2, 2)] for bits in np.ndindex(2, 2, 2, 2)]
    best = max(
        sum(
            mdp.start[s]
            * sum(pi[0, s, a] * naive.action_value(mdp.P, mdp.R, mdp.terminal, pi, 1.0, 2, 0, s, a) for a in (0, 1))
            for s in (0, 1)
        )
        for pi in tables
    )
    assert_close(mdp.start @ backward_induction(mdp).V[0], best)


@pytest.mark.parametrize("name", ["discounted", "episodic"])
def test_policy_iteration_is_value_iteration(name):
    mdp = random_mdp(**MIXED[name], seed=2)
    if name == "episodic":
        mdp = mdp.replace(R=-np.abs(mdp.R))
    best = policy_iteration(mdp)
    assert_close(best.V, value_iteration(mdp, tol=1e-14).V, 1e-10)
    assert_close(best.V, best.Q.max(axis=1), 1e-12)
    assert_close(values(mdp, greedy(best.Q)).V, best.V, 1e-11)


def test_known_optima_of_gymnasium():
    cliff = from_gymnasium("CliffWalking-v1")
    assert cliff.horizon is None
    assert optimal_values(cliff).V[36] == -13
    taxi = from_gymnasium("Taxi-v4", horizon=None)
    best = optimal_values(taxi)
    assert 7 <= taxi.start @ best.V <= 9
    assert best.V[taxi.start > 0].max() == 15  # one stop, four steps between
    lake = from_gymnasium("FrozenLake8x8-v1", horizon=None)
    assert_close(optimal_values(lake).V[0], 1.0, 1e-9)
    assert_close(value_iteration(lake, tol=1e-13).V, optimal_values(lake).V, 1e-9)


def test_no_optimum():
    loop = TabularMDP([1.0, 0.0], [[[1.0, 0.0], [0.0, 1.0]]] * 2, [[1.0, 0.0]] * 2, terminal=[False, True])
    with pytest.raises(InvalidInput, match="never ends"):
        policy_iteration(loop)
    with pytest.raises(InvalidInput, match="still moves by 1 after 50"):
        value_iteration(loop, max_iterations=50)
    with pytest.raises(InvalidInput, match="use policy_iteration"):
        backward_induction(loop)
    with pytest.raises(InvalidInput, match="horizon of 3"):
        policy_iteration(loop.replace(horizon=3))
