"""A walk on a grid to a goal, both anywhere at the start, in the form of Gymnasium's goal interface.

    s' = the neighbour of s in direction a, or s at a wall        r = 1[s' = g]        a: stay, right, up, left, down

It never ends before its time, so that a goal can be reached, left, and come back to.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..spaces import Dict, Discrete
from ..validation import require_positive
from .base import CompiledEnv
from .tabular import tabular_env

__all__ = ["grid_goals", "grid_goals_env"]

MOVES = ((0, 0), (1, 0), (0, 1), (-1, 0), (0, -1))


def grid_goals_env(size: int = 5, slip: float = 0.0, horizon: int = 20, id: str = "GridGoals-v0") -> CompiledEnv:
    """The task on a grid of size × size.

    Parameters
    ----------
    size : int, optional
        Cells along a side.
    slip : float, optional
        The chance that one of the five actions, uniformly, takes the place of the one chosen.
    horizon : int, optional
        The limit of time.
    id : str, optional
        Its name.

    Examples
    --------
    >>> grid_goals_env(size=3).n_obs  # three times one of nine
    27
    """
    require_positive("size", size)
    n = size * size
    x, y = np.arange(n) % size, np.arange(n) // size
    P = np.zeros((n, len(MOVES), n))
    for a, (dx, dy) in enumerate(MOVES):
        after = np.clip(x + dx, 0, size - 1) + size * np.clip(y + dy, 0, size - 1)
        P[np.arange(n), a, after] = 1
    P = (1 - slip) * P + slip * P.mean(axis=1, keepdims=True)
    pairs = np.einsum("sax,gh->gsahx", P, np.eye(n)).reshape(n * n, len(MOVES), n * n)  # state g n + s
    cell, goal = np.tile(np.eye(n), (n, 1)), np.repeat(np.eye(n), n, axis=0)
    env = tabular_env(
        np.full(n * n, 1 / n**2),
        pairs,
        np.broadcast_to((cell == goal).all(axis=1), pairs.shape),
        obs=np.concatenate([cell, goal, cell], axis=1),
        horizon=horizon,
        id=id,
    )
    place = Discrete(n)
    return replace(
        env, observation_space=Dict((("achieved_goal", place), ("desired_goal", place), ("observation", place)))
    )


def grid_goals() -> CompiledEnv:
    """The task of 5 × 5 cells, with sure steps."""
    return grid_goals_env(id="npgrad/GridGoals-v0")
