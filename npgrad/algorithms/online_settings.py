"""Hyper-parameters of the algorithms that learn while they act; nothing heavy is imported here."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InvalidInput
from .settings import CRITIC_NAMES, SharedSettings, hyper, require_known

__all__ = ["OnlineSettings"]


@dataclass(frozen=True)
class OnlineSettings(SharedSettings):
    """Hyper-parameters of the online actor-critic.

    Examples
    --------
    >>> OnlineSettings().trace_lambda
    0.9
    """

    n_steps: int = hyper(1000, "transitions of every environment in an iteration; all are learned from one by one")
    learning_rate: float = hyper(0.01, "step size α of the policy")
    critic_learning_rate: float = hyper(0.05, "step size of the critic")
    gamma: float = hyper(0.99, "discount factor γ")
    trace_lambda: float = hyper(0.9, "λ of the policy's eligibility trace: 0 none, 1 all that is past")
    critic_trace_lambda: float = hyper(0.9, "λ of the critic's eligibility trace")
    overshoot: float = hyper(2.0, "κ: steps with κα max(|δ|, 1)‖z‖₁ > 1 are shortened to 1; 0: none is")
    discount_states: bool = hyper(False, "keep γ^t: unbiased for the discounted objective")
    ent_coef: float = hyper(0.0, "β, weight of the entropy's gradient")
    critic: str = hyper("mlp", "V as a perceptron, or linear in the observation, its square and time", CRITIC_NAMES)
    critic_hidden: tuple[int, ...] = hyper((32,), "hidden units of the critic's perceptron")

    def __post_init__(self) -> None:
        super().__post_init__()
        from ..validation import require_positive, require_probability  # they import NumPy, which help does without

        for name in ("n_steps", "learning_rate", "critic_learning_rate"):
            require_positive(name, getattr(self, name))
        for name in ("gamma", "trace_lambda", "critic_trace_lambda"):
            require_probability(name, getattr(self, name))
        for name in ("ent_coef", "overshoot"):
            if not getattr(self, name) >= 0:
                raise InvalidInput(f"{name} is {getattr(self, name)}, expected a number of at least 0")
        require_known("critic", self.critic, CRITIC_NAMES)
