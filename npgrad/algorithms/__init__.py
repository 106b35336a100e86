"""Algorithms: recipes of `init` and `step` on the parts below, and classes with learn, predict, save and load."""

from .presets import preset
from .registry import ALGORITHMS, algorithm

__all__ = ["ALGORITHMS", "algorithm", "preset"]
