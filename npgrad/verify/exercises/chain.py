"""CS285's chain: one state; action 0, with probability θ, pays 1 and stays, action 1 ends."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...distributions import Categorical
from ...functions import FeedForward, Linearisation
from ...oracle import TabularMDP
from ...policies import ComposedPolicy
from ...spaces import Box, Discrete
from ...types import Array, FloatArray
from ..certify_cases import Case

__all__ = ["Chances", "chain", "chain_cases", "direct_policy"]


class Chances(FeedForward):
    """y = (log θ, log(1 − θ)), whatever is observed: a softmax of it takes action 0 with probability θ.

    Examples
    --------
    >>> Chances().at(np.array([0.25]), np.ones((1, 1))).vjp_rows(np.eye(2)[:1]).round(3)  # d log θ/dθ
    array([[4.]])
    """

    n_in, n_out, n_params = 1, 2, 1

    def init(self, rng: np.random.Generator) -> FloatArray:
        """½."""
        return np.array([0.5])

    def at(self, theta: Array, obs: npt.ArrayLike, offsets: npt.ArrayLike | None = None) -> Linearisation:
        """Linearise at θ, which lies between 0 and 1."""
        return _Linearisation(theta, len(np.asarray(obs)))


class _Linearisation:
    def __init__(self, theta: Array, n_rows: int) -> None:
        p = theta[0]
        self.y: Array = np.tile([np.log(p), np.log(1 - p)], (n_rows, 1))
        self._J = np.array([1 / p, -1 / (1 - p)])  # ∂y/∂θ

    def vjp(self, w: npt.ArrayLike) -> Array:
        return np.asarray(self.vjp_rows(w).sum(axis=0))

    def jvp(self, v: npt.ArrayLike) -> Array:
        return np.tile(self._J * np.asarray(v)[0], (len(self.y), 1))

    def vjp_rows(self, w: npt.ArrayLike) -> Array:
        return np.asarray((np.asarray(w) @ self._J)[:, None])

    def vjp_segments(self, w: npt.ArrayLike, offsets: npt.ArrayLike) -> Array:
        return np.add.reduceat(self.vjp_rows(w), np.asarray(offsets)[:-1], axis=0)


def direct_policy() -> ComposedPolicy:
    """π(0) = θ, π(1) = 1 − θ: the probability itself is the parameter.

    Examples
    --------
    >>> direct_policy().score(np.array([0.25]), np.ones((2, 1)), np.array([0, 1])).round(3)  # 1/θ, −1/(1 − θ)
    array([[ 4.   ],
           [-1.333]])
    """
    return ComposedPolicy(Chances(), Categorical(2), Box(0.0, 1.0, (1,), "float64"), Discrete(2))


def chain(horizon: int | None = None) -> TabularMDP:
    """The problem, without end or with at most `horizon` steps.

    Examples
    --------
    >>> from npgrad.oracle import objective
    >>> round(float(objective(chain(), direct_policy(), np.array([0.75]))), 9)  # θ/(1 − θ)
    3.0
    """
    P = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    R = np.array([[1.0, 0.0], [0.0, 0.0]])
    obs, start, ends = np.array([[1.0], [0.0]]), np.array([1.0, 0.0]), np.array([False, True])
    return TabularMDP(start, P, R, horizon=horizon, terminal=ends, obs=obs)


def chain_cases() -> list[Case]:
    """The chain of at most five steps, at three θ: few enough trajectories to list."""
    return [Case(f"θ = {p:g}", chain(5), direct_policy(), np.array([p])) for p in (0.2, 0.5, 0.8)]
