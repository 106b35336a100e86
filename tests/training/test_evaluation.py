import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad.deploy import Agent
from npgrad.errors import InvalidInput, NonFinite, UnknownName
from npgrad.policies import make_policy
from npgrad.rollouts import GymnasiumRollout
from npgrad.training import EvaluationResult, evaluate_policy, summarise
from npgrad.training.evaluation import interquartile_mean, mean_interval

KEYS = {
    "mean_return",
    "std_return",
    "median_return",
    "iqm_return",
    "ci95",
    "mean_length",
    "episodes",
    "deterministic",
}


def test_the_keys_and_plain_values():
    summary = summarise(np.arange(8.0), np.arange(8), deterministic=False, seed=1)
    assert set(summary) == KEYS
    assert json.loads(json.dumps(summary)) == summary
    assert summary["mean_return"] == 3.5
    assert summary["median_return"] == 3.5
    assert summary["std_return"] == np.sqrt(np.mean((np.arange(8) - 3.5) ** 2))
    assert summary["iqm_return"] == np.mean([2, 3, 4, 5])
    assert summary["episodes"] == 8
    assert summary["deterministic"] is False


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_interquartile_mean_is_the_mean_of_what_is_left(values):
    ordered = sorted(values)
    for _ in range(len(values) // 4):
        ordered = ordered[1:-1]
    assert interquartile_mean(values) == pytest.approx(sum(ordered) / len(ordered), rel=1e-12, abs=1e-9)


def test_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(200):
        low, high = mean_interval(rng.normal(size=40), seed=seed)
        hits += low < 0 < high
    assert 177 <= hits <= 198  # 95 % of 200, four deviations of the binomial below


def test_interval_against_the_normal_one_and_its_relations():
    values = np.random.default_rng(1).normal(5, 2, 400)
    low, high = mean_interval(values, seed=0)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.03)
    assert high == pytest.approx(values.mean() + half, abs=0.03)
    assert mean_interval(values, seed=0) == (low, high)
    np.testing.assert_allclose(mean_interval(3 * values + 1, seed=0), (3 * low + 1, 3 * high + 1), rtol=1e-12)
    narrow = mean_interval(values, seed=0, level=0.5)
    assert low < narrow[0] < values.mean() < narrow[1] < high


def test_one_episode_has_an_interval_of_no_width():
    assert summarise([3.0], [1])["ci95"] == [3.0, 3.0]


@pytest.mark.parametrize(("returns", "lengths"), [([], []), ([1.0], [1, 2]), ([[1.0]], [[1]])])
def test_bad_results(returns, lengths):
    with pytest.raises(InvalidInput, match="expected both"):
        EvaluationResult(np.array(returns), np.array(lengths))


def test_a_return_that_is_not_finite():
    with pytest.raises(NonFinite, match=r"returns\[1\] is nan"):
        summarise([1.0, np.nan], [1, 1])


@pytest.fixture(scope="module")
def agent():
    rollout = GymnasiumRollout("CartPole-v1")
    policy = make_policy(rollout, "linear")
    weights = np.zeros((4, 2))
    weights[:, 1] = [0.1, 0.3, 1.0, 1.0]  # push where the pole falls
    theta = np.concatenate([weights.ravel(), np.zeros(policy.n_params - 8)])
    return Agent(policy, theta)


def test_evaluate_policy_in_its_two_forms(agent):
    mean, std = evaluate_policy(agent, "CartPole-v1", n_eval_episodes=4)
    returns, lengths = evaluate_policy(agent, "CartPole-v1", n_eval_episodes=4, return_episode_rewards=True)
    assert (mean, std) == (np.mean(returns), np.std(returns))
    assert returns == lengths
    assert len(returns) == 4
    assert mean > 100


def test_evaluate_policy_is_a_function_of_its_seed(agent):
    def run(seed, deterministic):
        return evaluate_policy(agent, "CartPole-v1", 3, deterministic, seed, return_episode_rewards=True)[0]

    assert run(0, False) == run(0, False)
    assert run(0, False) != run(1, False)
    assert run(0, True) != run(0, False)


def test_evaluate_policy_on_an_environment_at_hand(agent):
    import gymnasium

    env = gymnasium.make("CartPole-v1")
    by_id = evaluate_policy(agent, "CartPole-v1", 3, return_episode_rewards=True)
    assert evaluate_policy(agent, env, 3, return_episode_rewards=True) == by_id
    assert evaluate_policy(agent, lambda: gymnasium.make("CartPole-v1"), 3, return_episode_rewards=True) == by_id
    env.reset()  # still open


def test_evaluate_policy_refuses_what_does_not_fit(agent):
    with pytest.raises(InvalidInput, match="expected an npgrad Agent"):
        evaluate_policy(object(), "CartPole-v1")
    with pytest.raises(InvalidInput, match="observation_space of Acrobot-v1"):
        evaluate_policy(agent, "Acrobot-v1")
    with pytest.raises(UnknownName, match="CartPole-v1"):
        evaluate_policy(agent, "CartPol-v1")
    with pytest.raises(InvalidInput, match="n_eval_episodes"):
        evaluate_policy(agent, "CartPole-v1", 0)
