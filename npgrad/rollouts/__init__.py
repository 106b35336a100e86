"""Rollouts: policies acting in environments, as Batches."""

from .base import Rollout
from .compiled import CompiledRollout
from .gymnasium import GymnasiumRollout
from .make import make_rollout
from .remote import RemoteRollout, RolloutSource
from .vector import VectorRollout

__all__ = [
    "CompiledRollout",
    "GymnasiumRollout",
    "RemoteRollout",
    "Rollout",
    "RolloutSource",
    "VectorRollout",
    "make_rollout",
]
