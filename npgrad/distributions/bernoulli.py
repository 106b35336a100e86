"""Independent Bernoulli variables: the distribution for MultiBinary actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..types import Array
from .base import check_integers, require_count, require_rows
from .logspace import log_ratio, sigmoid, softplus, times

__all__ = ["Bernoulli"]


@dataclass(frozen=True)
class Bernoulli:
    """n independent coins, P(a_j = 1) = p_j = 1/(1 + exp −y_j).

    A logit of −∞ or +∞ pins its coin to 0 or 1; every row stays finite there.

    Parameters
    ----------
    n : int
        Number of coins; an action is a row of n integers, each 0 or 1.

    References
    ----------
    S5, S8, S9, S10 of the catalogue; Williams 1992; docs/derivations/bernoulli.md.

    Examples
    --------
    >>> pi = Bernoulli(2)
    >>> y = np.array([[0.0, np.log(3.0)]])  # p = (½, ¾)
    >>> act = pi.draw(y, noise=np.array([[0.6, 0.6]]))
    >>> act, np.exp(pi.log_prob(y, act)), pi.score(y, act)
    (array([[0, 1]]), array([0.375]), array([[-0.5 , 0.25]]))
    """

    n: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", require_count("n", self.n))

    @property
    def n_y(self) -> int:
        """One logit a coin."""
        return self.n

    @property
    def act_shape(self) -> tuple[int, ...]:
        """An action is a row of n integers."""
        return (self.n,)

    @property
    def act_dtype(self) -> np.dtype[Any]:
        """int64."""
        return np.dtype(np.int64)

    @property
    def draws(self) -> tuple[str, ...]:
        """A uniform for each coin."""
        return ("uniform",) * self.n

    def log_prob(self, y: Array, act: Array) -> Array:
        """log p(a) = −Σ_j softplus((1 − 2a_j) y_j), shape (T,). S5."""
        require_rows(self, y, act)
        log_p: Array = -softplus(np.where(act == 1, -y, y)).sum(axis=1)
        return log_p

    def score(self, y: Array, act: Array) -> Array:
        """∂ log p/∂y_j = a_j − p_j, shape (T, n). S5."""
        require_rows(self, y, act)
        return np.where(act == 1, sigmoid(-y), -sigmoid(y))

    def draw(self, y: Array, noise: Array) -> Array:
        """a_j = 1 where u_j < p_j, shape (T, n)."""
        return (noise < sigmoid(y.real)).astype(np.int64)

    def mode(self, y: Array) -> Array:
        """a_j = 1 where p_j > ½, shape (T, n)."""
        return (y.real > 0).astype(np.int64)

    def entropy(self, y: Array) -> Array:
        """H = Σ_j p_j softplus(−y_j) + (1 − p_j) softplus(y_j), shape (T,). S8."""
        h: Array = (times(sigmoid(y), softplus(-y)) + times(sigmoid(-y), softplus(y))).sum(axis=1)
        return h

    def entropy_grad(self, y: Array) -> Array:
        """∂H/∂y_j = −y_j p_j (1 − p_j), shape (T, n). S8."""
        return -times(sigmoid(y) * sigmoid(-y), y)

    def kl(self, y: Array, y_other: Array) -> Array:
        """KL(p ‖ q) = Σ_j p_j log p_j/q_j + (1 − p_j) log (1 − p_j)/(1 − q_j), shape (T,). S9."""
        p, not_p = sigmoid(y), sigmoid(-y)
        one = times(p, log_ratio(p, -softplus(-y), -softplus(-y_other)))
        zero = times(not_p, log_ratio(not_p, -softplus(y), -softplus(y_other)))
        kl: Array = (one + zero).sum(axis=1)
        return kl

    def kl_grad(self, y: Array, y_other: Array) -> tuple[Array, Array]:
        """∂KL/∂y_j = p_j (1 − p_j) (y_j − y_other,j) and ∂KL/∂y_other,j = q_j − p_j, shapes (T, n). S9."""
        variance = sigmoid(y) * sigmoid(-y)
        return times(variance, log_ratio(variance, y, y_other)), sigmoid(y_other) - sigmoid(y)

    def fisher(self, y: Array, v: Array) -> Array:
        """M v = p (1 − p) v, shape (T, n). S10."""
        row: Array = sigmoid(y) * sigmoid(-y) * v
        return row

    def check_actions(self, act: Array) -> None:
        """Raise `InvalidInput` unless `act` is (T, n) integers, each 0 or 1."""
        check_integers(self, act, 2)
