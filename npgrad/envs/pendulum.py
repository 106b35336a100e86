"""Pendulum: swing up and hold, with the constants and the step of Gymnasium's Pendulum-v1. θ = 0 is upright.

    θ̇' = clip(θ̇ + (3g/2l sin θ + 3/ml² u) dt, ±8)        θ' = θ + θ̇' dt        r = −(θ² + 0.1 θ̇² + 0.001 u²), |θ| ≤ π

The original rounds what it computes from its float32 action alone to float32 (by the rules of NumPy 2), and so does
this twin.
"""

from __future__ import annotations

import math

import numpy as np

from ..elementary import sincos
from ..spaces import Box
from ..types import BoolArray, FloatArray, IntArray
from .base import CompiledEnv
from .rounding import single

__all__ = ["PENDULUM_V1"]

GRAVITY, MASS, LENGTH, DT, SPEED, TORQUE = 10.0, 1.0, 1.0, 0.05, 8.0, 2.0  # m/s², kg, m, s, rad/s, N m
COST = 0.001  # of u²
PI, TURN = math.pi, 2 * math.pi


def reset(params: FloatArray, lanes: IntArray, noise: FloatArray, state: FloatArray, obs: FloatArray) -> None:
    """θ uniform in (−π, π), θ̇ in (−1, 1)."""
    for k in range(lanes.shape[0]):
        i = lanes[k]
        state[0, i] = TURN * noise[0, k] - PI
        state[1, i] = 2.0 * noise[1, k] - 1.0
        sin, cos = sincos(state[0, i])
        obs[0, i] = np.float32(cos)
        obs[1, i] = np.float32(sin)
        obs[2, i] = np.float32(state[1, i])


def step(
    params: FloatArray,
    act: FloatArray,
    noise: FloatArray,
    state: FloatArray,
    obs: FloatArray,
    rew: FloatArray,
    terminated: BoolArray,
) -> None:
    """One step under torque act, clipped; never ends."""
    g, m, l, dt, speed, torque = params[0], params[1], params[2], params[3], params[4], params[5]
    for i in range(state.shape[1]):
        # 0.001 u² by the C library's power, as NumPy's u**2 is; with the exponent in `params`, no compiler knows better
        u = min(max(single(act[0, i]), -torque), torque)
        rew[i] = single(single(params[6]) * np.float64(np.float32(u) ** np.float32(params[7])))
    for i in range(state.shape[1]):
        theta, v = state[0, i], state[1, i]
        u = min(max(single(act[0, i]), -torque), torque)
        # θ by whole turns into [−π, π)
        angle = theta + PI
        angle = angle - TURN * np.floor(angle / TURN) - PI
        rew[i] = -(angle * angle + 0.1 * (v * v) + rew[i])
        sin, _ = sincos(theta)
        v = v + (3.0 * g / (2.0 * l) * sin + single(3.0 / (m * l * l) * u)) * dt
        v = min(max(v, -speed), speed)
        state[0, i] = theta + v * dt
        state[1, i] = v
    for i in range(state.shape[1]):
        sin, cos = sincos(state[0, i])
        obs[0, i] = np.float32(cos)
        obs[1, i] = np.float32(sin)
        obs[2, i] = np.float32(state[1, i])
        terminated[i] = False


PENDULUM_V1 = CompiledEnv(
    id="Pendulum-v1",
    reset=reset,
    step=step,
    params=(GRAVITY, MASS, LENGTH, DT, SPEED, TORQUE, COST, 2.0),
    n_state=2,
    observation_space=Box(low=(-1.0, -1.0, -SPEED), high=(1.0, 1.0, SPEED), shape=(3,), dtype="float32"),
    action_space=Box(low=-TORQUE, high=TORQUE, shape=(1,), dtype="float32"),
    reset_noise=("uniform", "uniform"),
    max_episode_steps=200,
)
