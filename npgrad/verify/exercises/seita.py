"""Seita's Place: the three forms of the gradient, and generalised advantages."""

from __future__ import annotations

import numpy as np

from ...critics import Values
from ...policies import Policy
from ...types import Array, Batch
from .cs224r import reward_to_go
from .task import Exercise, by_certificate

__all__ = ["SEITA_EXERCISES"]


def second_form(policy: Policy, theta: Array, batch: Batch) -> Array:
    """1/N Σ_i Σ_t' r_t' Σ_t≤t' f_t."""
    f = policy.at(theta, batch.obs, batch.act).vjp_rows(np.ones(batch.n_steps))
    total = np.zeros(len(theta))
    for a, b in zip(batch.offsets[:-1], batch.offsets[1:], strict=True):
        total += batch.rew[a:b] @ np.cumsum(f[a:b], axis=0)
    return total / batch.n_episodes


def gae(policy: Policy, theta: Array, batch: Batch, values: Values) -> Array:
    """γ^t A_t, A_t = δ_t + γλ A_{t+1}, with γ = 0.9 and λ = 0.95."""
    psi = np.empty(batch.n_steps)
    for i in range(batch.n_episodes):
        start, end = batch.offsets[i], batch.offsets[i + 1]
        after, A = 0.0 if batch.terminated[i] else values.final[i], 0.0
        for t in reversed(range(start, end)):
            delta = batch.rew[t] + 0.9 * after - values.rows[t]
            A = delta + 0.9 * 0.95 * A
            psi[t] = 0.9 ** (t - start) * A
            after = values.rows[t]
    return policy.at(theta, batch.obs, batch.act).vjp(psi) / batch.n_episodes


SEITA_EXERCISES = [
    Exercise(
        "seita-second-form",
        "Seita",
        "P2",
        "Each reward with the scores before it",
        "The post derives (ii) ∇J = E Σ_t' r_t' Σ_t≤t' ∇log π_t. Write it as it stands, then see that on every "
        "trajectory it is (iii), the reward-to-go: certify both, and compare.",
        """import numpy as np

def estimator(policy, theta, batch):
    f = policy.at(theta, batch.obs, batch.act).vjp_rows(np.ones(batch.n_steps))  # (T, P): the score of each row
    total = np.zeros(len(theta))
    for a, b in zip(batch.offsets[:-1], batch.offsets[1:]):
        ...
    return total / batch.n_episodes
""",
        second_form,
        by_certificate(reward_to_go),
    ),
    Exercise(
        "seita-gae",
        "Seita (the paper that it announces)",
        "P8",
        "Generalised advantages",
        "Write GAE with γ = 0.9 and λ = 0.95, δ_t = r_t + γV(s_{t+1}) − V(s_t), A_t = δ_t + γλ A_{t+1}, and keep the "
        "factor γ^t, so that with the exact V, which you are handed, it is unbiased for ∇J_γ.",
        '''import numpy as np

def estimator(policy, theta, batch, values):
    """batch.terminated (N,), batch.truncated (N,); values.rows (T,), values.final (N,)."""
    psi = np.empty(batch.n_steps)
    for i in range(batch.n_episodes):
        A = 0.0
        for t in reversed(range(batch.offsets[i], batch.offsets[i + 1])):
            ...
    return policy.at(theta, batch.obs, batch.act).vjp(psi) / batch.n_episodes
''',
        gae,
        by_certificate(gae, target="discounted", gamma=0.9, with_values=True),
    ),
]
