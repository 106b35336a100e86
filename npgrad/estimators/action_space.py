"""Estimators that look at Q beyond the action taken: all actions at once, and a deterministic policy's own slope."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from ..critics import visited
from ..distributions import Categorical, Deterministic
from ..errors import InvalidInput
from ..kernels import chunk_bounds
from ..policies import Policy, PolicyLinearisation
from ..pool import map_ordered
from ..types import Array, Batch, FloatArray
from ..validation import require_finite, require_shape
from .base import Chunk, Estimate, chunks, episode_estimate
from .composition import composed, composed_policy
from .score_function import discounted

__all__ = ["AllActions", "DeterministicGradient", "action_probabilities"]


def action_probabilities(policy: Policy, theta: Array, batch: Batch, executor: Executor | None = None) -> FloatArray:
    """π_θ(a|s) of every a at all states s_0 … s_T of a batch, shape (T + N, n_actions), as fits of Q take them (V3).

    Raises
    ------
    InvalidInput
        If the policy is not over discrete actions.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> batch = rollout.episodes(policy, np.zeros(10), seed=0, first=0, count=1)
    >>> action_probabilities(policy, np.zeros(10), batch)[-1]
    array([0.5, 0.5])
    """
    distribution = categorical(policy)
    obs, _, edges = visited(batch)

    def run(bounds: tuple[int, int]) -> Array:
        at = edges[bounds[0] : bounds[1] + 1]
        rows = slice(int(at[0]), int(at[-1]))
        none = np.zeros(len(obs[rows]), dtype=np.int64)
        y = composed(policy.at(theta, obs[rows], none, at - at[0])).y
        pi: Array = np.exp(np.stack([distribution.log_prob(y, none + a) for a in range(distribution.n)], axis=1))
        return pi

    return np.concatenate(map_ordered(run, chunk_bounds(edges), executor))


def categorical(policy: Policy) -> Categorical:
    """The distribution of a policy, of which it is certain that it is over finitely many actions."""
    distribution = composed_policy(policy).distribution
    if not isinstance(distribution, Categorical):
        raise InvalidInput(
            f"the policy's actions are {distribution}, expected Categorical: a sum over actions needs them finite"
        )
    return distribution


@dataclass(frozen=True)
class AllActions:
    """ĝ = 1/N Σ_i Σ_t γ^t Σ_a ∇π(a|s_t) Q_t(s_t, a): the sum over actions, where P6 samples one (P13).

    As ∇π = π f it is the mean of P6 over the actions. For a tabular softmax, ∂J/∂θ_{sa} = d(s) π(a|s) A(s, a).

    Parameters
    ----------
    q : function
        ``batch → (T, n_actions)``: Q(s_t, a) for every a, e.g. the `table` of an `ActionValueCritic`.
    discount : float, optional
        γ of the factor γ^t; 1 leaves it out.
    keep_per_episode : bool, optional
        Also return the (N, P) terms.
    executor : concurrent.futures.Executor, optional
        Who computes the chunks.

    Raises
    ------
    InvalidInput
        When called, if the policy is not over discrete actions, or Q has another shape.

    Notes
    -----
    10-703; Sutton, McAllester, Singh and Mansour 1999.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> theta = np.zeros(policy.n_params)
    >>> batch = rollout.episodes(policy, theta, seed=0, first=0, count=8)
    >>> equal = AllActions(lambda b: np.ones((b.n_steps, 2)))(policy, theta, batch)  # nothing to gain
    >>> bool(np.allclose(equal.gradient, 0))
    True
    """

    q: Callable[[Batch], Array]
    discount: float = 1.0
    keep_per_episode: bool = False
    executor: Executor | None = None

    def __call__(self, policy: Policy, theta: Array, batch: Batch) -> Estimate:
        """ĝ at θ from the states in `batch`."""
        distribution = categorical(policy)
        q = self.q(batch)
        require_shape("q", q, (batch.n_steps, distribution.n))
        require_finite("q", q)
        weight = discounted(np.ones(batch.n_steps), batch, self.discount)  # γ^t

        def terms(lin: PolicyLinearisation, chunk: Chunk) -> Array:
            lin = composed(lin)
            row = np.zeros_like(lin.y)
            for a in range(distribution.n):
                act = np.full(len(row), a)
                pi_q = np.exp(distribution.log_prob(lin.y, act)) * q[chunk.rows, a]  # π(a|s) Q(s, a)
                row += (weight[chunk.rows] * pi_q)[:, None] * distribution.score(lin.y, act)
            return lin.lin.vjp_segments(row, chunk.offsets)

        return episode_estimate(
            policy, theta, batch, terms, keep_per_episode=self.keep_per_episode, executor=self.executor
        )


@dataclass(frozen=True)
class DeterministicGradient:
    """ĝ = 1/N Σ_i Σ_t γ^t (∂μ_θ(s_t)/∂θ)ᵀ ∇_a Q(s_t, a)|_{a = μ_θ(s_t)} (P19; Silver et al. 2014, theorem 1).

    The limit of P3 for a Gaussian around μ as σ → 0, with an error of O(σ²).

    Parameters
    ----------
    action_gradient : function
        ``(batch, mu) → (T, k)``: ∇_a Q(s_t, a) at a = mu (T, k).
    discount : float, optional
        γ of the factor γ^t; 1 leaves it out.
    keep_per_episode : bool, optional
        Also return the (N, P) terms.
    executor : concurrent.futures.Executor, optional
        Who computes the chunks.

    Raises
    ------
    InvalidInput
        When called, if the policy is not deterministic, or ∇_a Q has another shape.

    Examples
    --------
    >>> from npgrad.distributions import Deterministic
    >>> from npgrad.functions import Linear
    >>> from npgrad.policies import ComposedPolicy
    >>> from npgrad.spaces import Box
    >>> policy = ComposedPolicy(Linear(1, 1), Deterministic(1), Box(-9.0, 9.0, (1,)), Box(-9.0, 9.0, (1,)))
    >>> batch = Batch(obs=np.array([[2.0]]), act=np.zeros((1, 1)), rew=np.ones(1), logp=np.zeros(1), offsets=[0, 1],
    ...               terminated=[True], truncated=[False], final_obs=np.zeros((1, 1)))
    >>> towards_5 = DeterministicGradient(lambda batch, mu: 2 * (5 - mu))  # Q = −(a − 5)²
    >>> towards_5(policy, np.array([1.0, 0.0]), batch).gradient  # μ = 2: (2 · 6, 6)
    array([12.,  6.])
    """

    action_gradient: Callable[[Batch, Array], Array]
    discount: float = 1.0
    keep_per_episode: bool = False
    executor: Executor | None = None

    def __call__(self, policy: Policy, theta: Array, batch: Batch) -> Estimate:
        """ĝ at θ from the states in `batch`."""
        whole = composed_policy(policy)
        if not isinstance(whole.distribution, Deterministic):
            raise InvalidInput(f"the policy's actions are {whole.distribution}, expected Deterministic")
        inputs = batch.obs if whole.normaliser is None else whole.normaliser(batch.obs)
        parts = list(chunks(batch))
        lins = map_ordered(lambda c: whole.function.at(theta, inputs[c.rows], c.offsets), parts, self.executor)
        mu = np.concatenate([lin.y for lin in lins])  # (T, k)
        slope = self.action_gradient(batch, mu)
        require_shape("the action gradient", slope, mu.shape)
        require_finite("the action gradient", slope)
        slope = discounted(np.ones(batch.n_steps), batch, self.discount)[:, None] * slope
        terms = [lin.vjp_segments(slope[c.rows], c.offsets) for lin, c in zip(lins, parts, strict=True)]
        return Estimate.of_terms(np.concatenate(terms), self.keep_per_episode)
