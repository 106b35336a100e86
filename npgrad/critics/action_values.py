"""Bootstrapped fits of Q over discrete actions: targets, and the features of a linear Q (V3).

Probabilities of actions are given at all T + N states of a batch (see `visited`): those of π make it expected SARSA,
one at the action that was taken makes it SARSA.
"""

from __future__ import annotations

import numpy as np

from ..types import Array, Batch, FloatArray
from ..validation import require_probability, require_shape
from .closed_form import linear_rows
from .critic import ActionValueCritic, final_states, state_offsets

__all__ = ["action_features", "action_targets"]


def action_targets(critic: ActionValueCritic, batch: Batch, probabilities: Array, gamma: float = 1.0) -> FloatArray:
    """y_t = r_t + γ Σ_a π(a|s_{t+1}) Q_w(s_{t+1}, a), nothing after termination (V3).

    Parameters
    ----------
    critic : ActionValueCritic
    batch : Batch
    probabilities : array, shape (T + N, n_actions)
        π(a|s) at every state of the batch.
    gamma : float, optional
        γ in [0, 1].

    Returns
    -------
    array, shape (T,)

    Raises
    ------
    InvalidInput
        On wrong shapes, or γ outside [0, 1].

    Examples
    --------
    >>> from npgrad.functions import Featured, Linear, OneHot
    >>> Q = ActionValueCritic(Featured(OneHot((2,)), Linear(2, 2, bias=False)), np.array([1.0, 2.0, 3.0, 5.0]))
    >>> batch = Batch(obs=np.array([[0.0], [1.0]]), act=np.array([1, 0]), rew=np.ones(2), logp=np.zeros(2),
    ...               offsets=[0, 2], terminated=[True], truncated=[False], final_obs=np.array([[1.0]]))
    >>> action_targets(Q, batch, np.full((3, 2), 0.5), gamma=0.5)  # 1 + ½ · ½(3 + 5)
    array([3., 1.])
    """
    require_probability("gamma", gamma)
    q = critic.outputs(batch)
    require_shape("probabilities", probabilities, q.shape)
    v = np.einsum("ta,ta->t", probabilities, q)  # V(s) = Σ_a π(a|s) Q(s, a)
    targets: FloatArray = batch.rew + gamma * _successors(v, batch)
    return targets


def action_features(critic: ActionValueCritic, batch: Batch, probabilities: Array) -> tuple[FloatArray, FloatArray]:
    """Φ of (s_t, a_t) and Φ' = Σ_a π(a|s_{t+1}) φ(s_{t+1}, a) of a Q that is linear in its weights, (T, P) each (V3).

    They are what `lstd`, `fitted_iteration` and `ridge_regression` work on.

    Parameters
    ----------
    critic, batch, probabilities
        As for `action_targets`.

    Raises
    ------
    InvalidInput
        If the critic is not linear in its weights, or on wrong shapes.

    Examples
    --------
    >>> from npgrad.critics import lstd
    >>> from npgrad.functions import Featured, Linear, OneHot
    >>> Q = ActionValueCritic(Featured(OneHot((1,)), Linear(1, 2, bias=False)), np.zeros(2))
    >>> batch = Batch(obs=np.zeros((2, 1)), act=np.array([1, 0]), rew=np.array([1.0, 3.0]), logp=np.zeros(2),
    ...               offsets=[0, 2], terminated=[True], truncated=[False], final_obs=np.zeros((1, 1)))
    >>> phi, phi_next = action_features(Q, batch, np.full((3, 2), 0.5))
    >>> w = lstd(phi, phi_next, batch.rew, gamma=0.5)  # Q(·, 0) = 3, Q(·, 1) = 1 + ½ · ½(3 + Q(·, 1))
    >>> w.round(12)
    array([3.        , 2.33333333])
    """
    n = state_offsets(batch)[-1]
    require_shape("probabilities", probabilities, (n, critic.function.n_out))
    taken = np.zeros((n, critic.function.n_out))
    rows = np.delete(np.arange(n), final_states(batch))
    taken[rows, critic.columns(batch.act)] = 1
    phi, phi_mean = linear_rows(critic, batch, taken), linear_rows(critic, batch, probabilities)
    return phi[rows], _successors(phi_mean, batch)


def _successors(of_states: Array, batch: Batch) -> Array:
    """The rows of s_{t+1}, zero after termination; from those of all T + N states to T."""
    after = np.delete(of_states, state_offsets(batch)[:-1], axis=0)
    after[batch.offsets[1:][batch.terminated] - 1] = 0
    return after
