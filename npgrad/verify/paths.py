"""What checks compute anew: from listed trajectories, or by complex step through J."""

from __future__ import annotations

import numpy as np

from ..oracle import TabularMDP, Trajectories, objective
from ..policies import ComposedPolicy
from ..types import Array, FloatArray
from .measures import complex_gradient

__all__ = ["gradient_by_step", "path_probabilities", "tally"]


def gradient_by_step(mdp: TabularMDP, policy: ComposedPolicy, theta: FloatArray) -> FloatArray:
    """∇J by complex step through J(θ), shape (P,): there is no score in it, nor the policy gradient theorem."""
    return complex_gradient(lambda x: objective(mdp, policy, x), theta)


def path_probabilities(mdp: TabularMDP, t: Trajectories, pi: Array) -> Array:
    """p(s_0) Π_t π(a_t|s_t) p(s_{t+1}|s_t,a_t), multiplied along each trajectory for a table π (S, A); shape (M,).

    A complex π gives complex "probabilities".
    """
    s, a = t.states, t.batch.act
    factors = t.pad(pi[s, a] * mdp.P[s, a, t.next_states])
    alive = np.arange(factors.shape[1]) < t.batch.lengths[:, None]
    return np.asarray(mdp.start[s[t.batch.offsets[:-1]]] * np.where(alive, factors, 1).prod(axis=1))


def tally(t: Trajectories, cell: Array, n_cells: int, x: Array) -> FloatArray:
    """Σ_τ p(τ) x_t 1[cell_t = c] for each time and cell, shape (longest, n_cells).

    With x = 1 and the states as cells it is d_t(s); divided by that, x = G_t gives V_t(s).
    """
    out = np.zeros((int(t.batch.lengths.max()), n_cells))
    np.add.at(out, (t.batch.time, cell), t.prob[t.batch.segment] * x)
    return out
