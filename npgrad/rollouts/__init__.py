"""Rollouts: policies acting in environments, as Batches."""

from .base import Rollout
from .compiled import CompiledRollout
from .gymnasium import GymnasiumRollout
from .make import make_rollout
from .vector import VectorRollout

__all__ = ["CompiledRollout", "GymnasiumRollout", "Rollout", "VectorRollout", "make_rollout"]
