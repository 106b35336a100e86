"""The deterministic policy: the action is y itself."""

from __future__ import annotations

from dataclasses import dataclass

from ..types import Array
from .base import RealActions, as_actions, missing

__all__ = ["Deterministic"]


@dataclass(frozen=True)
class Deterministic(RealActions):
    """a = y: all mass on one point, so that there is a ∂a/∂θ and no score.

    It has no density and none of the rows that need one. The deterministic policy gradient E[(∂a/∂θ)ᵀ ∇_a Q] needs
    `mode` (or `draw`, which is the same) and `action_vjp`.

    Parameters
    ----------
    k : int
        Number of dimensions of an action, a row of k floats.

    References
    ----------
    S6, P19 of the catalogue; Silver et al. 2014; docs/derivations/deterministic.md.

    Examples
    --------
    >>> import numpy as np
    >>> Deterministic(2).mode(np.array([[0.5, -1.0]]))
    array([[ 0.5, -1. ]])
    """

    @property
    def n_y(self) -> int:
        """The action itself."""
        return self.k

    @property
    def draws(self) -> tuple[str, ...]:
        """No noise."""
        return ()

    @property
    def absent(self) -> tuple[str, ...]:
        """A point has no density."""
        return ("log_prob", "score")

    def log_prob(self, y: Array, act: Array) -> Array:
        """Raise `NotImplementedBy`: a point has no density."""
        raise missing(self, "log_prob")

    def score(self, y: Array, act: Array) -> Array:
        """Raise `NotImplementedBy`: a point has no density."""
        raise missing(self, "score")

    def draw(self, y: Array, noise: Array) -> Array:
        """a = y, shape (T, k); `noise` has no columns."""
        return self.mode(y)

    def mode(self, y: Array) -> Array:
        """a = y, shape (T, k)."""
        return as_actions(y.copy())

    def action_vjp(self, y: Array, w: Array) -> Array:
        """(∂a/∂y)ᵀ w = w, shape (T, k). S6."""
        return w.astype(y.dtype)
