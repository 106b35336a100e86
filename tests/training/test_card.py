import json

import numpy as np
import pytest

from npgrad import REINFORCE
from npgrad.deploy import Agent
from npgrad.policies import make_policy
from npgrad.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple, contains
from npgrad.training.card import an_observation, card, card_text, seconds_per_action

SPACES = [
    Box(2.0, 3.0, (2, 2)),
    Box([-np.inf, -3.0], [np.inf, -1.0]),
    Box(0, 255, (3,), "uint8"),
    Discrete(4, start=7),
    MultiDiscrete((2, 3), start=(1, 5)),
    MultiBinary(3),
    Dict({"b": Discrete(3), "a": Tuple((Box(0.0, 1.0, (2,)), MultiBinary(2)))}),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_an_observation_is_in_its_space(space):
    assert contains(space, an_observation(space))


@pytest.mark.parametrize("space", SPACES, ids=str)
@pytest.mark.parametrize("kind", ["linear", "recurrent"])
def test_the_speed_in_every_space(space, kind):
    policy = make_policy((space, Discrete(2)), kind, hidden=(3,))
    assert 0 < seconds_per_action(Agent(policy, np.zeros(policy.n_params)), calls=10) < 0.1


def test_everything_is_said(tmp_path):
    model = REINFORCE("Pendulum-v1", seed=0, policy="mlp", policy_kwargs={"hidden": (8,)}, normalize_observations=True)
    info = {"env_id": "Pendulum-v1", "algo": "reinforce", "seed": 4, "timesteps": 12_000, "mean_return": -200.25}
    info |= {"ci95": (-220.0, -180.5), "eval_episodes": 10, "env_kwargs": {"g": 9.81}}
    info |= {"hyperparameters": {"learning_rate": 0.1, "gamma": 1.0, "causality": True, "hidden": (3, 4)}}
    agent = Agent(model.agent.policy, model.agent.theta, info)
    agent.save(tmp_path / "agent.npz")
    facts = card(agent, tmp_path / "agent.npz")
    assert json.loads(json.dumps(facts)) == facts
    assert facts["bytes"] == (tmp_path / "agent.npz").stat().st_size
    text = card_text(facts, usual={"gamma": 1.0})
    for words in (
        "MLP 3-8-1 tanh + Constant 1 → DiagonalGaussian(k=1)",
        f"{agent.policy.n_params} parameters, float64, observations normalised",
        "Box (3,) float32",
        "Box (1,) float32 in [-2, 2]",
        "by Clip(",
        "Pendulum-v1, reinforce, seed 4, 12,000 timesteps",
        "-200.2  (95% interval -220.0 to -180.5; 10 greedy episodes)",
        "made with g 9.81",
        "learning_rate 0.1, causality on, hidden 3×4; others as usual",
        "µs an action here",
    ):
        assert words in text, words
    assert "gamma" not in text


def test_an_agent_that_says_nothing_of_itself():
    policy = make_policy((Box(-1.0, 1.0, (2,)), Discrete(3)), "recurrent", hidden=(4,))
    text = card_text(card(Agent(policy, np.zeros(policy.n_params))))
    assert "from      unknown" in text
    assert "memory of 4 numbers" in text
    assert "score     not evaluated" in text
    masked = make_policy((Box(-1.0, 1.0, (2,)), Discrete(3)), "linear", masked=True)
    assert "a mask over 3 actions" in card_text(card(Agent(masked, np.zeros(masked.n_params))))
