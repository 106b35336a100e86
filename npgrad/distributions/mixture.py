"""Mixtures of diagonal Gaussians: several modes in one state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..types import Array
from .base import RealActions, as_actions, missing, require_count, require_rows
from .categorical import Categorical
from .gaussian import HALF_LOG_2PI
from .logspace import log_softmax, log_sum_exp, times
from .quadrature import panels

__all__ = ["GaussianMixture"]

PANELS = np.linspace(-10, 10, 41)  # edges in units of each component's σ; the mass beyond is below 1e-22
NODES = 16  # a panel; the entropy's error is below 1e-12, measured against 25 digits
CHUNK = 2**18  # numbers held at once by the quadrature


@dataclass(frozen=True)
class GaussianMixture(RealActions):
    """p(a) = Σ_m w_m N(a; μ_m, diag σ_m²), m = 1 … M, in k dimensions.

    y = (M logits of the weights w, M·k means, M·k log σ), the means and log σ one component after the other.
    Entropy, KL and Fisher have no closed form; for k = 1 the entropy and its gradient are computed by quadrature.

    Parameters
    ----------
    k : int
        Number of dimensions of an action, a row of k floats.
    components : int
        M.

    References
    ----------
    S11, S8 of the catalogue; docs/derivations/mixture.md.

    Examples
    --------
    >>> pi = GaussianMixture(k=1, components=2)
    >>> y = np.array([[0.0, 0.0, -3.0, 3.0, 0.0, 0.0]])  # w = (½, ½), μ = (−3, 3), σ = (1, 1)
    >>> pi.draw(y, noise=np.array([[0.2, 0.5], [0.8, 0.5]]))
    array([[-2.5],
           [ 3.5]])
    >>> pi.score(y, np.array([[0.0]]))  # halfway between the two
    array([[ 0. ,  0. ,  1.5, -1.5,  4. ,  4. ]])
    """

    components: int

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "components", require_count("components", self.components))

    @property
    def n_y(self) -> int:
        """A logit, k means and k log σ for each component."""
        return self.components * (1 + 2 * self.k)

    @property
    def draws(self) -> tuple[str, ...]:
        """One uniform chooses the component, k normals the action."""
        return ("uniform",) + ("normal",) * self.k

    @property
    def absent(self) -> tuple[str, ...]:
        """The entropy is an integral over k dimensions; only for k = 1 is it computed."""
        return () if self.k == 1 else ("entropy", "entropy_grad")

    def log_prob(self, y: Array, act: Array) -> Array:
        """log p(a) = log Σ_m exp(log w_m + log N_m(a)), shape (T,). S11."""
        require_rows(self, y, act)
        return log_sum_exp(self._log_joint(y, self._standardised(y, act)))

    def score(self, y: Array, act: Array) -> Array:
        """(r_m − w_m; r_m (a − μ_m)/σ_m²; r_m (z_m² − 1)), r_m = w_m N_m / p the responsibilities; (T, n_y). S11."""
        require_rows(self, y, act)
        z = self._standardised(y, act)
        r = np.exp(log_softmax(self._log_joint(y, z)))
        logits, _, log_std = self._split(y)
        mean_row = times(r[:, :, None], z * np.exp(-log_std))
        log_std_row = times(r[:, :, None], z * z - 1)
        flat = len(y), self.components * self.k
        return np.concatenate(
            [r - np.exp(log_softmax(logits)), mean_row.reshape(flat), log_std_row.reshape(flat)], axis=1
        )

    def draw(self, y: Array, noise: Array) -> Array:
        """The component m by the inverse distribution function, then a = μ_m + σ_m ε; shape (T, k)."""
        logits, mean, log_std = self._split(y)
        m = Categorical(self.components).draw(logits, noise[:, :1])
        row = np.arange(len(y))
        return as_actions(mean[row, m] + np.exp(log_std[row, m]) * noise[:, 1:])

    def mode(self, y: Array) -> Array:
        """The mean μ_m of highest density, shape (T, k).

        Limitation: the exact mode has no closed form; where components overlap it lies between their means.
        """
        mean = self._split(y.real)[1]
        density = np.stack([self.log_prob(y.real, mean[:, m]) for m in range(self.components)])
        return as_actions(self._split(y)[1][np.arange(len(y)), density.argmax(axis=0)])

    def entropy(self, y: Array) -> Array:
        """H = −∫ p log p by Gauss–Legendre on panels around every component, shape (T,); k = 1 only. S8."""
        h = np.empty(len(y), y.dtype)
        for rows, y_points, a, weight in self._quadrature("entropy", y):
            log_p = self.log_prob(y_points, a)
            h[rows] = -(weight * times(np.exp(log_p), log_p).reshape(weight.shape)).sum(axis=1)
        return h

    def entropy_grad(self, y: Array) -> Array:
        """∂H/∂y = −∫ p log p · score, shape (T, n_y); k = 1 only. S8."""
        row = np.empty_like(y)
        for rows, y_points, a, weight in self._quadrature("entropy_grad", y):
            log_p = self.log_prob(y_points, a)
            integrand = times(np.exp(log_p), log_p)[:, None] * self.score(y_points, a)
            row[rows] = -(weight[:, :, None] * integrand.reshape(*weight.shape, self.n_y)).sum(axis=1)
        return row

    def _quadrature(self, name: str, y: Array) -> Iterator[tuple[slice, Array, Array, Array]]:
        """Chunks of t rows: y and a at all their points, (t·points, …), and the weights, (t, points).

        H does not change if all means move together: the narrowest component is put at 0, where floats are densest.
        """
        if self.k > 1:
            raise missing(self, name)
        M = self.components
        n_points = (len(PANELS) * M - 1) * NODES
        step = max(1, CHUNK // (n_points * self.n_y))
        for first in range(0, len(y), step):
            rows = slice(first, first + step)
            y_rows = y[rows].astype(np.result_type(y, np.float64))  # a copy
            narrowest = M + y_rows.real[:, 2 * M :].argmin(axis=1)
            y_rows[:, M : 2 * M] -= y_rows.real[np.arange(len(y_rows)), narrowest][:, None]
            _, mean, log_std = self._split(y_rows.real)
            a, weight = panels(np.sort((mean + np.exp(log_std) * PANELS).reshape(len(y_rows), -1)), NODES)
            yield rows, np.repeat(y_rows, n_points, axis=0), a.reshape(-1, 1), weight

    def _split(self, y: Array) -> tuple[Array, Array, Array]:
        """The logits (T, M), the means and the log σ (T, M, k)."""
        M, shape = self.components, (len(y), self.components, self.k)
        return y[:, :M], y[:, M : M + M * self.k].reshape(shape), y[:, M + M * self.k :].reshape(shape)

    def _standardised(self, y: Array, act: Array) -> Array:
        """z_m = (a − μ_m)/σ_m in the dtype of y, (T, M, k)."""
        _, mean, log_std = self._split(y)
        z: Array = (act[:, None, :] - mean) * np.exp(-log_std)
        return z.astype(y.dtype, copy=False)

    def _log_joint(self, y: Array, z: Array) -> Array:
        """log w_m + log N_m(a), (T, M)."""
        logits, _, log_std = self._split(y)
        log_joint: Array = log_softmax(logits) - (0.5 * z * z + log_std + HALF_LOG_2PI).sum(axis=2)
        return log_joint
