"""The four products of functions and the Fisher product of policies, beside their obvious twins.

    python tests/benchmarks/products.py

The twin forms the (T, K, P) Jacobian by hand for a linear function, row by row for a perceptron, and multiplies it out.
"""

from __future__ import annotations

import os

os.environ.pop("OPENBLAS_CORETYPE", None)  # some machines set it, and it halves the speed of matrix products

import numpy as np

from npgrad.bench import compare, table
from npgrad.functions import MLP, Linear
from npgrad.policies import make_policy
from npgrad.pool import single_blas_thread
from npgrad.spaces import Box, Discrete


def jacobian_rows(f, theta, x):
    """(T, K, P): each row's Jacobian by K products with unit vectors, one sample at a time."""
    eye = np.eye(f.n_out, dtype=theta.dtype)
    return np.stack([np.stack([f.at(theta, row[None]).vjp(e[None]) for e in eye]) for row in x])


def products(f, dtype, T):
    """Rows of the table for one function and size."""
    rng = np.random.default_rng(0)
    theta, x = f.init(rng).astype(dtype), rng.normal(size=(T, f.n_in)).astype(dtype)
    w, v = rng.normal(size=(T, f.n_out)).astype(dtype), rng.normal(size=f.n_params).astype(dtype)
    lin, some = f.at(theta, x), min(T, 64)

    def twin(contract):
        return lambda: contract(jacobian_rows(f, theta, x[:some]))

    def per_row(name, ours, naive):
        slow, fast = compare({"twin": naive, "npgrad": ours}, rounds=7)
        scale = T / some  # the twin does 64 rows, and is linear in them
        slow = type(slow)(slow.name, slow.seconds * scale, slow.ratios)
        return name, [slow, type(fast)(fast.name, fast.seconds, slow.seconds / fast.seconds)]

    what = f"{type(f).__name__} {f.n_in}→{f.n_out}, P = {f.n_params}, T = {T}, {np.dtype(dtype).name}"
    return [
        per_row(f"at, {what}", lambda: f.at(theta, x).y, lambda: [f.at(theta, row[None]).y for row in x[:some]]),
        per_row(f"vjp, {what}", lambda: lin.vjp(w), twin(lambda J: np.einsum("tkp,tk->p", J, w[:some]))),
        per_row(f"jvp, {what}", lambda: lin.jvp(v), twin(lambda J: J @ v)),
        per_row(f"vjp_rows, {what}", lambda: lin.vjp_rows(w), twin(lambda J: np.einsum("tkp,tk->tp", J, w[:some]))),
    ]


def fisher(kind, dtype, T):
    """Row of the Fisher product: against F formed from the scores of all actions."""
    policy = make_policy((Box(-np.inf, np.inf, (17,)), Discrete(6)), kind)
    rng = np.random.default_rng(0)
    theta, obs = policy.init(rng).astype(dtype), rng.normal(size=(T, 17)).astype(dtype)
    act, v, w = rng.integers(6, size=T), rng.normal(size=policy.n_params).astype(dtype), np.full(T, 1 / T, dtype)
    lin = policy.at(theta, obs, act)

    def formed():
        p = np.exp([policy.at(theta, obs, np.full(T, a)).log_prob for a in range(6)])  # (A, T)
        total = np.zeros_like(v)
        for a in range(6):
            f = policy.score(theta, obs, np.full(T, a))
            total += (w * p[a] * (f @ v)) @ f
        return total

    assert np.allclose(formed(), lin.fisher_vp(v, w), rtol=1e-3 if dtype == np.float32 else 1e-9, atol=1e-6)
    timings = compare({"twin": formed, "npgrad": lambda: lin.fisher_vp(v, w)}, rounds=5)
    return f"Fisher product, {kind} 17→6, P = {policy.n_params}, T = {T}, {np.dtype(dtype).name}", timings


if __name__ == "__main__":
    rows = []
    with single_blas_thread():
        for dtype in (np.float64, np.float32):
            for T in (256, 4096):
                rows += products(Linear(17, 6), dtype, T)
                rows += products(MLP(17, 6, hidden=(64, 64)), dtype, T)
            rows += [fisher("linear", dtype, 4096), fisher("mlp", dtype, 1024)]
    print(table(rows))
