"""Scaled rewards: against loops, whatever the cuts, and the same in all autoreset modes."""

import itertools
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from hypothesis import given
from hypothesis import strategies as st

from npgrad import REINFORCE
from npgrad.errors import InvalidInput
from npgrad.policies import make_policy
from npgrad.rollouts import make_rollout
from npgrad.training.rewards import RewardScaling, past_return
from npgrad.types import Batch


def batch_of(lengths, seed, terminated=True):
    rng = np.random.default_rng(seed)
    t, n = sum(lengths), len(lengths)
    return Batch(
        obs=np.zeros((t, 1)),
        act=np.zeros(t, int),
        rew=rng.normal(3, 2, t),
        logp=np.zeros(t),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        terminated=np.full(n, terminated),
        truncated=np.zeros(n, bool),
        final_obs=np.zeros((n, 1)),
    )


def slowly(rew, offsets, gamma):
    """U_t = Σ_{k≤t} γ^{t−k} r_k of each segment, sum by sum."""
    return np.array(
        [
            sum(gamma ** (t - k) * rew[k] for k in range(a, t + 1))
            for a, b in itertools.pairwise(offsets)
            for t in range(a, b)
        ]
    )


lengths = st.lists(st.integers(1, 6), min_size=1, max_size=6)


@given(lengths, st.sampled_from([0.0, 0.5, 0.99, 1.0]), st.integers(0, 1000))
def test_past_returns_step_by_step(lengths, gamma, seed):
    batch = batch_of(lengths, seed)
    expected = slowly(batch.rew, batch.offsets, gamma)
    np.testing.assert_allclose(past_return(batch, gamma), expected, rtol=1e-12, atol=1e-12)


def test_the_deviation_is_that_of_the_steps_before_and_at_first_its_own():
    scaling = RewardScaling(normalize=True, gamma=0.9)
    first, second, third = (batch_of([4, 2, 5], seed) for seed in (0, 1, 2))
    us = [slowly(b.rew, b.offsets, 0.9) for b in (first, second, third)]
    state, scaled = scaling.init(), []
    for batch in (first, second, third):
        learned, state = scaling(batch, state)
        scaled.append(learned.rew)
    np.testing.assert_allclose(scaled[0], first.rew / np.std(us[0]), rtol=1e-12)
    np.testing.assert_allclose(scaled[1], second.rew / np.std(us[0]), rtol=1e-12)
    np.testing.assert_allclose(scaled[2], third.rew / np.std(np.concatenate(us[:2])), rtol=1e-12)
    assert state["count"] == 33
    assert len(state["episode"]) == 0  # nothing is open


@given(lengths, st.integers(1, 5), st.integers(0, 1000))
def test_cuts_change_nothing(lengths, cut, seed):
    """Segments of whole episodes, or the same rows in iterations of `cut` steps of each episode."""
    scaling, batch = RewardScaling(normalize=True, gamma=0.9), batch_of(lengths, seed)
    _, whole = scaling(batch, scaling.init())
    state = scaling.init()
    for t in range(0, max(lengths), cut):
        ids = [i for i, n in enumerate(lengths) if n > t]
        parts = [np.arange(batch.offsets[i] + t, min(batch.offsets[i] + t + cut, batch.offsets[i + 1])) for i in ids]
        rows = np.concatenate(parts)
        ended = np.array([lengths[i] <= t + cut for i in ids])
        piece = Batch(
            obs=batch.obs[rows],
            act=batch.act[rows],
            rew=batch.rew[rows],
            logp=batch.logp[rows],
            offsets=np.concatenate([[0], np.cumsum([len(p) for p in parts])]),
            terminated=ended,
            truncated=np.zeros(len(ids), bool),
            final_obs=np.zeros((len(ids), 1)),
            episode=np.array(ids),
            start=np.full(len(ids), t),
        )
        _, state = scaling(piece, state)
        assert sorted(state["episode"]) == [i for i, e in zip(ids, ended, strict=True) if not e]
    assert state["count"] == whole["count"]
    for name in ("mean", "m2"):
        np.testing.assert_allclose(state[name], whole[name], rtol=1e-9, atol=1e-9)


def test_all_autoreset_modes_agree():
    """A step in which an environment merely resets itself is no step, so none is counted."""
    scaling, states = RewardScaling(normalize=True, gamma=0.9), {}
    for mode in AutoresetMode:
        env = gymnasium.make_vec(
            "CartPole-v1", num_envs=3, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}
        )
        rollout = make_rollout(env)
        policy = make_policy(rollout, "linear")
        batch = rollout.episodes(policy, np.zeros(policy.n_params), seed=0, first=0, count=3)
        states[mode] = scaling(batch, scaling.init())[1]
        assert states[mode]["count"] == batch.n_steps
        rollout.close()
    for mode in AutoresetMode:
        for name in ("count", "mean", "m2"):
            np.testing.assert_array_equal(states[mode][name], states[AutoresetMode.SAME_STEP][name])


def test_rewards_that_do_not_vary_stay():
    batch = batch_of([1, 1, 1], 0)
    batch = replace(batch, rew=np.full(3, 7.0))
    assert RewardScaling(normalize=True)(batch, RewardScaling(normalize=True).init())[0].rew.tolist() == [7.0] * 3


def test_a_scale_is_a_scale():
    batch = batch_of([2, 3], 0)
    np.testing.assert_array_equal(RewardScaling(0.1)(batch, {})[0].rew, 0.1 * batch.rew)
    assert RewardScaling()(batch, {})[0] is batch
    with pytest.raises(InvalidInput, match="reward_scale is -1"):
        RewardScaling(-1.0)


def test_adam_does_not_care_for_the_scale_and_the_log_stays_in_the_environments_rewards():
    rows = {}
    for scale in (1.0, 1024.0):
        model = REINFORCE("CartPole-v1", seed=0, n_episodes=4, reward_scale=scale, learning_rate=0.05)
        rows[scale] = []
        model.learn(400, callback=lambda s, kept=rows[scale]: kept.append(s.row))
    for a, b in zip(rows[1.0], rows[1024.0], strict=True):
        assert a["rollout/ep_rew_mean"] == b["rollout/ep_rew_mean"]
        assert b["train/gradient_norm"] == pytest.approx(1024 * a["train/gradient_norm"], rel=1e-4)


def test_normalised_rewards_are_part_of_the_state():
    model = REINFORCE("CartPole-v1", seed=0, n_episodes=4, normalize_rewards=True).learn(300)
    assert model.state.group("rewards")["count"] == model.state.timesteps
    recipe, state = model.recipe, model.recipe.init(0)
    while state.timesteps < 300:
        state, _ = recipe.step(type(state).from_arrays(state.as_arrays()))
    np.testing.assert_array_equal(state.theta, model.state.theta)
