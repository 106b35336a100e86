"""∇J and the Fisher matrix, summed over all states, actions and times."""

from __future__ import annotations

import numpy as np

from ..errors import InvalidInput
from ..policies import Policy
from ..types import Array
from .chains import marginals, occupancy, stationary_distribution
from .evaluation import differential_values, values
from .mdp import TabularMDP
from .tables import probabilities, scores, weighted_scores

__all__ = ["average_gradient", "fisher", "gradient"]


def gradient(mdp: TabularMDP, policy: Policy, theta: Array) -> Array:
    """∇J(θ), shape (P,): finite or infinite horizon, discounted or not (P6, P13, P15).

        ∇J = Σ_t γ^t Σ_s d_t(s) Σ_a π(a|s) Q_t(s,a) f(s,a),  or with d_γ and Q where there is no horizon

    Parameters
    ----------
    mdp, policy, theta
        As for `probabilities`.

    Raises
    ------
    InvalidInput
        As `values`.

    Examples
    --------
    >>> from npgrad.oracle import TabularMDP
    >>> from npgrad.policies import make_policy
    >>> coin = TabularMDP([1.0], np.ones((1, 2, 1)), [[1.0, 0.0]], horizon=1)
    >>> policy = make_policy(coin, "linear")
    >>> gradient(coin, policy, np.zeros(policy.n_params))  # of W and of b
    array([ 0.25, -0.25,  0.25, -0.25])
    """
    pi = probabilities(mdp, policy, theta)
    Q = values(mdp, pi).Q
    if mdp.horizon is None:
        d = occupancy(mdp, pi)
    else:
        d = mdp.gamma ** np.arange(mdp.horizon)[:, None] * marginals(mdp, pi)[:-1]
    return weighted_scores(mdp, policy, theta, d[..., None] * pi * Q)


def average_gradient(mdp: TabularMDP, policy: Policy, theta: Array) -> Array:
    """∇J_avg(θ) = E_μ[f Q] with differential Q, shape (P,) (P14).

    Raises
    ------
    InvalidInput
        As `stationary_distribution`.
    """
    pi = probabilities(mdp, policy, theta)
    mu = stationary_distribution(mdp, pi)
    return weighted_scores(mdp, policy, theta, mu[:, None] * pi * differential_values(mdp, pi).Q)


def fisher(mdp: TabularMDP, policy: Policy, theta: Array, weights: Array | None = None) -> Array:
    """F = Σ_s w(s) Σ_a π(a|s) f(s,a) f(s,a)ᵀ, shape (P, P) (S10, N1, N9).

    Parameters
    ----------
    mdp, policy, theta
        As for `probabilities`.
    weights : array, shape (S,) or (T, S), optional
        w, of each state or of each time and state; by default Σ_t γ^t d_t, the occupancy.

    Raises
    ------
    InvalidInput
        If the weights are of another shape.
    """
    pi, f = probabilities(mdp, policy, theta), scores(mdp, policy, theta)
    w = _visits(mdp, pi) if weights is None else np.asarray(weights)
    if pi.ndim == 2 and w.ndim == 2:
        w = w.sum(axis=0)  # the policy does not know the time
    if w.shape != pi.shape[:-1]:
        raise InvalidInput(f"weights have shape {w.shape}, expected {pi.shape[:-1]}, one for each row of π")
    rows = f.reshape(-1, f.shape[-1])
    F: Array = rows.T @ ((w[..., None] * pi).reshape(-1, 1) * rows)
    return F


def _visits(mdp: TabularMDP, pi: Array) -> Array:
    """γ^t d_t(s) for a policy in time, its sum over t for one without."""
    if pi.ndim == 2:
        return occupancy(mdp, pi)
    d = marginals(mdp, pi)[:-1] * ~mdp.terminal
    return np.asarray(mdp.gamma ** np.arange(len(d))[:, None] * d)
