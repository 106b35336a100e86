"""Hyper-parameters of learning from demonstrations: each field is a keyword, a flag and a line of help.

Nothing heavy is imported here, so that the command line shows its help at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..algorithms.settings import hyper, require_known
from ..errors import InvalidInput

__all__ = ["CloningSettings", "DaggerSettings", "GoalSettings"]

SCHEDULES = ("first", "linear", "exponential")
GOALS = ("future", "final")


def _require(positive: dict[str, float], shares: dict[str, float]) -> None:
    from ..validation import require_positive, require_probability  # they import NumPy, which help does without

    for name, value in positive.items():
        require_positive(name, value)
    for name, value in shares.items():
        require_probability(name, value)


@dataclass(frozen=True)
class CloningSettings:
    """Hyper-parameters of maximum likelihood on demonstrations.

    Examples
    --------
    >>> CloningSettings(epochs=20).batch_size
    256
    """

    epochs: int = hyper(200, "passes over the demonstrations, at most")
    batch_size: int = hyper(256, "rows of a minibatch")
    learning_rate: float = hyper(1e-3, "step size of Adam")
    held_out: float = hyper(0.1, "share of the episodes that judge, and are not learned from")
    patience: int = hyper(20, "epochs to wait for a better likelihood of what is held out, before the best is taken")
    normalize_observations: bool = hyper(True, "standardise observations by the demonstrations' mean and deviation")

    def __post_init__(self) -> None:
        _require(
            {
                "epochs": self.epochs,
                "batch_size": self.batch_size,
                "learning_rate": self.learning_rate,
                "patience": self.patience,
            },
            {"held_out": self.held_out},
        )
        if self.held_out > 0.5:
            raise InvalidInput(f"held_out is {self.held_out}, expected at most 0.5: what is held out teaches nothing")


@dataclass(frozen=True)
class DaggerSettings:
    """Hyper-parameters of DAgger.

    β_i is the chance of a step to be the expert's in iteration i = 1, 2, …: 0 throughout ("first": the expert acts in
    its demonstrations only), or 1 − i/(n + 1) ("linear"), or pⁱ ("exponential").

    Examples
    --------
    >>> DaggerSettings(schedule="exponential", p=0.5).beta(3)
    0.125
    """

    n_iterations: int = hyper(10, "times to act, ask and fit")
    n_episodes: int = hyper(5, "episodes of an iteration")
    n_demonstrations: int = hyper(5, "episodes of the expert before the first, unless data are given")
    schedule: str = hyper("first", "how β, the expert's share of the steps, falls", SCHEDULES)
    p: float = hyper(0.5, "of the exponential schedule: β = pⁱ")
    greedy: bool = hyper(True, "the learner takes its mode when it collects; else it draws")

    def __post_init__(self) -> None:
        counts = ("n_iterations", "n_episodes", "n_demonstrations")
        _require({name: getattr(self, name) for name in counts}, {"p": self.p})
        require_known("schedule", self.schedule, SCHEDULES)

    def beta(self, i: int) -> float:
        """β_i."""
        if self.schedule == "linear":
            return max(0.0, 1 - i / (self.n_iterations + 1))
        return float(self.p**i) if self.schedule == "exponential" else 0.0


@dataclass(frozen=True)
class GoalSettings:
    """Hyper-parameters of iterated goal-conditioned cloning.

    Examples
    --------
    >>> GoalSettings().goals
    'future'
    """

    n_iterations: int = hyper(8, "times to act, relabel and fit")
    n_episodes: int = hyper(10, "episodes of an iteration")
    goals: str = hyper("future", "what counts as the goal of a row: the end of its episode, or a later step", GOALS)
    copies: int = hyper(4, "how often each row is relabelled for a fit")

    def __post_init__(self) -> None:
        _require({name: getattr(self, name) for name in ("n_iterations", "n_episodes", "copies")}, {})
        require_known("goals", self.goals, GOALS)
