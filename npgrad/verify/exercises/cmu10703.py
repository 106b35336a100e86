"""CMU 10-703: two states with returns far apart, the estimate of A3C, discounting."""

from __future__ import annotations

import numpy as np

from ...critics import Values
from ...distributions import Categorical
from ...functions import Linear
from ...oracle import TabularMDP, causal_moments
from ...policies import ComposedPolicy, Policy
from ...types import Array, Batch
from .task import Exercise, by_certificate, by_numbers

__all__ = ["CMU10703_EXERCISES"]


def _two_states() -> tuple[float, float]:
    R = [[3001.0, 2999.0], [-3999.0, -4001.0]]
    P = np.eye(2)[:, None].repeat(2, axis=1)
    mdp = TabularMDP(np.array([0.5, 0.5]), P, np.array(R), horizon=1)
    table = Linear(2, 2, bias=False)  # of logits, as states are one-hot
    policy, theta = ComposedPolicy(table, Categorical(2), mdp.observation_space, mdp.action_space), np.zeros(4)
    plain = causal_moments(mdp, policy, theta).variance
    return plain, causal_moments(mdp, policy, theta, baseline=np.array([3000.0, -4000.0])).variance


def two_states() -> tuple[float, float]:
    """E‖f‖² (R − b)² − ‖∇J‖²; ‖f‖² = ½, ∇J = ±¼ in each of the four coordinates."""
    squares = np.mean([3001.0**2, 2999.0**2, 3999.0**2, 4001.0**2])
    return float(0.5 * squares - 0.25), 0.5 * 1.0 - 0.25


def a3c(policy: Policy, theta: Array, batch: Batch, values: Values) -> Array:
    """R ← 0 or V(s_T), R ← r_i + R backwards, Ψ = R − V(s_i)."""
    psi = np.empty(batch.n_steps)
    for i in range(batch.n_episodes):
        R = 0.0 if batch.terminated[i] else values.final[i]
        for t in reversed(range(batch.offsets[i], batch.offsets[i + 1])):
            R = batch.rew[t] + R
            psi[t] = R - values.rows[t]
    return policy.at(theta, batch.obs, batch.act).vjp(psi) / batch.n_episodes


def discounted(policy: Policy, theta: Array, batch: Batch) -> Array:
    """γ^t G_t with γ = 0.9."""
    psi = np.empty(batch.n_steps)
    for a, b in zip(batch.offsets[:-1], batch.offsets[1:], strict=True):
        G = 0.0
        for t in reversed(range(a, b)):
            G = batch.rew[t] + 0.9 * G
            psi[t] = 0.9 ** (t - a) * G
    return policy.at(theta, batch.obs, batch.act).vjp(psi) / batch.n_episodes


CMU10703_EXERCISES = [
    Exercise(
        "10703-two-states",
        "10-703",
        "B7",
        "Returns about 3000 and −4000",
        "An episode is one step in S_1 or S_2, each with probability ½. Two actions have probability ½ each, by a "
        "softmax over a table θ[s, a] of four zeros. They pay 3001 and 2999 in S_1, −3999 and −4001 in S_2.\n\nGive "
        "tr Cov of ĝ = f (R − b(s)) on one episode, without a baseline and with b = (3000, −4000).",
        "def variances():\n    return without, with_baseline\n",
        two_states,
        by_numbers(_two_states, [()]),
    ),
    Exercise(
        "10703-a3c",
        "10-703",
        "P7, V4",
        "The advantage of A3C",
        "Write the estimate of A3C's actor with γ = 1: backwards from R = 0 at the end of an episode, or R = V(s_T) "
        "where the segment was only cut or truncated, R ← r_t + R and Ψ_t = R − V(s_t). values.rows holds V(s_t), "
        "values.final V(s_T); after a termination values.final means nothing.",
        '''import numpy as np

def estimator(policy, theta, batch, values):
    """batch.terminated (N,), batch.truncated (N,); values.rows (T,), values.final (N,)."""
    psi = np.empty(batch.n_steps)
    for i in range(batch.n_episodes):
        R = ...
        for t in reversed(range(batch.offsets[i], batch.offsets[i + 1])):
            ...
    return policy.at(theta, batch.obs, batch.act).vjp(psi) / batch.n_episodes
''',
        a3c,
        by_certificate(a3c, with_values=True),
    ),
    Exercise(
        "10703-discounted",
        "10-703",
        "P4, P5, X18",
        "REINFORCE with γ",
        "Write an unbiased estimator of ∇J_γ, J_γ = E Σ_t γ^t r_t, with γ = 0.9 and returns G_t = Σ_k≥t γ^(k−t) r_k. "
        "Mind the factor that most programs leave out.",
        '''import numpy as np

def estimator(policy, theta, batch):
    """batch.time (T,) is t of each row within its episode."""
    psi = ...
    return policy.at(theta, batch.obs, batch.act).vjp(psi) / batch.n_episodes
''',
        discounted,
        by_certificate(discounted, target="discounted", gamma=0.9),
    ),
]
