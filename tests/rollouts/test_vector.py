"""Vector environments handed in: the same batch in all three autoreset modes, quotas, masks."""

from itertools import pairwise

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from npgrad import REINFORCE
from npgrad.critics.returns import Values, gae
from npgrad.errors import EnvironmentFailure, InvalidInput
from npgrad.policies import make_policy
from npgrad.rollouts import GymnasiumRollout, VectorRollout, make_rollout
from npgrad.types import concatenate

MODES = list(AutoresetMode)
FIELDS = ("obs", "act", "rew", "logp", "offsets", "episode", "terminated", "truncated", "final_obs")


def vector(mode, env="CartPole-v1", n=3, **kwargs):
    return gymnasium.make_vec(
        env, num_envs=n, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}, **kwargs
    )


def batch_in(mode, env="CartPole-v1", theta_scale=1.0, count=11, **kwargs):
    rollout = VectorRollout(vector(mode, env, **kwargs))
    policy = make_policy(rollout, "linear", masked=rollout.n_masked > 0)
    theta = theta_scale * np.random.default_rng(1).normal(size=policy.n_params)
    batch = rollout.episodes(policy, theta, seed=3, first=0, count=count)
    rollout.close()
    return batch


@pytest.mark.parametrize("env", ["CartPole-v1", "FrozenLake-v1"])
@pytest.mark.parametrize("mode", MODES[1:])
def test_all_modes_give_the_same_batch(mode, env):
    first, other = batch_in(MODES[0], env), batch_in(mode, env)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(other, name), getattr(first, name), err_msg=name)


@pytest.mark.parametrize("mode", MODES)
def test_rewards_telescope(mode):
    """In a chain whose reward is the change of a potential, Σ r = φ(s_T) − φ(s_0): no reset step is counted."""

    class Potential(gymnasium.Wrapper):
        def reset(self, **kwargs):
            obs, info = self.env.reset(**kwargs)
            self.phi = obs.sum()
            return obs, info

        def step(self, action):
            obs, _, terminated, truncated, info = self.env.step(action)
            before, self.phi = self.phi, obs.sum()
            return obs, float(self.phi - before), terminated, truncated, info

    def one():
        return Potential(gymnasium.make("CartPole-v1"))

    rollout = VectorRollout(gymnasium.vector.SyncVectorEnv([one] * 3, autoreset_mode=mode))
    policy = make_policy(rollout, "linear")
    batch = rollout.episodes(policy, np.zeros(10), seed=0, first=0, count=12)
    change = batch.final_obs.sum(axis=1) - batch.obs[batch.offsets[:-1]].sum(axis=1)
    np.testing.assert_allclose(batch.returns(), change, atol=1e-5)


def pieces_in(mode, n_steps=(7, 40, 5, 38)):
    """The same environments, rolled on in pieces, with a limit of time that some episodes reach."""
    rollout = VectorRollout(vector(mode, max_episode_steps=16))
    policy = make_policy(rollout, "linear")
    theta, batches = np.zeros(policy.n_params), []
    state = rollout.start(policy, theta)
    for n in n_steps:
        batch, state = rollout.steps(policy, theta, seed=3, n_steps=n, state=state)
        batches.append(batch)
    rollout.close()
    return concatenate(batches)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("whole", [True, False])
def test_gae_at_lambda_1_telescopes(mode, whole):
    """A_t + V(s_t) = Σ_k γ^k r_{t+k} + γ^{T−t} V(s_T), the last term only where nothing terminated."""
    batch, gamma = batch_in(mode, theta_scale=0.0, count=20, max_episode_steps=16) if whole else pieces_in(mode), 0.9
    assert batch.terminated.any()
    assert batch.truncated.any()
    value = np.array([3.0, -1.0, 20.0, 2.0])  # any V will do
    values = Values(batch.obs @ value, batch.final_obs @ value)
    sums = gae(batch, values, gamma, 1.0) + values.rows
    for i, (lo, hi) in enumerate(pairwise(batch.offsets)):
        after = 0.0 if batch.terminated[i] else values.final[i]
        for t in range(hi - 1, lo - 1, -1):
            after = batch.rew[t] + gamma * after
            assert sums[t] == pytest.approx(after, abs=1e-9)


@pytest.mark.parametrize("mode", MODES[1:])
def test_all_modes_go_on_with_the_same_episodes(mode):
    """A mode with steps that merely reset comes less far; what both have done is the same."""

    def rows(batch):
        found = {}
        for i in np.lexsort([batch.start, batch.episode]):
            rows = slice(*batch.offsets[i : i + 2])
            columns = [batch.obs[rows], batch.act[rows], batch.rew[rows], batch.logp[rows]]
            found.setdefault(int(batch.episode[i]), []).extend(np.column_stack(columns).tolist())
        return found

    first, other = rows(pieces_in(MODES[0])), rows(pieces_in(mode))
    assert len(first) > 6
    for episode in first.keys() & other.keys():
        n = min(len(first[episode]), len(other[episode]))
        assert first[episode][:n] == other[episode][:n]


def test_all_modes_learn_the_same():
    theta = [REINFORCE(vector(mode), seed=0, n_episodes=5).learn(400).state.theta for mode in MODES]
    np.testing.assert_array_equal(theta[1:], [theta[0]] * 2)
    assert theta[0].any()


@pytest.mark.parametrize("mode", [None, *MODES])
def test_actions_that_do_not_begin_at_zero(mode):
    class Later(gymnasium.wrappers.TransformAction):
        def __init__(self):
            env = gymnasium.make("CartPole-v1")
            super().__init__(env, self.mapped, gymnasium.spaces.Discrete(2, start=5))

        def mapped(self, action):
            assert action in (5, 6)
            return action - 5

    env = Later if mode is None else gymnasium.vector.SyncVectorEnv([Later] * 3, autoreset_mode=mode)
    rollout = make_rollout(env)
    policy = make_policy(rollout, "linear")
    batch = rollout.episodes(policy, np.zeros(10), seed=0, first=0, count=4)
    assert sorted(set(batch.act.tolist())) == [0, 1]  # as drawn; the environment gets 5 and 6
    rollout.close()


@pytest.mark.parametrize("mode", MODES)
def test_each_environment_has_its_quota(mode):
    batch = batch_in(mode, count=11)
    np.testing.assert_array_equal(batch.episode, np.arange(11))
    np.testing.assert_array_equal(np.bincount(batch.episode % 3), [4, 4, 3])


@pytest.mark.parametrize("mode", MODES)
def test_masks_reach_the_policy(mode):
    batch = batch_in(mode, "Taxi-v4", count=2, max_episode_steps=30)
    assert batch.obs.shape[1] == 500 + 6
    assert (batch.obs[np.arange(batch.n_steps), 500 + batch.act] == 1).all()
    assert (batch.obs[:, 500:] == 0).any()


def test_masks_reach_the_policy_of_single_environments_too():
    rollout = make_rollout("Taxi-v4", max_episode_steps=30, engine="gymnasium", n_envs=2)
    assert isinstance(rollout, GymnasiumRollout)
    policy = make_policy(rollout, "linear", masked=rollout.n_masked > 0)
    batch = rollout.episodes(policy, np.zeros(policy.n_params), seed=0, first=0, count=3)
    assert (batch.obs[np.arange(batch.n_steps), 500 + batch.act] == 1).all()
    np.testing.assert_allclose(batch.logp, -np.log(batch.obs[:, 500:].sum(axis=1)))
    rollout.close()


def test_an_unknown_mode_is_refused():
    env = vector(AutoresetMode.NEXT_STEP)
    env.metadata = {"autoreset_mode": "sometimes"}
    with pytest.raises(InvalidInput, match="autoreset mode is 'sometimes'"):
        make_rollout(env)


def test_an_environment_that_raises_is_named():
    class Raises(gymnasium.Wrapper):
        def step(self, action):
            raise ValueError("motor on fire")

    rollout = VectorRollout(gymnasium.vector.SyncVectorEnv([lambda: Raises(gymnasium.make("CartPole-v1"))] * 2))
    policy = make_policy(rollout, "linear")
    with pytest.raises(EnvironmentFailure, match="ValueError: motor on fire in step"):
        rollout.episodes(policy, np.zeros(10), seed=0, first=0, count=2)


def test_one_environment_can_be_handed_in():
    with gymnasium.make("CartPole-v1") as env:
        rollout = make_rollout(env)
        policy = make_policy(env)
        batch = rollout.episodes(policy, np.zeros(10), seed=0, first=0, count=5)
    by_id = make_rollout("CartPole-v1", engine="gymnasium").episodes(policy, np.zeros(10), seed=0, first=0, count=5)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(batch, name), getattr(by_id, name), err_msg=name)
