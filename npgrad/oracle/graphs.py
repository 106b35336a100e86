"""Which states lead where: reachability and closed classes of a chain, from its edges alone."""

from __future__ import annotations

import numpy as np

from ..types import BoolArray

__all__ = ["can_reach", "closed_classes"]


def can_reach(edges: BoolArray, target: BoolArray) -> BoolArray:
    """Whether a path leads from each state to a state of `target`, shape (S,).

    Parameters
    ----------
    edges : bool array, shape (S, S)
        Whether s' can follow s.
    target : bool array, shape (S,)

    Examples
    --------
    >>> edges = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 1]], bool)
    >>> can_reach(edges, np.array([False, True, False]))
    array([ True,  True, False])
    """
    reached = target.copy()
    while True:
        grown = reached | (edges & reached).any(axis=1)
        if np.array_equal(grown, reached):
            return reached
        reached = grown


def closed_classes(edges: BoolArray) -> list[list[int]]:
    """The sets of states that a chain never leaves and moves through whole; one set: the chain is unichain.

    Examples
    --------
    >>> closed_classes(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]], bool))
    [[1], [2]]
    """
    n = len(edges)
    reach = edges | np.eye(n, dtype=bool)
    for _ in range(int(np.ceil(np.log2(max(n, 2))))):  # reach by 1, 2, 4, … steps
        reach = (reach.astype(np.float32) @ reach.astype(np.float32)) > 0
    mutual = reach & reach.T
    closed = (reach == mutual).all(axis=1)  # whatever it reaches leads back
    classes = {tuple(np.flatnonzero(mutual[s]).tolist()) for s in np.flatnonzero(closed)}
    return [list(c) for c in sorted(classes)]
