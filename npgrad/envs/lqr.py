"""Linear dynamics, Gaussian noise, quadratic cost.

x' = A x + B u + L ε        r = −(xᵀ Q x + uᵀ R u)        x_0 = m_0 + L_0 ε        ε ~ N(0, I)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..spaces import Box
from ..types import BoolArray, FloatArray, IntArray
from ..validation import require_finite, require_shape
from .base import CompiledEnv

__all__ = ["DOUBLE_INTEGRATOR", "lqr_env"]


def reset(params: FloatArray, lanes: IntArray, noise: FloatArray, state: FloatArray, obs: FloatArray) -> None:
    """x_0 = m_0 + L_0 ε; `params` ends with m_0 and L_0."""
    n, q = state.shape[0], noise.shape[0]
    mean = params.shape[0] - n - n * q
    factor = mean + n
    for r in range(n):
        for k in range(lanes.shape[0]):
            x = params[mean + r]
            for c in range(q):
                x += params[factor + r * q + c] * noise[c, k]
            state[r, lanes[k]] = x
            obs[r, lanes[k]] = x


def step(
    params: FloatArray,
    act: FloatArray,
    noise: FloatArray,
    state: FloatArray,
    obs: FloatArray,
    rew: FloatArray,
    terminated: BoolArray,
) -> None:
    """Reward of (x, u), then x'; never ends. `params` begins with A, B, L, Q, R, row by row."""
    n, m, q = state.shape[0], act.shape[0], noise.shape[0]
    A, B = 0, n * n
    L, Q = B + n * m, B + n * m + n * q
    R = Q + n * n
    rew[:] = 0.0
    terminated[:] = False
    for r in range(n):
        for c in range(n):
            for i in range(rew.shape[0]):
                rew[i] -= params[Q + r * n + c] * (state[r, i] * state[c, i])
    for r in range(m):
        for c in range(m):
            for i in range(rew.shape[0]):
                rew[i] -= params[R + r * m + c] * (act[r, i] * act[c, i])
    obs[:] = 0.0
    for r in range(n):
        for c in range(n):
            for i in range(rew.shape[0]):
                obs[r, i] += params[A + r * n + c] * state[c, i]
        for c in range(m):
            for i in range(rew.shape[0]):
                obs[r, i] += params[B + r * m + c] * act[c, i]
        for c in range(q):
            for i in range(rew.shape[0]):
                obs[r, i] += params[L + r * q + c] * noise[c, i]
    state[:] = obs


def lqr_env(
    A: npt.ArrayLike,
    B: npt.ArrayLike,
    Q: npt.ArrayLike,
    R: npt.ArrayLike,
    *,
    noise: npt.ArrayLike | None = None,
    start_mean: npt.ArrayLike | None = None,
    start_noise: npt.ArrayLike | None = None,
    horizon: int = 50,
    id: str = "LQR-v0",
) -> CompiledEnv:
    """A linear quadratic regulator; the state is observed, states and actions have no bounds.

    Parameters
    ----------
    A : array, shape (n, n)
    B : array, shape (n, m)
    Q : array, shape (n, n)
    R : array, shape (m, m)
        As above.
    noise : array, shape (n, q), optional
        L, so that the noise of a step has covariance L Lᵀ; none by default.
    start_mean : array, shape (n,), optional
        m_0; 0 by default.
    start_noise : array, shape (n, q_0), optional
        L_0; the identity by default.
    horizon : int, optional
        The limit of time.
    id : str, optional
        Its name.

    Raises
    ------
    InvalidInput
        If shapes disagree.

    Examples
    --------
    >>> scalar = lqr_env([[0.9]], [[1.0]], [[1.0]], [[0.1]], noise=[[0.2]])
    >>> scalar.n_state, scalar.reset_noise, scalar.step_noise
    (1, ('normal',), ('normal',))
    """
    a, b = np.asarray(A, dtype=np.float64), np.asarray(B, dtype=np.float64)
    require_shape("A", a, (None, None))
    n = a.shape[0]
    require_shape("B", b, (n, None), "one row for each row of A")
    m = b.shape[1]
    parts = {
        "A": (a, (n, n)),
        "B": (b, (n, m)),
        "noise": (np.zeros((n, 0)) if noise is None else noise, (n, None)),
        "Q": (Q, (n, n)),
        "R": (R, (m, m)),
        "start_mean": (np.zeros(n) if start_mean is None else start_mean, (n,)),
        "start_noise": (np.eye(n) if start_noise is None else start_noise, (n, None)),
    }
    arrays = {name: np.asarray(value, dtype=np.float64) for name, (value, _) in parts.items()}
    for name, (_, shape) in parts.items():
        require_shape(name, arrays[name], shape)
        require_finite(name, arrays[name])
    return CompiledEnv(
        id=id,
        reset=reset,
        step=step,
        params=np.concatenate([array.ravel() for array in arrays.values()]),
        n_state=n,
        observation_space=Box(-np.inf, np.inf, (n,), "float64"),
        action_space=Box(-np.inf, np.inf, (m,), "float64"),
        reset_noise=("normal",) * arrays["start_noise"].shape[1],
        step_noise=("normal",) * arrays["noise"].shape[1],
        max_episode_steps=horizon,
    )


# a mass on a rail, place and speed, pushed for 0.1 s at a time
DOUBLE_INTEGRATOR = lqr_env(
    A=[[1.0, 0.1], [0.0, 1.0]],
    B=[[0.005], [0.1]],
    Q=[[1.0, 0.0], [0.0, 0.1]],
    R=[[0.1]],
    noise=[[0.0], [0.05]],
    id="npgrad/LQR-v0",
)
