"""Decision problems given as tables, compiled: what follows state and action is drawn from their list of outcomes.

    s_0 = first s with Σ_{x ≤ s} start(x) > u        (s', r, end) = first outcome k of (s, a) with Σ_{j ≤ k} p_j > u

`params` holds six numbers that say how long the tables behind them are, then the tables, one after the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import jit
from ..errors import InvalidInput
from ..spaces import Box, Discrete
from ..types import Array, BoolArray, FloatArray, IntArray
from ..validation import require_finite, require_shape
from .base import CompiledEnv

__all__ = ["outcomes_env", "tabular_env"]

# The first entries of params. N_SEEN is the number of columns of the table of observations; 0: it names the hot entry.
N_STATES, N_ACTIONS, N_OUTCOMES, N_STARTS, N_TIMES, N_SEEN, HEADER = 0, 1, 2, 3, 4, 5, 6
SUM_TOLERANCE = 1e-9  # rows of probabilities may miss 1 by this much


@jit.device
def first_above(table: Any, start: Any, n: Any, u: Any) -> Any:
    """The first k with table[start + k] > u, of n that rise; the last where there is none."""
    low, high = 0, n - 1
    while low < high:
        middle = (low + high) // 2
        if table[start + middle] > u:
            high = middle
        else:
            low = middle + 1
    return low


@jit.device
def observation(params: Any, state: Any, i: Any) -> Any:
    """Where in `params` the observation of lane i begins: row s + t S of the last table."""
    S, A, K, n_starts = int(params[N_STATES]), int(params[N_ACTIONS]), int(params[N_OUTCOMES]), int(params[N_STARTS])
    row = int(state[0, i]) + int(state[1, i]) * S
    return HEADER + 2 * n_starts + 4 * S * A * K + row * int(max(params[N_SEEN], 1.0))


def reset(params: FloatArray, lanes: IntArray, noise: FloatArray, state: FloatArray, obs: FloatArray) -> None:
    """s_0 from the start distribution, at time 0."""
    n_starts = int(params[N_STARTS])
    for k in range(lanes.shape[0]):
        i = lanes[k]
        drawn = first_above(params, HEADER, n_starts, noise[0, k])
        state[0, i] = params[HEADER + n_starts + drawn]
        state[1, i] = 0.0
        seen = observation(params, state, i)
        for j in range(obs.shape[0]):
            if params[N_SEEN] > 0.0:
                obs[j, i] = params[seen + j]
            else:
                obs[j, i] = 1.0 if j == int(params[seen]) else 0.0


def step(
    params: FloatArray,
    act: FloatArray,
    noise: FloatArray,
    state: FloatArray,
    obs: FloatArray,
    rew: FloatArray,
    terminated: BoolArray,
) -> None:
    """One of the outcomes of (s, a); the time counts as far as the observations do."""
    S, A, K, n_starts = int(params[N_STATES]), int(params[N_ACTIONS]), int(params[N_OUTCOMES]), int(params[N_STARTS])
    size, last_time = S * A * K, params[N_TIMES] - 1.0
    below = HEADER + 2 * n_starts  # sums of probabilities; then next states, rewards, ends
    for i in range(state.shape[1]):
        row = (int(state[0, i]) * A + int(act[0, i])) * K
        k = below + row + first_above(params, below + row, K, noise[0, i])
        state[0, i] = params[k + size]
        state[1, i] = min(state[1, i] + 1.0, last_time)
        rew[i] = params[k + 2 * size]
        terminated[i] = params[k + 3 * size] > 0.0
    if params[N_SEEN] > 0.0:
        for i in range(state.shape[1]):
            seen = observation(params, state, i)
            for j in range(obs.shape[0]):
                obs[j, i] = params[seen + j]
    else:
        obs[:] = 0.0
        for i in range(state.shape[1]):
            obs[int(params[observation(params, state, i)]), i] = 1.0


def tabular_env(
    start: npt.ArrayLike,
    P: npt.ArrayLike,
    R: npt.ArrayLike,
    *,
    terminal: npt.ArrayLike | None = None,
    obs: npt.ArrayLike | None = None,
    horizon: int | None = None,
    id: str = "Tabular-v0",
) -> CompiledEnv:
    """The compiled environment of a decision problem with S states and A actions, whose every number is known.

    Parameters
    ----------
    start : array, shape (S,)
        p(s_0).
    P : array, shape (S, A, S)
        p(s'|s,a).
    R : array, shape (S, A, S) or (S, A)
        r(s,a,s') or r(s,a).
    terminal : bool array, shape (S,), optional
        States that end an episode when it enters them; none by default.
    obs : array, shape (S, d) or (T + 1, S, d), optional
        What is observed in state s (at time t); the one-hot row of s by default.
    horizon : int, optional
        T, the limit of time.
    id : str, optional
        Its name.

    Returns
    -------
    CompiledEnv

    Raises
    ------
    InvalidInput
        If shapes disagree, or probabilities are negative or do not sum to 1.

    Examples
    --------
    >>> chain = tabular_env(start=[1.0, 0.0], P=[[[0.5, 0.5]], [[0.0, 1.0]]], R=[[1.0], [0.0]], terminal=[False, True])
    >>> chain.observation_space, chain.action_space
    (Discrete(n=2, start=0, dtype='int64'), Discrete(n=1, start=0, dtype='int64'))
    """
    p = np.array(P, dtype=np.float64)
    if p.ndim != 3 or p.shape[0] != p.shape[2] or 0 in p.shape:
        raise InvalidInput(f"P has shape {p.shape}, expected (S, A, S): p(s'|s,a) at [s, a, s']")
    S, A, _ = p.shape
    r = np.asarray(R, dtype=np.float64)
    if r.shape not in ((S, A), (S, A, S)):
        raise InvalidInput(f"R has shape {r.shape}, expected {(S, A)} or {(S, A, S)} as P has {S} states, {A} actions")
    r = np.broadcast_to(r[:, :, None] if r.ndim == 2 else r, p.shape)
    ends = np.zeros(S, dtype=np.bool_) if terminal is None else np.array(terminal, dtype=np.bool_)
    require_shape("terminal", ends, (S,), "one truth value for each state of P")
    p[ends] = np.eye(S)[ends][:, None, :]  # not used, so anything may stand there
    # the outcomes of (s, a) are the s' with p(s'|s,a) > 0, in their order
    K = max(1, int((p > 0).sum(axis=2).max()))
    order = np.argsort(p <= 0, axis=2, kind="stable")[:, :, :K]
    prob, rew = (np.take_along_axis(table, order, axis=2) for table in (_probabilities("P", p), r))
    return outcomes_env(start, prob, order, rew, ends[order], obs=obs, horizon=horizon, id=id)


def outcomes_env(
    start: npt.ArrayLike,
    prob: npt.ArrayLike,
    following: npt.ArrayLike,
    rew: npt.ArrayLike,
    ends: npt.ArrayLike,
    *,
    obs: npt.ArrayLike | None = None,
    horizon: int | None = None,
    id: str = "Tabular-v0",
) -> CompiledEnv:
    """The same from lists of K outcomes for each (s, a), as Gymnasium's tables are; lists are filled up with prob 0.

    Parameters
    ----------
    start : array, shape (S,)
        p(s_0).
    prob, following, rew, ends : array, shape (S, A, K)
        Probability, next state, reward and whether the episode ends, of each outcome.
    obs, horizon, id
        As for `tabular_env`.

    Raises
    ------
    InvalidInput
        As `tabular_env`, or if a next state is none.

    Examples
    --------
    >>> coin = outcomes_env([1.0], prob=[[[0.5, 0.5]]], following=[[[0, 0]]], rew=[[[1.0, -1.0]]], ends=[[[1, 1]]])
    >>> coin.step_noise
    ('uniform',)
    """
    p = _probabilities("prob", np.asarray(prob, dtype=np.float64))
    if p.ndim != 3:
        raise InvalidInput(f"prob has shape {p.shape}, expected (S, A, K)")
    S, A, K = p.shape
    tables = {"following": np.asarray(following), "rew": np.asarray(rew), "ends": np.asarray(ends)}
    for name, table in tables.items():
        require_shape(name, table, p.shape, "as prob")
    outside = (p > 0) & ((tables["following"] < 0) | (tables["following"] >= S))
    if outside.any():
        s, a, k = np.argwhere(outside)[0]
        raise InvalidInput(f"following[{s}, {a}, {k}] is {tables['following'][s, a, k]}, expected a state below {S}")
    p0 = np.asarray(start, dtype=np.float64)
    require_shape("start", p0, (S,), "one probability for each state")
    starts = np.flatnonzero(p0)
    seen = np.eye(S) if obs is None else np.asarray(obs, dtype=np.float64)
    n_times = 1
    if seen.ndim == 3:
        n_times = 1 + (0 if horizon is None else horizon)
        require_shape("obs", seen, (n_times, S, None), "one row for each state at each time 0 … horizon")
    else:
        require_shape("obs", seen, (S, None), "one row for each state")
    rows = seen.reshape(n_times * S, -1)
    d = rows.shape[1]
    one_hot = bool(((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all())
    params = np.concatenate(
        [
            np.array([S, A, K, len(starts), n_times, 0 if one_hot else d], dtype=np.float64),
            _sums(_probabilities("start", p0)[starts]),
            starts,
            _sums(p).ravel(),
            np.where(p > 0, tables["following"], 0).ravel(),
            tables["rew"].ravel(),
            tables["ends"].ravel(),
            rows.argmax(axis=1) if one_hot else rows.ravel(),
        ]
    )
    return CompiledEnv(
        id=id,
        reset=reset,
        step=step,
        params=params,
        n_state=2,
        observation_space=Discrete(d) if one_hot else Box(-np.inf, np.inf, (d,), "float64"),
        action_space=Discrete(A),
        reset_noise=("uniform",),
        step_noise=("uniform",),
        max_episode_steps=horizon,
    )


def _probabilities(name: str, p: FloatArray) -> FloatArray:
    """`p`, checked: rows along the last axis sum to 1."""
    require_finite(name, p)
    wrong = (p < 0).any(axis=-1) | (np.abs(p.sum(axis=-1) - 1) > SUM_TOLERANCE)
    if wrong.any():
        row = tuple(np.argwhere(wrong)[0].tolist())
        raise InvalidInput(f"{name}{list(row) or ''} is {p[row]}, expected probabilities that sum to 1")
    return p


def _sums(p: FloatArray) -> Array:
    """Σ_{j ≤ k} p_j along the last axis; from the last p_k > 0 on a number that no u < 1 reaches."""
    left = np.flip(np.cumsum(np.flip(p, -1), -1), -1)  # Σ_{j ≥ k} p_j
    return np.where(np.concatenate([left[..., 1:], np.zeros_like(left[..., :1])], -1) > 0, np.cumsum(p, -1), 2.0)
