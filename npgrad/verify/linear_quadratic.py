"""LQR for the library's estimators: its policies, and all episodes at the nodes of Gauss's rule for the noise."""

from __future__ import annotations

import numpy as np

from ..distributions import Deterministic, DiagonalGaussian
from ..functions import Concatenated, Fixed, Linear
from ..oracle import LQR, normal_nodes
from ..policies import ComposedPolicy
from ..spaces import Box, Space
from ..types import Array, Batch, FloatArray
from .problem import Problem

__all__ = [
    "deterministic_linear",
    "episodes_at_nodes",
    "gain",
    "gaussian_linear",
    "one_episode_each",
    "random_lqr",
    "theta_of",
]


def random_lqr(problem: Problem, n: int, k: int, horizon: int | None, *, noise: float = 0.0, gamma: float = 0.9) -> LQR:
    """A problem with ‖A‖ = 0.8 and positive definite costs, and w_t of covariance noise² I."""
    rng = problem.rng(60 + 4 * n + k)
    A, B, C, S = rng.normal(size=(n, n)), rng.normal(size=(n, k)), rng.normal(size=(n, n)), rng.normal(size=(n, n))
    A = 0.8 * A / np.linalg.norm(A, 2)
    Q, start = C @ C.T + np.eye(n), S @ S.T / 2 + np.eye(n) / 2
    return LQR(A, B, Q, np.eye(k), start, noise**2 * np.eye(n), horizon, gamma)


def gain(problem: Problem, lqr: LQR, which: int = 0) -> FloatArray:
    """A K with ‖BK‖ = 0.15, which keeps A − BK stable."""
    K = problem.rng(70 + which).normal(size=(lqr.n_actions, lqr.n_states))
    return np.asarray(0.15 * K / np.linalg.norm(lqr.B @ K, 2))


def gaussian_linear(n: int, k: int, sigma: float) -> ComposedPolicy:
    """a ~ N(xW, σ²I) with σ fixed, θ = W row by row; W = −Kᵀ."""
    f = Concatenated((Linear(n, k, bias=False), Fixed(n, (float(np.log(sigma)),) * k)))
    return ComposedPolicy(f, DiagonalGaussian(k), _anywhere(n), _anywhere(k))


def deterministic_linear(n: int, k: int) -> ComposedPolicy:
    """a = xW."""
    return ComposedPolicy(Linear(n, k, bias=False), Deterministic(k), _anywhere(n), _anywhere(k))


def theta_of(K: Array) -> FloatArray:
    """θ of a gain: W = −Kᵀ; it is its own inverse on gradients, ∂J/∂K = −(∂J/∂W)ᵀ."""
    return np.asarray(-K.T.ravel())


def episodes_at_nodes(lqr: LQR, K: FloatArray, sigma: float, *, nodes: int = 3) -> tuple[Batch, FloatArray]:
    """Every episode with x_0, e_t and w_t at nodes of Gauss's rule, and its weight.

    Means of what has degree < 2 · nodes in each noise number are exact. w_{T−1} is left out: nothing depends on it.
    """
    n, k, T = lqr.n_states, lqr.n_actions, lqr.horizon or 1
    L, noisy = np.linalg.cholesky(lqr.start), bool(lqr.W.any())
    z, weights = normal_nodes(nodes, n + (k * T if sigma else 0) + (n * (T - 1) if noisy else 0))
    x, left = z[:, :n] @ L.T, z[:, n:]
    rows = []
    for t in range(T):
        e, left = (left[:, :k], left[:, k:]) if sigma else (np.zeros((len(z), k)), left)
        a = -x @ K.T + sigma * e
        rows.append((x, a, -np.einsum("im,mn,in->i", x, lqr.Q, x) - np.einsum("ik,kl,il->i", a, lqr.R, a)))
        x = x @ lqr.A.T + a @ lqr.B.T
        if noisy and t + 1 < T:
            x, left = x + left[:, :n] @ np.linalg.cholesky(lqr.W).T, left[:, n:]
    obs, act, rew = (np.stack(column, axis=1) for column in zip(*rows, strict=True))  # (M, T, …)
    return one_episode_each(obs, act, rew, x), weights


def one_episode_each(obs: Array, act: Array, rew: Array, final_obs: Array) -> Batch:
    """M episodes of T steps from arrays (M, T, …)."""
    M, T = rew.shape
    return Batch(
        obs=obs.reshape(M * T, -1),
        act=act.reshape(M * T, -1),
        rew=rew.ravel(),
        logp=np.zeros(M * T),
        offsets=np.arange(M + 1) * T,
        terminated=np.ones(M, dtype=bool),
        truncated=np.zeros(M, dtype=bool),
        final_obs=final_obs,
    )


def _anywhere(k: int) -> Space:
    return Box(-np.inf, np.inf, (k,), "float64")
