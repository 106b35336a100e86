"""A point in the square [−1, 1]² and a goal in it, both anywhere at the start.

    p' = clip(p + 0.1 e_a, ±1)        r = −‖p' − g‖        e: stay, right, up, left, down

The observation is (p, g), so that a policy is conditioned on its goal; in `POINT_MASS_GOALS` it has the form of
Gymnasium's goal interface: what is achieved is p, what is desired g, and p is seen once more.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..spaces import Box, Dict, Discrete
from ..types import BoolArray, FloatArray, IntArray
from .base import CompiledEnv

__all__ = ["POINT_MASS", "POINT_MASS_GOALS"]

STEP = 0.1


def reset(params: FloatArray, lanes: IntArray, noise: FloatArray, state: FloatArray, obs: FloatArray) -> None:
    """p and g uniform in the square."""
    for k in range(lanes.shape[0]):
        i = lanes[k]
        for j in range(4):
            state[j, i] = 2.0 * noise[j, k] - 1.0
        for j in range(obs.shape[0]):
            obs[j, i] = np.float32(state[j % 4, i])


def step(
    params: FloatArray,
    act: FloatArray,
    noise: FloatArray,
    state: FloatArray,
    obs: FloatArray,
    rew: FloatArray,
    terminated: BoolArray,
) -> None:
    """One move; the reward is minus the distance that is left; never ends."""
    size = params[0]
    for i in range(state.shape[1]):
        a = act[0, i]
        x = state[0, i] + ((size if a == 1.0 else 0.0) - (size if a == 3.0 else 0.0))
        y = state[1, i] + ((size if a == 2.0 else 0.0) - (size if a == 4.0 else 0.0))
        state[0, i] = min(max(x, -1.0), 1.0)
        state[1, i] = min(max(y, -1.0), 1.0)
    for i in range(state.shape[1]):
        dx, dy = state[0, i] - state[2, i], state[1, i] - state[3, i]
        rew[i] = -math.sqrt(dx * dx + dy * dy)
        terminated[i] = False
    for j in range(obs.shape[0]):
        for i in range(state.shape[1]):
            obs[j, i] = np.float32(state[j % 4, i])


POINT_MASS = CompiledEnv(
    id="npgrad/PointMass-v0",
    reset=reset,
    step=step,
    params=(STEP,),
    n_state=4,
    observation_space=Box(low=-1.0, high=1.0, shape=(4,), dtype="float32"),
    action_space=Discrete(5),
    reset_noise=("uniform",) * 4,
    max_episode_steps=50,
)

PLACE = Box(low=-1.0, high=1.0, shape=(2,), dtype="float32")
POINT_MASS_GOALS = replace(
    POINT_MASS,
    id="npgrad/PointMassGoals-v0",
    observation_space=Dict((("achieved_goal", PLACE), ("desired_goal", PLACE), ("observation", PLACE))),
)
