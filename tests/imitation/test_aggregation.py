"""DAgger: who acts, who is asked, what is kept."""

import numpy as np
import pytest

from npgrad.data import record
from npgrad.deploy import Agent
from npgrad.errors import ExpertFailure, InvalidInput
from npgrad.imitation import CloningSettings, DaggerSettings, Expert, Mixture, clone, dagger
from npgrad.policies import make_policy
from npgrad.rollouts import make_rollout
from npgrad.spaces import Box, Discrete

FAST = CloningSettings(epochs=5, learning_rate=0.05)
SHORT = DaggerSettings(n_iterations=2, n_episodes=2, n_demonstrations=2)


def lean(obs):
    return int(obs[2] + obs[3] > 0)


@pytest.fixture(scope="module")
def agent():
    """The heuristic above as an agent."""
    policy = make_policy(make_rollout("CartPole-v1"), "linear")
    theta = np.zeros(policy.n_params)
    theta[5] = theta[7] = 1.0  # W[2, 1] = W[3, 1]: the second action's preference is o_2 + o_3
    return Agent(policy, theta, {"env_id": "CartPole-v1"})


@pytest.mark.parametrize("schedule", ["first", "linear", "exponential"])
@pytest.mark.parametrize("kind", ["agent", "function"])
def test_every_state_has_the_experts_action(agent, kind, schedule):
    settings = DaggerSettings(n_iterations=2, n_episodes=2, n_demonstrations=2, schedule=schedule)
    found = dagger("CartPole-v1", agent if kind == "agent" else lean, "linear", settings, FAST, eval_episodes=2)
    batch = found.demonstrations.batch
    assert batch.n_episodes == 6
    np.testing.assert_array_equal(batch.act, batch.obs[:, 2] + batch.obs[:, 3] > 0)
    rows = [row["dagger/rows"] for row in found.log]
    assert rows == sorted(rows)
    assert rows[-1] == batch.n_steps
    assert found.log[-1]["dagger/queries"] == batch.n_steps  # each state is asked about once
    betas = [row["dagger/beta"] for row in found.log]
    assert (
        betas
        == {
            "first": [1, 0, 0],
            "linear": [1, pytest.approx(2 / 3), pytest.approx(1 / 3)],
            "exponential": [1, 0.5, 0.25],
        }[schedule]
    )
    assert max(row["eval/mean_reward"] for row in found.log) == found.agent.info["mean_return"]


def test_an_agent_and_the_same_function_give_the_same(agent):
    a, b = (dagger("CartPole-v1", e, "linear", SHORT, FAST, eval_episodes=2) for e in (agent, lean))
    assert a.demonstrations.batch.n_episodes == b.demonstrations.batch.n_episodes
    again = dagger("CartPole-v1", agent, "linear", SHORT, FAST, eval_episodes=2)
    np.testing.assert_array_equal(a.agent.theta, again.agent.theta)
    assert str(a.log) == str(again.log)


def test_it_learns_what_the_expert_does(agent):
    settings = DaggerSettings(n_iterations=4, n_episodes=3, n_demonstrations=2)
    found = dagger("CartPole-v1", agent, "linear", settings, CloningSettings(epochs=60, learning_rate=0.05))
    assert found.agent.info["mean_return"] > 0.9 * record(agent, n_episodes=20).batch.returns().mean()
    assert found.log[-1]["dagger/disagreement"] < 0.2


def test_it_goes_on_from_demonstrations(agent):
    first = dagger("CartPole-v1", agent, "linear", SHORT, FAST, eval_episodes=2)
    on = dagger("CartPole-v1", agent, "linear", SHORT, FAST, demonstrations=first.demonstrations, eval_episodes=2)
    n = first.demonstrations.n_steps
    np.testing.assert_array_equal(on.demonstrations.batch.obs[:n], first.demonstrations.batch.obs)
    assert on.log[0]["dagger/queries"] == 0


def test_it_stops_at_a_return(agent):
    found = dagger("CartPole-v1", agent, "linear", SHORT, FAST, stop_at=1.0, eval_episodes=2)
    assert len(found.log) == 1


# An expert that fails


class Tired:
    """Leans until it has been asked so often."""

    def __init__(self, patience):
        self.left = patience

    def __call__(self, obs):
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("let me sleep")
        return lean(obs)


@pytest.mark.parametrize("schedule", ["first", "exponential"])
@pytest.mark.parametrize("patience", [1005, 1100, 1600])
def test_nothing_is_lost_when_the_expert_raises(schedule, patience):
    settings = DaggerSettings(n_iterations=9, n_episodes=2, n_demonstrations=2, schedule=schedule)
    saved = []
    with pytest.raises(ExpertFailure, match=r"in iteration \d, the expert raised RuntimeError: let me sleep") as caught:
        dagger(
            *("CartPole-v1", Tired(patience), "linear", settings, FAST),
            eval_episodes=2,
            save=lambda data, agent: saved.append((data, agent)),
        )
    kept = caught.value.kept
    batch = kept.demonstrations.batch
    if schedule == "first":
        assert batch.n_steps == patience  # every answer
    else:
        assert 1000 < batch.n_steps <= patience  # those before the first state that nobody was asked about
    np.testing.assert_array_equal(batch.act, batch.obs[:, 2] + batch.obs[:, 3] > 0)
    assert saved[-1][0] is kept.demonstrations
    clone(kept.demonstrations, "linear", FAST)  # it is of use
    on = dagger("CartPole-v1", lean, "linear", SHORT, FAST, demonstrations=kept.demonstrations, eval_episodes=2)
    assert on.demonstrations.n_steps > batch.n_steps


def test_an_expert_that_fails_at_once():
    with pytest.raises(ExpertFailure, match="in episode 0, the expert raised") as caught:
        dagger("CartPole-v1", Tired(3), "linear", SHORT, FAST)
    assert caught.value.kept is None
    with pytest.raises(ExpertFailure, match="the expert gave 7 at observation"):
        dagger("CartPole-v1", lambda obs: 7, "linear", SHORT, FAST)


def test_other_spaces(agent):
    with pytest.raises(InvalidInput, match="the expert's observation space is"):
        dagger("Acrobot-v1", agent, "linear", SHORT, FAST)
    with pytest.raises(InvalidInput, match="the demonstrations have observation space"):
        dagger("CartPole-v1", agent, make_policy(make_rollout("Acrobot-v1")), SHORT, FAST)
    shown = record(lambda obs: 0, "Acrobot-v1", 1)
    with pytest.raises(InvalidInput, match=r"the demonstrations have observation space .*, but the environment"):
        dagger("CartPole-v1", agent, "linear", SHORT, FAST, demonstrations=shown)
    policy = make_policy(make_rollout("CartPole-v1"), "recurrent", hidden=(2,))
    with pytest.raises(InvalidInput, match="the expert has a memory"):
        dagger("CartPole-v1", Agent(policy, policy.init(np.random.default_rng(0))), "linear", SHORT, FAST)


def test_a_learner_with_a_memory(agent):
    found = dagger("CartPole-v1", agent, "recurrent", SHORT, FAST, policy_kwargs={"hidden": (3,)}, eval_episodes=2)
    assert found.agent.policy.n_memory == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"n_iterations": 0}, "n_iterations"), ({"p": 1.5}, "p is 1.5"), ({"schedule": "lin"}, "unknown schedule 'lin'")],
)
def test_settings_out_of_range(changes, words):
    with pytest.raises(InvalidInput, match=words):
        DaggerSettings(**changes)


# The mixture


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_the_expert_acts_in_its_share_of_the_steps(beta):
    space = Box(-9.0, 9.0, (4,))
    policy = make_policy((space, Discrete(2)), "linear")
    theta = np.zeros(policy.n_params)
    theta[-2] = 50.0  # always 0
    mixed = Mixture(policy, Expert(lambda obs: 1, space, Discrete(2)), beta)
    rng = np.random.default_rng(0)
    noise, obs = rng.random((5000, 2)), rng.normal(size=(5000, 4)).astype(np.float32)
    act, _, _ = mixed.act(theta, obs, noise)
    np.testing.assert_array_equal(act, noise[:, 1] < beta)
    assert abs(act.mean() - beta) <= 4 * np.sqrt(beta * (1 - beta) / 5000)


def test_a_learner_that_draws(agent):
    policy, theta = agent.policy, np.zeros(agent.policy.n_params)
    expert = Expert(lean, policy.observation_space, policy.action_space)
    rng = np.random.default_rng(0)
    noise, obs = rng.random((500, 2)), rng.normal(size=(500, 4)).astype(np.float32)
    act, _, _ = Mixture(policy, expert, 0.0, greedy=False).act(theta, obs, noise)
    np.testing.assert_array_equal(act, policy.act(theta, obs, noise[:, :1])[0])
    assert expert.queries == 0
