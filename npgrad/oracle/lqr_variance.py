"""Exact variance of reward-to-go estimates on LQR: moments given the state are polynomials of degree six at most."""

from __future__ import annotations

from itertools import product

import numpy as np

from ..errors import InvalidInput
from ..types import Array, FloatArray
from ..validation import require_positive
from .lqr import LQR
from .moments import CausalMoments, Step, moments_before, no_tail, settler
from .quadrature import normal_nodes

__all__ = ["lqr_moments"]

DEGREE = 6  # of E[‖X‖² | x] in x: ‖f‖² is of degree two, G² of degree four
NODES = 4  # of Gauss–Hermite a noise: exact up to degree seven, and each noise enters with degree six at most


def lqr_moments(
    lqr: LQR, K: Array, *, sigma: float, value_baseline: bool = False, covariance: bool = False
) -> CausalMoments:
    """Exact moments of ĝ = Σ_t γ^t f_t (G_t − b_t) on one episode, f = ∇_K log N(a; −Kx, σ²I) = −e xᵀ/σ (B4).

    The recursion is that of `causal_moments`. Given x, its moments are polynomials in x; so they are kept as values
    on a grid of 7 points a dimension, which determine them, and expectations over noise are Gauss–Hermite sums, which
    are exact for them. What Isserlis' theorem says of eighth moments is thereby summed without being written out.

    Parameters
    ----------
    lqr : LQR
        With a horizon, or with γ < 1 and A − BK stable.
    K : array, shape (k, n)
    sigma : float
        σ, above 0.
    value_baseline : bool, optional
        b_t = V_t(x_t) rather than 0.
    covariance : bool, optional
        Also the whole matrix.

    Returns
    -------
    CausalMoments
        Over K row by row, P = k n numbers.

    Raises
    ------
    InvalidInput
        If K changes in time or does not fit, or the state has more than three dimensions.

    Notes
    -----
    Limitation: cost grows as 7^{2n} 4^{k+n}; one and two dimensions take milliseconds, more than three are refused.

    Examples
    --------
    >>> lqr = LQR(A=[[0.9]], B=[[1.0]], Q=[[1.0]], R=[[0.1]], start=[[1.0]], horizon=3)
    >>> K = np.array([[0.5]])
    >>> m = lqr_moments(lqr, K, sigma=0.3)
    >>> bool(np.abs(m.mean - lqr.gradient(K, sigma=0.3)).max() < 1e-12), round(m.variance, 6)
    (True, 307.013576)
    """
    K = np.asarray(K, dtype=np.float64)
    n, k = lqr.n_states, lqr.n_actions
    require_positive("sigma", sigma)
    if K.shape != (k, n) or n > 3:
        raise InvalidInput(f"K has shape {K.shape}, expected {(k, n)}, one gain for all times, and at most 3 states")
    endless = lqr.horizon is None
    if endless and (lqr.gamma == 1 or np.abs(np.linalg.eigvals(lqr.A - lqr.B @ K)).max() >= 1):
        raise InvalidInput("without a horizon, variance needs gamma below 1 and a stable A − BK")
    step, start = _tabulated(lqr, K, sigma)
    tail = no_tail(len(start), k * n, covariance)
    settle = settler(step, endless=endless)
    for _ in range(lqr.horizon or 1):
        if value_baseline:
            _, value = settle((step.pi * step.rho).sum(axis=1), lqr.gamma, tail.G)
            step = step._replace(b=value[:, None])
        tail = moments_before(step, tail, lqr.gamma, lqr.gamma, settle)
    return tail.averaged(start)


def _tabulated(lqr: LQR, K: Array, sigma: float) -> tuple[Step, FloatArray]:
    """A step from the points of the grid as "states", nodes of the noise as "actions"; weights that give E p(x_0).

    ``P @ m`` takes the polynomial with values m on the grid to its values at all next states.
    """
    n, k = lqr.n_states, lqr.n_actions
    L, L_0 = _root(lqr.W), _root(lqr.start)
    z, pi = normal_nodes(NODES, k + L.shape[1])
    e, w = z[:, :k], z[:, k:] @ L.T  # (J, k), (J, n)

    line = np.cos(np.pi * (np.arange(DEGREE + 1) + 0.5) / (DEGREE + 1))  # Chebyshev's points
    unit = np.array(list(product(line, repeat=n)))  # (I, n)
    scale = 2 * np.sqrt(max(np.linalg.eigvalsh(lqr.start)[-1], sigma**2, 1e-12))
    to_coefficients = np.linalg.pinv(_monomials(unit))

    def at(x: Array) -> Array:  # (…, n) → weights on the grid, (…, I)
        return np.asarray(_monomials(x / scale) @ to_coefficients)

    x = unit * scale
    act = -(x @ K.T)[:, None] + sigma * e  # (I, J, k)
    nxt = (x @ lqr.A.T)[:, None] + act @ lqr.B.T + w  # (I, J, n)
    rew = -(np.einsum("im,mn,in->i", x, lqr.Q, x)[:, None] + np.einsum("ijk,kl,ijl->ij", act, lqr.R, act))
    f = -np.einsum("jk,in->ijkn", e, x).reshape(len(x), len(e), k * n) / sigma
    P = at(nxt).reshape(-1, len(x))
    weights = np.broadcast_to(pi, rew.shape)
    step = Step(weights, f, rew, rew**2, P, P * rew.reshape(-1, 1), np.zeros((len(x), 1)))
    z_0, pi_0 = normal_nodes(NODES, max(L_0.shape[1], 1))
    return step, pi_0 @ at(z_0[:, : L_0.shape[1]] @ L_0.T)


def _monomials(x: Array) -> Array:
    """x^α for all α of total degree ≤ 6, (…, n) → (…, M)."""
    exponents = [a for a in product(range(DEGREE + 1), repeat=x.shape[-1]) if sum(a) <= DEGREE]
    return np.stack([np.prod(x ** np.array(a), axis=-1) for a in exponents], axis=-1)


def _root(covariance: Array) -> FloatArray:
    """L with L Lᵀ = covariance, a column for each positive eigenvalue."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > 1e-14 * max(1.0, values.max())
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))
