"""Natural steps: (F + λI)⁻¹ g three ways, the length that a KL allows, and backtracking (N2, N4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..errors import InvalidInput, NonFinite
from ..types import Array
from ..validation import require_finite, require_positive, require_shape

__all__ = [
    "Backtracked",
    "Solution",
    "backtrack",
    "conjugate_gradient",
    "kl_step_length",
    "solve_direct",
    "solve_in_sample_space",
]


ROUNDING = 1e-12  # eigenvalues of a sum of many f fᵀ that are smaller, relative to the largest, are taken for 0


class Solution(NamedTuple):
    """What `conjugate_gradient` found.

    Parameters
    ----------
    x : array, shape (P,)
        The solution.
    residual : float
        ‖g − (F + λI)x‖ / ‖g‖, as the iteration sees it.
    n_iterations : int
        Products with F that it took.
    """

    x: Array
    residual: float
    n_iterations: int


class Backtracked(NamedTuple):
    """Where `backtrack` ended.

    Parameters
    ----------
    theta : array, shape (P,)
        The new θ; the old one if no fraction of the step was accepted.
    fraction : float
        How much of the step was taken, 0 if none.
    gain, kl : float
        At the new θ.
    n_tried : int
        How many fractions were tried.
    """

    theta: Array
    fraction: float
    gain: float
    kl: float
    n_tried: int


def solve_direct(F: Array, g: Array, damping: float = 0.0) -> Array:
    """x = (F + λI)⁻¹ g; with λ = 0 the pseudo-inverse, F⁺g (N2, N3).

    With the pseudo-inverse, directions that do not change π are left out, and the step moves π in the same way under
    every linear change of parameters, to first order at least; damping breaks that. Eigenvalues of F below 1e-12 of the
    largest count as 0: the rounding of a sum over many rows leaves such.

    Parameters
    ----------
    F : array, shape (P, P)
        Symmetric, positive semi-definite.
    g : array, shape (P,)
    damping : float, optional
        λ ≥ 0.

    Returns
    -------
    array, shape (P,)

    Raises
    ------
    InvalidInput
        On shapes that disagree or a negative λ.
    NonFinite
        If F or g is.

    Examples
    --------
    >>> solve_direct(np.diag([4.0, 0.0]), np.array([2.0, 0.0]))
    array([0.5, 0. ])
    >>> solve_direct(np.diag([4.0, 0.0]), np.array([2.0, 1.0]), damping=1.0)
    array([0.4, 1. ])
    """
    require_shape("g", g, (None,))
    require_shape("F", F, (len(g), len(g)))
    require_finite("F", F)
    require_finite("g", g)
    _require_damping(damping)
    if damping == 0:
        x: Array = np.linalg.pinv(F, rcond=ROUNDING, hermitian=True) @ g
        return x
    return np.asarray(np.linalg.solve(F + damping * np.eye(len(g)), g))


def solve_in_sample_space(rows: Array, g: Array, damping: float) -> Array:
    """x = (RᵀR + λI)⁻¹ g by a system of T unknowns, not P (Woodbury; N2).

        x = (g − Rᵀ (RRᵀ + λI)⁻¹ R g) / λ

    Parameters
    ----------
    rows : array, shape (T, P)
        R with F = RᵀR: √w_t f_t of each row.
    g : array, shape (P,)
    damping : float
        λ > 0.

    Returns
    -------
    array, shape (P,)

    Raises
    ------
    InvalidInput
        On shapes that disagree, or λ not above 0.
    NonFinite
        If R or g is.

    Notes
    -----
    Limitation: it holds (T, T) numbers, and loses as many digits as ‖F‖/λ has.

    Examples
    --------
    >>> solve_in_sample_space(np.array([[2.0, 0.0]]), np.array([2.0, 1.0]), damping=1.0)
    array([0.4, 1. ])
    """
    require_shape("g", g, (None,))
    require_shape("rows", rows, (None, len(g)))
    require_finite("rows", rows)
    require_finite("g", g)
    require_positive("damping", damping)
    inner = rows @ rows.T + damping * np.eye(len(rows))  # RRᵀ + λI
    x: Array = (g - rows.T @ np.linalg.solve(inner, rows @ g)) / damping
    return x


def conjugate_gradient(
    product: Callable[[Array], Array],
    g: Array,
    *,
    damping: float = 0.0,
    max_iterations: int = 10,
    tolerance: float = 1e-10,
) -> Solution:
    """x ≈ (F + λI)⁻¹ g by conjugate gradients on v ↦ Fv (N2; Hestenes and Stiefel 1952).

        α = rᵀr / pᵀFp,   x ← x + αp,   r' = r − αFp,   p ← r' + (r'ᵀr'/rᵀr) p

    Without rounding it is exact after as many iterations as F + λI has different eigenvalues.

    Parameters
    ----------
    product : function
        v ↦ Fv, F symmetric and positive semi-definite.
    g : array, shape (P,)
    damping : float, optional
        λ ≥ 0.
    max_iterations : int, optional
        Products with F at most.
    tolerance : float, optional
        Stop at ‖r‖ ≤ tolerance · ‖g‖.

    Returns
    -------
    Solution

    Raises
    ------
    InvalidInput
        On a negative λ, or less than one iteration.
    NonFinite
        If g or a product is.

    Examples
    --------
    >>> x, residual, n = conjugate_gradient(lambda v: np.array([4.0, 1.0]) * v, np.array([2.0, 1.0]))
    >>> x.round(12), n
    (array([0.5, 1. ]), 2)
    """
    require_finite("g", g)
    _require_damping(damping)
    if max_iterations < 1:
        raise InvalidInput(f"max_iterations is {max_iterations}, expected at least 1")
    x, r = np.zeros_like(g), g.copy()
    p, rr = r, r @ r
    norm2, n = rr, 0
    while n < max_iterations and rr > tolerance**2 * norm2:
        n += 1
        Fp = product(p) + damping * p
        curvature = p @ Fp
        if not np.isfinite(curvature):
            raise NonFinite(f"F v is not finite in iteration {n}; a smaller learning rate may help")
        if curvature <= 0:  # F is singular here, and g has a part outside its range
            break
        alpha = rr / curvature
        x = x + alpha * p
        r = r - alpha * Fp
        rr, before = r @ r, rr
        p = r + (rr / before) * p
    return Solution(x, float(np.sqrt(rr / norm2)) if norm2 > 0 else 0.0, n)


def kl_step_length(g: Array, x: Array, delta: float) -> float:
    """α = √(2δ / gᵀx), x = F⁻¹g: the step αx has ½ (αx)ᵀF(αx) = δ (N4).

    F is that of the solve: with damping, F + λI.

    Parameters
    ----------
    g : array, shape (P,)
        The gradient.
    x : array, shape (P,)
        (F + λI)⁻¹ g.
    delta : float
        δ > 0, the KL that is allowed.

    Returns
    -------
    float
        α; 0 where g is 0.

    Raises
    ------
    InvalidInput
        If δ is not above 0, or gᵀx is negative.

    Examples
    --------
    >>> kl_step_length(np.array([2.0, 1.0]), np.array([0.5, 1.0]), delta=0.01)
    0.1
    """
    require_positive("delta", delta)
    gx = float(g @ x)
    if gx == 0:
        return 0.0
    if not gx > 0:
        raise InvalidInput(f"gᵀF⁻¹g is {gx}, expected above 0: F must be positive definite; more damping may help")
    return float(np.sqrt(2 * delta / gx))


def backtrack(
    theta: Array,
    step: Array,
    *,
    gain: Callable[[Array], float],
    kl: Callable[[Array], float],
    delta: float,
    shrink: float = 0.5,
    max_tries: int = 10,
) -> Backtracked:
    """θ + c^j d for the least j with KL ≤ δ and a gain above 0; θ itself if there is none (N4; Schulman et al. 2015).

    Parameters
    ----------
    theta : array, shape (P,)
        θ.
    step : array, shape (P,)
        d, the whole step.
    gain : function
        θ' ↦ how much the surrogate improves.
    kl : function
        θ' ↦ the true KL, in whichever direction it is meant.
    delta : float
        δ > 0.
    shrink : float, optional
        c in (0, 1).
    max_tries : int, optional
        Fractions 1, c, …, c^(max_tries − 1).

    Returns
    -------
    Backtracked

    Raises
    ------
    InvalidInput
        If δ, c or `max_tries` is out of range.

    Examples
    --------
    >>> gain, kl = lambda theta: float(theta[0]), lambda theta: float(theta[0] ** 2)
    >>> found = backtrack(np.zeros(1), np.ones(1), gain=gain, kl=kl, delta=0.1)
    >>> found.fraction, found.kl, found.n_tried
    (0.25, 0.0625, 3)
    """
    require_positive("delta", delta)
    if not 0 < shrink < 1 or max_tries < 1:
        raise InvalidInput(f"shrink is {shrink} and max_tries {max_tries}, expected one in (0, 1) and at least 1")
    for j in range(max_tries):
        candidate = theta + shrink**j * step
        found_kl = kl(candidate)
        found_gain = gain(candidate) if found_kl <= delta else float("nan")
        if found_gain > 0:  # a NaN is no gain
            return Backtracked(candidate, shrink**j, found_gain, found_kl, j + 1)
    return Backtracked(theta, 0.0, 0.0, 0.0, max_tries)


def _require_damping(damping: float) -> None:
    if not 0 <= damping < np.inf:
        raise InvalidInput(f"damping is {damping}, expected a number of at least 0")
