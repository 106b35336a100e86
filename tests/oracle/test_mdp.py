import numpy as np
import pytest

from npgrad.errors import InvalidInput
from npgrad.oracle import TabularMDP, from_gymnasium, objective, probabilities, random_mdp, scores, with_emissions
from npgrad.policies import make_policy
from npgrad.spaces import Box, Discrete
from tests.oracle.problems import assert_close, linear_policy, random_table

P2 = [[[0.5, 0.5], [1.0, 0.0]], [[0.0, 1.0], [0.25, 0.75]]]
R2 = [[1.0, 2.0], [3.0, 4.0]]


def changed(array, place, value):
    out = np.array(array, dtype=float)
    out[place] = value
    return out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(P=changed(P2, (1, 0, 1), 0.9)), r"P\[1, 0\] sums to 0.9, expected 1: .* state 1, action 0"),
        (dict(P=changed(changed(P2, (0, 0, 0), -0.5), (0, 0, 1), 1.5)), r"P\[0, 0, 0\] is -0.5"),
        (dict(P=changed(P2, (0, 0, 0), np.nan)), r"P\[0, 0, 0\] is nan"),
        (dict(P=np.ones((2, 2))), r"P has shape \(2, 2\), expected \(S, A, S\)"),
        (dict(start=[1.0]), r"start has shape \(1,\), expected \(2,\)"),
        (dict(start=[0.5, 0.4]), r"start sums to 0.9"),
        (dict(R=np.ones((2, 3))), r"R has shape \(2, 3\), expected \(2, 2\) or \(2, 2, 2\)"),
        (dict(R=changed(R2, (0, 0), np.inf)), r"R\[0, 0, 0\] is inf"),
        (dict(horizon=0), "horizon is 0"),
        (dict(horizon=2.5), "horizon is 2.5"),
        (dict(gamma=1.5), "gamma is 1.5"),
        (dict(terminal=[True]), "terminal has shape"),
        (dict(terminal=[True, False]), r"start\[0\] is 1.0 but state 0 is terminal"),
        (dict(horizon=None), "from state 0 no terminal state can be reached, so at gamma = 1"),
        (dict(obs=np.eye(3)), r"obs has shape \(3, 3\), expected \(2, any\)"),
        (dict(obs=np.zeros((3, 2, 1))), r"obs has shape \(3, 2, 1\), expected \(4, 2, any\)"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises((InvalidInput, FloatingPointError), match=message):
        TabularMDP(**{"start": [1.0, 0.0], "P": P2, "R": R2, "horizon": 3} | arguments)


def test_arrays_are_copied_and_read_only():
    P = np.array(P2)
    mdp = TabularMDP([1.0, 0.0], P, R2, horizon=1)
    P[0, 0] = 7
    assert mdp.P[0, 0, 0] == 0.5
    with pytest.raises(ValueError, match="read-only"):
        mdp.P[0, 0, 0] = 1


def test_terminal_states_absorb_and_pay_nothing():
    mdp = TabularMDP([1.0, 0.0], changed(P2, (1, slice(None)), np.nan), R2, terminal=[False, True])
    assert_close(mdp.P[1], np.array([[0.0, 1.0], [0.0, 1.0]]))
    assert_close(mdp.r, np.array([[1.0, 2.0], [0.0, 0.0]]))


def test_random_problems_are_functions_of_their_seed():
    a, b, c = (random_mdp(5, 2, 3, seed, n_next=2, n_start=2, n_terminal=2) for seed in (1, 1, 2))
    assert np.array_equal(a.P, b.P)
    assert np.array_equal(a.R, b.R)
    assert not np.array_equal(a.R, c.R)
    assert ((a.P[:3] > 0).sum(axis=2) == 2).all()
    assert (a.start > 0).tolist() == [True, True, False, False, False]
    with pytest.raises(InvalidInput, match="n_next=6"):
        random_mdp(5, 2, 3, 0, n_next=6)


def test_linear_policy_on_states_is_a_tabular_softmax():
    mdp = random_mdp(3, 2, 2, seed=0)
    policy, theta = linear_policy(mdp)
    logits = theta[:6].reshape(3, 2) + theta[6:]
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert_close(probabilities(mdp, policy, theta), expected)
    assert mdp.observation_space == Discrete(3)
    assert mdp.replace(obs=[[0.1], [0.2], [0.2]]).observation_space == Box(-np.inf, np.inf, (1,), "float64")


def test_scores_have_mean_zero():
    mdp = random_mdp(3, 2, 2, seed=0)
    policy, theta = linear_policy(mdp)
    assert_close(
        np.einsum("sa,sap->sp", probabilities(mdp, policy, theta), scores(mdp, policy, theta)), np.zeros((3, 8))
    )


@pytest.mark.parametrize("one_hot", [True, False])
def test_time_in_the_observation(one_hot):
    mdp = random_mdp(3, 2, 4, seed=0).with_time(one_hot=one_hot)
    policy, theta = linear_policy(mdp)
    pi = probabilities(mdp, policy, theta)
    assert pi.shape == (4, 3, 2)
    assert scores(mdp, policy, theta).shape == (4, 3, 2, policy.n_params)
    assert np.abs(pi[1] - pi[2]).max() > 1e-3
    plain = random_mdp(3, 2, 4, seed=0)
    assert_close(objective(mdp, policy, theta), objective(plain, pi))
    with pytest.raises(InvalidInput, match="observed once"):
        mdp.with_time()


def test_policies_that_do_not_fit():
    mdp = random_mdp(3, 2, 2, seed=0)
    other = make_policy(random_mdp(4, 2, 2, seed=0), "linear")
    with pytest.raises(InvalidInput, match=r"takes 4 numbers .* the problem shows 3"):
        probabilities(mdp, other, np.zeros(other.n_params))
    other = make_policy((mdp.observation_space, Box(-1.0, 1.0, (1,), "float32")), "linear")
    with pytest.raises(InvalidInput, match="acts in Box"):
        probabilities(mdp, other, np.zeros(other.n_params))
    with pytest.raises(InvalidInput, match=r"π\[1\] is \[0.5 0.4\], expected probabilities that sum to 1"):
        probabilities(mdp, [[0.5, 0.5], [0.5, 0.4], [1.0, 0.0]])
    with pytest.raises(InvalidInput, match=r"shape \(2, 2\), expected \(3, 2\) or \(2, 3, 2\)"):
        probabilities(mdp, np.full((2, 2), 0.5))
    with pytest.raises(InvalidInput, match="a policy at a θ"):
        scores(mdp, np.full((3, 2), 0.5), None)


def test_emissions_make_a_problem_over_pairs():
    hidden = random_mdp(3, 2, 3, seed=4, n_terminal=1)
    O = np.array([[0.8, 0.2], [0.3, 0.7], [1.0, 0.0]])
    mdp, pairs = with_emissions(hidden.start, hidden.P, hidden.R, O, horizon=3, terminal=hidden.terminal)
    by_symbol = random_table((2, 2))
    # a memoryless policy on symbols acts like Σ_o O(o|s) π(a|o) on hidden states
    assert_close(objective(mdp, by_symbol[pairs[:, 1]]), objective(hidden, O @ by_symbol))
    assert mdp.observation_space == Discrete(2)
    with pytest.raises(InvalidInput, match=r"emissions\[1\]"):
        with_emissions(hidden.start, hidden.P, hidden.R, O * [[1.0], [0.5], [1.0]], horizon=3)


@pytest.mark.parametrize("name", ["FrozenLake-v1", "FrozenLake8x8-v1", "CliffWalking-v1", "Taxi-v4"])
def test_tables_of_gymnasium(name):
    import gymnasium

    env = gymnasium.make(name)
    mdp = from_gymnasium(env)
    assert mdp.horizon == env.spec.max_episode_steps
    assert mdp.n_obs == env.observation_space.n
    assert_close(mdp.obs[: mdp.n_obs], np.eye(mdp.n_obs))
    table, S = env.unwrapped.P, mdp.n_obs
    looks = mdp.obs.argmax(axis=1)
    for s in np.flatnonzero(~mdp.terminal[:S]):
        for a, outcomes in table[s].items():
            for nxt in {x for _, x, _, _ in outcomes}:
                for done in (False, True):
                    p = sum(p for p, x, _, d in outcomes if x == nxt and bool(d) is done)
                    here = (looks == nxt) & (mdp.terminal == done)
                    assert abs(mdp.P[s, a, here].sum() - p) < 1e-12
            assert abs(mdp.r[s, a] - sum(p * r for p, _, r, _ in outcomes)) < 1e-12


def test_terminal_twins_look_like_their_states():
    mdp = from_gymnasium("Taxi-v4")
    assert mdp.n_states == 504
    assert mdp.obs.shape == (504, 500)
    assert mdp.terminal.sum() == 4
    assert set(mdp.obs[mdp.terminal].argmax(axis=1)) == {0, 85, 410, 475}


def test_gymnasium_without_a_table():
    with pytest.raises(InvalidInput, match="CartPole-v1 has no table"):
        from_gymnasium("CartPole-v1")
    with pytest.raises(InvalidInput, match=r"rewards -1.* and -100|rewards -100.* and -1"):
        from_gymnasium("CliffWalkingSlippery-v1")
