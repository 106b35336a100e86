"""An estimate and what it knows of its own uncertainty; the one idea: ĝ = 1/N Σ_i Σ_t Ψ_{i,t} f_{i,t}."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from ..compiled import compiled_policy
from ..kernels import chunk_bounds
from ..policies import Policy, PolicyLinearisation
from ..pool import map_ordered, ordered_sum
from ..types import Array, Batch, FloatArray, IntArray
from ..validation import require_finite, require_shape
from .one_pass import OnePass

__all__ = [
    "Chunk",
    "Estimate",
    "Estimator",
    "chunks",
    "episode_estimate",
    "episode_scores",
    "log_probs",
    "map_chunks",
    "score_function_estimate",
]

Result = TypeVar("Result")

REMEDY = "a smaller learning rate or normalised rewards may help"


@dataclass(frozen=True)
class Estimate:
    """ĝ and its uncertainty, from one pass.

    Parameters
    ----------
    gradient : array, shape (P,)
        ĝ = 1/N Σ_i g_i.
    squared_norms : array, shape (N,)
        ‖g_i‖² of each episode's term.
    per_episode : array, shape (N, P), optional
        The g_i, where they were asked for.

    Examples
    --------
    >>> g = np.array([[1.0, 0.0], [3.0, 0.0]])
    >>> estimate = Estimate(g.mean(0), (g**2).sum(1))
    >>> estimate.variance, estimate.signal_to_noise
    (1.0, 3.0)
    """

    gradient: Array
    squared_norms: FloatArray
    per_episode: Array | None = None

    @classmethod
    def of_terms(cls, terms: Array, keep: bool = True) -> Estimate:
        """The estimate with these g_i, (N, P), which it keeps on request.

        Raises
        ------
        NonFinite
            If the gradient is NaN or infinite.
        """
        gradient = terms.mean(axis=0)
        require_finite("gradient", gradient, REMEDY)
        return cls(gradient, np.einsum("np,np->n", terms, terms), terms if keep else None)

    @property
    def n_episodes(self) -> int:
        """N."""
        return len(self.squared_norms)

    @property
    def variance(self) -> float:
        """Estimate of tr Cov(ĝ) = (1/N Σ‖g_i‖² − ‖ĝ‖²)/(N − 1), NaN for one episode (B4, B8).

        It takes the g_i as independent, which a baseline made of other episodes of the batch breaks a little.
        """
        n = self.n_episodes
        if n < 2:
            return float("nan")
        return float(max(self.squared_norms.mean() - self.gradient @ self.gradient, 0.0) / (n - 1))

    @property
    def signal_to_noise(self) -> float:
        """‖ĝ‖²/v − 1, an estimate of ‖∇J‖²/tr Cov(ĝ), as E‖ĝ‖² = ‖∇J‖² + tr Cov(ĝ); NaN where v, the variance, is none.

        Above 1, the step points uphill more than it wanders; around 0, on either side, it is noise.
        """
        v = self.variance
        return float(self.gradient @ self.gradient / v) - 1 if v > 0 else float("nan")


class Estimator(Protocol):
    """Any function of this shape; it can be certified against exact gradients."""

    def __call__(self, policy: Policy, theta: Array, batch: Batch) -> Estimate:
        """ĝ at θ from the trajectories in `batch`."""


def score_function_estimate(
    policy: Policy,
    theta: Array,
    batch: Batch,
    psi: FloatArray,
    *,
    keep_per_episode: bool = False,
    executor: Executor | None = None,
) -> Estimate:
    """ĝ = 1/N Σ_i Σ_t Ψ_{i,t} ∇_θ log π_θ(a_{i,t}|o_{i,t}).

    The batch is cut into chunks of whole episodes; their sums are added in order, so threads do not change a bit.

    Parameters
    ----------
    policy : Policy
    theta : array, shape (P,)
    batch : Batch
        N episodes, T rows.
    psi : array, shape (T,)
        Ψ: what each score is weighted with.
    keep_per_episode : bool, optional
        Also return the (N, P) terms.
    executor : concurrent.futures.Executor, optional
        Who computes the chunks.

    Raises
    ------
    InvalidInput
        If `psi` is not one number a row.
    NonFinite
        If `psi` or the gradient is NaN or infinite.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> theta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, theta, seed=0, first=0, count=8)
    >>> score_function_estimate(policy, theta, batch, batch.rew).gradient.shape
    (10,)
    """
    require_shape("psi", psi, (batch.n_steps,))
    require_finite("psi", psi)
    return _estimate(_weighted_scores(policy, theta, batch, psi, executor), theta.dtype, keep_per_episode)


def episode_estimate(
    policy: Policy,
    theta: Array,
    batch: Batch,
    terms: Callable[[PolicyLinearisation, Chunk], Array],
    *,
    keep_per_episode: bool = False,
    executor: Executor | None = None,
) -> Estimate:
    """ĝ = 1/N Σ_i g_i with any g_i that follows from the policy's linearisation on episode i.

    Parameters
    ----------
    policy, theta, batch
        As for `score_function_estimate`.
    terms : function
        ``(linearisation, chunk) → (n, P)``: g_i of the n episodes of a chunk.
    keep_per_episode, executor
        As for `score_function_estimate`.

    Raises
    ------
    NonFinite
        If the gradient is NaN or infinite.
    """
    return _estimate(map_chunks(policy, theta, batch, terms, executor), theta.dtype, keep_per_episode)


def _estimate(parts: list[Array], dtype: np.dtype[Any], keep_per_episode: bool) -> Estimate:
    """Of the g_i of each chunk, (n, P), in the dtype of θ."""
    norms = np.concatenate([np.einsum("np,np->n", g, g) for g in parts])
    gradient = ordered_sum([g.sum(axis=0) for g in parts]).astype(dtype, copy=False) / len(norms)
    require_finite("gradient", gradient, REMEDY)
    return Estimate(gradient, norms, np.concatenate(parts) if keep_per_episode else None)


def _weighted_scores(
    policy: Policy, theta: Array, batch: Batch, psi: FloatArray, executor: Executor | None
) -> list[Array]:
    """g_i = Σ_t Ψ_{i,t} f_{i,t} of the episodes of each chunk, (n, P)."""

    def of_chunk(lin: PolicyLinearisation, chunk: Chunk) -> Array:
        return lin.vjp_segments(psi[chunk.rows], chunk.offsets)

    one_pass = OnePass.of(policy, theta, batch)
    if one_pass is None or not one_pass.has_hidden_layers:  # linear policies keep the bits that they have without numba
        return map_chunks(policy, theta, batch, of_chunk, executor)
    return map_ordered(lambda chunk: one_pass.surrogate(chunk.rows, psi, chunk.offsets)[1], chunks(batch), executor)


def episode_scores(
    policy: Policy, theta: Array, batch: Batch, psi: FloatArray, executor: Executor | None = None
) -> Array:
    """g_i = Σ_t Ψ_{i,t} f_{i,t} of every episode, shape (N, P); arguments as for `score_function_estimate`."""
    require_shape("psi", psi, (batch.n_steps,))
    return np.concatenate(_weighted_scores(policy, theta, batch, psi, executor))


def log_probs(policy: Policy, theta: Array, batch: Batch, executor: Executor | None = None) -> Array:
    """log π_θ(a_t|o_t) of the latent actions of a batch, shape (T,)."""
    return np.concatenate(map_chunks(policy, theta, batch, lambda lin, chunk: lin.log_prob, executor))


@dataclass(frozen=True)
class Chunk:
    """A run of whole episodes, small enough for its linearisation to stay in cache.

    Parameters
    ----------
    segments : slice
        Which episodes of the batch.
    rows : slice
        Which rows of the batch.
    offsets : int array, shape (n + 1,)
        Borders of the n episodes within the chunk, from 0.
    """

    segments: slice
    rows: slice
    offsets: IntArray


def chunks(batch: Batch) -> Iterator[Chunk]:
    """The batch in runs of whole episodes, the unit that threads share out."""
    for lo, hi in chunk_bounds(batch.offsets):
        edges = batch.offsets[lo : hi + 1]
        yield Chunk(slice(lo, hi), slice(int(edges[0]), int(edges[-1])), edges - edges[0])


def map_chunks(
    policy: Policy,
    theta: Array,
    batch: Batch,
    of_chunk: Callable[[PolicyLinearisation, Chunk], Result],
    executor: Executor | None = None,
) -> list[Result]:
    """``of_chunk(linearisation, chunk)`` of each chunk of the batch, in order, whoever computes them."""
    policy = compiled_policy(policy)

    def run(chunk: Chunk) -> Result:
        lin = policy.at(theta, batch.obs[chunk.rows], batch.act[chunk.rows], chunk.offsets)
        return of_chunk(lin, chunk)

    return map_ordered(run, chunks(batch), executor)
