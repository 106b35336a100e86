"""Hyper-parameters of the algorithms as dataclasses: each field is a keyword, a flag and a line of help.

Nothing heavy is imported here, so that the command line shows its help at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..errors import InvalidInput, UnknownName

__all__ = ["CriticSettings", "ReinforceSettings", "SharedSettings", "hyper"]

MEANS = ("leave-one-out", "constant", "batch-mean-biased", "alive-mean-biased", "none")  # npgrad.baselines.BASELINES
OPTIMAL = ("optimal", "optimal-per-coordinate", "optimal-biased", "optimal-per-coordinate-biased")
BASELINE_NAMES = (*MEANS, "value", *OPTIMAL)
CRITIC_NAMES = ("quadratic", "mlp", "linear")
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
class CriticSettings(SharedSettings):
    """What all that may learn a V have in common."""

    critic: str = hyper("mlp", "V as a perceptron, or linear in the observation, its square and time", CRITIC_NAMES)
    critic_hidden: tuple[int, ...] = hyper((64, 64), "hidden units of the critic's perceptron")
    critic_learning_rate: float = hyper(1e-3, "step size of the critic's perceptron")
    critic_epochs: int = hyper(10, "passes over the batch for the critic's perceptron")

    def __post_init__(self) -> None:
        super().__post_init__()
        from ..validation import require_positive

        require_known("critic", self.critic, CRITIC_NAMES)
        require_positive("critic_learning_rate", self.critic_learning_rate)
        require_positive("critic_epochs", self.critic_epochs)


@dataclass(frozen=True)
class ReinforceSettings(CriticSettings):
    """Hyper-parameters of REINFORCE.

    ============================== ====================================================================================
    baseline                       b at step t of episode i, with G_t the reward-to-go (or the whole return R for G_t)
    ============================== ====================================================================================
    leave-one-out                  mean of G_t over the other episodes: a mean for every t
    constant                       mean of the return over the other episodes, the same at every t
    batch-mean-biased              as the first, with episode i among those averaged (B3)
    alive-mean-biased              mean over the episodes that still run at t, i among them (B3)
    value                          V(s_t) of a critic fitted on earlier iterations (B2); with gae_lambda: GAE (P8)
    optimal                        E[‖g‖²R]/E[‖g‖²] of the other episodes, for the whole return (B5)
    optimal-per-coordinate         the same for each parameter by itself (B5)
    optimal-…-biased               the same two, with episode i among those averaged (B3)
    none                           0
    ============================== ====================================================================================

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
    gae_lambda: float | None = hyper(None, "λ of GAE, with --baseline value; none: the return less V")
    normalize_advantage: bool = hyper(False, "standardise what weights the scores: a scale, and a small bias")
    ent_coef: float = hyper(0.0, "β, weight of the entropy's gradient")
    optimizer: str = hyper("adam", "how the gradient becomes a step", OPTIMIZER_NAMES)

    def __post_init__(self) -> None:
        super().__post_init__()
        from ..validation import require_positive, require_probability  # they import NumPy, which help does without

        require_positive("n_episodes", self.n_episodes)
        require_positive("learning_rate", self.learning_rate)
        require_probability("gamma", self.gamma)
        require_known("baseline", self.baseline, BASELINE_NAMES)
        require_known("optimizer", self.optimizer, OPTIMIZER_NAMES)
        if self.ent_coef < 0:
            raise InvalidInput(f"ent_coef is {self.ent_coef}, expected a number of at least 0")
        if self.gae_lambda is not None:
            require_probability("gae_lambda", self.gae_lambda)
            if self.baseline != "value" or not self.causality:
                raise InvalidInput(
                    f"gae_lambda is {self.gae_lambda}, but GAE is made of a critic and of the rewards that follow; "
                    "give baseline='value' and causality=True, or no gae_lambda"
                )
        if self.baseline in OPTIMAL:
            self._require_plain()

    def _require_plain(self) -> None:
        """Raise if there is an option that the optimal baselines do not go with."""
        if self.causality:
            raise InvalidInput(
                f"baseline is {self.baseline}, the best for the whole return; give causality=False with it"
            )
        for name in ("normalize_advantage", "ent_coef"):
            if getattr(self, name):
                raise InvalidInput(
                    f"{name} is {getattr(self, name)}, but baseline {self.baseline} works on the sums of scores and "
                    "knows no weights of single steps; give another baseline"
                )
