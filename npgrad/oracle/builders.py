"""Decision problems made at random, with emissions, and from Gymnasium's own tables."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..types import BoolArray, IntArray
from ..validation import require_shape
from .mdp import TabularMDP

__all__ = ["from_gymnasium", "random_mdp", "with_emissions"]


def random_mdp(
    n_states: int,
    n_actions: int,
    horizon: int | None,
    seed: int,
    *,
    gamma: float = 1.0,
    n_terminal: int = 0,
    n_next: int | None = None,
    n_start: int | None = None,
) -> TabularMDP:
    """A problem with Dirichlet transitions and normal rewards r(s,a,s').

    Parameters
    ----------
    n_states, n_actions : int
        S and A.
    horizon : int or None
        T.
    seed : int
        The same seed gives the same problem.
    gamma : float, optional
        γ.
    n_terminal : int, optional
        The last `n_terminal` states end an episode.
    n_next, n_start : int, optional
        How many states can follow each (s, a), and begin an episode; all by default. Few keep trajectories countable.

    Raises
    ------
    InvalidInput
        If a count is not possible.

    Examples
    --------
    >>> mdp = random_mdp(4, 2, horizon=3, seed=0, n_terminal=1, n_next=2)
    >>> (mdp.P > 0).sum(axis=2)[:3]
    array([[2, 2],
           [2, 2],
           [2, 2]])
    """
    S, A = n_states, n_actions
    n_next, n_start = S if n_next is None else n_next, S - n_terminal if n_start is None else n_start
    if not (S >= 1 and A >= 1 and 0 <= n_terminal < S and 1 <= n_next <= S and 1 <= n_start <= S - n_terminal):
        raise InvalidInput(
            f"n_states={S}, n_actions={A}, n_terminal={n_terminal}, n_next={n_next}, n_start={n_start}: expected at "
            "least one action and one state that is not terminal, and no more successors and starts than states"
        )
    rng = np.random.default_rng(seed)
    P = np.zeros((S, A, S))
    rank = rng.random((S, A, S)).argsort(axis=2)[:, :, :n_next]  # which states can follow
    np.put_along_axis(P, rank, rng.dirichlet(np.ones(n_next), size=(S, A)), axis=2)
    start = np.zeros(S)
    start[:n_start] = rng.dirichlet(np.ones(n_start))
    R = rng.normal(size=(S, A, S))
    return TabularMDP(start, P, R, horizon, gamma, terminal=np.arange(S) >= S - n_terminal)


def with_emissions(
    start: npt.ArrayLike,
    P: npt.ArrayLike,
    R: npt.ArrayLike,
    emissions: npt.ArrayLike,
    *,
    horizon: int | None = None,
    gamma: float = 1.0,
    terminal: npt.ArrayLike | None = None,
) -> tuple[TabularMDP, IntArray]:
    """A partially observed problem o_t ~ O(o|s_t), as a problem over the pairs (s, o) of which a policy sees o.

        p((s',o')|(s,o),a) = p(s'|s,a) O(o'|s')

    Parameters
    ----------
    start, P, R, horizon, gamma, terminal
        As for `TabularMDP`, over the hidden states.
    emissions : array, shape (S, n_symbols)
        O(o|s).

    Returns
    -------
    mdp : TabularMDP
        Over the pairs with O(o|s) > 0, ordered by s, then o; obs is the one-hot row of o.
    pairs : int array, shape (S', 2)
        (s, o) of each of its states.

    Raises
    ------
    InvalidInput
        As `TabularMDP`; also if a row of `emissions` is no distribution.

    Notes
    -----
    L5 of the catalogue.

    Examples
    --------
    >>> mdp, pairs = with_emissions([1.0, 0.0], [[[0.0, 1.0]], [[1.0, 0.0]]], [[0.0], [1.0]],
    ...                             [[0.9, 0.1], [0.0, 1.0]], horizon=2)
    >>> pairs.tolist(), mdp.start
    ([[0, 0], [0, 1], [1, 1]], array([0.9, 0.1, 0. ]))
    """
    hidden = TabularMDP(start, P, R, horizon, gamma, terminal)  # type: ignore[arg-type]
    O = np.asarray(emissions, dtype=np.float64)
    require_shape("emissions", O, (hidden.n_states, None), "one row for each state")
    if (O < 0).any() or not np.allclose(O.sum(axis=1), 1, rtol=0, atol=1e-9):
        wrong = np.flatnonzero((O < 0).any(axis=1) | (np.abs(O.sum(axis=1) - 1) > 1e-9))[0]
        raise InvalidInput(f"emissions[{wrong}] is {O[wrong]}, expected probabilities that sum to 1")
    pairs = np.argwhere(O > 0)
    s, o = pairs.T
    mdp = TabularMDP(
        start=hidden.start[s] * O[s, o],
        P=hidden.P[s][:, :, s] * O[s, o],
        R=hidden.R[s][:, :, s],
        horizon=horizon,
        gamma=gamma,
        terminal=hidden.terminal[s],
        obs=np.eye(O.shape[1])[o],
    )
    return mdp, pairs


def from_gymnasium(env: Any, *, horizon: int | Literal["limit"] | None = "limit", gamma: float = 1.0) -> TabularMDP:
    """The problem in the table ``env.unwrapped.P`` of Gymnasium's toy-text environments.

    States keep their numbers, and a policy sees Gymnasium's observation, one-hot. Where the table ends an episode in a
    state that can be passed through as well (Taxi), a terminal twin of that state is appended, which looks the same.

    Parameters
    ----------
    env : str or environment
        ``"FrozenLake-v1"``, ``"FrozenLake8x8-v1"``, ``"CliffWalking-v1"``, ``"Taxi-v4"`` or another with such a table.
    horizon : int, None or "limit", optional
        T; by default the environment's own time limit, if it has one.
    gamma : float, optional
        γ.

    Raises
    ------
    InvalidInput
        If there is no table, the table leaves something out, or it gives two rewards for one (s, a, s').

    Examples
    --------
    >>> mdp = from_gymnasium("FrozenLake-v1")
    >>> mdp.n_states, mdp.n_actions, mdp.horizon, np.flatnonzero(mdp.terminal)
    (16, 4, 100, array([ 5,  7, 11, 12, 15]))
    """
    import gymnasium

    env = gymnasium.make(env) if isinstance(env, str) else env
    table, name = getattr(env.unwrapped, "P", None), getattr(env.spec, "id", type(env.unwrapped).__name__)
    if not isinstance(table, dict) or not hasattr(env.unwrapped, "initial_state_distrib"):
        raise InvalidInput(f"{name} has no table P and initial_state_distrib; build TabularMDP(start, P, R, …) by hand")
    if getattr(env.unwrapped, "fickle_passenger", False):
        raise InvalidInput(f"{name} with fickle_passenger=True moves in ways its table leaves out; make it without")
    if horizon == "limit":
        horizon = None if env.spec is None else env.spec.max_episode_steps
    S, A = len(table), len(table[0])
    starts = np.asarray(env.unwrapped.initial_state_distrib, dtype=np.float64)
    twin, terminal = _ends(table, starts > 0)
    total = S + int((twin >= S).sum())
    P, R = np.zeros((total, A, total)), np.zeros((total, A, total))
    for s, rows in table.items():
        for a, outcomes in rows.items():
            for p, nxt, reward, done in outcomes:
                x = twin[nxt] if done else nxt
                if P[s, a, x] > 0 and R[s, a, x] != reward:
                    raise InvalidInput(
                        f"{name} gives rewards {R[s, a, x]} and {reward} for state {s}, action {a}, next state {nxt}; "
                        "a table R[s, a, s'] has room for one"
                    )
                P[s, a, x] += p
                R[s, a, x] = reward
    P[terminal] = np.eye(total)[terminal][:, None, :]
    start = np.concatenate([starts, np.zeros(total - S)])
    obs = np.eye(total, S)
    obs[twin[twin >= S]] = np.eye(S)[twin >= S]
    return TabularMDP(start, P, R, horizon, gamma, terminal, obs)


def _ends(table: dict[int, Any], starts: BoolArray) -> tuple[IntArray, BoolArray]:
    """Which state stands for "ended in s", shape (S,), −1 where nothing ends; and which states are terminal.

    It is s itself, unless an episode can begin in s, or enter s without ending.
    """
    S = len(table)
    ended, passed = np.zeros(S, bool), starts.copy()
    for s, rows in table.items():
        for outcomes in rows.values():
            for _, nxt, _, done in outcomes:
                ended[nxt] |= done
                passed[nxt] |= not done and nxt != s
    twin = np.where(ended, np.arange(S), -1)
    both = np.flatnonzero(ended & passed)
    twin[both] = S + np.arange(len(both))
    terminal = np.concatenate([ended & ~passed, np.ones(len(both), bool)])
    return twin, terminal
