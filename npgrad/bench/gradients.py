"""Rows of gradients, score matrices and Fisher products, beside PyTorch and JAX."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from ..distributions import Categorical, DiagonalGaussian
from ..estimators import LocalGeometry, log_surrogate_gradient, score_matrix
from ..functions import MLP, Concatenated, Constant, Function, Linear
from ..policies import ComposedPolicy
from ..pool import single_blas_thread, thread_pool, usable_cores
from ..spaces import Box, Discrete
from ..types import Array, Batch
from .limits import Limits
from .peer import Peers
from .peers.problems import digest, gradient_problem
from .rows import Goal, Ours, Row
from .timing import Candidate

__all__ = ["gradient_rows", "problem"]

STEPS = 256  # of an episode
SIZES = (2048, 16384, 131072)
SHAPES = ((4, 2), (17, 6), (376, 17))  # inputs and outputs: CartPole's, HalfCheetah's, Humanoid's
HIDDEN = [64, 64]

Work = Callable[[ComposedPolicy, Array, Batch, Array, Executor | None], Callable[[], Array]]


def problem(d: int, k: int, hidden: list[int], n: int, dtype: str) -> tuple[ComposedPolicy, Array, Batch, Array]:
    """Policy, θ, batch and Ψ of `gradient_problem`."""
    p = gradient_problem(d, k, hidden, n, dtype)
    f: Function = MLP(d, k, hidden=tuple(hidden)) if hidden else Linear(d, k)
    space = Box(-np.inf, np.inf, (d,))
    if p["softmax"]:
        policy = ComposedPolicy(f, Categorical(k), space, Discrete(k))
    else:
        policy = ComposedPolicy(
            Concatenated((f, Constant(d, k))), DiagonalGaussian(k), space, Box(-np.inf, np.inf, (k,))
        )
    theta = np.concatenate([each.ravel() for each in p["parameters"]])
    offsets = np.append(np.arange(0, n, min(STEPS, n)), n)
    ends = np.zeros(len(offsets) - 1, bool)
    batch = Batch(
        obs=p["obs"], act=p["act"], rew=np.zeros(n), logp=np.zeros(n), offsets=offsets, terminated=~ends,
        truncated=ends, final_obs=np.zeros((len(ends), d), dtype),
    )  # fmt: skip
    return policy, theta, batch, p["psi"]


def surrogate_gradient(
    policy: ComposedPolicy, theta: Array, batch: Batch, psi: Array, executor: Executor | None
) -> Callable[[], Array]:
    """Σ_t Ψ_t log π and its gradient, of which the gradient is compared."""
    return lambda: log_surrogate_gradient(policy, theta, batch, psi, executor)[1] * batch.n_episodes


def all_scores(
    policy: ComposedPolicy, theta: Array, batch: Batch, psi: Array, executor: Executor | None
) -> Callable[[], Array]:
    """All ∇ log π, (T, P)."""
    return lambda: score_matrix(policy, theta, batch, executor)


def fisher_product(
    policy: ComposedPolicy, theta: Array, batch: Batch, psi: Array, executor: Executor | None
) -> Callable[[], Array]:
    """Fv, the policy linearised once: what a conjugate gradient repeats."""
    weights = np.full(batch.n_steps, 1 / batch.n_steps)
    near = LocalGeometry(policy, theta, batch, weights=weights, executor=executor)
    widths = np.cumsum([len(piece) for piece in _pieces(policy)])[:-1]
    v = np.concatenate([np.cos(np.arange(len(piece))) for piece in np.split(theta, widths)]).astype(theta.dtype)
    return lambda: near.fisher_vp(v)


def _pieces(policy: ComposedPolicy) -> list[Array]:
    """θ as the peers have it, an array a weight or bias."""
    d, k = policy.function.n_in, policy.distribution.n_y // 2
    return [each.ravel() for each in gradient_problem(d, k, HIDDEN, 1, "float32")["parameters"]]


def _candidates(
    case: str, work: Work, settings: dict[str, Any], rows: slice, peers: Peers, stack: ExitStack
) -> Mapping[str, Candidate | Ours]:
    stack.enter_context(single_blas_thread())
    made: dict[str, Candidate | Ours] = {}
    given = problem(**settings)
    for n in range(1, min(2, usable_cores()) + 1):
        function = work(*given, stack.enter_context(thread_pool(n)))
        made[f"npgrad, {n} thread{'s' * (n > 1)}"] = Ours(function, digest(function()[rows]))
        made |= peers.start("torch", case, f"torch, {n} thread{'s' * (n > 1)}", threads=n, **settings)
    return made | dict(peers.start("jax", case, "JAX", **settings))


def _products(operations: float, dtype: str, limits: Limits) -> tuple[float, str]:
    return limits.by_products(operations, dtype)


def _memory(n_bytes: float, limits: Limits) -> tuple[float, str]:
    return limits.by_memory(n_bytes)


def _row(
    name: str, text: str, case: str, work: Work, goals: tuple[Goal, ...], rows: slice = slice(None), **settings: Any
) -> Row:
    agreement = 1e-3 if settings["dtype"] == "float32" else 1e-8
    n, d, k, hidden = (settings[key] for key in ("n", "d", "k", "hidden"))
    weights = sum(a * b for a, b in pairwise([d, *hidden, k]))
    width = 4 if settings["dtype"] == "float32" else 8
    if case == "scores":  # (T, P) is written
        bound = partial(_memory, n * width * (weights + sum(hidden) + k))
    elif hidden:  # x W, xᵀD and, but for the first layer, D Wᵀ; of a Fisher product x dW, dx W, xᵀD, D Wᵀ
        first = d * hidden[0]
        each = 6 * weights - 2 * first if case == "gradient" else 8 * weights - 4 * first
        bound = partial(_products, float(n * each), settings["dtype"])
    else:  # observations, actions and weights are read
        bound = partial(_memory, n * width * (d + k + 1))
    return Row(name, text, partial(_candidates, case, work, settings, rows), goals, agreement=agreement, bound=bound)


def gradient_rows() -> Iterator[Row]:
    """The rows of the groups gradients, scores and fisher."""
    for d, k in SHAPES:
        for dtype in ("float32", "float64"):
            for n in SIZES:
                jax = Goal(1 / 1.3, 1.0, ("JAX",)) if n < 16384 else Goal(1.0, None, ("JAX",))
                if n == 131072 and d <= 17:
                    jax = Goal(2.5, None, ("JAX",))
                yield _row(
                    f"gradients-mlp-{d}-{dtype}-{n}",
                    f"gradient, MLP 64×64, {d} inputs, {dtype}, N = {n:,}",
                    "gradient",
                    surrogate_gradient,
                    (jax, Goal(2.0, None, ("torch",))),
                    d=d, k=k, hidden=HIDDEN, n=n, dtype=dtype,
                )  # fmt: skip
    for d, k in SHAPES:
        for dtype in ("float32", "float64"):
            for n in SIZES[1:]:
                yield _row(
                    f"gradients-linear-{d}-{dtype}-{n}",
                    f"gradient, linear, {d} inputs, {dtype}, N = {n:,}",
                    "gradient",
                    surrogate_gradient,
                    (Goal(1.3, 3.0, ("torch", "JAX")),),
                    d=d, k=k, hidden=[], n=n, dtype=dtype,
                )  # fmt: skip
    for name, hidden in (("linear", []), ("mlp", HIDDEN)):
        yield _row(
            f"scores-{name}",
            f"score matrix, {'MLP 64×64' if hidden else 'linear'}, 17 inputs, float32, N = 16,384",
            "scores",
            all_scores,
            (Goal(2.0, 4.0, ("torch", "JAX")),),
            slice(64),
            d=17, k=6, hidden=hidden, n=16384, dtype="float32",
        )  # fmt: skip
    for dtype in ("float32", "float64"):
        yield _row(
            f"fisher-{dtype}",
            f"Fisher product, MLP 64×64, 17 inputs, {dtype}, N = 16,384",
            "fisher",
            fisher_product,
            (Goal(1.0, 2.0, ("JAX",)),),
            d=17, k=6, hidden=HIDDEN, n=16384, dtype=dtype,
        )  # fmt: skip
