"""Hyper-parameters of the algorithms as dataclasses: each field is a keyword, a flag and a line of help.

Nothing heavy is imported here, so that the command line shows its help at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..errors import InvalidInput, UnknownName

__all__ = ["ReinforceSettings", "SharedSettings", "hyper"]

BASELINE_NAMES = ("leave-one-out", "batch-mean-biased", "none")  # those of npgrad.baselines.BASELINES
OPTIMIZER_NAMES = ("adam", "sgd")  # those of npgrad.optimizers.OPTIMIZERS
SCHEDULE_NAMES = ("constant", "linear", "cosine")  # those of npgrad.training.schedules.SCHEDULES


def hyper(default: Any, help: str, choices: tuple[str, ...] | None = None) -> Any:
    """A field with its line of help and, for a string, the values it may take."""
    return field(default=default, metadata={"help": help, "choices": choices})


@dataclass(frozen=True)
class SharedSettings:
    """What all algorithms that climb a gradient have in common; the own ones come before them in the help."""

    learning_rate_schedule: str = hyper("constant", "how the learning rate falls from α", SCHEDULE_NAMES)
    schedule_steps: int | None = hyper(None, "timesteps over which it falls; none: those of the run")
    normalize_observations: bool = hyper(False, "standardise observations by their running mean and deviation")
    reward_scale: float = hyper(1.0, "learn from rewards times this; what is shown stays as it is")
    normalize_rewards: bool = hyper(False, "learn from rewards divided by the running deviation of the return")

    def __post_init__(self) -> None:
        from ..validation import require_positive  # it imports NumPy, which help does without

        require_known("learning_rate_schedule", self.learning_rate_schedule, SCHEDULE_NAMES)
        require_positive("reward_scale", self.reward_scale)
        if self.schedule_steps is not None:
            require_positive("schedule_steps", self.schedule_steps)
            if self.learning_rate_schedule == "constant":
                raise InvalidInput(
                    f"schedule_steps is {self.schedule_steps}, but a constant learning rate has no use for it; "
                    "give learning_rate_schedule too"
                )
        if self.normalize_rewards and self.reward_scale != 1.0:
            raise InvalidInput(
                f"reward_scale is {self.reward_scale}, but normalize_rewards divides every scale away; give one of both"
            )


def require_known(name: str, value: str, known: tuple[str, ...]) -> None:
    """Raise, with near matches, unless `value` is one of `known`."""
    if value not in known:
        raise UnknownName(name, value, known)


@dataclass(frozen=True)
class ReinforceSettings(SharedSettings):
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

    def __post_init__(self) -> None:
        super().__post_init__()
        from ..validation import require_positive, require_probability  # they import NumPy, which help does without

        require_positive("n_episodes", self.n_episodes)
        require_positive("learning_rate", self.learning_rate)
        require_probability("gamma", self.gamma)
        require_known("baseline", self.baseline, BASELINE_NAMES)
        require_known("optimizer", self.optimizer, OPTIMIZER_NAMES)
