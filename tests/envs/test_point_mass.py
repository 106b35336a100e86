"""The point mass against its twin, number by number."""

import numpy as np

from npgrad.checks import check_environment
from npgrad.envs import compiled_twin
from npgrad.envs.block import Block
from tests import naive

ENV = compiled_twin("npgrad/PointMass-v0")


def test_steps_equal_the_naive_twins():
    n, rng = 60, np.random.default_rng(0)
    block = Block(ENV, n)
    block.begin(np.arange(n), np.full(n, 1), np.arange(n))
    points = [list(column) for column in block.state.T]
    assert (np.abs(points) < 1).all()
    for _ in range(20):
        act = rng.integers(5, size=(1, n)).astype(np.float64)
        act[0, :10] = 1 + np.arange(10) % 4  # on and on, into the walls
        block.step(act)
        moved = [naive.point_mass(point, int(a)) for point, a in zip(points, act[0], strict=True)]
        points = [point for point, _ in moved]
        np.testing.assert_allclose(block.state.T, points, rtol=0, atol=1e-15)
        np.testing.assert_allclose(block.rew, [r for _, r in moved], rtol=1e-15)
        np.testing.assert_array_equal(block.obs, np.float32(block.state))
        assert not block.terminated.any()


def test_every_goal_is_within_reach():
    n = 200
    block = Block(ENV, n)
    block.begin(np.arange(n), np.full(n, 2), np.arange(n))
    for _ in range(ENV.max_episode_steps):
        dx, dy = block.obs[2] - block.obs[0], block.obs[3] - block.obs[1]
        along_x = np.abs(dx) > np.abs(dy)
        act = np.where(along_x, np.where(dx > 0, 1, 3), np.where(dy > 0, 2, 4))
        act[np.maximum(np.abs(dx), np.abs(dy)) <= 0.05] = 0
        block.step(act[None].astype(np.float64))
    assert (-block.rew <= 0.05 * np.sqrt(2) + 1e-6).all()


def test_contract():
    check_environment(ENV).raise_if_failed()
