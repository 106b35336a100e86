"""The multi-layer perceptron, with its backward pass by hand: two lines a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput, UnknownName
from ..memory import recycled
from ..types import Array, FloatArray, IntArray
from .base import CheckedLinearisation, FeedForward, checked_obs, consecutive, set_counts
from .linear import Affine, Linear

__all__ = ["ACTIVATIONS", "MLP", "Activation", "MLPLinearisation", "orthogonal"]


@dataclass(frozen=True)
class Activation:
    """φ, element by element.

    Parameters
    ----------
    value : callable
        z ↦ φ(z), which may be written over z.
    times_slope : callable
        (D, φ(z)) ↦ D ∘ φ'(z), written over D: each slope follows from the value, so that z need not be kept.
    gain : float
        Spectral norm of a hidden layer's first W.
    """

    value: Callable[[Array], Array]
    times_slope: Callable[[Array, Array], Array]
    gain: float


def _tanh(z: Array) -> Array:
    out: Array = np.tanh(z, out=z)
    return out


def _times_tanh_slope(D: Array, x: Array) -> Array:
    slope = recycled(x.shape, x.dtype)
    np.multiply(x, x, out=slope)
    np.subtract(1, slope, out=slope)  # 1 − φ²
    D *= slope
    return D


def _relu(z: Array) -> Array:
    if z.dtype.kind == "c":
        z[z.real <= 0] = 0  # the kink lies in the real part
    else:
        np.maximum(z, 0, out=z)
    return z


def _times_relu_slope(D: Array, x: Array) -> Array:
    D *= x.real > 0
    return D


ACTIVATIONS = {  # gains: Huang et al. 2022, The 37 implementation details of PPO
    "tanh": Activation(value=_tanh, times_slope=_times_tanh_slope, gain=2**0.5),
    "relu": Activation(value=_relu, times_slope=_times_relu_slope, gain=2**0.5),
    "identity": Activation(value=lambda z: z, times_slope=lambda D, x: D, gain=1.0),
}


@dataclass(frozen=True)
class MLP(FeedForward):
    """The multi-layer perceptron.

        x_0 = x,   z_l = x_l W_l + b_l,   x_{l+1} = φ(z_l),   y = z_L,    θ = (W_0, b_0, …, W_L, b_L)

    Parameters
    ----------
    n_in, n_out : int
        d and K.
    hidden : tuple of int
        Units of the hidden layers; any number of them, none is a linear function.
    activation : {"tanh", "relu", "identity"}
        φ of the hidden layers.
    last_scale : float
        Spectral norm of the last layer's first W; small, so that y starts near zero.

    Raises
    ------
    InvalidInput
        If a count is below 1 or the scale negative.
    UnknownName
        If there is no such activation.

    Notes
    -----
    S7; derived in ``docs/derivations/functions.md``. Orthogonal initialisation: Saxe et al. 2014.

    Examples
    --------
    >>> f = MLP(4, 2, hidden=(8,))
    >>> theta = f.init(np.random.default_rng(0))
    >>> theta.shape, f.at(theta, np.ones((3, 4))).y.shape
    ((58,), (3, 2))
    """

    n_in: int
    n_out: int
    hidden: tuple[int, ...] = (64, 64)
    activation: str = "tanh"
    last_scale: float = 0.01

    def __post_init__(self) -> None:
        set_counts(self, n_in=1, n_out=1)
        if self.activation not in ACTIVATIONS:
            raise UnknownName("activation", self.activation, ACTIVATIONS)
        if not 0 <= self.last_scale < np.inf:
            raise InvalidInput(f"last_scale is {self.last_scale}, expected a number of at least 0")
        hidden = np.atleast_1d(np.asarray(self.hidden))
        if hidden.ndim != 1 or (hidden.size and hidden.dtype.kind not in "iu") or (hidden < 1).any():
            raise InvalidInput(f"hidden is {self.hidden!r}, expected integers of at least 1, as in (64, 64)")
        object.__setattr__(self, "hidden", tuple(hidden.astype(int).tolist()))

    @cached_property
    def layers(self) -> tuple[Linear, ...]:
        """The layers z_l = x_l W_l + b_l, from the first to the last."""
        return tuple(Linear(n, m) for n, m in pairwise((self.n_in, *self.hidden, self.n_out)))

    @cached_property
    def parts(self) -> tuple[slice, ...]:
        """Where each layer's parameters stand in θ."""
        return consecutive(layer.n_params for layer in self.layers)

    @cached_property
    def n_params(self) -> int:
        """P = Σ_l (n_l + 1) n_{l+1}."""
        return sum(layer.n_params for layer in self.layers)

    def init(self, rng: np.random.Generator) -> FloatArray:
        """θ with orthogonal W_l, the last one small, and b_l = 0, shape (P,)."""
        theta = np.zeros(self.n_params)
        for layer, part in zip(self.layers, self.parts, strict=True):
            gain = self.last_scale if layer is self.layers[-1] else ACTIVATIONS[self.activation].gain
            layer.split(theta[part])[0][:] = gain * orthogonal(rng, layer.n_in, layer.n_out)
        return theta

    def at(self, theta: Array, obs: npt.ArrayLike, offsets: npt.ArrayLike | None = None) -> MLPLinearisation:
        """Linearise at θ (P,) on obs (T, d); offsets have no effect."""
        return MLPLinearisation(self, theta, checked_obs(self, theta, obs))


class MLPLinearisation(CheckedLinearisation):
    """The perceptron on one batch; the activations x_l are kept, all else is computed from them."""

    def __init__(self, mlp: MLP, theta: Array, x: Array) -> None:
        self._mlp, self._theta, self._x = mlp, theta, x
        self._phi = ACTIVATIONS[mlp.activation]
        self._parts = mlp.parts
        super().__init__(theta, self._forward())

    def _forward(self) -> Array:
        """y, and what `_inputs` will be asked for."""
        self._activations = [self._x]
        for layer, part in zip(self._mlp.layers, self._parts, strict=True):
            z = Affine(layer, self._theta[part], self._activations[-1]).value()  # z_l = x_l W_l + b_l
            if layer is not self._mlp.layers[-1]:
                self._activations.append(self._phi.value(z))  # x_{l+1} = φ(z_l)
        return z

    def _inputs(self) -> list[Array]:
        """x_0 … x_L."""
        return self._activations

    @cached_property
    def _layers(self) -> list[Affine]:
        """The layers with their x_l."""
        of_layers = zip(self._mlp.layers, self._parts, self._inputs(), strict=True)
        return [Affine(layer, self._theta[part], x) for layer, part, x in of_layers]

    def _backward(self, w: Array) -> Iterator[tuple[Affine, slice, Array]]:
        """Each layer with D_l = ∂(wᵀy)/∂z_l, from the last to the first."""
        D = w  # D_L = w
        for layer, part in zip(reversed(self._layers), reversed(self._parts), strict=True):
            yield layer, part, D
            if layer is not self._layers[0]:
                D = self._phi.times_slope(layer.vjp_x(D), layer.x)  # D_{l−1} = (D_l W_lᵀ) ∘ φ'(z_{l−1})

    def vjp_inputs(self, w: npt.ArrayLike) -> Array:
        """Row t is (∂y_t/∂x_t)ᵀ w_t = W_0 D_{0,t}: (T, K) → (T, d)."""
        *_, (first, _, D) = self._backward(self._argument("w", w, self.y.shape))
        return first.vjp_x(D)

    def _vjp(self, w: Array, out: Array) -> None:
        for layer, part, D in self._backward(w):
            layer.vjp(D, out[part])

    def _jvp(self, v: Array) -> Array:
        dz = self._layers[0].jvp(v[self._parts[0]])  # dz_0 = x_0 dW_0 + db_0
        for layer, part in zip(self._layers[1:], self._parts[1:], strict=True):
            dx = self._phi.times_slope(dz, layer.x)  # dx_l = dz_{l−1} ∘ φ'(z_{l−1})
            dz = layer.jvp(v[part], dx)  # dz_l = x_l dW_l + db_l + dx_l W_l
        return dz

    def _vjp_rows(self, w: Array, out: Array) -> None:
        for layer, part, D in self._backward(w):
            layer.vjp_rows(D, out[:, part])

    def _vjp_segments(self, w: Array, offsets: IntArray, out: Array) -> None:
        for layer, part, D in self._backward(w):
            layer.vjp_segments(D, offsets, out[:, part])


def orthogonal(rng: np.random.Generator, n_rows: int, n_columns: int) -> FloatArray:
    """A random matrix with orthonormal columns (or rows, if these are fewer), uniform among such (Mezzadri 2007)."""
    long, short = max(n_rows, n_columns), min(n_rows, n_columns)
    q, r = np.linalg.qr(rng.normal(size=(long, short)))
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)  # the sign that QR leaves open
    return q if n_rows >= n_columns else q.T
