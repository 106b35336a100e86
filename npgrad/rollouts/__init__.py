"""Rollouts: policies acting in environments, as Batches."""

from .base import Rollout
from .compiled import CompiledRollout
from .gymnasium import GymnasiumRollout
from .make import make_rollout

__all__ = ["CompiledRollout", "GymnasiumRollout", "Rollout", "make_rollout"]
