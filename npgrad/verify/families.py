"""The library's distributions at random parameters, each with the actions and weights to sum or integrate it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..distributions import (
    Autoregressive,
    Bernoulli,
    Categorical,
    DiagonalGaussian,
    Distribution,
    FullGaussian,
    GaussianMixture,
    Product,
)
from ..oracle import normal_nodes
from ..policies import ComposedPolicy, make_policy
from ..spaces import Box
from ..types import Array, FloatArray
from .problem import Problem

__all__ = ["Family", "continuous", "discrete", "every_family", "panels", "squashed_edges", "squashed_policy"]


@dataclass(frozen=True, eq=False)
class Family:
    """A distribution p at one y, with Σ_n weight_n p(act_n) f(act_n) = E f.

    Parameters
    ----------
    name : str
    pi : Distribution
    y : array, shape (K,)
    act : array, shape (n, …)
        All actions; of a continuous distribution, the nodes of a rule.
    weight : array, shape (n,)
        1; of a continuous distribution, the da of the nodes. They hold nothing of p.
    """

    name: str
    pi: Distribution
    y: FloatArray
    act: Array
    weight: FloatArray

    def rows(self, y: Array | None = None) -> Array:
        """y beside every action, (n, K)."""
        return np.tile(self.y if y is None else y, (len(self.act), 1))

    def log_p(self, y: Array | None = None) -> Array:
        """log p(act; y), shape (n,)."""
        return self.pi.log_prob(self.rows(y), self.act)

    def p(self, y: Array | None = None) -> Array:
        """weight · p(act; y), shape (n,)."""
        return np.asarray(self.weight * np.exp(self.log_p(y)))

    def score(self, y: Array | None = None) -> Array:
        """∂ log p/∂y, shape (n, K)."""
        return self.pi.score(self.rows(y), self.act)

    def mean(self, values: Array, y: Array | None = None) -> Array:
        """E f for values (n, …) of f."""
        return np.tensordot(self.p(y), values, axes=1)


def discrete(problem: Problem) -> Iterator[Family]:
    """Every discrete distribution."""
    rng = problem.rng(20)
    for name, pi, sizes in (
        ("categorical", Categorical(3), (3,)),
        ("Bernoulli", Bernoulli(2), (2, 2)),
        ("product of softmaxes", Product((Categorical(2), Categorical(3))), (2, 3)),
        ("autoregressive", Autoregressive((2, 3)), (2, 3)),
    ):
        act = np.array(list(product(*map(range, sizes))))
        act = act.reshape(len(act), *pi.act_shape)
        yield Family(name, pi, rng.normal(size=pi.n_y), act, np.ones(len(act)))


def continuous(problem: Problem) -> Iterator[Family]:
    """Every distribution with a density; Gaussians by Gauss–Hermite nodes, exact for polynomials in a."""
    rng = problem.rng(21)
    mu, log_std = rng.normal(size=2), 0.4 * rng.normal(size=2)
    for k in (1, 2):
        scale = np.diag(np.exp(log_std[:k]))
        y = np.concatenate([mu[:k], log_std[:k]])
        yield Family(f"Gaussian, k = {k}", DiagonalGaussian(k), y, *_around(mu[:k], scale))
    below = rng.normal()
    L = np.array([[np.exp(log_std[0]), 0.0], [below, np.exp(log_std[1])]])
    y = np.concatenate([mu, log_std, [below]])
    yield Family("Gaussian, full Σ", FullGaussian(2), y, *_around(mu, L))

    logits, mus, log_stds = rng.normal(size=2), 2 * rng.normal(size=2), 0.3 * rng.normal(size=2)
    a, weight = panels(mus, np.exp(log_stds))
    y = np.concatenate([logits, mus, log_stds])
    yield Family("mixture of Gaussians", GaussianMixture(1, 2), y, a[:, None], weight)

    z, weight = _around(mu[:1], np.diag(np.exp(log_std[:1])))
    both = np.column_stack([np.repeat([0.0, 1.0], len(z)), np.tile(z[:, 0], 2)])
    y = np.concatenate([rng.normal(size=2), mu[:1], log_std[:1]])
    yield Family("softmax × Gaussian", Product((Categorical(2), DiagonalGaussian(1))), y, both, np.tile(weight, 2))


def every_family(problem: Problem) -> Iterator[Family]:
    """All of them."""
    yield from discrete(problem)
    yield from continuous(problem)


def panels(centres: FloatArray, widths: FloatArray, *, jumps: tuple[float, ...] = ()) -> tuple[FloatArray, FloatArray]:
    """Gauss–Legendre nodes a and weights da on panels of half a width, ten widths about every centre.

    Panels also end at the `jumps`.
    """
    edges = np.unique(np.concatenate([(centres[:, None] + widths[:, None] * np.linspace(-10, 10, 41)).ravel(), jumps]))
    x, w = np.polynomial.legendre.leggauss(16)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (1 + x)).ravel(), (half * w).ravel()


def squashed_policy(problem: Problem) -> tuple[ComposedPolicy, FloatArray, float, float]:
    """A Gaussian behind a tanh, linear in one observation, with θ = (w, b, log σ) and the bounds of the action."""
    low, high = -1.0, 2.0
    spaces = Box(-1.0, 1.0, (1,), "float64"), Box(low, high, (1,), "float64")
    w, b, log_std = problem.rng(22).uniform([-0.5, -0.5, -1.0], [0.5, 0.5, -0.3])
    return make_policy(spaces, "linear", action_map="tanh"), np.array([w, b, log_std]), low, high


def squashed_edges(low: float, high: float) -> list[float]:
    """Panels of the bounded action, narrow towards its ends: those of u = −8 … 8 in steps of 0.2."""
    edges: list[float] = (low + (np.tanh(np.linspace(-8, 8, 81)) + 1) / 2 * (high - low)).tolist()
    return edges


def _around(mean: FloatArray, L: FloatArray) -> tuple[FloatArray, FloatArray]:
    """a = μ + Lz at Gauss–Hermite nodes z, and da = |L| dz without the density that the rule has in its weights."""
    z, w = normal_nodes(16, len(mean))
    density = np.exp(-(z**2).sum(axis=1) / 2) / (2 * np.pi) ** (len(mean) / 2)
    return mean + z @ L.T, w / density * np.prod(np.diag(L))
