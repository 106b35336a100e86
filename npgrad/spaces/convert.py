"""To and from Gymnasium's spaces, which need not be installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MissingExtra
from .kinds import SPACES, Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space, Tuple, spread, unsupported

if TYPE_CHECKING:
    import gymnasium

__all__ = ["from_gymnasium", "to_gymnasium"]


def from_gymnasium(space: Any) -> Space:
    """The npgrad space that a Gymnasium space describes.

    Classes are told by their names, so gymnasium is not imported; an npgrad space comes back as it is.

    Raises
    ------
    UnsupportedSpace
        If the space, or one inside it, has no fixed number of entries (Text, Sequence, Graph, OneOf) or is unknown.
    """
    if isinstance(space, SPACES):
        return space
    for name in (kind.__name__ for kind in type(space).__mro__):
        if name == "Box":
            return Box(space.low, space.high, space.shape, space.dtype.name)
        if name == "Discrete":
            return Discrete(space.n, space.start, space.dtype.name)
        if name == "MultiDiscrete":
            return MultiDiscrete(space.nvec, space.start, space.shape, space.dtype.name)
        if name == "MultiBinary":
            return MultiBinary(space.n)
        if name == "Dict":
            return Dict(tuple((key, from_gymnasium(part)) for key, part in space.spaces.items()))
        if name == "Tuple":
            return Tuple(tuple(from_gymnasium(part) for part in space.spaces))
    raise unsupported(space)


def to_gymnasium(space: Space) -> gymnasium.Space[Any]:
    """The inverse of `from_gymnasium`.

    Raises
    ------
    MissingExtra
        If gymnasium is not installed.
    """
    try:
        from gymnasium import spaces
    except ImportError as error:
        raise MissingExtra("gymnasium is not installed; try: pip install gymnasium") from error

    match space:
        case Box():
            low, high = space.bounds()
            return spaces.Box(low, high, space.shape, np.dtype(space.dtype).type)
        case Discrete():
            return spaces.Discrete(space.n, start=space.start, dtype=np.dtype(space.dtype).type)
        case MultiDiscrete():
            nvec, start = (spread(part, space.shape) for part in (space.nvec, space.start))
            return spaces.MultiDiscrete(nvec, dtype=np.dtype(space.dtype).type, start=start)
        case MultiBinary():
            return spaces.MultiBinary(space.n)
        case Dict():
            return spaces.Dict([(name, to_gymnasium(part)) for name, part in space.spaces])  # pairs keep their order
        case Tuple():
            return spaces.Tuple([to_gymnasium(part) for part in space.spaces])
