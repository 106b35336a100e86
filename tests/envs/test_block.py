"""Blocks: a lane is a function of its seed, its episode and its actions."""

import numpy as np
import pytest

from npgrad import noise
from npgrad.envs import COMPILED, compiled_twin
from npgrad.envs.block import Block, fill_each
from npgrad.errors import InvalidInput, NonFinite
from npgrad.policies import make_policy
from npgrad.rollouts import CompiledRollout

LANES = compiled_twin("npgrad/LaneKeeping-v0")


def test_each_column_of_noise_is_that_of_its_seed():
    seeds = np.array([0, 5, 2**64 - 1], dtype=np.uint64)
    episodes, steps = np.array([3, 0, 2**40]), np.array([0, 7, 1])
    kinds = ("normal", "uniform", "normal", "normal")
    out = np.empty((4, 3))
    fill_each(noise.kind_codes(kinds), seeds, noise.DYNAMICS, episodes, steps, out)
    for b in range(3):
        expected = noise.draw(kinds, int(seeds[b]), noise.DYNAMICS, int(episodes[b]), int(steps[b]))
        np.testing.assert_array_equal(out[:, b], expected)


@pytest.mark.parametrize("env_id", [env_id for env_id in COMPILED if not env_id.startswith("Cliff")])  # without a limit
def test_a_block_does_what_a_compiled_rollout_does(env_id):
    env = compiled_twin(env_id)
    rollout = CompiledRollout(env)
    policy = make_policy(rollout, "linear")
    theta = policy.init(np.random.default_rng(0))
    batch = rollout.episodes(policy, theta, seed=3, first=5, count=2)
    for e in range(2):
        block = Block(env, 1)
        block.begin(np.zeros(1, int), np.array([3]), np.array([5 + e]))
        for t in range(batch.offsets[e], min(batch.offsets[e + 1], batch.offsets[e] + 60)):
            np.testing.assert_array_equal(block.obs[:, 0], batch.obs[t])
            block.step(np.asarray(policy.action_map(batch.act[t : t + 1]), dtype=np.float64).reshape(-1, 1))
            assert block.rew[0] == batch.rew[t]
        if t == batch.offsets[e + 1] - 1:
            assert block.terminated[0] == batch.terminated[e]


def test_lanes_do_not_depend_on_one_another():
    rng = np.random.default_rng(0)
    act = rng.uniform(-1, 1, size=(8, 1, 3))
    seeds, episodes = np.array([1, 2, 2]), np.array([0, 4, 5])
    together, alone = Block(LANES, 3), [Block(LANES, 1) for _ in range(3)]
    together.begin(np.arange(3), seeds, episodes)
    for i, block in enumerate(alone):
        block.begin(np.zeros(1, int), seeds[i : i + 1], episodes[i : i + 1])
    for a in act:
        together.step(a)
        for i, block in enumerate(alone):
            block.step(np.ascontiguousarray(a[:, i : i + 1]))
            np.testing.assert_array_equal(together.state[:, i], block.state[:, 0])
    assert len(np.unique(together.state[0])) == 3


def test_arrays_of_a_wrong_shape_are_named():
    block = Block(LANES, 3)
    with pytest.raises(InvalidInput, match=r"state of npgrad/LaneKeeping-v0 has shape \(3,\), expected \(3, 3\)"):
        block.load(np.zeros(3))
    with pytest.raises(InvalidInput, match=r"act of npgrad/LaneKeeping-v0 has shape \(3, 1\), expected \(1, 3\)"):
        block.step(np.zeros((3, 1)))
    with pytest.raises(NonFinite, match=r"state of npgrad/LaneKeeping-v0\[0, 1\] is nan"):
        block.load([[0.0, np.nan, 0.0]] * 3)
    assert (block.state == 0).all()


def test_the_state_handed_out_is_a_copy():
    block = Block(LANES, 2)
    block.state[:] = 7
    assert (block.state == 0).all()
