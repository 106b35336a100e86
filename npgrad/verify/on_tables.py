"""Critics and baselines that are tables: the library's own, given any numbers, exact ones among them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..baselines import StateTable
from ..critics import ActionValueCritic, ValueCritic
from ..functions import Featured, Linear, OneHot
from ..oracle import TabularMDP, separable_moments
from ..oracle.expectations import Estimator
from ..policies import Policy
from ..types import Array, FloatArray, IntArray

__all__ = ["action_critic", "field", "mean_of", "state_baseline", "value_critic"]


def value_critic(V: Array) -> ValueCritic:
    """The critic with V_t(s) for its table, (T + 1, S), or V(s), (S,); states are seen one-hot."""
    f = Featured(OneHot((V.size,)), Linear(V.size, 1, bias=False))
    return ValueCritic(f, V.ravel(), _cells(V.shape[-1], V.ndim == 2))


def action_critic(Q: Array) -> ActionValueCritic:
    """The critic with Q_t(s,a) for its table, (T, S, A), or Q(s,a), (S, A)."""
    timed, (S, A) = Q.ndim == 3, Q.shape[-2:]
    w = np.concatenate([Q.ravel(), np.zeros(timed * S * A)])  # critics are asked for s_T as well
    f = Featured(OneHot((w.size // A,)), Linear(w.size // A, A, bias=False))
    return ActionValueCritic(f, w, _cells(S, timed))


def state_baseline(b: Array) -> StateTable:
    """The baseline b_t(s), (T, S), or b(s), (S,)."""
    cells = _cells(b.shape[-1], b.ndim == 2)
    return StateTable(b.ravel(), lambda batch: cells(batch.obs, batch.time)[:, 0])


def mean_of(estimator: Estimator, mdp: TabularMDP, policy: Policy, theta: FloatArray) -> FloatArray:
    """E ĝ of an estimator that keeps its terms, by listing trajectories, shape (P,)."""
    return separable_moments(estimator, mdp, policy, theta).mean


def field(mdp: TabularMDP, f: Array, d: Array, pi: Array, weight: Array) -> Array:
    """Σ_t Σ_s d_t(s) Σ_a π(a|s) w_t(s,a) f(s,a), shape (P,), over states that are not terminal; complex too."""
    d = d * ~mdp.terminal
    return np.asarray(np.einsum("ts,sa,tsa,sap->p", d, pi, weight, f, optimize=True))


def _cells(n_states: int, timed: bool) -> Callable[[Array, IntArray], IntArray]:
    """The row of a table for each observation and time, (T, 1)."""

    def cells(obs: Array, time: IntArray) -> IntArray:
        s = obs.argmax(axis=1)
        return np.asarray(time * n_states + s if timed else s)[:, None]

    return cells
