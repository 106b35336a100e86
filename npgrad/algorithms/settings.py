"""Hyper-parameters of the algorithms as dataclasses: each field is a keyword, a flag and a line of help.

Nothing heavy is imported here, so that the command line shows its help at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..errors import UnknownName

__all__ = ["ReinforceSettings", "hyper"]

BASELINE_NAMES = ("leave-one-out", "batch-mean-biased", "none")  # those of npgrad.baselines.BASELINES
OPTIMIZER_NAMES = ("adam", "sgd")  # those of npgrad.optimizers.OPTIMIZERS


def hyper(default: Any, help: str, choices: tuple[str, ...] | None = None) -> Any:
    """A field with its line of help and, for a string, the values it may take."""
    return field(default=default, metadata={"help": help, "choices": choices})


@dataclass(frozen=True)
class ReinforceSettings:
    """Hyper-parameters of REINFORCE.

    Examples
    --------
    >>> ReinforceSettings(n_episodes=8).gamma
    1.0
    """

    n_episodes: int = hyper(16, "episodes of an iteration, N")
    learning_rate: float = hyper(0.02, "step size α")
    gamma: float = hyper(1.0, "discount factor γ")
    baseline: str = hyper("leave-one-out", "what is subtracted from the return", BASELINE_NAMES)
    causality: bool = hyper(True, "weight a score with the rewards that follow it, not with the whole return")
    discount_states: bool = hyper(True, "keep γ^t: unbiased for the discounted objective")
    optimizer: str = hyper("adam", "how the gradient becomes a step", OPTIMIZER_NAMES)
    normalize_observations: bool = hyper(False, "standardise observations by their running mean and deviation")

    def __post_init__(self) -> None:
        from ..validation import require_positive, require_probability  # they import NumPy, which help does without

        require_positive("n_episodes", self.n_episodes)
        require_positive("learning_rate", self.learning_rate)
        require_probability("gamma", self.gamma)
        for name, known in (("baseline", BASELINE_NAMES), ("optimizer", OPTIMIZER_NAMES)):
            if getattr(self, name) not in known:
                raise UnknownName(name, getattr(self, name), known)
