"""Gradient ascent, plain and with moments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..types import Array
from ..validation import require_positive, require_probability

__all__ = ["OPTIMIZERS", "SGD", "Adam", "Optimizer"]


class Optimizer(Protocol):
    """``init`` makes the moments for a θ, ``step`` maps (θ, ĝ, moments) to new θ and moments."""

    @property
    def learning_rate(self) -> float:
        """α."""

    def init(self, theta: Array) -> dict[str, Array]:
        """The moments before the first step."""

    def step(self, theta: Array, gradient: Array, moments: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        """θ and moments after one step up `gradient`."""


@dataclass(frozen=True)
class SGD:
    """θ ← θ + α m, m ← μ m + ĝ (μ = 0: plain ascent, N6).

    Parameters
    ----------
    learning_rate : float
        α > 0.
    momentum : float, optional
        μ in [0, 1].

    Examples
    --------
    >>> sgd = SGD(learning_rate=0.5)
    >>> theta = np.zeros(2)
    >>> theta, moments = sgd.step(theta, np.array([1.0, -2.0]), sgd.init(theta))
    >>> theta
    array([ 0.5, -1. ])
    """

    learning_rate: float
    momentum: float = 0.0

    def __post_init__(self) -> None:
        require_positive("learning_rate", self.learning_rate)
        require_probability("momentum", self.momentum)

    def init(self, theta: Array) -> dict[str, Array]:
        """The moments before the first step: m = 0."""
        return {"m": np.zeros_like(theta)}

    def step(self, theta: Array, gradient: Array, moments: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        """θ and m after one step up `gradient`."""
        m = self.momentum * moments["m"] + gradient
        return theta + self.learning_rate * m, {"m": m}


@dataclass(frozen=True)
class Adam:
    """Adam ascent (Kingma and Ba 2015, algorithm 1).

    m ← β₁ m + (1−β₁) ĝ,  v ← β₂ v + (1−β₂) ĝ²,
    θ ← θ + α m̂ / (√v̂ + ε),  m̂ = m/(1−β₁^k),  v̂ = v/(1−β₂^k) at step k.

    Parameters
    ----------
    learning_rate : float
        α > 0.
    beta1, beta2 : float, optional
        β₁ and β₂ in [0, 1).
    epsilon : float, optional
        ε > 0.

    Examples
    --------
    >>> adam = Adam(learning_rate=0.1)
    >>> theta = np.zeros(2)
    >>> theta, moments = adam.step(theta, np.array([1e-3, -40.0]), adam.init(theta))
    >>> theta.round(4)
    array([ 0.1, -0.1])
    """

    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        require_positive("learning_rate", self.learning_rate)
        require_positive("epsilon", self.epsilon)
        require_probability("beta1", self.beta1)
        require_probability("beta2", self.beta2)

    def init(self, theta: Array) -> dict[str, Array]:
        """The moments before the first step: m = v = 0, k = 0."""
        return {"m": np.zeros_like(theta), "v": np.zeros_like(theta), "k": np.asarray(0, dtype=np.int64)}

    def step(self, theta: Array, gradient: Array, moments: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        """θ and moments after one step up `gradient`."""
        k = int(moments["k"]) + 1
        m, v = self.beta1 * moments["m"], self.beta2 * moments["v"]
        m += (1 - self.beta1) * gradient
        v += (1 - self.beta2) * (gradient * gradient)
        m_hat, root = m / (1 - self.beta1**k), v / (1 - self.beta2**k)
        np.sqrt(root, out=root)  # √v̂
        root += self.epsilon
        m_hat *= self.learning_rate
        m_hat /= root
        new_theta = theta + m_hat
        return new_theta, {"m": m, "v": v, "k": np.asarray(k, dtype=np.int64)}


OPTIMIZERS: dict[str, Callable[[float], Optimizer]] = {"adam": Adam, "sgd": SGD}
