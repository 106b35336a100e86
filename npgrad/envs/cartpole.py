"""CartPole: Barto, Sutton and Anderson 1983, with the constants and Euler step of Gymnasium's CartPole-v0 and v1."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..elementary import sincos
from ..spaces import Box, Discrete
from ..types import BoolArray, FloatArray, IntArray
from .base import CompiledEnv

__all__ = ["CARTPOLE_V0", "CARTPOLE_V1"]

GRAVITY, MASS_CART, MASS_POLE, LENGTH, FORCE, TAU = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02  # m/s², kg, kg, m (half pole), N, s
X_LIMIT, ANGLE_LIMIT = 2.4, 12 * 2 * math.pi / 360  # m, rad


def reset(params: FloatArray, lanes: IntArray, noise: FloatArray, state: FloatArray, obs: FloatArray) -> None:
    """x, ẋ, φ, φ̇ each uniform in (−0.05, 0.05)."""
    for k in range(lanes.shape[0]):
        i = lanes[k]
        for j in range(4):
            state[j, i] = 0.1 * noise[j, k] - 0.05
            obs[j, i] = np.float32(state[j, i])


def step(
    params: FloatArray,
    act: FloatArray,
    noise: FloatArray,
    state: FloatArray,
    obs: FloatArray,
    rew: FloatArray,
    terminated: BoolArray,
) -> None:
    """One Euler step of the cart and pole pushed by ±FORCE; reward 1 always."""
    gravity, mass_pole, length, force_mag, tau = params[0], params[2], params[3], params[4], params[5]
    total_mass = mass_pole + params[1]
    polemass_length = mass_pole * length
    for i in range(state.shape[1]):
        x, x_dot, phi, phi_dot = state[0, i], state[1, i], state[2, i], state[3, i]
        force = force_mag if act[0, i] == 1.0 else -force_mag
        sin, cos = sincos(phi)
        temp = (force + polemass_length * (phi_dot * phi_dot) * sin) / total_mass
        phi_acc = (gravity * sin - cos * temp) / (length * (4.0 / 3.0 - mass_pole * (cos * cos) / total_mass))
        x_acc = temp - polemass_length * phi_acc * cos / total_mass
        state[0, i] = x + tau * x_dot
        state[1, i] = x_dot + tau * x_acc
        state[2, i] = phi + tau * phi_dot
        state[3, i] = phi_dot + tau * phi_acc
    for i in range(state.shape[1]):
        terminated[i] = abs(state[0, i]) > params[6] or abs(state[2, i]) > params[7]
        rew[i] = 1.0
    for j in range(4):
        for i in range(state.shape[1]):
            obs[j, i] = np.float32(state[j, i])


_HIGH = tuple(float(np.float32(h)) for h in (2 * X_LIMIT, np.inf, 2 * ANGLE_LIMIT, np.inf))

CARTPOLE_V1 = CompiledEnv(
    id="CartPole-v1",
    reset=reset,
    step=step,
    params=(GRAVITY, MASS_CART, MASS_POLE, LENGTH, FORCE, TAU, X_LIMIT, ANGLE_LIMIT),
    n_state=4,
    observation_space=Box(low=tuple(-h for h in _HIGH), high=_HIGH, shape=(4,), dtype="float32"),
    action_space=Discrete(2),
    reset_noise=("uniform",) * 4,
    max_episode_steps=500,
)
CARTPOLE_V0 = replace(CARTPOLE_V1, id="CartPole-v0", max_episode_steps=200)
