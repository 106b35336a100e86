"""Gymnasium episodes gone on with elsewhere: seeds and actions are repeated, and must lead to the same place."""

import itertools

import gymnasium
import numpy as np
import pytest

from npgrad import REINFORCE
from npgrad.errors import EnvironmentFailure
from npgrad.policies import make_policy
from npgrad.rollouts import GymnasiumRollout
from npgrad.types import concatenate
from tests.rollouts.test_steps import whole_episodes


class Walk(gymnasium.Env):
    """Ten steps of a random walk; `trace` steps of the episode before show in the observations, `noise` is unseeded."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,), np.float64)
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (2, 1), np.float32)
    made = itertools.count()

    def __init__(self, trace=0.0, noise=0.0):
        self.trace, self.noise, self.x, self.t = trace, noise, 0.0, 0
        self.number = next(self.made)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x, self.t = self.trace * self.x + self.np_random.normal(), 0
        return np.array([self.x]), {}

    def step(self, action):
        assert action.shape == (2, 1)
        self.x += float(action.sum()) + self.np_random.normal() + self.noise * self.number
        self.t += 1
        return np.array([self.x]), -abs(self.x), False, self.t == 10, {}


def moved(make, pieces, kind="linear", seed=5, between=lambda rollout, policy, theta: None):
    """Segments and last state of a rollout in `pieces` of steps, with a new rollout for each where `make` says so."""
    rollout = make()
    policy = make_policy(rollout, kind, hidden=(4,))
    theta = np.random.default_rng(1).normal(size=policy.n_params)
    state, batches = rollout.start(policy, theta), []
    for n in pieces:
        rollout = make()
        batch, state = rollout.steps(policy, theta, seed=seed, n_steps=n, state=state)
        between(rollout, policy, theta)
        batches.append(batch)
    return concatenate(batches), state


@pytest.mark.parametrize("kind", ["linear", "recurrent"])
@pytest.mark.parametrize("env", ["CartPole-v1", "Pendulum-v1", "FrozenLake-v1", Walk])
def test_pieces_by_new_rollouts_are_the_whole(env, kind):
    def make():
        return GymnasiumRollout(env, n_envs=2, n_blocks=2)

    whole, end = moved(make, [45], kind)
    pieces, end_of_pieces = moved(make, [1, 7, 2, 35], kind)
    assert whole_episodes(whole) == whole_episodes(pieces)
    assert end.keys() == end_of_pieces.keys()
    for name, array in end.items():
        assert (array.dtype, array.tobytes()) == (end_of_pieces[name].dtype, end_of_pieces[name].tobytes()), name


def test_a_state_can_be_gone_on_from_again_and_again():
    rollout = GymnasiumRollout("CartPole-v1", n_envs=3)
    policy = make_policy(rollout, "linear")
    theta = np.ones(policy.n_params)
    _, state = rollout.steps(policy, theta, seed=0, n_steps=30, state=rollout.start(policy, theta))
    first, _ = rollout.steps(policy, theta, seed=0, n_steps=20, state=state)
    rollout.steps(policy, -theta, seed=0, n_steps=3, state=state)  # other actions in the same episodes
    rollout.steps(policy, theta, seed=1, n_steps=30, state=rollout.start(policy, theta))
    again, _ = rollout.steps(policy, theta, seed=0, n_steps=20, state=state)
    assert again.obs.tobytes() == first.obs.tobytes()


@pytest.mark.parametrize("what", ["noise", "trace"])
def test_an_environment_that_does_not_repeat_itself(what):
    def make(**options):
        return GymnasiumRollout(lambda: Walk(**{what: 0.5}), n_envs=1, **options)

    one = make()
    with pytest.raises(EnvironmentFailure, match=r"step \d+: .*is elsewhere when .* off by .*fresh=True or --fresh"):
        moved(make, [25, 5])
    moved(lambda: one, [25, 5])  # as long as it stays where it is, nothing needs to be repeated
    if what == "trace":
        moved(lambda: make(fresh=True), [25, 5])


def test_one_environment_is_put_back_after_it_was_evaluated():
    def evaluate(rollout, policy, theta):
        rollout.episodes(policy, theta, seed=9, first=0, count=2)

    one, other = (GymnasiumRollout(gymnasium.make("CartPole-v1")) for _ in range(2))
    batch, _ = moved(lambda: one, [15, 15])
    evaluated, _ = moved(lambda: other, [15, 15], between=evaluate)
    assert batch.obs.tobytes() == evaluated.obs.tobytes()


def test_the_walkers_of_gymnasium_are_made_anew():
    pytest.importorskip("Box2D")

    def episode(n, rollout):
        policy = make_policy(rollout, "linear")
        return rollout.episodes(policy, np.zeros(policy.n_params), seed=0, first=n, count=1).obs.tobytes()

    def make():
        return GymnasiumRollout("BipedalWalker-v3", n_envs=1, max_episode_steps=60)

    one = make()
    assert [episode(n, one) for n in range(4)] == [episode(n, make()) for n in range(4)]


def test_fresh_reaches_the_environments():
    made = next(Walk.made)
    model = REINFORCE(Walk, n_episodes=5, n_envs=2, fresh=True)
    model.learn(total_timesteps=50)
    assert next(Walk.made) - made > 5
    assert not REINFORCE(Walk).rollout.fresh
