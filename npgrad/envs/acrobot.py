"""Acrobot: two links, a motor at the joint between them; the book's dynamics and the step of Gymnasium's Acrobot-v1.

Sutton 1996; Sutton and Barto 2018, example of section 11.3 of the first edition. θ₁ is the angle of the first link from
hanging down, θ₂ that of the second link from the first.

    d₁ = m l_c² + m (l² + l_c² + 2 l l_c cos θ₂) + 2I        d₂ = m (l_c² + l l_c cos θ₂) + I
    φ₂ = m l_c g sin(θ₁ + θ₂)
    φ₁ = −m l l_c θ̇₂ (θ̇₂ + 2 θ̇₁) sin θ₂ + (m l_c + m l) g sin θ₁ + φ₂
    θ̈₂ = (τ + d₂/d₁ φ₁ − m l l_c θ̇₁² sin θ₂ − φ₂) / (m l_c² + I − d₂²/d₁)        θ̈₁ = −(d₂ θ̈₂ + φ₁) / d₁

integrated by one Runge–Kutta step of fourth order. Both links are alike.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import jit
from ..elementary import sincos
from ..spaces import Box, Discrete
from ..types import BoolArray, FloatArray, IntArray
from .base import CompiledEnv

__all__ = ["ACROBOT_V1"]

MASS, LENGTH, CENTRE, INERTIA, GRAVITY, DT = 1.0, 1.0, 0.5, 1.0, 9.8, 0.2  # kg, m, m, kg m², m/s², s
SPEED_1, SPEED_2 = 4 * math.pi, 9 * math.pi  # rad/s
PI, TURN = math.pi, 2 * math.pi


def reset(params: FloatArray, lanes: IntArray, noise: FloatArray, state: FloatArray, obs: FloatArray) -> None:
    """θ₁, θ₂, θ̇₁, θ̇₂ each uniform in (−0.1, 0.1), rounded to float32 as the original's."""
    for k in range(lanes.shape[0]):
        i = lanes[k]
        for j in range(4):
            state[j, i] = np.float32(0.2 * noise[j, k] - 0.1)
        _observe(state, obs, i)


@jit.device
def _observe(state: FloatArray, obs: FloatArray, i: int) -> None:
    """cos θ₁, sin θ₁, cos θ₂, sin θ₂, θ̇₁, θ̇₂."""
    sin1, cos1 = sincos(state[0, i])
    sin2, cos2 = sincos(state[1, i])
    obs[0, i] = np.float32(cos1)
    obs[1, i] = np.float32(sin1)
    obs[2, i] = np.float32(cos2)
    obs[3, i] = np.float32(sin2)
    obs[4, i] = np.float32(state[2, i])
    obs[5, i] = np.float32(state[3, i])


@jit.device
def _accelerations(params: Any, torque: Any, theta1: Any, theta2: Any, v1: Any, v2: Any) -> tuple[Any, Any]:
    """θ̈₁, θ̈₂."""
    m, l, lc, I, g = params[0], params[1], params[2], params[3], params[4]
    sin1, cos1 = sincos(theta1)
    sin2, cos2 = sincos(theta2)
    d1 = m * lc * lc + m * (l * l + lc * lc + 2.0 * l * lc * cos2) + I + I
    d2 = m * (lc * lc + l * lc * cos2) + I
    phi2 = m * lc * g * (sin1 * cos2 + cos1 * sin2)
    phi1 = -m * l * lc * v2 * (v2 + 2.0 * v1) * sin2 + (m * lc + m * l) * g * sin1 + phi2
    ratio = d2 / d1
    a2 = (torque + ratio * phi1 - m * l * lc * (v1 * v1) * sin2 - phi2) / (m * lc * lc + I - d2 * ratio)
    return -(d2 * a2 + phi1) / d1, a2


def step(
    params: FloatArray,
    act: FloatArray,
    noise: FloatArray,
    state: FloatArray,
    obs: FloatArray,
    rew: FloatArray,
    terminated: BoolArray,
) -> None:
    """One Runge–Kutta step under torque act − 1; reward −1, or 0 where the tip comes above the line, which ends it."""
    dt, half = params[5], 0.5 * params[5]
    for i in range(state.shape[1]):
        # y' = f(y): k_1 = f(y), k_2 = f(y + dt/2 k_1), k_3 = f(y + dt/2 k_2), k_4 = f(y + dt k_3)
        x1, x2, v1, v2 = state[0, i], state[1, i], state[2, i], state[3, i]
        torque = act[0, i] - 1.0
        a1, a2 = _accelerations(params, torque, x1, x2, v1, v2)
        v1b, v2b = v1 + half * a1, v2 + half * a2
        b1, b2 = _accelerations(params, torque, x1 + half * v1, x2 + half * v2, v1b, v2b)
        v1c, v2c = v1 + half * b1, v2 + half * b2
        c1, c2 = _accelerations(params, torque, x1 + half * v1b, x2 + half * v2b, v1c, v2c)
        v1d, v2d = v1 + dt * c1, v2 + dt * c2
        d1, d2 = _accelerations(params, torque, x1 + dt * v1c, x2 + dt * v2c, v1d, v2d)
        # y + dt/6 (k_1 + 2 k_2 + 2 k_3 + k_4)
        state[0, i] = x1 + dt / 6.0 * (v1 + 2.0 * v1b + 2.0 * v1c + v1d)
        state[1, i] = x2 + dt / 6.0 * (v2 + 2.0 * v2b + 2.0 * v2c + v2d)
        state[2, i] = min(max(v1 + dt / 6.0 * (a1 + 2.0 * b1 + 2.0 * c1 + d1), -params[6]), params[6])
        state[3, i] = min(max(v2 + dt / 6.0 * (a2 + 2.0 * b2 + 2.0 * c2 + d2), -params[7]), params[7])
    for j in range(2):
        for i in range(state.shape[1]):
            # by whole turns into [−π, π]
            x = state[j, i]
            over, under = np.ceil((x - PI) / TURN), np.floor((x + PI) / TURN)
            state[j, i] = x - TURN * (max(over, 0.0) + min(under, 0.0))
    for i in range(state.shape[1]):
        _observe(state, obs, i)
    for i in range(state.shape[1]):
        _, cos1 = sincos(state[0, i])
        _, cos12 = sincos(state[1, i] + state[0, i])
        terminated[i] = -cos1 - cos12 > 1.0
        rew[i] = 0.0 if terminated[i] else -1.0


_HIGH = (1.0, 1.0, 1.0, 1.0, SPEED_1, SPEED_2)

ACROBOT_V1 = CompiledEnv(
    id="Acrobot-v1",
    reset=reset,
    step=step,
    params=(MASS, LENGTH, CENTRE, INERTIA, GRAVITY, DT, SPEED_1, SPEED_2),
    n_state=4,
    observation_space=Box(low=tuple(-h for h in _HIGH), high=_HIGH, shape=(6,), dtype="float32"),
    action_space=Discrete(3),
    reset_noise=("uniform",) * 4,
    max_episode_steps=500,
)
