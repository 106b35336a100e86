"""Keeping a lane: a kinematic bicycle on a road whose curvature wanders, pushed about by gusts.

With y the offset from the lane's centre (m, left), ψ the heading against the road (rad), κ the road's curvature (1/m):

    ds = v cos ψ / (1 − κ y) dt                            way along the road
    y' = y + (v sin ψ + drift) dt + σ_y √dt ε₁             ψ' = ψ + v/l tan δ dt − κ ds,    δ = δ_max a
    κ' = clip(κ − κ/τ dt + σ_κ √(2 dt/τ) ε₂, ±κ_max)       r = 1 − (y'/w)², 0 off the lane

An episode ends off the lane, |y| > w, or across it, |ψ| > 1. Observed are y/w, ψ and κ/κ_max. Source of the bicycle in
road coordinates: Rajamani 2012, Vehicle Dynamics and Control, chapter 2.
"""

from __future__ import annotations

import math

import numpy as np

from ..elementary import sincos
from ..spaces import Box
from ..types import BoolArray, FloatArray, IntArray
from ..validation import require_positive
from .base import CompiledEnv
from .rounding import single

__all__ = ["LANE_KEEPING", "lane_keeping_env"]

FAR, ACROSS = 4.0, 1.0  # |y|/w never exceeds FAR; an episode ends at |ψ| > ACROSS


def reset(params: FloatArray, lanes: IntArray, noise: FloatArray, state: FloatArray, obs: FloatArray) -> None:
    """y uniform in ±w/2, ψ in ±0.05, κ normal with its lasting deviation σ_κ."""
    w, k_sd, k_max = params[3], params[6], params[8]
    for k in range(lanes.shape[0]):
        i = lanes[k]
        state[0, i] = (noise[0, k] - 0.5) * w
        state[1, i] = (noise[1, k] - 0.5) * 0.1
        state[2, i] = min(max(k_sd * noise[2, k], -k_max), k_max)
        obs[0, i] = np.float32(state[0, i] / w)
        obs[1, i] = np.float32(state[1, i])
        obs[2, i] = np.float32(state[2, i] / k_max)


def step(
    params: FloatArray,
    act: FloatArray,
    noise: FloatArray,
    state: FloatArray,
    obs: FloatArray,
    rew: FloatArray,
    terminated: BoolArray,
) -> None:
    """One step of `dt` under the steering angle δ_max act, clipped; act is taken as the float32 of its space."""
    v, length, dt, w, angle = params[0], params[1], params[2], params[3], params[4]
    gust, k_sd, tau, k_max, drift = params[5] * math.sqrt(dt), params[6], params[7], params[8], params[9]
    k_gust = k_sd * math.sqrt(2.0 * dt / tau)
    for i in range(state.shape[1]):
        y, psi, kappa = state[0, i], state[1, i], state[2, i]
        sin, cos = sincos(psi)
        sin_d, cos_d = sincos(angle * min(max(single(act[0, i]), -1.0), 1.0))
        ds = v * cos / (1.0 - kappa * y) * dt
        y = y + (v * sin + drift) * dt + gust * noise[0, i]
        psi = psi + v / length * (sin_d / cos_d) * dt - kappa * ds
        kappa = kappa - kappa / tau * dt + k_gust * noise[1, i]
        state[0, i] = min(max(y, -FAR * w), FAR * w)
        state[1, i] = min(max(psi, -math.pi), math.pi)
        state[2, i] = min(max(kappa, -k_max), k_max)
    for i in range(state.shape[1]):
        off = state[0, i] / w
        rew[i] = max(1.0 - off * off, 0.0)
        terminated[i] = abs(off) > 1.0 or abs(state[1, i]) > ACROSS
    for i in range(state.shape[1]):
        obs[0, i] = np.float32(state[0, i] / w)
        obs[1, i] = np.float32(state[1, i])
        obs[2, i] = np.float32(state[2, i] / k_max)


def lane_keeping_env(
    *,
    speed: float = 15.0,
    wheelbase: float = 2.7,
    dt: float = 0.1,
    half_width: float = 1.8,
    max_steering: float = 0.1,
    gust: float = 0.05,
    curvature_std: float = 0.004,
    curvature_time: float = 2.0,
    max_curvature: float = 0.01,
    drift: float = 0.0,
    max_episode_steps: int = 200,
    id: str = "LaneKeeping-v0",
) -> CompiledEnv:
    """The task with other constants.

    Parameters
    ----------
    speed, wheelbase, dt : float, optional
        v in m/s, l in m, and the seconds between two actions.
    half_width : float, optional
        w in m.
    max_steering : float, optional
        δ_max in rad, below π/2; actions are in [−1, 1].
    gust : float, optional
        σ_y in m/√s.
    curvature_std, curvature_time, max_curvature : float, optional
        σ_κ in 1/m, τ in s, κ_max in 1/m.
    drift : float, optional
        A steady wind from the right, in m/s.
    max_episode_steps : int, optional
        The limit of time.
    id : str, optional
        Its name.

    Raises
    ------
    InvalidInput
        If a constant but `gust`, `curvature_std` and `drift` is not above 0, or the road may turn within the lane.

    Examples
    --------
    >>> lane_keeping_env(drift=0.3).max_episode_steps
    200
    """
    positive = {
        "speed": speed,
        "wheelbase": wheelbase,
        "dt": dt,
        "half_width": half_width,
        "max_steering": max_steering,
        "curvature_time": curvature_time,
        "max_curvature": max_curvature,
        "π/2 - max_steering": math.pi / 2 - max_steering,
        "1 - max_curvature * 4 * half_width": 1.0 - max_curvature * FAR * half_width,
    }
    for name, value in positive.items():
        require_positive(name, value)
    return CompiledEnv(
        id=id,
        reset=reset,
        step=step,
        params=(
            *(speed, wheelbase, dt, half_width, max_steering),
            *(gust, curvature_std, curvature_time, max_curvature, drift),
        ),
        n_state=3,
        observation_space=Box(low=(-FAR, -math.pi, -1.0), high=(FAR, math.pi, 1.0), shape=(3,), dtype="float32"),
        action_space=Box(low=-1.0, high=1.0, shape=(1,), dtype="float32"),
        reset_noise=("uniform", "uniform", "normal"),
        step_noise=("normal", "normal"),
        max_episode_steps=max_episode_steps,
    )


LANE_KEEPING = lane_keeping_env(id="npgrad/LaneKeeping-v0")
