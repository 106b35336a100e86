"""What every algorithm has from its base: learning with evaluations, policy options, going on from an agent."""

import itertools

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from npgrad import REINFORCE
from npgrad.algorithms import ALGORITHMS
from npgrad.deploy import load_agent
from npgrad.errors import InvalidInput, NonFinite, UnknownName
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


class Masked(gymnasium.Env):
    """Three steps, of three actions one forbidden."""

    observation_space, action_space = Box(-9, 9, (2,), np.float32), Discrete(3)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self.seen()

    def seen(self):
        return self.np_random.uniform(3, 5, 2).astype(np.float32), {"action_mask": np.array([1, 0, 1], np.int8)}

    def step(self, action):
        assert action != 1
        self.t += 1
        obs, info = self.seen()
        return obs, float(action), self.t == 3, False, info


@pytest.mark.parametrize("algo", ["reinforce", "a2c", "es"])
def test_a_normaliser_leaves_the_mask_alone(algo):
    model = ALGORITHMS[algo].load()(Masked, seed=0, normalize_observations=True).learn(900)
    normaliser = model.agent.policy.normaliser
    assert normaliser.mean.shape == (2,)
    np.testing.assert_allclose(normaliser.mean, 4, atol=0.4)
    assert model.agent.act(np.zeros(2, np.float32), mask=[0, 0, 1]) == 2


@pytest.mark.parametrize("algo", ["reinforce", "ppo", "ars"])
@pytest.mark.parametrize("normalize", [False, True])
def test_every_algorithm_can_begin_with_an_agent(algo, normalize):
    kind = ALGORITHMS[algo].load()
    options = {"normalize_observations": normalize}
    first = kind("CartPole-v1", seed=0, **options).learn(300)
    state = kind("CartPole-v1", seed=1, **options).state_from(first.agent)
    np.testing.assert_array_equal(state.theta, first.agent.theta)
    with pytest.raises(InvalidInput, match=f"make it {normalize}"):
        kind("CartPole-v1", normalize_observations=not normalize).state_from(first.agent)


def test_more_threads_than_cores_are_spoken_of():
    with pytest.warns(UserWarning, match=r"threads is 4096, but this process may use \d+ cores"):
        REINFORCE("CartPole-v1", threads=4096)


DIVERGES = {  # a policy, also by the step of a tiny batch or in threads, and a critic
    "online": ("npgrad/LaneKeeping-v0", {"learning_rate": 30.0, "overshoot": 0.0, "n_steps": 20}),
    "npg": ("MountainCarContinuous-v0", {"n_episodes": 1, "delta": 1e8}),
    "reinforce": ("Pendulum-v1", {"n_episodes": 128, "learning_rate": 1e155, "threads": 2}),
    "a2c": ("CartPole-v1", {"critic_learning_rate": 1e306}),
}


@pytest.mark.filterwarnings("error")  # in threads a warning that is an error is one too
@pytest.mark.parametrize("algo", DIVERGES)
def test_what_diverges_stops_with_the_last_good_agent_and_without_warnings(algo, tmp_path):
    env, settings = DIVERGES[algo]
    model, seen = ALGORITHMS[algo].load()(env, seed=0, **settings), []
    with pytest.raises(NonFinite, match=r"in iteration \d+, after timestep \d+: .*"):
        model.learn(50_000, callback=lambda s: seen.append(s.state))
    assert len(seen) >= 1
    assert model.state is seen[-1]
    assert np.isfinite(model.agent.theta).all()
    model.save(tmp_path / "agent.npz")
    np.testing.assert_array_equal(load_agent(tmp_path / "agent.npz").theta, seen[-1].theta)
