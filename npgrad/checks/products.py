"""The products Jᵀw, Jv, Jᵀw by rows and by segments, of anything with a θ: functions and policies alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from ..types import Array, BoolArray, FloatArray, IntArray
from .derivatives import Method, choose
from .diagnosis import Suspect, transposed_in
from .report import Recorder

__all__ = ["IDENTITY", "SOME_COORDINATES", "ThetaMap", "check_products"]

ALL_COORDINATES = 1024  # parameters up to which every one is checked, and not some
SOME_COORDINATES = 256
IDENTITY = 1e-12  # for two computations of one number

# how an error of the products vanishes with θ tells which slope was wrong: φ(z) = tanh z has φ' = 1 − tanh² z
ORDERS = {
    2: "vanishes as θ² for small θ: the slope φ' of an activation is missing",
    4: "vanishes as θ⁴ for small θ: the slope of tanh looks taken at z, as 1 − z², instead of at φ(z), as 1 − φ²",
}


@dataclass(frozen=True)
class ThetaMap:
    """A map of θ to one number, or one row of them, for each of T rows.

    Parameters
    ----------
    symbol : str
        What the numbers are called.
    linearise : function
        θ → linearisation.
    value : function
        linearisation → the numbers, (T, …).
    row : function or None
        (θ, t) → linearisation on row t alone; None where a row depends on the rows before.
    """

    symbol: str
    linearise: Callable[[Array], Any]
    value: Callable[[Any], Array]
    row: Callable[[Array, int], Any] | None

    def __call__(self, theta: Array) -> Array:
        """The numbers at θ."""
        return np.asarray(self.value(self.linearise(theta)))


@dataclass(frozen=True)
class _Products:
    """The products as they are and as they should be, at one θ, restricted to some coordinates of θ."""

    lin: Any
    J: FloatArray  # (T, …, C)
    w: FloatArray  # (T, …)
    coordinates: IntArray

    @classmethod
    def at(cls, f: ThetaMap, method: Method, theta: Array, w: FloatArray, coordinates: IntArray) -> _Products:
        return cls(f.linearise(theta), method.jacobian(f, theta, coordinates), w, coordinates)

    def rows(self) -> Array:
        return self.take(self.lin.vjp_rows(self.w))

    def right_rows(self, w: FloatArray | None = None) -> FloatArray:
        """Row t is J_tᵀ w_t, (T, C)."""
        weighted = (self.w if w is None else w)[..., None] * self.J
        rows: FloatArray = weighted.sum(axis=tuple(range(1, weighted.ndim - 1)))
        return rows

    def take(self, gradient: Array) -> Array:
        return np.asarray(gradient)[..., self.coordinates]


def check_products(record: Recorder, f: ThetaMap, theta: Array, offsets: IntArray, rng: np.random.Generator) -> None:
    """All products of `f` at θ, and what ties them together; segments as in `offsets`."""
    method = choose(f, theta)
    if method.tolerance > IDENTITY:
        record.skip(f"complex step: {f.symbol} is not analytic in complex θ; central differences stand in")
    n = len(theta)
    some = n > ALL_COORDINATES
    coordinates = np.sort(rng.choice(n, SOME_COORDINATES, replace=False)) if some else np.arange(n)
    w, v = rng.normal(size=f(theta).shape), rng.normal(size=n)
    products = _Products.at(f, method, theta, w, coordinates)
    lin, tolerance, by = products.lin, method.tolerance, method.name
    of_some = f" ({len(coordinates)} of {n} parameters)" if some else ""
    look = _Look(f, method, theta, products)
    right = products.right_rows

    def scale() -> float:
        return max(float(np.abs(w * lin.jvp(v)).sum()), 1e-300)

    record.equal(
        f"jvp(v) = ∂{f.symbol}/∂θ · v, by {by}",
        lambda: lin.jvp(v),
        lambda: method.along(f, theta, v),
        tolerance,
        () if some else _suspects_of_jvp(products.J, v),
        rows=w.ndim == 1,
    )
    record.equal(
        f"vjp_rows(w): row t = (∂{f.symbol}_t/∂θ)ᵀ w_t, by {by}{of_some}",
        products.rows,
        right,
        tolerance,
        _suspects_of_rows(products),
        look,
    )
    record.equal(
        f"vjp(w) = (∂{f.symbol}/∂θ)ᵀ w, by {by}{of_some}",
        lambda: products.take(lin.vjp(w)),
        lambda: right().sum(axis=0),
        tolerance,
        _suspects_of_sums(products, offsets),
        look,
    )
    record.equal("vjp(w) = Σ_t of the rows", lambda: lin.vjp(w), lambda: lin.vjp_rows(w).sum(axis=0), IDENTITY)
    record.equal(
        "wᵀ(Jv) = (Jᵀw)ᵀv: jvp and vjp are adjoint",
        lambda: np.vdot(w, lin.jvp(v)) / scale(),
        lambda: lin.vjp(w) @ v / scale(),
        IDENTITY,
    )
    record.equal(
        "vjp_segments(w, offsets) = sums of the rows over each segment",
        lambda: products.take(lin.vjp_segments(w, offsets)),
        lambda: segment_sums(right(), offsets),
        tolerance,
        _suspects_of_segments(right(), offsets),
        look,
    )
    record.equal(
        "row t of vjp_rows(w) = the product of row t alone",
        lambda: lin.vjp_rows(w),
        lambda: np.stack([_product_of_row(f, theta, lin, w, t) for t in range(len(w))]),
        IDENTITY,
    )


def _product_of_row(f: ThetaMap, theta: Array, lin: Any, w: FloatArray, t: int) -> Array:
    if f.row is not None:
        return np.asarray(f.row(theta, t).vjp(w[t : t + 1]))
    only = np.zeros_like(w)
    only[t] = w[t]
    return np.asarray(lin.vjp(only))


def segment_sums(rows: FloatArray, offsets: IntArray) -> FloatArray:
    """Sums over rows offsets[i]:offsets[i+1], (N, …)."""
    return np.stack([rows[a:b].sum(axis=0) for a, b in pairwise(offsets)])


def _suspects_of_jvp(J: FloatArray, v: FloatArray) -> Iterator[Suspect]:
    yield "the biases' part db is missing", lambda: J @ np.where(_biases(J), 0, v)


def _biases(J: FloatArray) -> BoolArray:
    """Where ∂y_t/∂θ_p is the same at every t, and not zero: the biases of a last layer."""
    flat = J.reshape(len(J), -1, J.shape[-1])
    biases: BoolArray = (np.ptp(flat, axis=0) < 1e-9).all(axis=0) & (np.abs(flat) > 1e-9).any(axis=(0, 1))
    return biases


def _suspects_of_rows(products: _Products) -> Iterator[Suspect]:
    w, right = products.w, products.right_rows
    for shift, which in ((1, "before"), (-1, "after")):
        yield f"row t holds the gradient of the row {which} it", partial(np.roll, right(), shift, axis=0)
        yield f"row t takes w of the row {which} it", partial(right, np.roll(w, shift, axis=0))
    yield "averaged over rows instead of left alone", lambda: right() / len(w)
    yield "the gradient of the biases is missing", lambda: np.where(_biases(products.J), 0, right())


def _suspects_of_sums(products: _Products, offsets: IntArray) -> Iterator[Suspect]:
    rows = products.right_rows()
    yield "the gradient of the biases is missing", lambda: np.where(_biases(products.J), 0, rows.sum(axis=0))
    yield "averaged over the T rows instead of summed", lambda: rows.mean(axis=0)
    yield "averaged over the segments instead of summed", lambda: rows.sum(axis=0) / (len(offsets) - 1)
    yield "the last row alone instead of the sum", lambda: rows[-1]
    yield "the last row is missing", lambda: rows[:-1].sum(axis=0)
    yield "the first row is missing", lambda: rows[1:].sum(axis=0)


def _suspects_of_segments(rows: FloatArray, offsets: IntArray) -> Iterator[Suspect]:
    lengths = np.diff(offsets)
    for shift, name in ((1, "late"), (-1, "early")):
        every = np.clip(offsets + shift, 0, len(rows))
        inner = np.concatenate([[0], every[1:-1], [len(rows)]])
        for edges in (inner, every):
            yield f"the offsets are off by one: borders lie a row too {name}", partial(segment_sums, rows, edges)
    yield (
        "the offsets are off by one: the last row of each segment is missing",
        lambda: np.stack([rows[a : b - 1].sum(axis=0) for a, b in pairwise(offsets)]),
    )
    yield (
        "the offsets are off by one: the first row of each segment is missing",
        lambda: np.stack([rows[a + 1 : b].sum(axis=0) for a, b in pairwise(offsets)]),
    )
    yield (
        "averaged over each segment instead of summed",
        lambda: segment_sums(rows, offsets) / lengths.reshape(-1, *(1,) * (rows.ndim - 1)),
    )
    yield "running sums: those of the segments before are left in", lambda: segment_sums(rows, offsets).cumsum(axis=0)


class _Look:
    """Looks closer at a gradient in θ that no suspect explains: by its places, and by trying other θ."""

    def __init__(self, f: ThetaMap, method: Method, theta: Array, products: _Products) -> None:
        self._f, self._method, self._theta, self._products = f, method, theta, products

    def __call__(self, got: Array, expected: Array) -> str:
        if got.ndim == 2:
            got, expected = got.sum(axis=0), expected.sum(axis=0)
        turned = transposed_in(got, expected) if len(got) == len(self._theta) else ""
        return turned or self._by_other_theta(np.abs(got - expected) > 1e-9)

    def _by_other_theta(self, wrong: Array) -> str:
        if self._error(np.full_like(self._theta, 0.3), wrong) < 1e-9:
            return "right where all parameters are equal: W looks taken for Wᵀ (a transposed Jacobian)"
        large, small = self._error(self._theta / 8, wrong), self._error(self._theta / 16, wrong)
        order = np.log2(large / small) if large > 0 and small > 0 else 0.0
        return next((text for p, text in ORDERS.items() if abs(order - p) < 0.3), "")

    def _error(self, theta: Array, wrong: Array) -> float:
        """max |vjp − right| / max |right| over the parameters that were wrong."""
        here = _Products.at(self._f, self._method, theta, self._products.w, self._products.coordinates)
        right = here.right_rows().sum(axis=0)[wrong]
        error = np.abs(here.take(here.lin.vjp(here.w))[wrong] - right)
        by_rows = np.abs(here.rows().sum(axis=0)[wrong] - right)
        return float(max(error.max(initial=0), by_rows.max(initial=0)) / max(np.abs(right).max(initial=0), 1e-300))
