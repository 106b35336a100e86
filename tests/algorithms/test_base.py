"""What every algorithm has from its base: learning with evaluations, policy options, going on from an agent."""

import itertools

import pytest

from npgrad import REINFORCE
from npgrad.errors import InvalidInput, UnknownName
from npgrad.policies import make_policy

FAST = {"n_episodes": 8, "learning_rate": 0.3, "gamma": 0.99}


def test_learning_until_a_return():
    evaluations = []

    def watch(seen):
        if seen.evaluation:
            evaluations.append((seen.state.timesteps, seen.evaluation.result.mean_return, seen.agent.theta))

    model = REINFORCE("CartPole-v1", seed=1, **FAST).learn(60_000, stop_at=200.0, eval_episodes=5, callback=watch)
    assert len(evaluations[0][2]) == 10
    assert all(score < 200 for _, score, _ in evaluations[:-1])
    assert evaluations[-1][1] >= 200
    assert model.state.timesteps == evaluations[-1][0] < 60_000
    assert all(b - a >= 2000 for (a, *_), (b, *_) in itertools.pairwise(evaluations))  # a twentieth


def test_the_best_agent_is_kept():
    seen = []
    model = REINFORCE("CartPole-v1", seed=0, **{**FAST, "learning_rate": 3.0})
    model.learn(20_000, eval_every=500, eval_episodes=5, callback=lambda s: seen.append((s.evaluation, s.agent)))
    best = max((e.result.mean_return for e, _ in seen if e))
    chosen = [agent.theta for e, agent in seen if e and e.result.mean_return == best]
    assert any((model.agent.theta == theta).all() for theta in chosen)
    assert model.evaluate(model.agent, 5).mean_return == best


def test_policy_options():
    model = REINFORCE("CartPole-v1", policy="mlp", policy_kwargs={"hidden": (5,), "activation": "relu"})
    assert model.policy.function.hidden == (5,)
    own = make_policy(model.rollout, "linear")
    assert REINFORCE("CartPole-v1", policy=own).policy is own
    with pytest.raises(InvalidInput, match="the policy is made already"):
        REINFORCE("CartPole-v1", policy=own, policy_kwargs={"hidden": (5,)})
    with pytest.raises(UnknownName, match="did you mean 'learning_rate_schedule'"):
        REINFORCE("CartPole-v1", learning_rate_schedul="linear")
