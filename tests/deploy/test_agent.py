"""Agents act as their policies do, in the environment's own form."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad import noise
from npgrad.deploy import Agent
from npgrad.distributions import Categorical
from npgrad.errors import InvalidInput, NonFinite
from npgrad.functions import Linear
from npgrad.policies import ComposedPolicy, Normaliser, Offset, Rescale, make_policy
from npgrad.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, contains, flatten

rng = np.random.default_rng(0)
sensor = Dict({"door": Discrete(3, start=1), "place": Box(-np.inf, np.inf, (2, 2))})
pairs = {
    "discrete": (Box(-1.0, 1.0, (4,)), Discrete(3, start=-1)),
    "box": (Box(-np.inf, np.inf, (4,), "float64"), Box([-1.0, 0.0], [1.0, 9.0])),
    "dict": (sensor, Discrete(2)),
}


def agent_for(name, **kwargs):
    policy = make_policy(pairs[name], "mlp", hidden=(5,))
    return Agent(policy, rng.normal(size=policy.n_params), **kwargs)


def observation(name):
    if name == "dict":
        return {"door": int(rng.integers(1, 4)), "place": rng.normal(size=(2, 2)).astype(np.float32)}
    return rng.uniform(-1, 1, size=4).astype(pairs[name][0].dtype)


def stacked(observations):
    if isinstance(observations[0], dict):
        return {key: np.stack([o[key] for o in observations]) for key in observations[0]}
    return np.stack(observations)


@pytest.mark.parametrize("name", pairs)
@settings(max_examples=15, deadline=None)
@given(st.booleans())
def test_one_action_is_the_policys(name, noisy):
    agent = agent_for(name)
    policy, obs = agent.policy, observation(name)
    u = noise.draw(policy.draws, 1, noise.ACTION, 0, 0) if noisy else None
    latent, _, _ = policy.act(agent.theta, flatten(policy.observation_space, obs)[None], None if u is None else u[None])
    action = agent.act(obs, u)
    assert np.array_equal(action, policy.action_map(latent)[0].astype(policy.action_space.dtype))
    assert contains(policy.action_space, action)


@pytest.mark.parametrize("name", pairs)
def test_a_batch_is_its_rows(name):
    agent = agent_for(name)
    observations = [observation(name) for _ in range(5)]
    u = noise.draw(agent.policy.draws, 1, noise.ACTION, np.arange(5), 0)
    for given_noise in (None, u):
        rows = [agent.act(o, None if given_noise is None else given_noise[i]) for i, o in enumerate(observations)]
        batch = agent.act_batch(stacked(observations), given_noise)
        np.testing.assert_allclose(batch, np.stack(rows), rtol=1e-6)
        assert batch.dtype == agent.policy.action_space.dtype


def test_the_environment_gets_its_own_form():
    action = agent_for("discrete").act(observation("discrete"))
    assert type(action) is int
    action = agent_for("box").act(observation("box"))
    assert action.shape == (2,)
    assert action.dtype == np.float32


def test_offset_and_rescale_reach_the_environment():
    theta = np.array([0.0, 5.0])  # no weights on the observation, and the second action preferred
    policy = ComposedPolicy(Linear(1, 2), Categorical(2), Box(-1.0, 1.0), Discrete(2, start=3), Offset(3))
    assert Agent(policy, np.concatenate([np.zeros(2), theta])).act([0.5]) == 4
    box = make_policy((Box(-1.0, 1.0), Box(0.0, 10.0, (1,))))
    box = ComposedPolicy(
        box.function, box.distribution, box.observation_space, box.action_space, Rescale((0.0,), (10.0,))
    )
    assert Agent(box, np.zeros(box.n_params)).act([0.5]).tolist() == [5.0]


def test_the_normaliser_is_applied():
    plain = make_policy((Box(-np.inf, np.inf, (2,), "float64"), Box(-1e9, 1e9, (1,), "float64")))
    theta = rng.normal(size=plain.n_params)
    layer = Normaliser(np.array([1.0, 2.0]), np.array([0.5, 4.0]))
    obs = np.array([0.3, -0.7])
    expected = Agent(plain, theta).act((obs - layer.mean) / layer.std)
    np.testing.assert_allclose(Agent(plain.with_normaliser(layer), theta).act(obs), expected, rtol=1e-12)


@pytest.mark.parametrize("name", pairs)
def test_predict_like_stable_baselines3(name):
    agent, obs = agent_for(name), observation(name)
    action, state = agent.predict(obs, deterministic=True)
    assert state is None
    assert np.array_equal(action, agent.act(obs))
    many = stacked([obs] * 3)
    actions, state = agent.predict(many, state, episode_start=np.array([True, False, False]), deterministic=True)
    np.testing.assert_allclose(actions, np.stack([action] * 3), rtol=1e-6)


def test_predict_samples_by_a_counter():
    def run(agent):
        return [agent.predict(np.zeros(4))[0] for _ in range(40)]

    theta = agent_for("discrete").theta
    policy = agent_for("discrete").policy
    first = run(Agent(policy, theta))
    assert first == run(Agent(policy, theta))  # its own counter, starting anew
    assert first != run(Agent(policy, theta, seed=1))
    assert len(set(first)) > 1
    many = Agent(policy, theta).predict(np.zeros((40, 4)))[0]
    assert len(set(many.tolist())) > 1
    (row,) = Agent(policy, theta).predict(np.zeros((1, 4)))[0]
    assert row == first[0]  # a batch of one draws what one draws


def test_predict_samples_the_policy():
    agent = agent_for("discrete")
    obs = np.full((4000, 4), 0.5)
    counts = np.bincount(agent.predict(obs)[0] + 1, minlength=3) / 4000
    log_p = [agent.policy.at(agent.theta, obs[:1], np.array([a])).log_prob[0] for a in range(3)]
    np.testing.assert_allclose(counts, np.exp(log_p), atol=0.04)  # five standard errors


@dataclass(frozen=True)
class Last:
    """y = the last observation, 0 at first: the smallest function with a memory."""

    n_in = n_out = n_memory = 2
    n_params = 0

    def advance(self, theta, obs, memory):
        return memory, obs.astype(theta.dtype)


def test_predict_carries_memory():
    policy = ComposedPolicy(Last(), Categorical(2), Box(-1.0, 1.0, (2,)), Discrete(2))
    agent = Agent(policy, np.zeros(0))
    left, right = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    action, state = agent.predict(right, deterministic=True)
    assert action == 0  # no memory yet: equal logits
    assert agent.predict(left, state, deterministic=True)[0] == 1
    assert agent.predict(left, state, episode_start=True, deterministic=True)[0] == 0
    actions, _ = agent.predict([left, left], np.stack([right, right]), [False, True], deterministic=True)
    assert actions.tolist() == [1, 0]
    assert state.tolist() == [right.tolist()]  # what was lent is not written to
    with pytest.raises(InvalidInput, match="predict"):
        agent.act(left)
    with pytest.raises(InvalidInput, match="state has shape"):
        agent.predict(left, np.zeros((2, 2)))


def test_threads_share_an_agent():
    agent = agent_for("box")
    observations = rng.normal(size=(64, 4))
    expected = [agent.act(o).tolist() for o in observations]
    with ThreadPoolExecutor(4) as pool:
        assert [a.tolist() for a in pool.map(agent.act, observations)] == expected
        drawn = list(pool.map(lambda _: tuple(agent.predict(np.zeros(4))[0].tolist()), range(64)))
    alone = Agent(agent.policy, agent.theta)
    assert sorted(drawn) == sorted(tuple(alone.predict(np.zeros(4))[0].tolist()) for _ in range(64))


@pytest.mark.parametrize("space", [Box(-1.0, 1.0, (2,)), Discrete(3), MultiDiscrete((2, 3)), MultiBinary(2)])
@pytest.mark.parametrize("kind", ["linear", "recurrent"])
def test_no_observations_no_actions(space, kind):
    policy = make_policy((space, Box(-1.0, 1.0, (2,))), kind)
    agent, none = Agent(policy, policy.init(np.random.default_rng(0))), np.zeros((0, *space.shape), space.dtype)
    for deterministic in (True, False):
        actions, memory = agent.predict(none, deterministic=deterministic)
        assert actions.shape == (0, 2)
        assert memory is None or memory.shape == (0, policy.n_memory)


def test_wrong_observations():
    agent = agent_for("discrete")
    with pytest.raises(InvalidInput, match=r"obs has shape \(3,\), expected \(4,\)"):
        agent.act(np.zeros(3))
    with pytest.raises(NonFinite, match=r"obs\[2\] is nan"):
        agent.act([0.0, 0.0, np.nan, 0.0])
    with pytest.raises(NonFinite, match=r"obs\[1\] of observation 2 is inf"):
        agent.act_batch(np.where(np.arange(12).reshape(3, 4) == 9, np.inf, 0.0))
    with pytest.raises(NonFinite, match=r"obs\['place'\]\[1, 0\] is -inf"):
        agent_for("dict").act({"door": 1, "place": [[0.0, 0.0], [-np.inf, 0.0]]})
    with pytest.raises(InvalidInput, match=r"noise has shape \(2,\), expected \(1,\)"):
        agent.act(np.zeros(4), noise=[0.5, 0.5])
    for act in (agent.act, agent.act_batch, agent.predict):
        with pytest.raises(InvalidInput, match="obs is ragged"):
            act([[0.0, 0.0], [0.0]])


def test_wrong_agents():
    policy = agent_for("discrete").policy
    for theta in (np.zeros(policy.n_params + 1), np.zeros(policy.n_params, int), np.zeros(policy.n_params, complex)):
        with pytest.raises(InvalidInput):
            Agent(policy, theta)
    with pytest.raises(NonFinite, match=r"theta\[3\]"):
        Agent(policy, np.where(np.arange(policy.n_params) == 3, np.nan, 0.0))
    with pytest.raises(InvalidInput, match="takes 2 numbers, but its observation space has 4"):
        Agent(ComposedPolicy(Linear(2, 2), Categorical(2), Box(-1.0, 1.0, (4,)), Discrete(2)), np.zeros(6))


def test_theta_is_a_read_only_copy():
    policy = agent_for("discrete").policy
    theta = np.zeros(policy.n_params)
    agent = Agent(policy, theta)
    theta[0] = 1.0
    assert agent.theta[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        agent.theta[0] = 1.0


def test_agents_travel_between_processes():
    agent = agent_for("discrete", info={"env_id": "X-v0"}, seed=3)
    other = pickle.loads(pickle.dumps(agent))
    obs = observation("discrete")
    assert other.act(obs) == agent.act(obs)
    assert (other.info, other.seed) == (agent.info, agent.seed)


def test_masks_say_which_actions_are_allowed():
    policy = make_policy((Box(-1.0, 1.0, (2,)), Discrete(3)), masked=True)
    agent = Agent(policy, np.linspace(-1, 1, policy.n_params))  # the last action is the best
    obs = np.array([0.1, 0.2], dtype=np.float32)
    assert agent.act(obs) == 2
    assert agent.act(obs, mask=[1, 1, 0]) == 1
    assert agent.predict(obs, deterministic=True, mask=np.array([True, False, False]))[0] == 0
    np.testing.assert_array_equal(agent.act_batch(np.stack([obs, obs]), mask=[[1, 0, 0], [1, 1, 1]]), [0, 2])
    with pytest.raises(InvalidInput, match=r"mask has shape \(2,\), expected \(3,\)"):
        agent.act(obs, mask=[1, 1])
    plain = make_policy((Box(-1.0, 1.0, (2,)), Discrete(3)))
    with pytest.raises(InvalidInput, match="takes none"):
        Agent(plain, np.zeros(plain.n_params)).act(obs, mask=[1, 1, 1])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("name", "stop"), [("discrete", 1), ("box", np.array([0.5, 2.0], np.float32)), ("dict", 0)])
def test_an_action_of_ones_own_where_an_observation_is_not_finite(name, stop, bad):
    agent = agent_for(name)
    careful = replace(agent, on_nan=stop)
    observations = [observation(name) for _ in range(4)]
    place = observations[2]["place"] if name == "dict" else observations[2]
    place[0] = bad
    with pytest.raises(NonFinite):
        agent.act(observations[2])
    assert np.array_equal(careful.act(observations[2]), stop)
    assert type(careful.act(observations[2])) is type(agent.act(observations[0]))
    batch = careful.act_batch(stacked(observations))
    assert np.array_equal(batch[2], stop)
    good = [0, 1, 3]
    assert np.array_equal(batch[good], agent.act_batch(stacked([observations[i] for i in good])))
    action, _ = careful.predict(stacked(observations))
    assert np.array_equal(action[2], stop)
    assert pickle.loads(pickle.dumps(careful)).act(observations[2]) is not None


def test_memory_passes_by_an_observation_that_is_not_finite():
    policy = make_policy(pairs["discrete"], "recurrent", hidden=(4,))
    agent = Agent(policy, rng.normal(size=policy.n_params), on_nan=0)
    _, memory = agent.predict(np.ones(4), deterministic=True)
    action, after = agent.predict(np.full(4, np.nan), memory, deterministic=True)
    assert (action, after.tobytes()) == (0, memory.tobytes())


@pytest.mark.parametrize("on_nan", ["stop", 17, 0.5, None, np.nan, [1, 2]])
def test_what_follows_a_nan_must_be_an_action(on_nan):
    with pytest.raises(InvalidInput, match=r"on_nan is .*expected 'error' or an action"):
        agent_for("discrete", on_nan=on_nan)


def test_a_mask_holds_where_an_observation_is_not_finite():
    policy = make_policy(pairs["discrete"], masked=True)
    agent = Agent(policy, np.zeros(policy.n_params), on_nan=1)
    assert agent.act([np.nan, 0, 0, 0], mask=[False, False, True]) == 1
    obs = np.array([[np.nan, 0, 0, 0], [0, 0, 0, 0]])
    assert agent.act_batch(obs, mask=[[1, 0, 0], [0, 0, 1]]).tolist() == [1, 1]


@pytest.mark.parametrize("name", pairs)
def test_predict_draws_the_noise_of_its_call(name):
    """However the calls come (one observation, a batch, a mode between), call n has the noise of step n."""
    agent = agent_for(name, seed=9)
    fresh, draws, n = replace(agent), agent.policy.draws, 0
    for turn in range(150):
        obs = observation(name)
        if turn % 7 == 3:
            actions, _ = fresh.predict(stacked([obs, obs]))
            u = noise.draw(draws, 9, noise.ACTION, np.arange(2), n)
            assert np.array_equal(actions, agent.act_batch(stacked([obs, obs]), u))
        elif turn % 7 == 5:
            fresh.predict(obs, deterministic=True)
            continue
        else:
            action, _ = fresh.predict(obs)
            assert np.array_equal(action, agent.act(obs, noise.draw(draws, 9, noise.ACTION, 0, n)))
        n += 1
