"""Markov decision problems as tables, checked once; terminal states are absorbing and pay nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import InvalidInput
from ..spaces import Box, Discrete, Space
from ..types import Array, BoolArray, FloatArray
from ..validation import require_finite, require_probability, require_shape
from .graphs import can_reach

__all__ = ["TabularMDP"]

SUM_TOLERANCE = 1e-9  # rows of probabilities may miss 1 by this much; they are divided by their sum


@dataclass(frozen=True, eq=False)
class TabularMDP:
    """A decision problem with S states and A actions, whose every number is known.

    An episode begins in s_0 ~ start, and ends on entering a terminal state or after `horizon` steps: the horizon
    belongs to the task, so V is 0 there. A problem without a horizon needs γ < 1, or terminal states within reach of
    every state. Averages in the long run (`average_reward` and its kin) look at P and R alone.

    Parameters
    ----------
    start : array, shape (S,)
        p(s_0).
    P : array, shape (S, A, S)
        p(s'|s,a). What stands in rows of terminal states is not used.
    R : array, shape (S, A, S) or (S, A)
        r(s,a,s') or r(s,a).
    horizon : int, optional
        T, the most steps of an episode.
    gamma : float, optional
        γ in [0, 1].
    terminal : bool array, shape (S,), optional
        States that end an episode; none by default.
    obs : array, shape (S, d) or (T + 1, S, d), optional
        What a policy sees in state s (at time t); the one-hot row of s by default. States with equal rows cannot be
        told apart by a memoryless policy; for random emissions see `with_emissions`.

    Raises
    ------
    InvalidInput
        If shapes disagree, a row of probabilities is negative or does not sum to 1, an episode could begin in a
        terminal state, or could go on for ever at γ = 1.

    Notes
    -----
    O1, O4 of the catalogue.

    Examples
    --------
    >>> bandit = TabularMDP(start=[1.0], P=np.ones((1, 2, 1)), R=[[1.0, 0.0]], horizon=1)
    >>> bandit.n_states, bandit.n_actions, bandit.r
    (1, 2, array([[1., 0.]]))
    >>> TabularMDP(start=[1.0], P=np.full((1, 2, 1), 0.9), R=[[1.0, 0.0]], horizon=1)
    Traceback (most recent call last):
    npgrad.errors.InvalidInput: P[0, 0] sums to 0.9, expected 1: the probabilities of what follows state 0, action 0
    """

    start: FloatArray
    P: FloatArray
    R: FloatArray
    horizon: int | None = None
    gamma: float = 1.0
    terminal: BoolArray = None  # type: ignore[assignment]
    obs: FloatArray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        P = np.array(self.P, dtype=np.float64)
        if P.ndim != 3 or P.shape[0] != P.shape[2] or 0 in P.shape:
            raise InvalidInput(f"P has shape {P.shape}, expected (S, A, S): p(s'|s,a) at [s, a, s']")
        S, A, _ = P.shape
        start = np.array(self.start, dtype=np.float64)
        require_shape("start", start, (S,), "one probability for each state of P")
        terminal = np.zeros(S, bool) if self.terminal is None else np.array(self.terminal, dtype=bool)
        require_shape("terminal", terminal, (S,), "one truth value for each state of P")

        P[terminal] = np.eye(S)[terminal][:, None, :]  # absorbing …
        R = np.array(self.R, dtype=np.float64)
        if R.shape not in ((S, A), (S, A, S)):
            raise InvalidInput(
                f"R has shape {R.shape}, expected {(S, A)} or {(S, A, S)} as P has {S} states, {A} actions"
            )
        R = np.where(terminal[:, None, None], 0.0, R[:, :, None] if R.ndim == 2 else R)  # … and without reward
        R = np.ascontiguousarray(np.broadcast_to(R, P.shape))
        require_finite("R", R)
        start, P = _probabilities("start", start), _probabilities("P", P)
        if (start[terminal] > 0).any():
            s = int(np.flatnonzero(terminal & (start > 0))[0])
            raise InvalidInput(f"start[{s}] is {start[s]} but state {s} is terminal; an episode has at least one step")

        _set(self, start=start, P=P, R=R, terminal=terminal, horizon=_horizon(self.horizon), gamma=float(self.gamma))
        require_probability("gamma", self.gamma)
        self._require_an_end()
        obs = np.eye(S) if self.obs is None else np.array(self.obs, dtype=np.float64)
        expected: tuple[int | None, ...] = (S, None)
        if obs.ndim == 3:
            expected = ((self.horizon or 0) + 1, S, None)
        require_shape("obs", obs, expected, "one row for each state (at each time 0 … horizon)")
        require_finite("obs", obs)
        _set(self, obs=obs)

    def _require_an_end(self) -> None:
        if self.horizon is not None or self.gamma < 1:
            return
        ends = can_reach(self.P.max(axis=1) > 0, self.terminal)
        if not ends.all():
            s = int(np.flatnonzero(~ends)[0])
            raise InvalidInput(
                f"from state {s} no terminal state can be reached, so at gamma = 1 an episode may never end; "
                "give a horizon, a gamma below 1, or terminal states"
            )

    @property
    def n_states(self) -> int:
        """S."""
        return int(self.P.shape[0])

    @property
    def n_actions(self) -> int:
        """A."""
        return int(self.P.shape[1])

    @property
    def n_obs(self) -> int:
        """d, columns of obs."""
        return int(self.obs.shape[-1])

    @property
    def timed(self) -> bool:
        """Whether observations tell the time."""
        return self.obs.ndim == 3

    @property
    def observation_space(self) -> Space:
        """Discrete(d) where every row of `obs` is one-hot, else a Box."""
        one_hot = ((self.obs == 0) | (self.obs == 1)).all() and (self.obs.sum(axis=-1) == 1).all()
        return Discrete(self.n_obs) if one_hot else Box(-np.inf, np.inf, (self.n_obs,), "float64")

    @property
    def action_space(self) -> Space:
        """The actions 0 … A−1."""
        return Discrete(self.n_actions)

    @cached_property
    def r(self) -> FloatArray:
        """r(s,a) = Σ_{s'} p(s'|s,a) r(s,a,s'), shape (S, A) (O9)."""
        return np.asarray(np.einsum("sax,sax->sa", self.P, self.R))

    def replace(self, **changes: Any) -> TabularMDP:
        """A copy with some fields changed, checked anew.

        Examples
        --------
        >>> chain = TabularMDP([1.0, 0.0], [[[0.0, 1.0]], [[1.0, 0.0]]], [[0.0], [1.0]], gamma=0.5)
        >>> chain.replace(gamma=1.0, horizon=3).horizon
        3
        """
        return replace(self, **changes)

    def with_time(self, *, one_hot: bool = True) -> TabularMDP:
        """The same problem with the time in the observation, so that policies may depend on it.

        Parameters
        ----------
        one_hot : bool, optional
            True: the one-hot row of (t, s), so that a linear softmax is a table over both. False: a column t/T more.

        Raises
        ------
        InvalidInput
            If there is no horizon.

        Examples
        --------
        >>> chain = TabularMDP([1.0, 0.0], [[[0.0, 1.0]], [[1.0, 0.0]]], [[0.0], [1.0]], horizon=3)
        >>> chain.with_time().n_obs, chain.with_time(one_hot=False).obs[1]
        (8, array([[1.        , 0.        , 0.33333333],
               [0.        , 1.        , 0.33333333]]))
        """
        if self.horizon is None or self.timed:
            raise InvalidInput("the time can be observed once, and where there is a horizon; give one with replace")
        T, S = self.horizon, self.n_states
        if one_hot:
            return self.replace(obs=np.eye((T + 1) * S).reshape(T + 1, S, (T + 1) * S))
        clock = np.broadcast_to(np.arange(T + 1)[:, None, None] / T, (T + 1, S, 1))
        return self.replace(obs=np.concatenate([np.broadcast_to(self.obs, (T + 1, *self.obs.shape)), clock], axis=2))


def _set(mdp: TabularMDP, **fields: Any) -> None:
    """Put checked values into a frozen instance, arrays read-only."""
    for name, value in fields.items():
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
        object.__setattr__(mdp, name, value)


def _horizon(horizon: int | None) -> int | None:
    if horizon is None:
        return None
    if isinstance(horizon, bool) or int(horizon) != horizon or horizon < 1:
        raise InvalidInput(f"horizon is {horizon!r}, expected a number of steps of at least 1, or None")
    return int(horizon)


def _probabilities(name: str, p: Array) -> Array:
    """`p` with rows along its last axis divided by their sums, which must be 1 but for rounding."""
    require_finite(name, p)
    rows = {"start": "the probabilities of s_0", "P": "the probabilities of what follows state {}, action {}"}
    if (p < 0).any():
        place = tuple(np.argwhere(p < 0)[0].tolist())
        raise InvalidInput(f"{name}{list(place)} is {p[place]}, expected a probability of at least 0")
    total = p.sum(axis=-1)
    wrong = np.abs(total - 1) > SUM_TOLERANCE
    if wrong.any():
        row = tuple(np.argwhere(wrong)[0].tolist())
        where = f"{name}{list(row)}" if row else name
        raise InvalidInput(f"{where} sums to {total[row]:.12g}, expected 1: {rows[name].format(*row)}")
    return np.asarray(p / total[..., None])
