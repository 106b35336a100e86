"""Linear dynamics, Gaussian noise, quadratic cost.

x' = A x + B u + L ε        r = −(xᵀ Q x + uᵀ R u)        x_0 = m_0 + L_0 ε        ε ~ N(0, I)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..spaces import Box
from ..types import BoolArray, FloatArray, IntArray
from ..validation import require_finite, require_shape
from .base import CompiledEnv

__all__ = ["DOUBLE_INTEGRATOR", "lqr_env"]


def reset(params: FloatArray, lanes: IntArray, noise: FloatArray, state: FloatArray, obs: FloatArray) -> None:
    """x_0 = L_0 ε; `params` ends with L_0."""
    n, q = state.shape[0], noise.shape[0]
    factor = params.shape[0] - n * q
    for r in range(n):
        for k in range(lanes.shape[0]):
            x = 0.0
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
    """The reward of (x, a), then x'; never ends. `params` begins with A, B, L, Q, R, row by row."""
    n, m, q = state.shape[0], act.shape[0], noise.shape[0]
    A, B = 0, n * n
    L, Q = B + n * m, B + n * m + n * q
    R = Q + n * n
    for i in range(rew.shape[0]):
        cost = 0.0
        for r in range(n):
            for c in range(n):
                cost += params[Q + r * n + c] * state[r, i] * state[c, i]
        for r in range(m):
            for c in range(m):
                cost += params[R + r * m + c] * act[r, i] * act[c, i]
        rew[i] = -cost
        terminated[i] = False
        for r in range(n):
            x = 0.0
            for c in range(n):
                x += params[A + r * n + c] * state[c, i]
            for c in range(m):
                x += params[B + r * m + c] * act[c, i]
            for c in range(q):
                x += params[L + r * q + c] * noise[c, i]
            obs[r, i] = x
        for r in range(n):
            state[r, i] = obs[r, i]


def lqr_env(
    A: npt.ArrayLike,
    B: npt.ArrayLike,
    Q: npt.ArrayLike,
    R: npt.ArrayLike,
    *,
    start: npt.ArrayLike | None = None,
    W: npt.ArrayLike | None = None,
    horizon: int = 50,
    id: str = "LQR-v0",
) -> CompiledEnv:
    """A linear quadratic regulator; the state is observed, states and actions have no bounds.

    Parameters
    ----------
    A : array, shape (n, n)
    B : array, shape (n, k)
    Q : array, shape (n, n)
    R : array, shape (k, k)
        As above.
    start : array, shape (n, n), optional
        Covariance L_0 L_0ᵀ of x_0; the identity by default.
    W : array, shape (n, n), optional
        Covariance L Lᵀ of the noise of a step; none by default.
    horizon : int, optional
        The limit of time.
    id : str, optional
        Its name.

    Raises
    ------
    InvalidInput
        If shapes disagree, or `start` or `W` is no covariance.

    Examples
    --------
    >>> scalar = lqr_env([[0.9]], [[1.0]], [[1.0]], [[0.1]], W=[[0.04]])
    >>> scalar.n_state, scalar.reset_noise, scalar.step_noise
    (1, ('normal',), ('normal',))
    """
    a, b = np.asarray(A, dtype=np.float64), np.asarray(B, dtype=np.float64)
    require_shape("A", a, (None, None))
    n = a.shape[0]
    require_shape("B", b, (n, None), "one row for each row of A")
    k = b.shape[1]
    wanted = {"A": (a, (n, n)), "B": (b, (n, k)), "Q": (Q, (n, n)), "R": (R, (k, k))}
    given = {name: np.asarray(value, dtype=np.float64) for name, (value, _) in wanted.items()}
    for name, (_, shape) in wanted.items():
        require_shape(name, given[name], shape)
        require_finite(name, given[name])
    L = _root("W", np.zeros((n, n)) if W is None else W, n)
    L_0 = _root("start", np.eye(n) if start is None else start, n)
    parts = given["A"], given["B"], L, given["Q"], given["R"], L_0
    return CompiledEnv(
        id=id,
        reset=reset,
        step=step,
        params=np.concatenate([part.ravel() for part in parts]),
        n_state=n,
        observation_space=Box(-np.inf, np.inf, (n,), "float64"),
        action_space=Box(-np.inf, np.inf, (k,), "float64"),
        reset_noise=("normal",) * L_0.shape[1],
        step_noise=("normal",) * L.shape[1],
        max_episode_steps=horizon,
    )


def _root(name: str, covariance: npt.ArrayLike, n: int) -> FloatArray:
    """L with L Lᵀ the covariance, and as many columns as it has rank."""
    C = np.asarray(covariance, dtype=np.float64)
    require_shape(name, C, (n, n), "a covariance")
    require_finite(name, C)
    values, vectors = np.linalg.eigh(C)
    scale = np.abs(C).max(initial=0.0)
    if np.abs(C - C.T).max(initial=0.0) > 1e-12 * scale or values.min(initial=0.0) < -1e-12 * scale:
        raise InvalidInput(f"{name} is {C.tolist()}, expected a covariance: symmetric, no eigenvalue below 0")
    kept = values > 1e-12 * scale
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


# a mass on a rail, place and speed, pushed for 0.1 s at a time
DOUBLE_INTEGRATOR = lqr_env(
    A=[[1.0, 0.1], [0.0, 1.0]],
    B=[[0.005], [0.1]],
    Q=[[1.0, 0.0], [0.0, 0.1]],
    R=[[0.1]],
    W=[[0.0, 0.0], [0.0, 0.0025]],
    id="npgrad/LQR-v0",
)
