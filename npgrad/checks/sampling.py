"""Random points of spaces: flattened observations, and actions as environments take them."""

from __future__ import annotations

import numpy as np

from .. import spaces
from ..spaces import Space
from ..types import FloatArray

__all__ = ["sample_actions", "sample_flat"]

WIDE = 20.0  # a box wider than this is sampled about zero, as far as it reaches


def sample_flat(space: Space, rng: np.random.Generator, n: int) -> FloatArray:
    """n flattened points of `space`, (n, d): what a function of observations sees.

    Examples
    --------
    >>> sample_flat(spaces.Discrete(3), np.random.default_rng(0), 2)
    array([[0., 0., 1.],
           [0., 1., 0.]])
    """
    match space:
        case spaces.Box():
            return _sample_box(space, rng, n)
        case spaces.MultiBinary():
            return rng.integers(0, 2, size=(n, spaces.flat_dim(space))).astype(np.float64)
        case spaces.Discrete():
            return np.eye(space.n)[rng.integers(space.n, size=n)]
        case spaces.MultiDiscrete():
            return np.concatenate([np.eye(m)[rng.integers(m, size=n)] for m in space.nvec], axis=1)
        case spaces.Dict() | spaces.Tuple():
            return np.concatenate([sample_flat(part, rng, n) for part in space.parts], axis=1)


def sample_actions(space: Space, rng: np.random.Generator, n: int) -> FloatArray:
    """n actions of `space` as rows of numbers, (n, k): what a compiled environment's step takes.

    Examples
    --------
    >>> sample_actions(spaces.Discrete(2, start=5), np.random.default_rng(0), 3).ravel()
    array([6., 6., 6.])
    """
    match space:
        case spaces.Discrete():
            return (space.start + rng.integers(space.n, size=(n, 1))).astype(np.float64)
        case spaces.MultiDiscrete():
            start = np.broadcast_to(np.reshape(space.start, -1), len(space.nvec))
            return (start + rng.integers(space.nvec, size=(n, len(space.nvec)))).astype(np.float64)
        case _:
            return sample_flat(space, rng, n)


def _sample_box(space: spaces.Box, rng: np.random.Generator, n: int) -> FloatArray:
    """Uniform in narrow bounds; about zero, or the nearest bound, in wide ones."""
    low, high = (bound.astype(np.float64).ravel() for bound in space.bounds())
    x = np.clip(rng.normal(size=(n, low.size)), low, high)
    narrow = high - low <= WIDE
    x[:, narrow] = rng.uniform(low[narrow], high[narrow], size=(n, int(narrow.sum())))
    return np.floor(x) if np.dtype(space.dtype).kind in "iub" else x
