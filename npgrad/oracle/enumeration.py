"""Every trajectory of a small problem with its probability, as one `Batch`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import InvalidInput
from ..types import Array, Batch, FloatArray, IntArray
from ..validation import require_shape
from .mdp import TabularMDP
from .tables import PolicyOrTable, at_time, is_policy, probabilities, require_policy

__all__ = ["Trajectories", "trajectories"]


@dataclass(frozen=True, eq=False)
class Trajectories:
    """All M trajectories τ of a problem under one policy, ordered by length, then by states and actions.

    Parameters
    ----------
    prob : array, shape (M,)
        p(τ).
    batch : Batch
        The trajectories as M episodes of T rows in all; act are action numbers, logp the policy's log π(a|s).
    states : int array, shape (T,)
        s_t of every row.
    final_states : int array, shape (M,)
        s_T of every trajectory.
    """

    prob: FloatArray
    batch: Batch
    states: IntArray
    final_states: IntArray

    def __len__(self) -> int:
        return len(self.prob)

    @property
    def next_states(self) -> IntArray:
        """s_{t+1} of every row, shape (T,)."""
        after = np.append(self.states[1:], 0)
        after[self.batch.offsets[1:] - 1] = self.final_states
        return after

    def sum(self, rows: Array) -> Array:
        """Σ_t of each trajectory's rows, (T, …) → (M, …)."""
        return np.add.reduceat(rows, self.batch.offsets[:-1], axis=0)

    def pad(self, rows: Array) -> Array:
        """Rows by trajectory and time, zero after the end: (T, …) → (M, longest, …)."""
        out = np.zeros((len(self), int(self.batch.lengths.max()), *rows.shape[1:]), rows.dtype)
        out[self.batch.segment, self.batch.time] = rows
        return out

    def expect(self, x: Array) -> Array:
        """E x = Σ_τ p(τ) x(τ), (M, …) → (…).

        Raises
        ------
        InvalidInput
            If there is not one x for each trajectory.
        """
        require_shape(
            "x", x, (len(self), *x.shape[1:]), "one value for each trajectory; rows are summed with .sum(rows)"
        )
        return np.tensordot(self.prob, x, axes=1)

    def covariance(self, x: Array) -> Array:
        """E (x − E x)(x − E x)ᵀ of x (M, P), shape (P, P)."""
        centred = x - self.expect(x)
        return np.asarray((centred * self.prob[:, None]).T @ centred)


def trajectories(
    mdp: TabularMDP,
    policy: PolicyOrTable,
    theta: Array | None = None,
    *,
    length: int | None = None,
    cut: bool = False,
    limit: int = 1_000_000,
) -> Trajectories:
    """List every trajectory that a policy can take, with its probability (O1).

        p(τ) = p(s_0) Π_t π(a_t|s_t) p(s_{t+1}|s_t,a_t)

    A trajectory that enters a terminal state or reaches the horizon is `terminated`, since the horizon belongs to the
    task. One stopped at `length` before that is `truncated`, or neither with ``cut=True``, and is to be bootstrapped.

    Parameters
    ----------
    mdp : TabularMDP
    policy : Policy or array
        Who acts: for off-policy estimates the behaviour β. A policy with memory is taken at its word on every history.
    theta : array, shape (P,), optional
    length : int, optional
        The most steps; the horizon by default, and needed where there is none.
    cut : bool, optional
        Flag what is stopped at `length` as cut instead of truncated.
    limit : int, optional
        The most rows (trajectories times steps) to list.

    Raises
    ------
    InvalidInput
        If there are too many rows, there is neither horizon nor length, or the policy does not fit.

    Examples
    --------
    >>> from npgrad.oracle import TabularMDP
    >>> coin = TabularMDP([1.0], np.ones((1, 2, 1)), [[1.0, 0.0]], horizon=2)
    >>> t = trajectories(coin, np.array([[0.9, 0.1]]))
    >>> t.prob.round(3), t.batch.returns()
    (array([0.81, 0.09, 0.09, 0.01]), array([2., 1., 1., 0.]))
    >>> float(t.expect(t.batch.returns()).round(12))
    1.8
    """
    T = mdp.horizon if length is None else length
    if T is None or T < 1 or (mdp.horizon or T) < T:
        raise InvalidInput(
            f"length is {length} and the horizon {mdp.horizon}; expected a length of at least 1, no more than it"
        )
    pi_of = _acting(mdp, policy, theta)
    _require_few(mdp, policy, theta, T, limit)

    path = _Path(mdp.start)
    parts = []
    for t in range(T):
        path = path.extended(mdp, pi_of(path, t))
        over = mdp.terminal[path.now] if t + 1 < T else np.ones(len(path.now), bool)
        parts.append(path.chosen(over))
        path = path.chosen(~over)
    return _collected(mdp, [p for p in parts if len(p.now)], T, cut)


class _Path:
    """The first t steps of every trajectory: one row each."""

    def __init__(self, start: FloatArray) -> None:
        self.now = np.flatnonzero(start)  # s_t, (M,)
        self.prob = start[self.now]
        self.states = np.zeros((len(self.now), 0), dtype=np.int64)  # s_0 … s_{t−1}, (M, t)
        self.act, self.rew, self.logp = self.states, np.zeros(self.states.shape), np.zeros(self.states.shape)

    def extended(self, mdp: TabularMDP, pi: Array) -> _Path:
        """By every action and next state that is possible; `pi` (M, A)."""
        i, a, nxt = np.nonzero((pi[:, :, None] > 0) & (mdp.P[self.now] > 0))
        s, p = self.now[i], pi[i, a]
        out = object.__new__(_Path)
        out.now, out.prob = nxt, self.prob[i] * p * mdp.P[s, a, nxt]
        new = {"states": s, "act": a, "rew": mdp.R[s, a, nxt], "logp": np.log(p)}
        for name, column in new.items():
            setattr(out, name, np.concatenate([getattr(self, name)[i], column[:, None]], axis=1))
        return out

    def chosen(self, which: Array) -> _Path:
        out = object.__new__(_Path)
        for name, value in vars(self).items():
            setattr(out, name, value[which])
        return out


def _acting(mdp: TabularMDP, policy: PolicyOrTable, theta: Array | None) -> Callable[[_Path, int], Array]:
    """π(a|history) for all paths, (M, A)."""
    if not is_policy(policy) or not policy.n_memory:
        pi = probabilities(mdp, policy, theta)
        return lambda path, t: np.asarray(at_time(pi, t, 2)[path.now])
    remembering, theta = require_policy(mdp, policy, theta)

    def of_history(path: _Path, t: int) -> Array:
        states = np.concatenate([path.states, path.now[:, None]], axis=1)  # s_0 … s_t
        obs = mdp.obs[np.arange(t + 1), states] if mdp.timed else mdp.obs[states]
        offsets = np.arange(len(states) + 1) * (t + 1)
        columns = []
        for a in range(mdp.n_actions):
            act = np.append(path.act, np.full((len(states), 1), a), axis=1)
            lin = remembering.at(theta, obs.reshape(-1, mdp.n_obs), act.ravel(), offsets)
            columns.append(np.exp(lin.log_prob.reshape(-1, t + 1)[:, -1]))
        return np.stack(columns, axis=1)

    return of_history


def _require_few(mdp: TabularMDP, policy: PolicyOrTable, theta: Array | None, T: int, limit: int) -> None:
    """Count the rows before listing them: n_{t+1}(s') = Σ_s n_t(s) · #{a : π(a|s) p(s'|s,a) > 0}."""
    remembers = is_policy(policy) and policy.n_memory > 0
    pi = np.ones((mdp.n_states, mdp.n_actions)) if remembers else probabilities(mdp, policy, theta)
    n, paths, rows = (mdp.start > 0).astype(float), 0.0, 0.0
    for t in range(T):
        with np.errstate(over="ignore"):
            n = n @ np.einsum("sa,sax->sx", at_time(pi, t, 2) > 0, (mdp.P > 0).astype(float))
            over = n.sum() if t + 1 == T else n[mdp.terminal].sum()
            paths, rows = paths + over, rows + over * (t + 1)
            n = n * ~mdp.terminal
    if rows > limit:
        raise InvalidInput(
            f"the problem has {paths:.3g} trajectories of up to {T} steps, {rows:.3g} rows in all, more than "
            f"limit={limit}; use causal_moments or whole_return_moments, which need no list, fewer steps, or samples"
        )


def _collected(mdp: TabularMDP, parts: list[_Path], T: int, cut: bool) -> Trajectories:
    def flat(name: str) -> Array:
        return np.concatenate([getattr(p, name).ravel() for p in parts])

    lengths = np.concatenate([np.full(len(p.now), p.states.shape[1]) for p in parts])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    final_states = np.concatenate([p.now for p in parts])
    states = flat("states")
    terminated = mdp.terminal[final_states] | (lengths == mdp.horizon)
    time = np.arange(len(states)) - np.repeat(offsets[:-1], lengths)
    batch = Batch(
        obs=mdp.obs[time, states] if mdp.timed else mdp.obs[states],
        act=flat("act"),
        rew=flat("rew"),
        logp=flat("logp"),
        offsets=offsets,
        terminated=terminated,
        truncated=~terminated & (not cut),
        final_obs=mdp.obs[lengths, final_states] if mdp.timed else mdp.obs[final_states],
    )
    return Trajectories(np.concatenate([p.prob for p in parts]), batch, states, final_states)
