"""Policies at random θ with observations and actions, and log-densities written out anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..distributions import Distribution
from ..functions import Function
from ..policies import ComposedPolicy
from ..spaces import Box, Space
from ..types import Array, FloatArray, IntArray
from .measures import complex_gradient
from .problem import Problem

__all__ = ["Case", "jacobian", "log_diagonal_normal", "log_normal", "log_softmax_at", "policy_case"]


@dataclass(frozen=True, eq=False)
class Case:
    """A policy y = f_θ(o), a ~ p(·; y) with T observations and actions."""

    policy: ComposedPolicy
    theta: FloatArray
    obs: FloatArray
    act: Array

    def score(self, offsets: IntArray | None = None) -> Array:
        """The library's f_t = ∇log π_θ(a_t|o_t), (T, P)."""
        return self.policy.score(self.theta, self.obs, self.act, offsets)

    def y(self, theta: Array) -> Array:
        """f_θ(o), (T, K)."""
        return self.policy.function.at(theta, self.obs).y

    @property
    def J(self) -> FloatArray:
        """∂y/∂θ by complex step, (T, K, P)."""
        return jacobian(self.policy.function, self.theta, self.obs)


def policy_case(
    problem: Problem, f: Function, p: Distribution, *, T: int = 5, stream: int = 0, obs: Array | None = None
) -> Case:
    """f and p composed, with a random θ, normal observations if none are given, and actions that it draws."""
    rng = problem.rng(30 + stream)
    anywhere: Space = Box(-np.inf, np.inf, (f.n_in,), "float64")  # spaces have no part in what is checked
    policy = ComposedPolicy(f, p, anywhere, anywhere)
    theta = 0.6 * rng.normal(size=f.n_params)
    obs = rng.normal(size=(T, f.n_in)) if obs is None else obs
    noise = np.zeros((len(obs), len(p.draws)))
    for j, kind in enumerate(p.draws):
        noise[:, j] = rng.random(len(obs)) if kind == "uniform" else rng.normal(size=len(obs))
    return Case(policy, theta, obs, policy.act(theta, obs, noise)[0])


def jacobian(f: Function, theta: FloatArray, obs: Array, offsets: IntArray | None = None) -> FloatArray:
    """∂y/∂θ by complex step, (T, K, P), which the library never forms."""
    return complex_gradient(lambda x: f.at(x, obs, offsets).y, theta)


def log_softmax_at(h: Array, a: Array) -> Array:
    """h_a − log Σ_b exp h_b of each row."""
    return np.asarray(h[np.arange(len(h)), a] - np.log(np.exp(h).sum(axis=1)))


def log_diagonal_normal(y: Array, a: Array) -> Array:
    """Σ_j −½ ((a_j − μ_j)/σ_j)² − log σ_j − ½ log 2π of each row of y = (μ, log σ)."""
    k = a.shape[1]
    z = (a - y[:, :k]) / np.exp(y[:, k:])
    return np.asarray((-z * z / 2 - y[:, k:] - np.log(2 * np.pi) / 2).sum(axis=1))


def log_normal(a: Array, mu: Array, sigma: Array) -> Array:
    """log N(a; μ, Σ) of each row, with Σ (T, k, k): −½ (a − μ)ᵀΣ⁻¹(a − μ) − ½ log det 2πΣ."""
    d = (a - mu)[:, :, None]
    quadratic = (d.swapaxes(1, 2) @ np.linalg.solve(sigma, d))[:, 0, 0]
    return np.asarray(-quadratic / 2 - np.log(np.linalg.det(2 * np.pi * sigma)) / 2)
