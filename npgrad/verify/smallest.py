"""The smallest problems on which something shows: one or two states, at most two steps, two actions."""

from __future__ import annotations

import numpy as np

from ..oracle import TabularMDP
from ..types import Array

__all__ = ["bandit", "gate", "in_turn", "repeated", "wait"]


def bandit(rewards: Array | list[float]) -> TabularMDP:
    """One state, one step; action a pays rewards[a]."""
    r = np.asarray(rewards, dtype=np.float64)
    return TabularMDP(np.ones(1), np.ones((1, len(r), 1)), r[None], horizon=1)


def repeated(rewards: Array | list[float], steps: int) -> TabularMDP:
    """The same for a number of steps."""
    return bandit(rewards).replace(horizon=steps)


def gate(stop: float = 0.0, go: float = 0.0, behind: tuple[float, float] = (0.0, 1.0)) -> TabularMDP:
    """State 0: action 0 ends and pays `stop`, action 1 pays `go` and leads to 1, where action a pays behind[a]."""
    P = np.zeros((3, 2, 3))
    P[0, 0, 2] = P[0, 1, 1] = P[1, :, 2] = 1
    R = np.array([[stop, go], behind, [0.0, 0.0]])
    return TabularMDP(np.eye(3)[0], P, R, horizon=2, terminal=np.arange(3) == 2)


def wait(pay: float = 0.0) -> TabularMDP:
    """One state, two steps at most: action 0 ends and pays 1, action 1 stays and pays `pay`."""
    P = np.zeros((2, 2, 2))
    P[0, 0, 1] = P[0, 1, 0] = P[1, :, 1] = 1
    return TabularMDP(np.eye(2)[0], P, np.array([[1.0, pay], [0.0, 0.0]]), horizon=2, terminal=np.arange(2) == 1)


def in_turn(rewards: list[float]) -> TabularMDP:
    """One state after the other, whatever is done: rewards[t] at step t."""
    T = len(rewards)
    P = np.repeat(np.eye(T + 1, k=1)[:, None], 2, axis=1)
    P[T, :, T] = 1
    R = np.repeat(np.append(rewards, 0.0)[:, None], 2, axis=1)
    return TabularMDP(np.eye(T + 1)[0], P, R, horizon=T, terminal=np.arange(T + 1) == T)
