"""The Gaussian with a diagonal covariance, y = (μ, log σ)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..memory import recycled
from ..types import Array
from .base import RealActions, as_actions, require_rows

__all__ = ["DiagonalGaussian"]

HALF_LOG_2PI = 0.5 * float(np.log(2 * np.pi))


@dataclass(frozen=True)
class DiagonalGaussian(RealActions):
    """Independent Gaussians N(μ_j, σ_j²), j = 1 … k, with y = (μ_1 … μ_k, log σ_1 … log σ_k).

    Fixed, shared and state-dependent σ are a matter of the function that supplies y, not of the distribution.

    Parameters
    ----------
    k : int
        Number of dimensions of an action, a row of k floats.

    References
    ----------
    S2, S4, S8, S9, S10 of the catalogue; Williams 1992; docs/derivations/gaussian.md.

    Examples
    --------
    >>> pi = DiagonalGaussian(1)
    >>> y = np.array([[1.0, np.log(2.0)]])  # μ = 1, σ = 2
    >>> act = pi.draw(y, noise=np.array([[1.5]]))
    >>> act, pi.score(y, act)
    (array([[4.]]), array([[0.75, 1.25]]))
    """

    @property
    def n_y(self) -> int:
        """A mean and a log σ for each dimension."""
        return 2 * self.k

    @property
    def draws(self) -> tuple[str, ...]:
        """k normals an action."""
        return ("normal",) * self.k

    def log_prob(self, y: Array, act: Array) -> Array:
        """log p(a) = Σ_j −½ z_j² − log σ_j − ½ log 2π with z = (a − μ)/σ, shape (T,). S2, S4."""
        require_rows(self, y, act)
        z, _ = self._standardised(y, act)
        log_p: Array = -(0.5 * z * z + y[:, self.k :] + HALF_LOG_2PI).sum(axis=1)
        return log_p

    def score(self, y: Array, act: Array) -> Array:
        """∂ log p/∂μ = (a − μ)/σ² and ∂ log p/∂log σ = ((a − μ)/σ)² − 1, shape (T, 2k). S2, S4."""
        require_rows(self, y, act)
        z, inverse_std = self._standardised(y, act)
        return _side_by_side(z * inverse_std, z * z - 1)

    def draw(self, y: Array, noise: Array) -> Array:
        """a = μ + σ ε with ε = noise, shape (T, k)."""
        return as_actions(y[:, : self.k] + np.exp(y[:, self.k :]) * noise)

    def mode(self, y: Array) -> Array:
        """a = μ, shape (T, k)."""
        return as_actions(y[:, : self.k].copy())

    def entropy(self, y: Array) -> Array:
        """H = Σ_j log σ_j + ½ (1 + log 2π), shape (T,). S8."""
        h: Array = (y[:, self.k :] + (0.5 + HALF_LOG_2PI)).sum(axis=1)
        return h

    def entropy_grad(self, y: Array) -> Array:
        """∂H/∂μ = 0 and ∂H/∂log σ = 1, shape (T, 2k). S8."""
        row = np.zeros_like(y)
        row[:, self.k :] = 1
        return row

    def kl(self, y: Array, y_other: Array) -> Array:
        """KL(p ‖ q) = ½ Σ_j e^{2d_j} − 1 − 2d_j + m_j², shape (T,). S9.

        d = log σ_p − log σ_q and m = (μ_p − μ_q)/σ_q.
        """
        d, m, _ = self._differences(y, y_other)
        kl: Array = 0.5 * (np.expm1(2 * d) - 2 * d + m * m).sum(axis=1)
        return kl

    def kl_grad(self, y: Array, y_other: Array) -> tuple[Array, Array]:
        """In y: (m/σ_q, e^{2d} − 1); in y_other: (−m/σ_q, 1 − e^{2d} − m²); shapes (T, 2k). S9."""
        d, m, std_other = self._differences(y, y_other)
        mean, log_std = m / std_other, np.expm1(2 * d)
        return _side_by_side(mean, log_std), _side_by_side(-mean, -log_std - m * m)

    def fisher(self, y: Array, v: Array) -> Array:
        """M v = (v_μ/σ², 2 v_{log σ}), shape (T, 2k). S10."""
        return _side_by_side(v[:, : self.k] * np.exp(-2 * y[:, self.k :]), 2 * v[:, self.k :])

    def _standardised(self, y: Array, act: Array) -> tuple[Array, Array]:
        """z = (a − μ)/σ in the dtype of y, and 1/σ; a − μ is taken in the dtype of the actions, which may be finer."""
        inverse_std = np.exp(-y[:, self.k :])
        z: Array = (np.asfortranarray(act) - y[:, : self.k]) * inverse_std
        return z.astype(y.dtype, copy=False), inverse_std

    def _differences(self, y: Array, y_other: Array) -> tuple[Array, Array, Array]:
        """d = log σ_p − log σ_q, m = (μ_p − μ_q)/σ_q, and σ_q."""
        std_other = np.exp(y_other[:, self.k :])
        return y[:, self.k :] - y_other[:, self.k :], (y[:, : self.k] - y_other[:, : self.k]) / std_other, std_other


def _side_by_side(mean: Array, log_std: Array) -> Array:
    """(T, 2k) with contiguous columns: each half is used on its own, and rows of k are short for a loop."""
    both = recycled((2 * mean.shape[1], len(mean)), np.result_type(mean, log_std))
    return np.concatenate([mean.T, log_std.T], out=both).T
