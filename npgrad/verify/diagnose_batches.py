"""All batches that an estimator can be handed on a small problem, as arrays to compute estimators on all at once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from ..oracle import probabilities, trajectories, values
from ..oracle.mdp import TabularMDP
from ..types import Array, BoolArray, FloatArray, IntArray
from .certify_cases import Case, Settings, exact_values

__all__ = ["Batches", "all_batches"]


@dataclass(frozen=True, eq=False)
class Batches:
    """B batches of N episodes; what belongs to rows is (B, N, T), zero behind the end of an episode.

    Parameters
    ----------
    gamma : float
        The γ of the estimator.
    ent_coef : float
        β of the entropy bonus in the objective.
    prob : array, shape (B,)
        Of each batch.
    alive : bool array
        Whether the episode has a row at t.
    rew, log_pi, log_rho : array
        r_t, log π_θ(a_t|s_t), log ρ_t.
    states : int array
        s_t.
    Q, Q_0 : array
        Q_t(s_t,a_t), and that of t = 0, of π_θ.
    V, V_next : array
        V_t(s_t), and V_{t+1}(s_{t+1}) as a critic gives it: also behind a termination.
    terminated, truncated : bool array, shape (B, N)
    scores : array, shape (B, N·T, P)
        f_t.
    """

    gamma: float
    ent_coef: float
    prob: FloatArray
    alive: BoolArray
    rew: FloatArray
    log_pi: FloatArray
    log_rho: FloatArray
    states: IntArray
    Q: FloatArray
    Q_0: FloatArray
    V: FloatArray
    V_next: FloatArray
    terminated: BoolArray
    truncated: BoolArray
    scores: FloatArray

    @property
    def n(self) -> int:
        """N."""
        return int(self.alive.shape[1])

    @property
    def gamma_t(self) -> FloatArray:
        """γ^t, shape (T,)."""
        return np.asarray(self.gamma ** np.arange(self.alive.shape[2]))

    @property
    def lengths(self) -> IntArray:
        """Steps of each episode, shape (B, N, 1)."""
        return np.asarray(self.alive.sum(axis=2, keepdims=True))

    @property
    def last(self) -> BoolArray:
        """Whether a row is the last of its episode."""
        return np.asarray(self.alive & (np.arange(self.alive.shape[2]) == self.lengths - 1))

    def mean(self, psi: Array) -> FloatArray:
        """E ĝ of ĝ = 1/N Σ_i Σ_t Ψ_{i,t} f_{i,t}, Ψ (B, N, T); shape (P,)."""
        weighted = (self.prob[:, None, None] * psi).ravel()
        with np.errstate(all="ignore"):
            return np.asarray(weighted @ self.scores.reshape(len(weighted), -1)) / self.n

    def covariance(self, psi: Array) -> FloatArray:
        """Cov ĝ, shape (P, P)."""
        g: Array = (psi.reshape(len(psi), 1, -1) @ self.scores)[:, 0] / self.n
        g = g - self.prob @ g
        return np.asarray((g * self.prob[:, None]).T @ g)


def all_batches(case: Case, settings: Settings, n: int) -> Batches:
    """Every batch of n episodes of a problem.

    Parameters
    ----------
    case : Case
    settings : Settings
    n : int
        N.

    Examples
    --------
    >>> from npgrad.verify.certify_cases import fixed_cases
    >>> x = all_batches(fixed_cases(Settings())[0], Settings(), 2)
    >>> x.alive.shape, float(x.prob.sum().round(12))
    ((9, 2, 1), 1.0)
    """
    mdp, policy, theta = case.mdp, case.policy, case.theta
    beta = case.behaviour(settings)
    actor = (policy, theta) if beta is None else (beta, None)
    t = trajectories(mdp, *actor, length=case.length, cut=case.cut)
    batch, last = t.batch, t.batch.offsets[1:] - 1
    lin = policy.at(theta, batch.obs, batch.act, batch.offsets)
    log_pi = np.asarray(lin.log_prob)
    Q = _in_time(mdp, values(mdp, probabilities(mdp, policy, theta)).Q)
    V_next, V = np.zeros(batch.n_steps), np.zeros(batch.n_steps)
    if settings.with_values:
        critic = exact_values(case, settings)(batch)
        V, V_next = critic.rows, np.append(critic.rows[1:], 0.0)
        V_next[last] = critic.final

    def batches(rows: Array) -> Array:
        return np.asarray(t.pad(rows)[which])

    which = np.array(list(product(range(len(t)), repeat=n)))  # (B, N)
    f = batches(lin.vjp_rows(np.ones(batch.n_steps)))
    return Batches(
        gamma=settings.gamma,
        ent_coef=settings.ent_coef,
        prob=t.prob[which].prod(axis=1),
        alive=batches(np.ones(batch.n_steps, bool)),
        rew=batches(batch.rew),
        log_pi=batches(log_pi),
        log_rho=batches(log_pi - batch.logp),
        states=batches(t.states),
        Q=batches(Q[batch.time, t.states, batch.act]),
        Q_0=batches(Q[0, t.states, batch.act]),
        V=batches(V),
        V_next=batches(V_next),
        terminated=batch.terminated[which],
        truncated=batch.truncated[which],
        scores=f.reshape(len(which), -1, f.shape[-1]),
    )


def _in_time(mdp: TabularMDP, Q: Array) -> Array:
    """Q as (T, S, A), however it came."""
    return np.broadcast_to(Q, (mdp.horizon or 1, *Q.shape[-2:]))
