"""Mountain car with a continuous force: the constants and the step of Gymnasium's MountainCarContinuous-v0.

    v' = clip(v + F a − g cos 3x, ±v_max)        x' = clip(x + v', x_min, x_max)

The original keeps its state in float32 once it has been stepped, and so rounds every result on the way (by the rules of
NumPy 2); this twin rounds where it does. Actions are taken as the float32 that their space says.
"""

from __future__ import annotations

import numpy as np

from ..elementary import sincos
from ..spaces import Box
from ..types import BoolArray, FloatArray, IntArray
from .base import CompiledEnv
from .rounding import single

__all__ = ["MOUNTAIN_CAR_CONTINUOUS_V0"]

POWER, GRAVITY, X_MIN, X_MAX, SPEED, X_GOAL = 0.0015, 0.0025, -1.2, 0.6, 0.07, 0.45
REWARD, COST = 100.0, 0.1


def reset(params: FloatArray, lanes: IntArray, noise: FloatArray, state: FloatArray, obs: FloatArray) -> None:
    """x uniform in (−0.6, −0.4), at rest; the third entry of the state tells that x is not rounded yet."""
    for k in range(lanes.shape[0]):
        i = lanes[k]
        state[0, i] = 0.2 * noise[0, k] - 0.6
        state[1, i] = 0.0
        state[2, i] = 1.0
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
    """One step under force act; reward 100 at the goal, which ends it, −0.1 act² always."""
    power, gravity, x_min, x_max = single(params[0]), params[1], single(params[2]), single(params[3])
    speed, x_goal = single(params[4]), single(params[5])
    for i in range(state.shape[1]):
        x, fresh = state[0, i], state[2, i] > 0.0
        a = single(act[0, i])
        angle = 3.0 * x
        _, cos3 = sincos(angle if fresh else single(angle))
        push = single(single(a * power) - single(gravity * cos3))
        v = single(state[1, i] + push)
        v = min(max(v, -speed), speed)
        x = min(max(single(x + v), x_min), x_max)
        v = 0.0 if x == x_min and v < 0.0 else v
        state[0, i] = x
        state[1, i] = v
        state[2, i] = 0.0
    for i in range(state.shape[1]):
        a = single(act[0, i])
        terminated[i] = state[0, i] >= x_goal and state[1, i] >= 0.0
        rew[i] = (params[6] if terminated[i] else 0.0) - a * a * params[7]
    for j in range(2):
        for i in range(state.shape[1]):
            obs[j, i] = state[j, i]


MOUNTAIN_CAR_CONTINUOUS_V0 = CompiledEnv(
    id="MountainCarContinuous-v0",
    reset=reset,
    step=step,
    params=(POWER, GRAVITY, X_MIN, X_MAX, SPEED, X_GOAL, REWARD, COST),
    n_state=3,
    observation_space=Box(low=(X_MIN, -SPEED), high=(X_MAX, SPEED), shape=(2,), dtype="float32"),
    action_space=Box(low=-1.0, high=1.0, shape=(1,), dtype="float32"),
    reset_noise=("uniform",),
    max_episode_steps=999,
)
