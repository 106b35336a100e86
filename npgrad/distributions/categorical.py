"""The categorical distribution: a softmax over logits, with action masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InvalidInput
from ..types import Array, BoolArray
from ..validation import require_shape
from .base import check_integers, require_count, require_rows
from .logspace import log_ratio, log_softmax, shifted, times

__all__ = ["Categorical", "apply_mask"]


@dataclass(frozen=True)
class Categorical:
    """Softmax over n logits y: p_i = exp y_i / Σ_j exp y_j.

    A logit of −∞ (see `apply_mask`) gives its action probability 0; every row stays finite there.

    Parameters
    ----------
    n : int
        Number of actions; an action is an integer 0 … n−1.

    References
    ----------
    S1, S8, S9, S10 of the catalogue; Williams 1992; docs/derivations/categorical.md.

    Examples
    --------
    >>> pi = Categorical(3)
    >>> y = np.log([[0.2, 0.3, 0.5]])
    >>> act = pi.draw(y, noise=np.array([[0.4]]))
    >>> act, np.exp(pi.log_prob(y, act)), pi.score(y, act)
    (array([1]), array([0.3]), array([[-0.2, 0.7, -0.5]]))
    """

    n: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", require_count("n", self.n))

    @property
    def n_y(self) -> int:
        """One logit an action."""
        return self.n

    @property
    def act_shape(self) -> tuple[int, ...]:
        """An action is one integer."""
        return ()

    @property
    def act_dtype(self) -> np.dtype[Any]:
        """int64."""
        return np.dtype(np.int64)

    @property
    def draws(self) -> tuple[str, ...]:
        """One uniform an action."""
        return ("uniform",)

    def log_prob(self, y: Array, act: Array) -> Array:
        """log p_a = y_a − log Σ_j exp y_j, shape (T,)."""
        require_rows(self, y, act)
        log_p: Array = log_softmax(y)[np.arange(len(y)), act]
        return log_p

    def score(self, y: Array, act: Array) -> Array:
        """∂ log p_a/∂y_i = 1[i = a] − p_i, shape (T, n). S1."""
        require_rows(self, y, act)
        row: Array = -np.exp(log_softmax(y))
        row[np.arange(len(y)), act] += 1
        return row

    def draw(self, y: Array, noise: Array) -> Array:
        """The inverse distribution function at u = noise[:, 0]: the first a with Σ_{i≤a} p_i > u, shape (T,).

        An action of probability 0 is never drawn: it adds nothing to the sum; and u < 1 keeps u·total below the total,
        in floating point too.
        """
        total = np.exp(shifted(y.real)[0]).cumsum(axis=1)  # Σ_{j≤i} p_j times a constant
        act: Array = (total[:, :-1] <= noise * total[:, -1:]).sum(axis=1, dtype=np.int64)
        return act

    def mode(self, y: Array) -> Array:
        """argmax_i y_i, the first of equals, shape (T,)."""
        act: Array = y.real.argmax(axis=1)
        return act

    def entropy(self, y: Array) -> Array:
        """H = −Σ_i p_i log p_i, shape (T,). S8."""
        log_p = log_softmax(y)
        h: Array = -times(np.exp(log_p), log_p).sum(axis=1)
        return h

    def entropy_grad(self, y: Array) -> Array:
        """∂H/∂y_i = −p_i (log p_i + H), shape (T, n). S8."""
        log_p = log_softmax(y)
        p = np.exp(log_p)
        p_log_p = times(p, log_p)
        row: Array = p * p_log_p.sum(axis=1, keepdims=True) - p_log_p
        return row

    def kl(self, y: Array, y_other: Array) -> Array:
        """KL(p ‖ q) = Σ_i p_i (log p_i − log q_i), shape (T,); infinite where q masks what p does not. S9."""
        log_p = log_softmax(y)
        p = np.exp(log_p)
        kl: Array = times(p, log_ratio(p, log_p, log_softmax(y_other))).sum(axis=1)
        return kl

    def kl_grad(self, y: Array, y_other: Array) -> tuple[Array, Array]:
        """∂KL/∂y_i = p_i (log p_i − log q_i − KL) and ∂KL/∂y_other,i = q_i − p_i, shapes (T, n). S9."""
        log_p, log_q = log_softmax(y), log_softmax(y_other)
        p, q = np.exp(log_p), np.exp(log_q)
        p_ratio = times(p, log_ratio(p, log_p, log_q))
        return p_ratio - p * p_ratio.sum(axis=1, keepdims=True), q - p

    def fisher(self, y: Array, v: Array) -> Array:
        """M v = p∘v − p (pᵀv), shape (T, n). S10."""
        p = np.exp(log_softmax(y))
        pv = p * v
        row: Array = pv - p * pv.sum(axis=1, keepdims=True)
        return row

    def check_actions(self, act: Array) -> None:
        """Raise `InvalidInput` unless `act` is (T,) integers in 0 … n−1."""
        check_integers(self, act, self.n)


def apply_mask(y: Array, mask: BoolArray) -> Array:
    """The logits with −∞ where an action is not allowed.

    The gradient needs no mask of its own: every row of `Categorical` is 0 at a masked entry.

    Parameters
    ----------
    y : array, shape (T, n)
        Logits.
    mask : bool array, shape (T, n)
        True where an action is allowed.

    Returns
    -------
    array, shape (T, n)
        A new array; `y` stays as it is.

    Raises
    ------
    InvalidInput
        If `mask` is not boolean, not of the shape of `y`, or allows nothing in some row.

    Examples
    --------
    >>> Categorical(3).mode(apply_mask(np.array([[1.0, 2.0, 3.0]]), np.array([[True, True, False]])))
    array([1])
    """
    require_shape("mask", mask, y.shape)
    if mask.dtype != np.bool_:
        raise InvalidInput(f"mask has dtype {mask.dtype}, expected bool; try mask.astype(bool)")
    allowed = mask.any(axis=-1)
    if not allowed.all():
        row = int(np.argmin(allowed))
        raise InvalidInput(
            f"mask[{row}] allows no action ({np.count_nonzero(~allowed)} of {len(mask)} states are masked throughout), "
            "expected at least one True a row; end the episode in a state without actions"
        )
    return np.where(mask, y, np.array(-np.inf, y.dtype))
