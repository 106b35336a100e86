"""Distances between policies near one θ: Fisher products, the Fisher matrix, the true KL both ways (S10, N1 … N4)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ..compiled import compiled_policy
from ..errors import InvalidInput
from ..policies import ComposedLinearisation, Policy
from ..pool import map_ordered, ordered_sum
from ..types import Array, Batch, FloatArray
from ..validation import require_shape
from .base import Chunk, chunks
from .composition import composed

__all__ = ["LocalGeometry"]

Term = TypeVar("Term")


class LocalGeometry:
    """A policy linearised at θ on a batch, once, for all that a natural or trust-region step asks of it.

        F = Σ_t w_t E_{a~π}[f_t f_tᵀ | o_t],    KL = Σ_t w_t KL_t,    F is the Hessian of either KL at θ (N1)

    Parameters
    ----------
    policy : Policy
    theta : array, shape (P,)
        θ, that of the old policy.
    batch : Batch
    weights : array, shape (T,), optional
        w. By default 1/N, a sum over time and mean over episodes, as in ĝ; 1/T is a mean over states, in whose units a
        trust region's δ is usually given.
    executor : concurrent.futures.Executor, optional
        Who computes the chunks; their sums are added in order.

    Raises
    ------
    InvalidInput
        If weights are negative or of another shape.
    NotImplementedBy
        When asked for what the policy's distribution has not, such as the KL of a mixture.

    Notes
    -----
    Limitation: the linearisations of the whole batch are kept.

    Examples
    --------
    >>> from npgrad.estimators import PolicyGradient
    >>> from npgrad.optimizers import conjugate_gradient, kl_step_length
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> theta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, theta, seed=0, first=0, count=8)
    >>> near = LocalGeometry(policy, theta, batch, weights=np.full(batch.n_steps, 1 / batch.n_steps))
    >>> g = PolicyGradient()(policy, theta, batch).gradient
    >>> x = conjugate_gradient(near.fisher_vp, g, damping=1e-3).x
    >>> step = kl_step_length(g, x, delta=0.01) * x
    >>> 0.001 < near.kl_new_old(theta + step) < 0.02
    True
    """

    def __init__(
        self,
        policy: Policy,
        theta: Array,
        batch: Batch,
        *,
        weights: npt.ArrayLike | None = None,
        executor: Executor | None = None,
    ) -> None:
        w = np.full(batch.n_steps, 1 / batch.n_episodes) if weights is None else np.asarray(weights, dtype=np.float64)
        require_shape("weights", w, (batch.n_steps,))
        if (w < 0).any():
            raise InvalidInput(f"the least weight is {w.min()}, expected none below 0")
        self.policy, self.theta, self.batch, self.weights, self.executor = policy, theta, batch, w, executor
        self._chunks = list(chunks(batch))
        self._lins = map_ordered(lambda chunk: self._at(theta, chunk), self._chunks, executor)

    def fisher_vp(self, v: Array) -> Array:
        """Fv, exact over actions, without F: Jᵀ(w M (Jv)), shape (P,) (S10)."""
        return self._sum(lambda lin, w, chunk: lin.fisher_vp(v, w))

    def sample_fisher_vp(self, v: Array) -> Array:
        """F̂v = Σ_t w_t f_t (f_tᵀ v) with the actions of the batch, shape (P,) (S10)."""
        return self._sum(lambda lin, w, chunk: lin.vjp(w * lin.jvp(v)))

    def fisher(self) -> Array:
        """F by P products, shape (P, P)."""
        F = np.stack([self.fisher_vp(e) for e in np.eye(len(self.theta), dtype=self.theta.dtype)])
        symmetric: Array = (F + F.T) / 2  # it was, but for rounding
        return symmetric

    def sample_rows(self) -> Array:
        """R = √w_t f_t, shape (T, P): F̂ = RᵀR, for `solve_in_sample_space`."""
        each = zip(self._lins, self._chunks, strict=True)
        return np.concatenate([lin.vjp_rows(np.sqrt(self.weights[chunk.rows])) for lin, chunk in each])

    def kl_new_old(self, theta: Array) -> float:
        """Σ_t w_t KL(π_theta ‖ π_θ): new to old, the direction of the lectures (N1, N4)."""
        return self._sum(lambda lin, w, chunk: float(w @ self._at(theta, chunk).kl_to(lin)))

    def kl_old_new(self, theta: Array) -> float:
        """Σ_t w_t KL(π_θ ‖ π_theta): old to new, the direction of the TRPO paper (N1, N4)."""
        return self._sum(lambda lin, w, chunk: float(w @ lin.kl_to(self._at(theta, chunk))))

    def gain(self, theta: Array, psi: FloatArray) -> float:
        """Σ_t w_t (ρ_t(theta) − ρ_t(θ)) Ψ_t, ρ = π/β: how much the local surrogate improves (N4)."""
        require_shape("psi", psi, (self.batch.n_steps,))

        def of_chunk(lin: ComposedLinearisation, w: FloatArray, chunk: Chunk) -> float:
            rho = np.exp(lin.log_prob - self.batch.logp[chunk.rows])
            more = np.expm1(self._at(theta, chunk).log_prob - lin.log_prob)  # ρ(theta)/ρ(θ) − 1
            return float((w * psi[chunk.rows]) @ (rho * more))

        return self._sum(of_chunk)

    def _at(self, theta: Array, chunk: Chunk) -> ComposedLinearisation:
        batch, policy = self.batch, compiled_policy(self.policy)
        return composed(policy.at(theta, batch.obs[chunk.rows], batch.act[chunk.rows], chunk.offsets))

    def _sum(self, of_chunk: Callable[[ComposedLinearisation, FloatArray, Chunk], Term]) -> Term:
        def run(unit: tuple[ComposedLinearisation, Chunk]) -> Term:
            lin, chunk = unit
            return of_chunk(lin, self.weights[chunk.rows], chunk)

        return ordered_sum(map_ordered(run, zip(self._lins, self._chunks, strict=True), self.executor))
