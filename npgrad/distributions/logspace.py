"""Softmax and its kin without leaving log space; right for logits of −∞ (masked) and for complex logits."""

from __future__ import annotations

import numpy as np

from ..types import Array

__all__ = ["log_ratio", "log_softmax", "log_sum_exp", "shifted", "sigmoid", "softplus", "times"]


def log_softmax(y: Array) -> Array:
    """y − log Σ exp y over the last axis, shape of `y`."""
    x, _ = shifted(y)
    log_p: Array = x - np.log(np.exp(x).sum(axis=-1, keepdims=True))
    return log_p


def log_sum_exp(y: Array) -> Array:
    """log Σ exp y over the last axis, which vanishes."""
    x, largest = shifted(y)
    total: Array = np.log(np.exp(x).sum(axis=-1)) + largest[..., 0]
    return total


def shifted(y: Array) -> tuple[Array, Array]:
    """y − max y over the last axis, and that maximum."""
    if y.shape[-1] <= 8:
        y = np.asfortranarray(y)  # a sum over few columns is 4 times faster by columns
    largest = y.real.max(axis=-1, keepdims=True)
    return y - largest, largest


def softplus(x: Array) -> Array:
    """log(1 + exp x) = max(x, 0) + log(1 + exp −|x|)."""
    above = x.real > 0
    return np.where(above, x, 0) + np.log1p(np.exp(np.where(above, -x, x)))


def sigmoid(x: Array) -> Array:
    """1/(1 + exp −x) = exp(−softplus(−x))."""
    return np.exp(-softplus(-x))


def times(p: Array, x: Array) -> Array:
    """p·x where p ≠ 0, and 0 where p = 0 even if x is infinite (0 log 0 = 0)."""
    zero = np.zeros(np.broadcast_shapes(p.shape, x.shape), np.result_type(p, x))
    return np.multiply(p, x, out=zero, where=p != 0)


def log_ratio(p: Array, log_p: Array, log_q: Array) -> Array:
    """log p − log q where p ≠ 0, and 0 where p = 0: what KL weighs by p."""
    zero = np.zeros(log_p.shape, np.result_type(log_p, log_q))
    return np.subtract(log_p, log_q, out=zero, where=p != 0)
