"""The compiled `act` gives the actions of `Agent.act`, and leaves to it what is out of order."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from npgrad import compile_agent, jit, noise
from npgrad.deploy import Agent
from npgrad.errors import InvalidInput, NonFinite
from npgrad.functions import Linear
from npgrad.policies import ComposedPolicy, make_policy
from npgrad.spaces import Box, Discrete
from tests.deploy.zoo import POLICIES, REALS, TWO, agent_of, observations

compiled_only = pytest.mark.skipif(not jit.enabled(), reason="kernels run as plain Python")
BOXES = sorted(POLICIES.keys() - {"sensors"})
N = 10_000


def split(agent, rows):
    """Observations as the environment gives them, and their masks."""
    policy = agent.policy
    n = policy.function.n_in
    space = policy.observation_space
    obs = rows[:, :n].astype(space.dtype).reshape((-1, *space.shape))
    return obs, (rows[:, n:].astype(bool) if policy.n_masked else None)


def assert_same(agent, found, expected):
    found = np.asarray(found)
    if found.dtype.kind in "iu":
        np.testing.assert_array_equal(found, expected)
    else:
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=5e-7 if found.dtype == np.float32 else 1e-12, atol=1e-12)


@compiled_only
@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize("name", BOXES)
def test_same_actions(name, drawn):
    """On ten thousand observations, edges among them; noise and masks too."""
    agent = agent_of(name)
    obs, mask = split(agent, observations(agent, N))
    u = noise.draw(agent.policy.draws, 5, noise.ACTION, np.arange(N), 0) if drawn else None
    u = None if u is None else u.reshape(N, len(agent.policy.draws))
    expected = agent.act_batch(obs, u, mask)
    act = compile_agent(agent)
    found = [act(obs[i], None if u is None else u[i], None if mask is None else mask[i]) for i in range(N)]
    assert_same(agent, found, expected)
    assert type(found[0]) is type(agent.act(obs[0]))
    assert np.asarray(found[0]).shape == agent.policy.action_space.shape


@compiled_only
@pytest.mark.parametrize(
    "name", ["linear softmax", "normalised softmax", "state σ, tanh", "softmaxes", "image, no bias"]
)
def test_the_kernel_itself_answers(name, monkeypatch):
    """And is not saved by the general path."""
    agent = agent_of(name)

    def never(self, *args):
        raise AssertionError(f"general path with {args}")

    expected = agent.act(split(agent, observations(agent, 20))[0][15])
    monkeypatch.setattr(Agent, "act", never)
    obs = split(agent, observations(agent, 20))[0][15]
    for form in (obs, obs.astype(np.float64)):
        assert_same(agent, compile_agent(agent)(form), np.asarray(expected))
    obs.flags.writeable = False
    assert_same(agent, compile_agent(agent)(obs), np.asarray(expected))
    with pytest.raises(AssertionError, match="general path"):
        compile_agent(agent)(obs.tolist())


@compiled_only
def test_float32_agents_are_computed_in_float64():
    single = agent_of("normalised softmax", np.float32)
    double = Agent(single.policy, single.theta.astype(np.float64))
    rows = observations(double, 500)
    act = compile_agent(single)
    assert [act(row) for row in rows] == double.act_batch(rows).tolist()


@pytest.mark.parametrize("name", ["linear softmax", "relu, shared σ, clip"])
def test_what_is_out_of_order_is_left_to_the_agent(name):
    agent = agent_of(name)
    act = compile_agent(agent)
    for obs in ([0.1, 0.2, 0.3, 0.4], np.array([1, 2, 3, 4]), np.arange(8.0)[::2]):
        np.testing.assert_array_equal(act(obs), agent.act(obs))
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(NonFinite, match=r"obs\[3\] is"):
            act(np.array([0.0, 0.0, 0.0, bad], np.float32))
    with pytest.raises(NonFinite, match=r"obs\[0\] is inf"), np.errstate(over="ignore"):
        act(np.array([1e300, 0.0, 0.0, 0.0]))  # beyond float32, the space's dtype
    for obs in (np.zeros(3), np.zeros(5), np.zeros((1, 4)), "four", None):
        with pytest.raises(InvalidInput):
            act(obs)
    with pytest.raises(InvalidInput, match="noise has shape"):
        act(np.zeros(4), np.full(3, 0.5))
    with pytest.raises(InvalidInput, match="mask is given"):
        act(np.zeros(4), None, np.ones(3, bool))


@pytest.mark.parametrize("name", ["normalised softmax", "relu, shared σ, clip"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_bytes_in_the_other_order_are_numbers_all_the_same(name, dtype):
    agent = agent_of(name)
    act = compile_agent(agent)
    obs, u = fixed(np.array([0.5, -2.0, 5.5, 0.2], dtype)), fixed(np.full(len(agent.policy.draws), 0.9))
    expected = [agent.act(obs), agent.act(obs, u)]
    for o, v in ((obs, u), (swapped(obs), u), (obs, swapped(u)), (swapped(obs), swapped(u))):
        np.testing.assert_allclose([act(o), act(o, v)], expected, rtol=1e-6)


def fixed(array):
    """The array, read-only as `np.frombuffer` has it: of such numba remembers types without the order of bytes."""
    array.flags.writeable = False
    return array


def swapped(array):
    """The same numbers, their bytes in the order that is not the processor's."""
    return fixed(array.astype(array.dtype.newbyteorder()))


def test_masks_are_checked():
    agent = agent_of("masked")
    act, obs = compile_agent(agent), np.zeros(4)
    for mask in (np.zeros(5, bool), np.ones(4, bool)):
        with pytest.raises(InvalidInput):
            act(obs, None, mask)
    for i in range(5):
        assert act(obs, np.array([0.9]), np.eye(5, dtype=bool)[i]) == i
    assert act(obs, None, np.eye(5)[2]) == 2  # no booleans: by the general path


def test_policies_that_cannot_be_compiled_say_so():
    class Mine(Linear):
        pass

    cases = {
        "Recurrent cannot be compiled": make_policy((REALS, Discrete(2)), "recurrent"),
        "FullGaussian cannot be compiled": make_policy((REALS, TWO), std="full"),
        "Mine cannot be compiled; supported are Linear": ComposedPolicy(
            Mine(4, 3), POLICIES["linear softmax"].distribution, REALS, Discrete(3)
        ),
        "cannot be compiled, only a Box of floats": POLICIES["sensors"],
        r"Discrete.* cannot be compiled": make_policy((Discrete(3), Discrete(2))),
    }
    for message, policy in cases.items():
        with pytest.raises(InvalidInput, match=message):
            compile_agent(Agent(policy, policy.init(np.random.default_rng(0))))


@compiled_only
def test_logits_that_overflow_are_left_to_the_agent():
    policy = make_policy((Box(-1e308, 1e308, (1,), "float64"), Discrete(2)))
    agent = Agent(policy, np.array([0.0, 1e10, 0.0, 0.0]))
    with np.errstate(all="ignore"):
        assert compile_agent(agent)(np.array([1e308])) == agent.act(np.array([1e308])) == 1


@compiled_only
def test_threads_share_it():
    agent = agent_of("relu, shared σ, clip")
    obs = observations(agent, 2000).astype(np.float32)
    act = compile_agent(agent)
    alone = [act(o) for o in obs]
    with ThreadPoolExecutor(4) as pool:
        np.testing.assert_array_equal(list(pool.map(act, obs)), alone)
