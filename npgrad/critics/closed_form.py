"""Critics that are linear in their weights, by linear solves: Monte Carlo, fitted V iteration, the TD fixed point.

All work on features: Φ of the states, row t is φ(s_t), and Φ' of their successors, row t is φ(s_{t+1}), or zero where
the episode terminated. For Q the features are those of (s_t, a_t) and (s_{t+1}, a_{t+1}).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..types import Array, Batch, FloatArray
from ..validation import require_finite, require_probability, require_shape
from .critic import Critic, ValueCritic, final_states, state_offsets

__all__ = ["features", "fitted_iteration", "lstd", "ridge_regression"]


def ridge_regression(
    phi: FloatArray,
    targets: FloatArray,
    *,
    weights: npt.ArrayLike | None = None,
    ridge: float = 0.0,
    centre: npt.ArrayLike | None = None,
) -> FloatArray:
    """w = argmin Σ_t c_t (φ_tᵀw − y_t)² + λ‖w − w_l‖² (V1, V2).

        (Φᵀ C Φ + λI) w = Φᵀ C y + λ w_l

    Parameters
    ----------
    phi : array, shape (T, K)
        Φ.
    targets : array, shape (T,)
        y: the reward-to-go for a Monte Carlo fit, r_t + γ V(s_{t+1}) for a step of fitted iteration.
    weights : array, shape (T,), optional
        c ≥ 0; one each by default.
    ridge : float, optional
        λ ≥ 0. At 0 the smallest w among equals is taken.
    centre : array, shape (K,), optional
        w_l; zero by default.

    Returns
    -------
    array, shape (K,)

    Raises
    ------
    InvalidInput
        On wrong shapes, or a negative weight or λ.
    NonFinite
        If a feature or target is NaN or infinite.

    Examples
    --------
    >>> phi = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> ridge_regression(phi, np.array([1.0, 3.0, 5.0])).round(12)
    array([2., 5.])
    >>> ridge_regression(phi, np.array([1.0, 3.0, 5.0]), ridge=1.0, centre=[5.0, 5.0])
    array([3., 5.])
    """
    c = _checked(phi, targets, weights, ridge)
    if ridge == 0:
        root = np.sqrt(c)
        return _solve(root[:, None] * phi, root * targets)
    w_l = np.zeros(phi.shape[1]) if centre is None else np.asarray(centre, dtype=np.float64)
    require_shape("centre", w_l, (phi.shape[1],))
    cphi = c[:, None] * phi
    A = cphi.T @ phi + ridge * np.eye(phi.shape[1])
    return np.asarray(np.linalg.solve(A, cphi.T @ targets + ridge * w_l))


def fitted_iteration(
    phi: FloatArray,
    phi_next: FloatArray,
    rew: FloatArray,
    *,
    gamma: float,
    w: npt.ArrayLike,
    n_iterations: int = 1,
    weights: npt.ArrayLike | None = None,
    ridge: float = 0.0,
) -> FloatArray:
    """w_{l+1} = argmin Σ_t c_t (φ_tᵀw − r_t − γ φ'_tᵀw_l)² + λ‖w − w_l‖² (V2).

    On a table with γ < 1 each iteration contracts by max_s (n_s γ + λ)/(n_s + λ), n_s the visits to s. With features
    it may diverge off-policy.

    Parameters
    ----------
    phi, phi_next : array, shape (T, K)
        Φ and Φ'.
    rew : array, shape (T,)
        r.
    gamma : float
        γ in [0, 1].
    w : array, shape (K,)
        w_0.
    n_iterations : int, optional
        How many.
    weights, ridge
        As for `ridge_regression`; λ pulls towards w_l.

    Returns
    -------
    array, shape (K,)

    Raises
    ------
    InvalidInput
        On wrong shapes, γ outside [0, 1], or a negative weight or λ.

    Examples
    --------
    >>> phi, phi_next = np.array([[1.0], [2.0]]), np.array([[2.0], [2.0]])  # V(s) = w, 2w; w → 6γ/5 w
    >>> fitted_iteration(phi, phi_next, np.zeros(2), gamma=1.0, w=[1.0]).round(12)
    array([1.2])
    """
    _checked_pair(phi, phi_next, rew, gamma)
    w = np.asarray(w, dtype=np.float64)
    require_shape("w", w, (phi.shape[1],))
    for _ in range(n_iterations):
        targets = rew + gamma * (phi_next @ w)  # r_t + γ V_l(s_{t+1})
        w = ridge_regression(phi, targets, weights=weights, ridge=ridge, centre=w)
    return w


def lstd(
    phi: FloatArray,
    phi_next: FloatArray,
    rew: FloatArray,
    *,
    gamma: float,
    weights: npt.ArrayLike | None = None,
    ridge: float = 0.0,
) -> FloatArray:
    """The TD fixed point: (Φᵀ C (Φ − γΦ') + λI) w = Φᵀ C r (V2, V3; Bradtke and Barto 1996).

    Parameters
    ----------
    phi, phi_next, rew, gamma, weights
        As for `fitted_iteration`.
    ridge : float, optional
        λ ≥ 0. At 0 the smallest w among equals is taken.

    Returns
    -------
    array, shape (K,)

    Examples
    --------
    >>> lstd(np.eye(2), np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([1.0, 2.0]), gamma=0.5).round(12)
    array([2., 2.])
    """
    _checked_pair(phi, phi_next, rew, gamma)
    c = _checked(phi, rew, weights, ridge)
    cphi = c[:, None] * phi
    A = cphi.T @ (phi - gamma * phi_next) + ridge * np.eye(phi.shape[1])
    return _solve(A, cphi.T @ rew)


def features(critic: ValueCritic, batch: Batch) -> tuple[FloatArray, FloatArray]:
    """Φ and Φ' of a critic that is linear in its weights, (T, K) each: V = Φw, and Φ' is zero after termination.

    Raises
    ------
    InvalidInput
        If the critic is not linear in its weights.

    Examples
    --------
    >>> from npgrad.functions import Featured, Linear, OneHot
    >>> table = ValueCritic(Featured(OneHot((3,)), Linear(3, 1, bias=False)), np.zeros(3))
    >>> batch = Batch(obs=np.array([[0.0], [2.0]]), act=np.zeros(2, int), rew=np.ones(2), logp=np.zeros(2),
    ...               offsets=[0, 2], terminated=[True], truncated=[False], final_obs=np.array([[1.0]]))
    >>> phi, phi_next = features(table, batch)
    >>> phi_next
    array([[0., 0., 1.],
           [0., 0., 0.]])
    """
    rows = linear_rows(critic, batch, np.ones((batch.n_steps + batch.n_episodes, 1)))  # φ, (T + N, K)
    phi_next = np.delete(rows, state_offsets(batch)[:-1], axis=0)  # s_1 … s_T of each segment
    phi_next[batch.offsets[1:][batch.terminated] - 1] = 0
    return np.delete(rows, final_states(batch), axis=0), phi_next


def linear_rows(critic: Critic, batch: Batch, outputs: Array) -> FloatArray:
    """∂(outputs_t · y_t)/∂w at all T + N states, for a critic that is linear in its weights, (T + N, P)."""
    probe = critic.with_weights(np.linspace(1.0, 2.0, critic.function.n_params))
    parts = probe.map_states(batch, lambda lin, rows: (lin.vjp_rows(outputs[rows]), lin.y))
    phi = np.concatenate([rows for rows, _ in parts])
    expected = np.einsum("tk,tk->t", outputs, np.concatenate([y for _, y in parts]))
    if not np.allclose(phi @ probe.w, expected, rtol=1e-9, atol=1e-9):
        raise InvalidInput(
            f"{type(critic.function).__name__} is not linear in its weights, as a closed form needs; "
            "fit it by gradients (fit_error)"
        )
    return phi


def _checked(phi: FloatArray, targets: FloatArray, weights: npt.ArrayLike | None, ridge: float) -> FloatArray:
    require_shape("phi", phi, (None, None))
    require_shape("targets", targets, (len(phi),))
    require_finite("phi", phi)
    require_finite("targets", targets)
    c = np.ones(len(phi)) if weights is None else np.asarray(weights, dtype=np.float64)
    require_shape("weights", c, (len(phi),))
    if ridge < 0 or (c < 0).any():
        raise InvalidInput(f"ridge is {ridge} and the least weight {c.min(initial=0)}, expected none below 0")
    return c


def _checked_pair(phi: FloatArray, phi_next: FloatArray, rew: FloatArray, gamma: float) -> None:
    require_probability("gamma", gamma)
    require_shape("phi", phi, (None, None))
    require_shape("phi_next", phi_next, phi.shape)
    require_shape("rew", rew, (len(phi),))
    require_finite("phi_next", phi_next)


def _solve(A: Array, b: Array) -> FloatArray:
    """The least-squares solution of least norm."""
    w: FloatArray = np.linalg.lstsq(A, b, rcond=None)[0]
    return w
