"""What every function must satisfy: its four products against the whole Jacobian, which only tests form."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import strategies as st


def complex_step_jacobian(function, theta, obs, offsets=None, step=1e-30):
    """∂y/∂θ, (T, K, P): Im f(θ + i h e_p) / h, exact to rounding."""
    columns = []
    for p in range(function.n_params):
        moved = theta.astype(np.complex128)
        moved[p] += 1j * step
        columns.append(function.at(moved, obs, offsets).y.imag / step)
    return np.stack(columns, axis=-1) if columns else np.zeros((len(obs), function.n_out, 0))


def central_jacobian(function, theta, obs, offsets=None, step=1e-5):
    """∂y/∂θ, (T, K, P), by central differences."""
    columns = []
    for p in range(function.n_params):
        e = step * (np.arange(function.n_params) == p)
        columns.append((function.at(theta + e, obs, offsets).y - function.at(theta - e, obs, offsets).y) / (2 * step))
    return np.stack(columns, axis=-1) if columns else np.zeros((len(obs), function.n_out, 0))


def assert_close(got, expected, tol=1e-12):
    assert got.shape == expected.shape
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    assert np.max(np.abs(got - expected), initial=0.0) <= tol * scale


def assert_products(function, theta, obs, rng, *, offsets=None, segments=None, jacobian=None, tol=1e-12):
    """All four products, and what ties them together; y against `advance` is the caller's."""
    J = complex_step_jacobian(function, theta, obs, offsets) if jacobian is None else jacobian
    lin = function.at(theta, obs, offsets)
    T, K = len(obs), function.n_out
    w, v = rng.normal(size=(T, K)), rng.normal(size=function.n_params)
    rows = lin.vjp_rows(w)
    assert lin.y.shape == (T, K)
    assert_close(rows, np.einsum("tk,tkp->tp", w, J), tol)
    assert_close(lin.vjp(w), np.einsum("tk,tkp->p", w, J), tol)
    assert_close(lin.jvp(v), np.einsum("tkp,p->tk", J, v), tol)
    assert_close(lin.vjp(w), rows.sum(axis=0))
    assert_close(np.vdot(w, lin.jvp(v)), lin.vjp(w) @ v)  # wᵀ(Jv) = (Jᵀw)ᵀv
    if segments is not None:
        expected = np.array([rows[a:b].sum(axis=0) for a, b in pairwise(segments)])
        assert_close(lin.vjp_segments(w, segments), expected.reshape(len(segments) - 1, function.n_params))
    return lin


def assert_contract(function, obs, rng, offsets=None):
    """dtypes, inputs left alone, no buffer lent, descriptions hashable and equal to their copies."""
    theta = function.init(rng)
    assert theta.shape == (function.n_params,)
    assert theta.dtype == np.float64
    hash(function)
    theta = theta + 0.3 * rng.normal(size=theta.shape)
    w, v = rng.normal(size=(len(obs), function.n_out)), rng.normal(size=function.n_params)
    edges = np.array([0, len(obs) // 2, len(obs)])
    memory = np.zeros((len(obs), function.n_memory))
    given = [a.copy() for a in (theta, obs, w, v, edges, memory)]

    def results(dtype):
        lin = function.at(theta.astype(dtype), obs, offsets)
        products = [lin.vjp(w), lin.jvp(v), lin.vjp_rows(w), lin.vjp_segments(w, edges)]
        return lin, [lin.y, *products, *function.advance(theta.astype(dtype), obs, memory.astype(dtype))]

    for dtype in (np.float64, np.float32, np.complex128):
        _, arrays = results(dtype)
        assert [a.dtype for a in arrays[:-1]] == [dtype] * (len(arrays) - 1)
    lin, first = results(np.float64)
    for array in first[:-1]:
        array[...] = np.nan  # a lent buffer would spoil what follows
    again = [lin.vjp(w), lin.jvp(v), lin.vjp_rows(w), lin.vjp_segments(w, edges)]
    fresh = results(np.float64)[1]
    for a, b in zip(again, fresh[1:5], strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip((theta, obs, w, v, edges, memory), given, strict=True):
        np.testing.assert_array_equal(a, b)


@st.composite
def cuts(draw, n_rows):
    """Offsets that rise from 0 to n_rows, with empty segments among them."""
    inner = draw(st.lists(st.integers(0, n_rows), max_size=6))
    return np.array([0, *sorted(inner), n_rows])
