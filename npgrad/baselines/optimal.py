"""The baselines of least variance, from scores: for the whole return (B5), and by states for the reward-to-go (B12)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..types import FloatArray, IntArray
from ..validation import require_shape
from .given import checked_cells

__all__ = [
    "best_state_baseline",
    "biased_optimal",
    "biased_optimal_per_coordinate",
    "leave_one_out_optimal",
    "leave_one_out_optimal_per_coordinate",
    "optimal_constant",
    "optimal_per_coordinate",
]


def optimal_constant(scores: FloatArray, returns: FloatArray, weights: npt.ArrayLike | None = None) -> float:
    """b* = E[‖g‖² R] / E[‖g‖²], g = Σ_t f_t: least tr Var of ĝ = 1/N Σ g (R − b) (B5).

        Var(b) − Var(b*) = E‖g‖² (b − b*)² / N

    Parameters
    ----------
    scores : array, shape (N, P)
        g of each episode.
    returns : array, shape (N,)
        R of each episode.
    weights : array, shape (N,), optional
        How much each episode counts, such as its probability where all are enumerated; one each by default. Estimated
        on the batch it is used on, b* is biased: `leave_one_out_optimal` is not.

    Returns
    -------
    float
        b*; zero where all scores are.

    Raises
    ------
    InvalidInput
        On shapes that disagree.

    Notes
    -----
    COL778, CS285 4.3; Greensmith, Bartlett and Baxter 2004.

    Examples
    --------
    >>> optimal_constant(np.array([[1.0], [2.0]]), np.array([10.0, 5.0]))  # (1·10 + 4·5) / (1 + 4)
    6.0
    """
    g2, R, w = _squares(scores, returns, weights)
    total = g2.sum(axis=1)  # ‖g‖², (N,)
    return float(_ratio((w * total * R).sum(), (w * total).sum()))


def optimal_per_coordinate(scores: FloatArray, returns: FloatArray, weights: npt.ArrayLike | None = None) -> FloatArray:
    """b*_k = E[g_k² R] / E[g_k²]: least variance of each coordinate of ĝ (B5).

    Parameters
    ----------
    scores, returns, weights
        As for `optimal_constant`.

    Returns
    -------
    array, shape (P,)

    Examples
    --------
    >>> optimal_per_coordinate(np.array([[1.0, 0.0], [2.0, 3.0]]), np.array([10.0, 5.0]))
    array([6., 5.])
    """
    g2, R, w = _squares(scores, returns, weights)
    return _ratio((w * R) @ g2, w @ g2)


def biased_optimal(scores: FloatArray, returns: FloatArray) -> float:
    """b* of the very episodes it is used on: biased (B3, B5); arguments as for `optimal_constant`.

    Examples
    --------
    >>> biased_optimal(np.array([[1.0], [2.0]]), np.array([10.0, 5.0]))
    6.0
    """
    return optimal_constant(scores, returns)


def biased_optimal_per_coordinate(scores: FloatArray, returns: FloatArray) -> FloatArray:
    """b*_k of the very episodes it is used on: biased (B3, B5); arguments as for `optimal_constant`.

    Examples
    --------
    >>> biased_optimal_per_coordinate(np.array([[1.0, 0.0], [2.0, 3.0]]), np.array([10.0, 5.0]))
    array([6., 5.])
    """
    return optimal_per_coordinate(scores, returns)


def leave_one_out_optimal(scores: FloatArray, returns: FloatArray) -> FloatArray:
    """b*_i from the episodes j ≠ i: Σ_{j≠i} ‖g_j‖² R_j / Σ_{j≠i} ‖g_j‖², which keeps ĝ unbiased (B3, B5).

    Parameters
    ----------
    scores, returns
        As for `optimal_constant`, at least two episodes.

    Returns
    -------
    array, shape (N, 1)

    Examples
    --------
    >>> leave_one_out_optimal(np.array([[1.0], [2.0]]), np.array([10.0, 5.0]))
    array([[ 5.],
           [10.]])
    """
    g2, R, _ = _squares(scores, returns, None)
    return _from_others(g2.sum(axis=1, keepdims=True), R)


def leave_one_out_optimal_per_coordinate(scores: FloatArray, returns: FloatArray) -> FloatArray:
    """b*_{i,k} = Σ_{j≠i} g_{j,k}² R_j / Σ_{j≠i} g_{j,k}², which keeps ĝ unbiased (B3, B5).

    Parameters
    ----------
    scores, returns
        As for `optimal_constant`, at least two episodes.

    Returns
    -------
    array, shape (N, P)

    Examples
    --------
    >>> leave_one_out_optimal_per_coordinate(np.array([[1.0, 1.0], [2.0, 0.0]]), np.array([10.0, 5.0]))
    array([[ 5.,  0.],
           [10., 10.]])
    """
    g2, R, _ = _squares(scores, returns, None)
    return _from_others(g2, R)


def best_state_baseline(
    scores: FloatArray,
    psi: FloatArray,
    offsets: IntArray,
    cells: IntArray,
    n_cells: int,
    weights: npt.ArrayLike | None = None,
) -> FloatArray:
    """b*(c) = E[f_tᵀ X | c] / E[‖f_t‖² | c], X = Σ_t f_t Ψ_t: the best b of ĝ = 1/N Σ_i Σ_t f_t (Ψ_t − b) (B12).

        Var(b) − Var(b*) = Σ_t E‖f_t‖² (b − b*)² / N

    V^π is another baseline: it knows nothing of the scores. The conditions are those of B1: the cell c of row t
    depends on (t, s_t) alone.

    Parameters
    ----------
    scores : array, shape (T, P)
        f_t of each row.
    psi : array, shape (T,)
        Ψ_t, e.g. the reward-to-go.
    offsets : int array, shape (N + 1,)
        Episode i is rows offsets[i] … offsets[i+1] − 1.
    cells : int array, shape (T,)
        The cell (t, s_t) of each row, in 0 … n_cells − 1.
    n_cells : int
        How many there are.
    weights : array, shape (N,), optional
        How much each episode counts, such as its probability where all are enumerated. Estimated on the batch it is
        used on, b* is biased.

    Returns
    -------
    array, shape (n_cells,)
        b*; zero in cells without a visit, or without a score.

    Raises
    ------
    InvalidInput
        On shapes that disagree, or a cell out of range.

    Notes
    -----
    Greensmith, Bartlett and Baxter 2004.

    Examples
    --------
    >>> best_state_baseline(np.array([[1.0], [2.0]]), np.array([3.0, 1.0]), np.array([0, 2]), np.array([0, 1]), 2)
    array([5. , 2.5])
    """
    require_shape("scores", scores, (None, None))
    require_shape("psi", psi, (len(scores),))
    index = checked_cells(cells, len(scores), n_cells)
    lengths = np.diff(offsets)
    w = np.repeat(_weights(weights, len(lengths)), lengths)  # (T,)
    X = np.add.reduceat(scores * psi[:, None], offsets[:-1])  # (N, P)
    fX = np.einsum("tp,tp->t", scores, np.repeat(X, lengths, axis=0))  # f_tᵀ X
    ff = np.einsum("tp,tp->t", scores, scores)  # ‖f_t‖²
    return _ratio(np.bincount(index, w * fX, n_cells), np.bincount(index, w * ff, n_cells))


def _squares(
    scores: FloatArray, returns: FloatArray, weights: npt.ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    require_shape("scores", scores, (None, None), "one row an episode: Σ_t f_t")
    require_shape("returns", returns, (len(scores),))
    return scores**2, returns, _weights(weights, len(scores))


def _weights(weights: npt.ArrayLike | None, n: int) -> FloatArray:
    w = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    require_shape("weights", w, (n,))
    return w


def _ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> FloatArray:
    """numerator / denominator, zero where the denominator is."""
    a, b = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    return np.divide(a, b, out=np.zeros(b.shape), where=b > 0)


def _from_others(g2: FloatArray, R: FloatArray) -> FloatArray:
    """Row i: Σ_{j≠i} g2_j R_j / Σ_{j≠i} g2_j, sums over the others from both ends, so that nothing cancels."""
    if len(R) < 2:
        raise InvalidInput(f"leave-one-out has {len(R)} episode, expected at least 2; collect more")
    return _ratio(_sum_of_others(g2 * R[:, None]), _sum_of_others(g2))


def _sum_of_others(x: FloatArray) -> FloatArray:
    """Row i: Σ_{j≠i} x_j = Σ_{j<i} x_j + Σ_{j>i} x_j."""
    zero = np.zeros((1, x.shape[1]))
    before = np.concatenate([zero, np.cumsum(x, axis=0)[:-1]])
    after = np.concatenate([np.cumsum(x[::-1], axis=0)[::-1][1:], zero])
    total: FloatArray = before + after
    return total
