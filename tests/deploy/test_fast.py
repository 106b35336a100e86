"""The lean path of `Agent.act` gives what the general one gives, to the bit, and leaves to it what is out of order."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from npgrad import noise
from npgrad.deploy import Agent
from npgrad.deploy.fast import fast_act
from npgrad.errors import InvalidInput, NonFinite
from npgrad.functions import Linear
from npgrad.policies import ComposedPolicy
from npgrad.spaces import Box, Discrete, unflatten
from tests.deploy.zoo import POLICIES, agent_of, observations

GENERAL = {"softmaxes", "masked", "sensors", "mixture of kinds"}  # several distributions, masks, no Box of observations


def general(agent, obs, u=None):
    """The action by way of `Agent.step`."""
    action, _ = agent.step(agent._flat(obs, 0, None)[None], None if u is None else u[None])
    return agent._single(action)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", sorted(POLICIES.keys() - GENERAL))
def test_same_bits_as_the_general_path(name, dtype):
    agent = agent_of(name, dtype)
    space = agent.policy.observation_space
    for i, flat in enumerate(observations(agent, 200)):
        obs = unflatten(space, flat)
        before = obs.copy()
        for u in (None, noise.draw(agent.policy.draws, 5, noise.ACTION, 0, i)):
            action, expected = fast_act(agent.policy, agent.theta)(obs, u), general(agent, obs, u)
            assert action is not None
            assert type(action) is type(expected)
            np.testing.assert_array_equal(action, expected, strict=True)
            np.testing.assert_array_equal(agent.act(obs, u), expected)
        assert np.array_equal(obs, before)


@pytest.mark.parametrize("name", sorted(GENERAL))
def test_the_rest_is_left_to_the_general_path(name):
    agent = agent_of(name)
    flat = observations(agent, 20)[-1, : agent.policy.function.n_in]
    obs = unflatten(agent.policy.observation_space, flat)
    assert fast_act(agent.policy, agent.theta)(obs, None) is None
    np.testing.assert_array_equal(agent.act(obs), general(agent, obs))


@pytest.mark.parametrize(
    "obs", [[0.1, 0.2, 0.3, 0.4], np.array([0.1, 0.2, 0.3, 0.4]), np.array([1, 2, 3, 4]), np.full(4, True)]
)
def test_other_forms_of_an_observation(obs):
    agent = agent_of("relu, shared σ, clip")  # 0.1 is rounded to the space's float32
    np.testing.assert_array_equal(agent.act(obs), general(agent, obs))
    np.testing.assert_array_equal(agent.act(obs), agent.act(np.asarray(obs, np.float32)))


def test_errors_are_those_of_the_general_path():
    agent = agent_of("linear softmax")
    with pytest.raises(NonFinite, match=r"obs\[1\] is nan"):
        agent.act(np.array([0.0, np.nan, 0.0, 0.0], np.float32))
    for name in ("linear softmax", "normalised softmax"):
        for bad in (np.inf, -np.inf):
            with pytest.raises(NonFinite, match=r"obs\[3\] is -?inf"):
                agent_of(name).act([0.0, 0.0, 0.0, bad])
    for obs in (np.zeros(3), np.zeros((1, 4)), [[0.0], [0.0, 1.0]], "four", np.zeros(4, complex), None):
        with pytest.raises(InvalidInput):
            agent.act(obs)
    with pytest.raises(InvalidInput, match="noise has shape"):
        agent.act(np.zeros(4), [0.5, 0.5])


def test_a_subclass_is_not_taken_for_its_base():
    class Twice(Linear):
        def at(self, theta, obs, offsets=None):
            return super().at(-theta, obs, offsets)

    policy = ComposedPolicy(Twice(1, 2), POLICIES["image, no bias"].distribution, Box(-1.0, 1.0), Discrete(2))
    agent = Agent(policy, np.array([0.0, 1.0, 0.0, 0.0]))
    assert fast_act(policy, agent.theta)([1.0], None) is None
    assert agent.act([1.0]) == 0


def test_threads_share_it():
    agent = agent_of("relu, shared σ, clip")
    obs = observations(agent, 400).astype(np.float32)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(agent.act, obs))
    np.testing.assert_array_equal(together, [agent.act(o) for o in obs])
    assert not np.shares_memory(together[0], agent.theta)
