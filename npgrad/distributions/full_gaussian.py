"""The Gaussian with a full covariance Σ = L Lᵀ, y = (μ, log diag L, the rest of L)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..types import Array
from .base import RealActions, as_actions, require_rows
from .gaussian import HALF_LOG_2PI

__all__ = ["FullGaussian"]


@dataclass(frozen=True)
class FullGaussian(RealActions):
    """N(μ, L Lᵀ) in k dimensions, with L lower triangular and its diagonal positive.

    y = (μ_1 … μ_k, log L_11 … log L_kk, L_21, L_31, L_32, L_41, …): 2k + k(k−1)/2 numbers.

    Parameters
    ----------
    k : int
        Number of dimensions of an action, a row of k floats.

    References
    ----------
    S3, S8, S9, S10 of the catalogue; docs/derivations/full_gaussian.md.

    Examples
    --------
    >>> pi = FullGaussian(2)
    >>> y = np.array([[0.0, 0.0, 0.0, 0.0, 0.5]])  # μ = 0, L = [[1, 0], [½, 1]]
    >>> act = pi.draw(y, noise=np.array([[2.0, 1.0]]))
    >>> act, pi.score(y, act)  # Σ⁻¹(a − μ) = (1.5, 1) first
    (array([[2., 2.]]), array([[1.5, 1. , 2. , 0. , 2. ]]))
    """

    @property
    def n_y(self) -> int:
        """k means, k log diagonal entries, k(k−1)/2 entries below the diagonal."""
        return 2 * self.k + self.k * (self.k - 1) // 2

    @property
    def draws(self) -> tuple[str, ...]:
        """k normals an action."""
        return ("normal",) * self.k

    def log_prob(self, y: Array, act: Array) -> Array:
        """log p(a) = −½ ‖z‖² − Σ_i log L_ii − k/2 log 2π with L z = a − μ, shape (T,). S3."""
        require_rows(self, y, act)
        z = self._standardised(y, act, _inverse(self._factor(y)))
        log_p: Array = -(0.5 * z * z + self._log_diagonal(y) + HALF_LOG_2PI).sum(axis=1)
        return log_p

    def score(self, y: Array, act: Array) -> Array:
        """∂/∂μ = w = L⁻ᵀ z = Σ⁻¹(a − μ), ∂/∂L_ij = w_i z_j − 1[i = j]/L_ii, shape (T, n_y). S3."""
        require_rows(self, y, act)
        inverse = _inverse(self._factor(y))
        z = self._standardised(y, act, inverse)
        w = _transposed_times(inverse, z)
        row = self._row(y, w, w[:, :, None] * z[:, None, :])
        row[:, self.k : 2 * self.k] -= 1
        return row

    def draw(self, y: Array, noise: Array) -> Array:
        """a = μ + L ε with ε = noise, shape (T, k)."""
        return as_actions(y[:, : self.k] + _times(self._factor(y), noise))

    def mode(self, y: Array) -> Array:
        """a = μ, shape (T, k)."""
        return as_actions(y[:, : self.k].copy())

    def entropy(self, y: Array) -> Array:
        """H = Σ_i log L_ii + k/2 (1 + log 2π), shape (T,). S8."""
        h: Array = (self._log_diagonal(y) + (0.5 + HALF_LOG_2PI)).sum(axis=1)
        return h

    def entropy_grad(self, y: Array) -> Array:
        """∂H/∂log L_ii = 1, the others 0, shape (T, n_y). S8."""
        row = np.zeros_like(y)
        row[:, self.k : 2 * self.k] = 1
        return row

    def kl(self, y: Array, y_other: Array) -> Array:
        """KL(p ‖ q) = ½ (‖A‖² + ‖m‖² − k) − Σ_i log L_p,ii/L_q,ii, shape (T,). S9.

        A = L_q⁻¹ L_p and m = L_q⁻¹ (μ_p − μ_q). The diagonal of A is e^d with d = log L_p,ii/L_q,ii.
        """
        _, A, m = self._relative(y, y_other)
        d = self._log_diagonal(y) - self._log_diagonal(y_other)
        below = A * np.tri(self.k, k=-1, dtype=y.real.dtype)
        kl: Array = 0.5 * ((np.expm1(2 * d) - 2 * d + m * m).sum(axis=1) + (below * below).sum(axis=(1, 2)))
        return kl

    def kl_grad(self, y: Array, y_other: Array) -> tuple[Array, Array]:
        """In (μ_p, L_p) and in (μ_q, L_q), packed as y is, shapes (T, n_y). S9.

        ∂/∂μ_p = L_q⁻ᵀ m = −∂/∂μ_q; ∂/∂L_p = L_q⁻ᵀ A − diag 1/L_p; ∂/∂L_q = diag 1/L_q − L_q⁻ᵀ (A Aᵀ + m mᵀ).
        """
        inverse, A, m = self._relative(y, y_other)
        transposed = inverse.swapaxes(1, 2)
        mean = _transposed_times(inverse, m)
        row = self._row(y, mean, transposed @ A)
        row[:, self.k : 2 * self.k] -= 1
        square = A @ A.swapaxes(1, 2) + m[:, :, None] * m[:, None, :]
        row_other = self._row(y_other, -mean, -(transposed @ square))
        row_other[:, self.k : 2 * self.k] += 1
        return row, row_other

    def fisher(self, y: Array, v: Array) -> Array:
        """M v = (Σ⁻¹ v_μ, L⁻ᵀ (B + Bᵀ)) with B = L⁻¹ dL, dL the change of L that v means, shape (T, n_y). S10."""
        L = self._factor(y)
        inverse = _inverse(L)
        dL = self._lower(v, np.exp(self._log_diagonal(y)) * self._log_diagonal(v))
        B = inverse @ dL
        mean = _transposed_times(inverse, _times(inverse, v[:, : self.k]))
        return self._row(y, mean, inverse.swapaxes(1, 2) @ (B + B.swapaxes(1, 2)))

    def _log_diagonal(self, y: Array) -> Array:
        return y[:, self.k : 2 * self.k]

    def _factor(self, y: Array) -> Array:
        """L, (T, k, k)."""
        return self._lower(y, np.exp(self._log_diagonal(y)))

    def _lower(self, y: Array, diagonal: Array) -> Array:
        """The lower triangular matrices with that diagonal and, below it, the tail of the rows y."""
        L = np.zeros((len(y), self.k, self.k), np.result_type(y, diagonal))
        i = np.arange(self.k)
        L[:, i, i] = diagonal
        below = np.tril_indices(self.k, -1)
        L[:, below[0], below[1]] = y[:, 2 * self.k :]
        return L

    def _row(self, y: Array, mean: Array, G: Array) -> Array:
        """A gradient in (μ, L) as one in y: ∂/∂log L_ii = L_ii ∂/∂L_ii, and the upper triangle of G is dropped."""
        i = np.arange(self.k)
        below = np.tril_indices(self.k, -1)
        return np.concatenate([mean, np.exp(self._log_diagonal(y)) * G[:, i, i], G[:, below[0], below[1]]], axis=1)

    def _standardised(self, y: Array, act: Array, inverse: Array) -> Array:
        """z = L⁻¹ (a − μ) in the dtype of y."""
        return _times(inverse, act - y[:, : self.k]).astype(y.dtype, copy=False)

    def _relative(self, y: Array, y_other: Array) -> tuple[Array, Array, Array]:
        """L_q⁻¹, A = L_q⁻¹ L_p and m = L_q⁻¹ (μ_p − μ_q)."""
        inverse = _inverse(self._factor(y_other))
        return inverse, inverse @ self._factor(y), _times(inverse, y[:, : self.k] - y_other[:, : self.k])


def _inverse(L: Array) -> Array:
    """L⁻¹ of lower triangular matrices, row by row: (L⁻¹)_i = (e_i − Σ_{j<i} L_ij (L⁻¹)_j) / L_ii."""
    inverse = np.zeros_like(L)
    for i in range(L.shape[1]):
        inverse[:, i] = -(L[:, i : i + 1, :i] @ inverse[:, :i])[:, 0]
        inverse[:, i, i] += 1
        inverse[:, i] /= L[:, i, i, None]
    return inverse


def _times(M: Array, x: Array) -> Array:
    product: Array = (M @ x[:, :, None])[:, :, 0]
    return product


def _transposed_times(M: Array, x: Array) -> Array:
    return _times(M.swapaxes(1, 2), x)
