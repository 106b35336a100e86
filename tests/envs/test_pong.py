"""Difference frames of Pong against the screens they are made of."""

import numpy as np
import pytest

ale_py = pytest.importorskip("ale_py")
gymnasium = pytest.importorskip("gymnasium")

from npgrad.envs.pong import DOWN, ENV_ID, UP, court  # noqa: E402


def test_observations_sum_up_to_what_the_court_shows():
    env = gymnasium.make(ENV_ID)
    gymnasium.register_envs(ale_py)
    original = gymnasium.make("ALE/Pong-v5", obs_type="grayscale")  # frame skip 4, sticky ¼
    assert original.spec.kwargs["repeat_action_probability"] == 0.25
    assert original.spec.kwargs["frameskip"] == 4
    obs, _ = env.reset(seed=3)
    screen, _ = original.reset(seed=3)
    shown = court(screen).astype(np.float32)
    assert not obs.any()
    for up in np.random.default_rng(0).integers(2, size=150):  # two points or more
        obs, rew, terminated, truncated, _ = env.step(np.array([up]))
        screen, *rest = original.step(UP if up else DOWN)
        shown = shown + obs
        np.testing.assert_array_equal(shown, court(screen))
        assert (rew, terminated, truncated) == tuple(rest[:3])
    assert env.observation_space.contains(obs)


def test_up_is_up():
    env = gymnasium.make(ENV_ID)
    heights = []
    for action in (0, 1):
        obs, _ = env.reset(seed=0)
        shown = court(env.unwrapped.original.unwrapped.ale.getScreenGrayscale()).astype(float)
        for _ in range(15):
            obs, *_ = env.step(np.array([action]))
            shown += obs
        rows = np.flatnonzero(shown.reshape(80, 80)[:, 70:72].any(axis=1))  # our paddle
        heights.append(rows.mean())
    assert heights[1] < 40 < heights[0]


def test_a_court_without_paddles_and_ball_is_empty():
    screens = np.full((2, 3, 210, 160), 87, dtype=np.uint8)
    screens[:, :, :35] = 233  # the score
    assert not court(screens).any()
    assert court(screens).shape == (2, 3, 6400)
