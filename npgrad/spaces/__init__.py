"""Observation and action spaces as plain data, and the flat vectors that functions see.

They mirror Gymnasium's spaces field by field without importing it: an agent knows its spaces on NumPy alone, and a file
holds them as JSON. `flatten` equals ``gymnasium.spaces.utils.flatten``, dtype included.
"""

from .convert import from_gymnasium, to_gymnasium
from .flat import as_actions, contains, entry, flat_dim, flatten, flatten_batch, is_batch, unflatten
from .kinds import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space, Tuple

__all__ = [
    "Box",
    "Dict",
    "Discrete",
    "MultiBinary",
    "MultiDiscrete",
    "Space",
    "Tuple",
    "as_actions",
    "contains",
    "entry",
    "flat_dim",
    "flatten",
    "flatten_batch",
    "from_gymnasium",
    "is_batch",
    "to_gymnasium",
    "unflatten",
]
