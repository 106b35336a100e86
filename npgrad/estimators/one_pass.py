"""Sums over the rows of a batch in one pass, where a perceptron, or linear function, feeds a softmax or Gaussian."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import jit
from ..compiled import compiled_policy, layers_of
from ..distributions import Categorical, DiagonalGaussian
from ..functions import Concatenated, Constant
from ..functions.base import checked_obs
from ..kernels.fused import linear_scores, policy_surrogate
from ..kernels.perceptron import BLOCK
from ..memory import recycled
from ..policies import ComposedPolicy, Policy
from ..pool import map_ordered
from ..types import Array, Batch, FloatArray, IntArray

__all__ = ["OnePass", "score_matrix"]

FEWEST_ROWS = 1024  # of a chunk (all measured)
MOST_CHUNKS = 16
WORTH_A_CHUNK = 500_000  # numbers of scores: a fifth of a millisecond


def score_matrix(policy: Policy, theta: Array, batch: Batch, executor: Executor | None = None) -> Array:
    """f_t = ∇_θ log π_θ(a_t|o_t) of every row, shape (T, P).

    Columns lie side by side in memory, which is how products with it are formed fastest.

    Parameters
    ----------
    policy : Policy
    theta : array, shape (P,)
    batch : Batch
    executor : concurrent.futures.Executor, optional
        Threads that share the rows of a linear policy; of others they are computed at once.

    Raises
    ------
    InvalidInput
        If θ, the observations or the actions are none of the policy's.
    NonFinite
        If θ has a NaN or an infinity.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> theta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, theta, seed=0, first=0, count=8)
    >>> score_matrix(policy, theta, batch).shape == (batch.n_steps, 10)
    True
    """
    one_pass = OnePass.of(policy, theta, batch)
    if one_pass is None or one_pass.has_hidden_layers:
        lin = compiled_policy(policy).at(theta, batch.obs, batch.act, batch.offsets)
        return lin.vjp_rows(np.ones(batch.n_steps))
    out = recycled((len(theta), batch.n_steps), theta.dtype)
    map_ordered(lambda rows: one_pass.scores(rows, out), one_pass.chunks(), executor)
    return out.T


@dataclass(frozen=True)
class OnePass:
    """A policy on a batch, as the kernels of `npgrad.kernels.fused` take them."""

    policy: ComposedPolicy
    theta: Array
    batch: Batch
    product: Any
    layers: tuple[IntArray, int]

    @classmethod
    def of(cls, policy: Policy, theta: Array, batch: Batch) -> OnePass | None:
        """None if the policy is none of those."""
        if not isinstance(theta, np.ndarray) or theta.ndim != 1 or theta.dtype.char not in "fd" or not jit.enabled():
            return None
        product = jit.product_address(theta.dtype.name)
        if product is None or type(policy) is not ComposedPolicy or policy.n_masked or not batch.n_steps:
            return None
        f = policy.function
        if type(f) is Concatenated and len(f.parts) == 2 and type(f.parts[1]) is Constant:
            f = f.parts[0]
        layers = layers_of(f)
        if layers is None or not layers[2] or type(policy.distribution) not in (Categorical, DiagonalGaussian):
            return None
        return cls(policy, np.ascontiguousarray(theta), batch, product, layers[:2])

    @property
    def has_hidden_layers(self) -> bool:
        """Whether f is more than linear."""
        return len(self.layers[0]) > 2

    def chunks(self) -> list[slice]:
        """Of rows: enough for every thread, each worth its while. They follow from policy and batch alone."""
        n, size = self.batch.n_steps, self.policy.n_params + 100
        n_chunks = min(n // FEWEST_ROWS, n * size // WORTH_A_CHUNK, MOST_CHUNKS)
        step = -(-n // (1 << max(n_chunks.bit_length() - 1, 0)))  # a power of two of them
        return [slice(low, min(low + step, n)) for low in range(0, n, step)]

    def surrogate(self, rows: slice, psi: FloatArray, offsets: IntArray | None = None) -> tuple[float, Array]:
        """Σ_t Ψ_t log π over some rows, and its gradient: that of each segment between `offsets`, (N, P)."""
        psi = np.ascontiguousarray(psi[rows], np.float64)
        edges = np.array([0, len(psi)]) if offsets is None else offsets
        out = recycled((len(edges) - 1, len(self.theta)), self.theta.dtype)
        x, choice, act = self._at(rows)
        hidden = self.layers[0][1:-1]
        room = recycled((BLOCK * int(hidden.sum() + 2 * hidden.max(initial=0)),), self.theta.dtype)
        return policy_surrogate(self.product, *self.layers, self.theta, x, choice, act, psi, edges, room, out), out

    def scores(self, rows: slice, out: Array) -> None:
        """f_t of some rows into their columns of `out` (P, T), for linear functions."""
        linear_scores(self.product, self.layers[0], self.theta, *self._at(rows), rows.start, out)

    def _at(self, rows: slice) -> tuple[Array, IntArray, FloatArray]:
        """x, flat, and the actions: choices, or values."""
        policy, obs, act = self.policy, self.batch.obs[rows], self.batch.act[rows]
        policy.check(self.theta, obs, act)
        x = checked_obs(policy.function, self.theta, policy.inputs(obs))
        x = np.ascontiguousarray(x).reshape(-1)
        if isinstance(policy.distribution, Categorical):
            return x, np.ascontiguousarray(act, np.int64), np.empty((len(act), 0))
        return x, np.empty(0, np.int64), np.ascontiguousarray(act, np.float64)
