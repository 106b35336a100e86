"""Learning rates that fall while a run goes on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ..errors import InvalidInput
from ..validation import require_in, require_positive

__all__ = ["SCHEDULES", "Schedule"]

Stepper = TypeVar("Stepper", bound=Any)

SCHEDULES = ("constant", "linear", "cosine")
LEAST = 1e-3  # of α: an optimiser wants a rate above 0


@dataclass(frozen=True)
class Schedule:
    """α_t = c(p) α with p = t / steps: c = 1, 1 − p or (1 + cos πp)/2, but never below a thousandth.

    Parameters
    ----------
    kind : {"constant", "linear", "cosine"}, optional
        c.
    steps : int, optional
        Timesteps over which the rate falls; all but a constant one need it.

    Raises
    ------
    InvalidInput
        If there is no such kind, or, once it is asked for a rate, `steps` is missing.

    Examples
    --------
    >>> [round(Schedule("cosine", 100).factor(t), 3) for t in (0, 50, 100, 200)]
    [1.0, 0.5, 0.001, 0.001]
    >>> from npgrad.optimizers import Adam
    >>> Schedule("linear", 100)(Adam(0.5), 20).learning_rate
    0.4
    """

    kind: str = "constant"
    steps: int | None = None

    def __post_init__(self) -> None:
        require_in("learning_rate_schedule", self.kind, SCHEDULES)
        if self.steps is not None:
            require_positive("schedule_steps", self.steps)

    def factor(self, timesteps: int) -> float:
        """c at a timestep."""
        if self.kind == "constant":
            return 1.0
        if self.steps is None:
            raise InvalidInput(
                f"schedule_steps is None, but a {self.kind} schedule falls over a number of timesteps; pass the run's"
            )
        p = min(timesteps / self.steps, 1.0)
        c = 1.0 - p if self.kind == "linear" else 0.5 * (1.0 + math.cos(math.pi * p))
        return max(c, LEAST)

    def __call__(self, optimizer: Stepper, timesteps: int) -> Stepper:
        """The optimiser with the learning rate of that timestep."""
        c = self.factor(timesteps)
        changed: Stepper = replace(optimizer, learning_rate=c * optimizer.learning_rate) if c != 1.0 else optimizer
        return changed
