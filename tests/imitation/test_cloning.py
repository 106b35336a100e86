"""Cloning: where it ends, when it stops, what it takes, and what begins with it."""

import numpy as np
import pytest

from npgrad.algorithms.reinforce import REINFORCE
from npgrad.data import Demonstrations, demonstrations_of, record
from npgrad.deploy import Agent, load_agent
from npgrad.errors import InvalidInput, NonFinite, UnknownName
from npgrad.imitation import CloningSettings, clone, cloning_loss, latent_batch, reward_weights
from npgrad.policies import make_policy
from npgrad.rollouts import make_rollout
from npgrad.spaces import Box, Discrete
from npgrad.types import Batch
from tests.imitation.test_likelihood import SEEN, SPACES, demonstrations

QUICK = CloningSettings(epochs=3, batch_size=4)


def lean(obs):
    return int(obs[2] + obs[3] > 0)


@pytest.fixture(scope="module")
def leaning():
    return record(lean, "CartPole-v1", 6)


def on_a_table(counts):
    """Demonstrations of counts[s][a] steps in each state, one-hot, as episodes of one step."""
    s, a = (np.repeat(x.ravel(), np.ravel(counts)) for x in np.indices(np.shape(counts)))
    n, S = len(s), len(counts)
    batch = Batch(np.eye(S)[s], a, np.zeros(n), np.zeros(n), np.arange(n + 1), np.ones(n), np.zeros(n), np.eye(S)[s])
    return Demonstrations(batch, Discrete(S), Discrete(len(counts[0])))


def test_on_a_table_it_ends_at_the_frequencies():
    counts = np.array([[1, 3, 4], [6, 1, 1]])
    settings = CloningSettings(epochs=400, learning_rate=0.1, held_out=0, normalize_observations=False)
    found = clone(on_a_table(counts), "linear", settings)
    policy, theta = found.agent.policy, found.agent.theta
    log_p = [policy.log_prob(theta, np.eye(2), np.full(2, a)) for a in range(3)]
    np.testing.assert_allclose(np.exp(log_p).T, counts / 8, atol=1e-3)


def test_weights_count_rows():
    """Weights of whole numbers are copies."""
    settings = CloningSettings(epochs=300, learning_rate=0.1, held_out=0, normalize_observations=False)
    demos = on_a_table([[1, 1], [1, 1]])
    found = clone(demos, "linear", settings, weights=[1, 3, 0, 2])
    p = [found.agent.policy.log_prob(found.agent.theta, np.eye(2), np.full(2, a)) for a in range(2)]
    np.testing.assert_allclose(np.exp(p)[:, 0], [0.25, 0.75], atol=1e-3)
    assert np.exp(p)[1, 1] > 0.99  # nothing speaks for the other


def test_a_linear_gaussian_ends_at_least_squares():
    demos = demonstrations(SPACES[3], lengths=(40, 40))
    settings = CloningSettings(epochs=600, batch_size=80, learning_rate=0.02, held_out=0, normalize_observations=False)
    agent = clone(demos, "linear", settings).agent
    X = np.column_stack([demos.batch.obs, np.ones(80)])
    W, *_ = np.linalg.lstsq(X, demos.batch.act, rcond=None)
    means = agent.policy.distribution.mode(agent.policy.function.at(agent.theta, demos.batch.obs).y)
    np.testing.assert_allclose(means, X @ W, atol=1e-3)
    sigma = np.exp(agent.theta[-2:])  # the shared log σ
    np.testing.assert_allclose(sigma**2, ((demos.batch.act - X @ W) ** 2).mean(axis=0), rtol=1e-2)


@pytest.mark.parametrize("kind", ["linear", "mlp", "recurrent"])
@pytest.mark.parametrize("space", SPACES, ids=lambda s: type(s).__name__)
def test_any_policy_and_space(space, kind):
    demos = demonstrations(space)
    found = clone(demos, kind, QUICK, policy_kwargs={"hidden": (4,)})
    assert len(found.log) == 3
    assert all(np.isfinite(list(row.values())).all() for row in found.log)
    assert found.log[-1]["train/loss"] < found.log[0]["train/loss"]
    again = clone(demos, kind, QUICK, policy_kwargs={"hidden": (4,)})
    np.testing.assert_array_equal(again.agent.theta, found.agent.theta)
    other = clone(demos, kind, QUICK, policy_kwargs={"hidden": (4,)}, seed=1)
    assert (other.agent.theta != found.agent.theta).any()


@pytest.mark.parametrize("action_map", ["clip", "tanh", "rescale"])
def test_any_action_map(action_map):
    """Modes go through the map to the actions of a demonstrator who always does the same."""
    demos = record(lambda obs: np.array([1.5], dtype=np.float32), "Pendulum-v1", 1)
    settings = CloningSettings(epochs=200, learning_rate=0.05, batch_size=50)
    agent = clone(demos, "linear", settings, policy_kwargs={"action_map": action_map, "std": "fixed"}).agent
    np.testing.assert_allclose(agent.act_batch(demos.batch.obs), 1.5, atol=0.02)


def test_it_stops_when_what_is_held_out_says_so():
    """Random actions: the more is learned of them, the less likely are others."""
    demos = demonstrations(SPACES[0], lengths=(10,) * 6)
    settings = CloningSettings(epochs=500, batch_size=10, learning_rate=0.02, held_out=0.5, patience=5)
    found = clone(demos, "mlp", settings)
    losses = [row["eval/loss"] for row in found.log]
    assert len(losses) == 5 + 1 + int(np.argmin(losses)) < 500
    assert found.best["eval/loss"] == min(losses)
    untrained = clone(demos, "mlp", CloningSettings(epochs=500, batch_size=10, learning_rate=0.02, held_out=0))
    assert len(untrained.log) == 500
    assert "eval/loss" not in untrained.best


def test_what_is_held_out_is_not_learned_from():
    """One of two episodes lies: which one is held out decides what is learned."""
    obs, act = np.ones((8, 1)), np.repeat([0, 1], 4)
    batch = Batch(obs, act, np.zeros(8), np.zeros(8), np.array([0, 4, 8]), np.ones(2), np.zeros(2), np.ones((2, 1)))
    demos = Demonstrations(batch, Box(-1.0, 1.0, (1,)), Discrete(2))
    settings = CloningSettings(epochs=50, learning_rate=0.1, held_out=0.5, patience=50, normalize_observations=False)
    found = clone(demos, "linear", settings)
    assert found.log[-1]["train/loss"] < 0.01
    assert found.log[-1]["eval/loss"] > 2
    assert found.best is found.log[0]


def test_a_single_episode_has_nobody_to_judge_it():
    found = clone(demonstrations(SPACES[0], lengths=(9,)), "linear", QUICK)
    assert "eval/loss" not in found.log[0]


def test_it_does_as_was_demonstrated(leaning):
    found = clone(leaning, "linear", CloningSettings(epochs=100, learning_rate=0.02))
    agreement = np.mean(found.agent.act_batch(leaning.batch.obs) == leaning.batch.act)
    assert agreement > 0.85
    policy = found.agent.policy
    assert policy.normaliser is not None
    batch = latent_batch(leaning, policy)
    assert float(cloning_loss(policy, found.agent.theta, batch)[0]) < 0.3


def test_where_it_begins(leaning):
    first = clone(leaning, "linear", CloningSettings(epochs=60, learning_rate=0.02))
    seen = []
    clone(leaning, first.agent.policy, CloningSettings(epochs=1), theta=first.agent.theta, progress=seen.append)
    assert seen[0]["train/loss"] < first.log[5]["train/loss"]


def test_a_cloned_policy_begins_any_algorithm(leaning, tmp_path):
    plain = CloningSettings(epochs=30, learning_rate=0.02, normalize_observations=False)
    clone(leaning, "linear", plain).agent.save(tmp_path / "agent.npz")
    agent = load_agent(tmp_path / "agent.npz")
    model = REINFORCE.load(tmp_path / "agent.npz", n_episodes=2, learning_rate=1e-9)
    np.testing.assert_array_equal(model.state.theta, agent.theta)
    assert model.learn(100).agent.act([0, 0, 0.1, 0]) == agent.act([0, 0, 0.1, 0])


def test_its_normaliser_goes_on(leaning):
    agent = clone(leaning, "linear", CloningSettings(epochs=2)).agent
    model = REINFORCE("CartPole-v1", normalize_observations=True)
    state = model.state_from(agent)
    normaliser = state.group("normaliser")
    assert int(normaliser["count"]) == leaning.n_steps
    np.testing.assert_allclose(normaliser["mean"], leaning.batch.obs.mean(axis=0, dtype=np.float64))


def test_masks_stay_masks():
    demos = demonstrations(SPACES[0])
    masks = np.ones((12, 3))
    batch = demos.batch
    masked = Demonstrations(
        Batch(
            np.concatenate([batch.obs, masks], axis=1),
            *(batch.act, batch.rew, batch.logp, batch.offsets, batch.terminated, batch.truncated),
            np.concatenate([batch.final_obs, masks[:3]], axis=1),
        ),
        SEEN,
        SPACES[0],
        n_masked=3,
    )
    found = clone(masked, "linear", QUICK)
    np.testing.assert_array_equal(found.agent.theta, clone(demos, "linear", QUICK).agent.theta)
    assert found.agent.act(np.zeros(3), mask=[0, 1, 0]) == 3


@pytest.mark.parametrize("temperature", [None, 10.0])
def test_reward_weighted_regression_climbs(temperature):
    """On its own episodes, weighted by their returns, cloning improves a policy without a gradient of the return."""
    rollout = make_rollout("CartPole-v1")
    policy = make_policy(rollout, "linear")
    theta, means = np.zeros(policy.n_params), []
    fit = CloningSettings(epochs=20, learning_rate=0.05, held_out=0, normalize_observations=False)
    for i in range(6):
        batch = rollout.episodes(policy, theta, seed=i, first=0, count=40)
        means.append(batch.returns().mean())
        own = demonstrations_of(batch, policy, {})
        theta = clone(own, policy, fit, weights=reward_weights(batch, temperature), theta=theta).agent.theta
    assert means[-1] > 2.5 * means[0]


# Bad input


def test_bad_weights(leaning):
    n = leaning.n_steps
    for w, error, words in (
        (np.ones(3), InvalidInput, "weights has shape"),
        (-np.ones(n), InvalidInput, "expected 0 or more"),
        (np.zeros(n), InvalidInput, "some above 0"),
        (np.full(n, np.nan), NonFinite, "weights"),
    ):
        with pytest.raises(error, match=words):
            clone(leaning, "linear", QUICK, weights=w)


def test_other_spaces(leaning):
    with pytest.raises(InvalidInput, match="the demonstrations have observation space"):
        clone(leaning, make_policy(make_rollout("Acrobot-v1")), QUICK)
    with pytest.raises(UnknownName, match="unknown policy 'liner'; did you mean 'linear'"):
        clone(leaning, "liner", QUICK)
    with pytest.raises(InvalidInput, match="the policy is made already"):
        clone(leaning, make_policy(make_rollout("CartPole-v1")), QUICK, policy_kwargs={"hidden": (3,)})


def test_a_step_too_large_is_told(leaning):
    with pytest.raises(NonFinite, match="theta"), np.errstate(all="ignore"):
        clone(leaning, "linear", CloningSettings(learning_rate=1e308))


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", 0), ("batch_size", 0), ("learning_rate", -1.0), ("patience", 0), ("held_out", 0.7), ("held_out", -1)],
)
def test_settings_out_of_range(name, value):
    with pytest.raises(InvalidInput, match=f"{name} is {value}, expected"):
        CloningSettings(**{name: value})


def test_the_agent_says_where_it_comes_from(leaning):
    agent = clone(leaning, "mlp", QUICK, policy_kwargs={"hidden": (3,)}, seed=4).agent
    assert isinstance(agent, Agent)
    assert agent.info["algo"] == "clone"
    assert agent.info["env_id"] == "CartPole-v1"
    assert agent.info["policy_options"] == {"hidden": (3,)}
    assert agent.info["hyperparameters"]["epochs"] == 3
