"""What an algorithm is to the training loop."""

from __future__ import annotations

from typing import Protocol

from ..deploy import Agent
from ..types import State
from .metrics import Metrics

__all__ = ["Recipe"]


class Recipe(Protocol):
    """An algorithm with all its parts and hyper-parameters: immutable, for all that changes is in `State`."""

    def init(self, seed: int) -> State:
        """The state before the first iteration."""

    def step(self, state: State) -> tuple[State, Metrics]:
        """One iteration: the same state gives the same state and metrics, to the bit."""

    def agent(self, state: State) -> Agent:
        """The policy with this state's parameters and normaliser."""
