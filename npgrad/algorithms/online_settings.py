"""Hyper-parameters of the algorithms that learn while they act; nothing heavy is imported here."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InvalidInput
from .settings import CRITIC_NAMES, SharedSettings, hyper, require_known

__all__ = ["A3CSettings", "OnlineSettings"]

RMSPROP_OR_SGD = ("rmsprop", "sgd")


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
    overshoot: float = hyper(1.0, "κ: steps with κα max(|δ|, 1)‖z‖₁ > 1 are shortened to 1; 0: none is")
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


@dataclass(frozen=True)
class A3CSettings(SharedSettings):
    """Hyper-parameters of A3C.

    Examples
    --------
    >>> A3CSettings().n_steps
    5
    """

    n_steps: int = hyper(5, "t_max: steps of a worker between two updates")
    n_turns: int = hyper(50, "updates of every worker in an iteration, between two rows of the log")
    learning_rate: float = hyper(3e-3, "step size α of the policy")
    critic_learning_rate: float = hyper(3e-3, "step size of the critic")
    gamma: float = hyper(0.99, "discount factor γ")
    ent_coef: float = hyper(0.0, "β, weight of the entropy's gradient")
    max_grad_norm: float = hyper(40.0, "longer gradients are cut to this norm")
    optimizer: str = hyper("rmsprop", "how a gradient becomes a step: RMSProp with shared g, or plain", RMSPROP_OR_SGD)
    rms_decay: float = hyper(0.99, "how much of g a step of RMSProp keeps")
    rms_epsilon: float = hyper(1e-3, "ε of RMSProp, beside g under the root")
    exploration: float = hyper(0.0, "ε of the last worker, 0 of the first: a share of uniform actions, or σ · (1 + ε)")
    critic: str = hyper("mlp", "V as a perceptron, or linear in the observation, its square and time", CRITIC_NAMES)
    critic_hidden: tuple[int, ...] = hyper((32,), "hidden units of the critic's perceptron")

    def __post_init__(self) -> None:
        super().__post_init__()
        from ..validation import require_positive, require_probability  # they import NumPy, which help does without

        for name in ("n_steps", "n_turns", "learning_rate", "critic_learning_rate", "max_grad_norm", "rms_epsilon"):
            require_positive(name, getattr(self, name))
        for name in ("gamma", "rms_decay", "exploration"):
            require_probability(name, getattr(self, name))
        require_known("optimizer", self.optimizer, RMSPROP_OR_SGD)
        require_known("critic", self.critic, CRITIC_NAMES)
        if not self.ent_coef >= 0:
            raise InvalidInput(f"ent_coef is {self.ent_coef}, expected a number of at least 0")
        for name in ("normalize_observations", "normalize_rewards"):
            if getattr(self, name):
                raise InvalidInput(f"{name} is True, but a3c's workers keep no running moments; take a2c, or scale")
