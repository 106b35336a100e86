"""The linear function y = x W + b, and the affine map that it shares with the layers of an MLP."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..memory import recycled
from ..types import Array, FloatArray, IntArray
from .base import CheckedLinearisation, FeedForward, checked_obs, segment_sums, set_counts

__all__ = ["Affine", "Linear", "LinearLinearisation"]

SHORT = 16  # rows; below, segments of one length share a batched product, above, each has its own (measured)


@dataclass(frozen=True)
class Linear(FeedForward):
    """The linear function.

        y_t = x_t W + b,    θ = (W, b), W row by row

    Parameters
    ----------
    n_in, n_out : int
        d and K; W has shape (d, K), b has shape (K,).
    bias : bool
        Whether there is a b.
    scale : float
        `init` draws W ~ N(0, scale²/d); 0 starts from zeros. b starts at zero.

    Raises
    ------
    InvalidInput
        If a count is below 1 or the scale negative.

    Notes
    -----
    S7; derived in ``docs/derivations/functions.md``.

    Examples
    --------
    >>> f = Linear(2, 1)
    >>> lin = f.at(np.array([2.0, 3.0, 0.5]), [[1.0, 1.0], [1.0, 0.0]])
    >>> lin.y
    array([[5.5],
           [2.5]])
    >>> lin.vjp([[1.0], [1.0]])
    array([2., 1., 2.])
    """

    n_in: int
    n_out: int
    bias: bool = True
    scale: float = 0.0

    def __post_init__(self) -> None:
        set_counts(self, n_in=1, n_out=1)
        if not 0 <= self.scale < np.inf:
            raise InvalidInput(f"scale is {self.scale}, expected a number of at least 0")

    @property
    def n_params(self) -> int:
        """P = d K, and K more with a bias."""
        return (self.n_in + self.bias) * self.n_out

    def init(self, rng: np.random.Generator) -> FloatArray:
        """θ with W ~ N(0, scale²/d) and b = 0, shape (P,)."""
        theta = np.zeros(self.n_params)
        if self.scale:
            theta[: self.n_in * self.n_out] = rng.normal(
                scale=self.scale / np.sqrt(self.n_in), size=self.n_in * self.n_out
            )
        return theta

    def at(self, theta: Array, obs: npt.ArrayLike, offsets: npt.ArrayLike | None = None) -> LinearLinearisation:
        """Linearise at θ (P,) on obs (T, d); offsets have no effect."""
        return LinearLinearisation(self, theta, checked_obs(self, theta, obs))

    def split(self, theta: Array) -> tuple[Array, Array]:
        """Views W (…, d, K) and b (…, K) of the last axis of θ (…, P); b has no columns without a bias."""
        n_weights = self.n_in * self.n_out
        return theta[..., :n_weights].reshape(*theta.shape[:-1], self.n_in, self.n_out), theta[..., n_weights:]


class LinearLinearisation(CheckedLinearisation):
    """y = x W + b on one batch."""

    def __init__(self, linear: Linear, theta: Array, x: Array) -> None:
        self._affine = Affine(linear, theta, x)
        super().__init__(theta, self._affine.value())

    def vjp_inputs(self, w: npt.ArrayLike) -> Array:
        """Row t is (∂y_t/∂x_t)ᵀ w_t = W w_t: (T, K) → (T, d)."""
        return self._affine.vjp_x(self._argument("w", w, self.y.shape))

    def _vjp(self, w: Array, out: Array) -> None:
        self._affine.vjp(w, out)

    def _jvp(self, v: Array) -> Array:
        return self._affine.jvp(v)

    def _vjp_rows(self, w: Array, out: Array) -> None:
        self._affine.vjp_rows(w, out)

    def _vjp_segments(self, w: Array, offsets: IntArray, out: Array) -> None:
        self._affine.vjp_segments(w, offsets, out)


class Affine:
    """z = x W + b at (W, b) on x (T, d), with its products on arrays that are in order.

    D (T, K) stands for ∂L/∂z. Results are written into `out`, whose last axis is θ's.
    """

    def __init__(self, linear: Linear, theta: Array, x: Array) -> None:
        self._linear = linear
        self.W, self.b = linear.split(theta)  # (d, K), (K,) or (0,)
        self.x = x

    def value(self) -> Array:
        """z = x W + b, (T, K)."""
        z = self._product(self.x, self.W)
        if self._linear.bias:
            z += self.b
        return z

    def vjp(self, D: Array, out: Array) -> None:
        """∂L/∂W = Xᵀ D, ∂L/∂b = Σ_t D_t, into (P,)."""
        W, b = self._linear.split(out)
        np.matmul(self.x.T, D, out=W)
        if self._linear.bias:
            np.matmul(np.ones(len(D), D.dtype), D, out=b)  # five times faster than np.sum

    def vjp_x(self, D: Array) -> Array:
        """∂L/∂x = D Wᵀ, (T, d)."""
        return self._product(D, self.W.T)

    def jvp(self, v: Array, dx: Array | None = None) -> Array:
        """dz = x dW + db + dx W for v = (dW, db), (T, K)."""
        dz = Affine(self._linear, v, self.x).value()
        if dx is not None:
            dz += self._product(dx, self.W)
        return dz

    def vjp_rows(self, D: Array, out: Array) -> None:
        """Row t: ∂L/∂W = x_tᵀ D_t, ∂L/∂b = D_t, into (T, P)."""
        W, b = self._linear.split(out)
        x, D_columns = np.ascontiguousarray(self.x.T), np.ascontiguousarray(D.T)  # rows lie side by side in `out`
        np.multiply(x[:, None, :], D_columns[None, :, :], out=np.moveaxis(W, 0, -1))
        if self._linear.bias:
            b[:] = D

    def vjp_segments(self, D: Array, offsets: IntArray, out: Array) -> None:
        """Segment i: ∂L/∂W = X_iᵀ D_i, ∂L/∂b = Σ_t D_t, into (N, P)."""
        W, b = self._linear.split(out)
        lengths = np.diff(offsets)
        edges = offsets.tolist()
        for i in np.flatnonzero(lengths > SHORT).tolist():
            rows = slice(edges[i], edges[i + 1])
            np.matmul(self.x[rows].T, D[rows], out=W[i])
        for length in np.unique(lengths[lengths <= SHORT]).tolist():
            same = np.flatnonzero(lengths == length)
            at = offsets[same, None] + np.arange(length)  # rows of each, (n, length)
            W[same] = np.matmul(self.x[at].swapaxes(1, 2), D[at])
        if self._linear.bias:
            segment_sums(D, offsets, b)

    def _product(self, a: Array, b: Array) -> Array:
        """a b, in memory that was used before."""
        product = recycled((len(a), b.shape[1]), self.W.dtype)
        np.matmul(a, b, out=product)
        return product
