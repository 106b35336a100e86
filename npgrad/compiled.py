"""Perceptrons by compiled kernels wherever gradients are taken: the same functions, in less time."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from . import jit
from .distributions import Categorical, DiagonalGaussian
from .functions import MLP, Concatenated, Featured, Function, Linear
from .functions.base import checked_obs, consecutive
from .functions.mlp import MLPLinearisation
from .kernels.network import ACTIVATIONS, IDENTITY
from .kernels.perceptron import BLOCK, perceptron_backward, perceptron_forward
from .kernels.rows import gaussian_draw, gaussian_rows, softmax_draw, softmax_rows
from .memory import recycled
from .policies import ComposedLinearisation, ComposedPolicy, Policy
from .types import Array, IntArray

__all__ = ["compiled_function", "compiled_policy", "layers_of"]

DTYPES = {"f": "float32", "d": "float64"}  # by their letters, which are found in no time


class Rows(NamedTuple):
    """Kernels of a distribution, see `npgrad.kernels.rows`."""

    score: Any
    draw: Any


ROWS = {Categorical: Rows(softmax_rows, softmax_draw), DiagonalGaussian: Rows(gaussian_rows, gaussian_draw)}


def compiled_function(function: Function) -> Function:
    """`function` with its perceptrons by kernels: y and Jᵀw agree with NumPy's to rounding.

    It is the same function where numba is not in use (NumPy is faster than plain Python), where NumPy's BLAS is not one
    whose products kernels can call, or where it has no perceptron.

    Examples
    --------
    >>> f = MLP(4, 2, hidden=(8,))
    >>> theta, x = f.init(np.random.default_rng(0)), np.ones((3, 4))
    >>> bool(np.allclose(compiled_function(f).at(theta, x).y, f.at(theta, x).y))
    True
    """
    match function:
        case MLP() if type(function) is MLP and jit.enabled() and all(map(jit.product_address, DTYPES.values())):
            return _compiled_mlp(function)
        case Concatenated() if type(function) is Concatenated:  # what is derived may be made of other arguments
            return replace(function, parts=tuple(map(compiled_function, function.parts)))
        case Featured() if type(function) is Featured:
            return replace(function, function=compiled_function(function.function))
    return function


def layers_of(function: Function) -> tuple[IntArray, int, bool] | None:
    """`sizes` and `activation` of a perceptron or linear function for kernels, and whether it has biases; else None.

    Examples
    --------
    >>> layers_of(MLP(4, 2, hidden=(8,)))
    (array([4, 8, 2]), 1, True)
    """
    match function:
        case MLP() if type(function) in (MLP, CompiledMLP):  # what is derived from it may be anything
            return np.array([function.n_in, *function.hidden, function.n_out]), ACTIVATIONS[function.activation], True
        case Linear() if type(function) is Linear:
            return np.array([function.n_in, function.n_out]), IDENTITY, function.bias
    return None


@functools.lru_cache(maxsize=32)
def _compiled_mlp(mlp: MLP) -> CompiledMLP:
    return CompiledMLP(**{field.name: getattr(mlp, field.name) for field in fields(mlp)})


def compiled_policy(policy: Policy) -> Policy:
    """The policy with its function, and log p and its score of a softmax or Gaussian, by kernels.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.spaces import Box, Discrete
    >>> policy = make_policy((Box(-1.0, 1.0, (4,)), Discrete(2)), "mlp", hidden=(8,))
    >>> compiled_policy(policy).n_params == policy.n_params
    True
    """
    return _compiled_policy(policy) if type(policy) is ComposedPolicy else policy


@functools.lru_cache(maxsize=32)
def _compiled_policy(policy: ComposedPolicy) -> CompiledPolicy:
    arguments = {field.name: getattr(policy, field.name) for field in fields(policy)}
    return CompiledPolicy(**arguments | {"function": compiled_function(policy.function)})


@dataclass(frozen=True)
class CompiledMLP(MLP):
    """A perceptron whose y and Jᵀw are those of `npgrad.kernels.perceptron`; complex θ go to NumPy."""

    @functools.cached_property
    def sizes(self) -> Array:
        """Widths of x_0 … y."""
        return np.array([self.n_in, *self.hidden, self.n_out])

    @functools.cached_property
    def n_hidden(self) -> int:
        """Units of all hidden layers."""
        return sum(self.hidden)

    def at(self, theta: Array, obs: npt.ArrayLike, offsets: npt.ArrayLike | None = None) -> MLPLinearisation:
        """Linearise at θ (P,) on obs (T, d); offsets have no effect."""
        x = checked_obs(self, theta, obs)
        kind = CompiledMLPLinearisation if theta.dtype.char in DTYPES else MLPLinearisation
        return kind(self, theta, x)


class CompiledMLPLinearisation(MLPLinearisation):
    """The perceptron on one batch, with the activations that the kernel has left."""

    _mlp: CompiledMLP

    def _forward(self) -> Array:
        n, dtype = len(self._x), self._theta.dtype
        self._arguments = (
            jit.product_address(DTYPES[dtype.char]),
            self._mlp.sizes,
            ACTIVATIONS[self._mlp.activation],
            np.ascontiguousarray(self._theta),
            np.ascontiguousarray(self._x).reshape(-1),
            recycled((n * self._mlp.n_hidden,), dtype),  # x_1 … x_L
        )
        y = recycled((n, self._mlp.n_out), dtype)
        perceptron_forward(*self._arguments, y.reshape(-1))
        return y

    def _inputs(self) -> list[Array]:
        n, widths, units = len(self._x), self._mlp.hidden, self._arguments[-1]
        places = zip(consecutive(n * width for width in widths), widths, strict=True)
        return [self._x, *(units[place].reshape(n, width) for place, width in places)]

    def _vjp(self, w: Array, out: Array) -> None:
        self._vjp_segments(w, np.array([0, len(w)]), out[None])

    def _vjp_segments(self, w: Array, offsets: IntArray, out: Array) -> None:
        scratch = recycled((2 * BLOCK * max(self._mlp.hidden, default=0),), out.dtype)
        perceptron_backward(*self._arguments, np.ascontiguousarray(w).reshape(-1), offsets, scratch, out)


class CompiledPolicy(ComposedPolicy):
    """A policy whose rows are those of `npgrad.kernels.rows`, where there is a kernel for its distribution."""

    def at(self, theta: Array, obs: Array, act: Array, offsets: IntArray | None = None) -> ComposedLinearisation:
        """The linearisation of θ ↦ log π_θ(a_t|o_t)."""
        lin = super().at(theta, obs, act, offsets)
        if type(self.distribution) not in ROWS or lin.y.dtype.char not in DTYPES:
            return lin
        return CompiledLinearisation(lin.lin, lin.y, lin.distribution, lin.act)

    def act(
        self, theta: Array, obs: Array, noise: Array | None = None, memory: Array | None = None
    ) -> tuple[Array, Array, Array]:
        """Draw one latent action for each of B observations; see `ComposedPolicy.act`."""
        kind = type(self.distribution)
        if noise is None or memory is None or kind not in ROWS or theta.dtype.char not in DTYPES:
            return super().act(theta, obs, noise, memory)
        inputs, mask = self._split(obs)
        y, memory = self.function.advance(theta, inputs, memory)
        y = np.ascontiguousarray(self._masked(y, mask))
        act = np.empty((len(y), *self.distribution.act_shape), self.distribution.act_dtype)
        logp = np.empty(len(y), y.dtype)
        ROWS[kind].draw(y, np.ascontiguousarray(noise), act, logp)
        return act, logp, memory


class CompiledLinearisation(ComposedLinearisation):
    """log π and its score from one pass over the rows."""

    @functools.cached_property
    def log_prob(self) -> Array:
        """log π_θ(a_t|o_t), shape (T,)."""
        return self._rows[0]

    @functools.cached_property
    def _score(self) -> Array:
        return self._rows[1]

    @functools.cached_property
    def _rows(self) -> tuple[Array, Array]:
        y, logp = np.ascontiguousarray(self.y), np.empty(len(self.y), self.y.dtype)
        score = recycled(y.shape, y.dtype)
        act = np.ascontiguousarray(self.act, self.distribution.act_dtype)
        ROWS[type(self.distribution)].score(y, act, logp, score)
        return logp, score
