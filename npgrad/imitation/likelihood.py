"""The likelihood of demonstrations under a policy, and its gradient (I1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..data import Demonstrations
from ..errors import InvalidInput, NotImplementedBy
from ..policies import Policy
from ..rollouts import Rollout
from ..spaces import Box
from ..types import Array, Batch, IntArray
from ..validation import require_shape

__all__ = ["cloning_loss", "latent_batch", "require_same_spaces"]

CHUNK = 8192  # rows that are linearised together


def cloning_loss(policy: Policy, theta: Array, batch: Batch, weights: Array | None = None) -> tuple[Array, Array]:
    """L(θ) = −1/T Σ_t w_t log π_θ(a_t|o_t), and ∇L = −1/T Σ_t w_t f_t, of the hand-derived scores f_t (I1).

    With w = 1 it is −E_D log π: cross-entropy for a softmax, squared errors over 2σ² (and log σ) for a Gaussian. With
    weights Ψ on its own rollouts, −(T/N) ∇L is the policy gradient with that Ψ (P9).

    Parameters
    ----------
    policy : Policy
    theta : array, shape (P,)
    batch : Batch
        Latent actions in ``act``, as `latent_batch` gives them.
    weights : array, shape (T,), optional
        w; ones if not given.

    Returns
    -------
    loss : array, shape ()
    gradient : array, shape (P,)

    Raises
    ------
    InvalidInput
        If there is not one weight a row, or an action is outside the distribution's range.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy = make_policy(rollout, "linear")
    >>> theta = np.zeros(policy.n_params)
    >>> loss, gradient = cloning_loss(policy, theta, rollout.episodes(policy, theta, seed=0, first=0, count=2))
    >>> round(float(loss), 6), gradient.shape  # log 2
    (0.693147, (10,))
    """
    w = np.ones(batch.n_steps) if weights is None else np.asarray(weights)
    require_shape("weights", w, (batch.n_steps,), "one for each row")
    total, gradient = np.zeros((), theta.dtype), np.zeros(len(theta), theta.dtype)
    for rows, offsets in _chunks(policy, batch):
        lin = policy.at(theta, batch.obs[rows], batch.act[rows], offsets)
        total = total - w[rows] @ lin.log_prob  # −Σ w_t log π(a_t|o_t)
        gradient = gradient - lin.vjp(w[rows])  # −Σ w_t f_t
    return total / batch.n_steps, gradient / batch.n_steps


def _chunks(policy: Policy, batch: Batch) -> Iterator[tuple[slice, IntArray]]:
    """Rows that are looked at together; all, where a policy has a memory."""
    size = batch.n_steps if policy.n_memory else CHUNK
    for a in range(0, batch.n_steps, max(1, size)):
        rows = slice(a, min(a + size, batch.n_steps))
        yield rows, batch.offsets if policy.n_memory else np.array([0, rows.stop - rows.start])


def latent_batch(demonstrations: Demonstrations, policy: Policy) -> Batch:
    """The demonstrations' batch with the latent actions of a policy, those that its action map makes theirs of.

    Raises
    ------
    InvalidInput
        If the policy's spaces are others than the demonstrations'.
    NotImplementedBy
        If the policy's action map, one of your own, has no inverse.
    """
    require_same_spaces(demonstrations, policy)
    batch = demonstrations.batch
    inverse = getattr(policy.action_map, "inverse", None)
    if inverse is None:
        raise NotImplementedBy(
            f"{type(policy.action_map).__name__} has no inverse; cloning needs one: map(inverse(a)) = a"
        )
    act = batch.act.astype(np.float64) if isinstance(policy.action_space, Box) else batch.act
    return replace(batch, act=inverse(act))


def require_same_spaces(demonstrations: Demonstrations, other: Policy | Rollout) -> None:
    """Raise unless the demonstrations live in the spaces of a policy, or of an environment."""
    what = "environment" if hasattr(other, "env_id") else "policy"
    for name in ("observation_space", "action_space", "n_masked"):
        theirs, ours = getattr(demonstrations, name), getattr(other, name)
        if theirs != ours:
            raise InvalidInput(
                f"the demonstrations have {name.replace('_', ' ')} {theirs}, but the {what} {ours}; demonstrations, "
                "policy and environment need the same spaces"
            )
