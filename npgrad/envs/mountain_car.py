"""Mountain car: Moore 1990, with the constants and the step of Gymnasium's MountainCar-v0.

    v' = clip(v + (a − 1) F − g cos 3x, ±v_max)        x' = clip(x + v', x_min, x_max)

The left wall stops the car.
"""

from __future__ import annotations

import numpy as np

from ..elementary import sincos
from ..spaces import Box, Discrete
from ..types import BoolArray, FloatArray, IntArray
from .base import CompiledEnv

__all__ = ["MOUNTAIN_CAR_V0"]

FORCE, GRAVITY, X_MIN, X_MAX, SPEED, X_GOAL = 0.001, 0.0025, -1.2, 0.6, 0.07, 0.5


def reset(params: FloatArray, lanes: IntArray, noise: FloatArray, state: FloatArray, obs: FloatArray) -> None:
    """x uniform in (−0.6, −0.4), at rest."""
    for k in range(lanes.shape[0]):
        i = lanes[k]
        state[0, i] = 0.2 * noise[0, k] - 0.6
        state[1, i] = 0.0
        obs[0, i] = np.float32(state[0, i])
        obs[1, i] = 0.0


def step(
    params: FloatArray,
    act: FloatArray,
    noise: FloatArray,
    state: FloatArray,
    obs: FloatArray,
    rew: FloatArray,
    terminated: BoolArray,
) -> None:
    """One step under force act − 1; reward −1 always; ends at the goal, moving right or standing."""
    force, gravity, x_min, x_max, speed = params[0], params[1], params[2], params[3], params[4]
    for i in range(state.shape[1]):
        _, cos3 = sincos(3.0 * state[0, i])
        v = state[1, i] + ((act[0, i] - 1.0) * force - cos3 * gravity)
        v = min(max(v, -speed), speed)
        x = min(max(state[0, i] + v, x_min), x_max)
        state[0, i] = x
        state[1, i] = 0.0 if x == x_min and v < 0.0 else v
    for i in range(state.shape[1]):
        terminated[i] = state[0, i] >= params[5] and state[1, i] >= 0.0
        rew[i] = -1.0
    for j in range(2):
        for i in range(state.shape[1]):
            obs[j, i] = np.float32(state[j, i])


MOUNTAIN_CAR_V0 = CompiledEnv(
    id="MountainCar-v0",
    reset=reset,
    step=step,
    params=(FORCE, GRAVITY, X_MIN, X_MAX, SPEED, X_GOAL),
    n_state=2,
    observation_space=Box(low=(X_MIN, -SPEED), high=(X_MAX, SPEED), shape=(2,), dtype="float32"),
    action_space=Discrete(3),
    reset_noise=("uniform",),
    max_episode_steps=200,
)
