"""Hyper-parameters of the algorithms that learn from past data; nothing heavy is imported here."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InvalidInput
from .settings import OPTIMIZER_NAMES, CriticSettings, SharedSettings, hyper, require_known

__all__ = ["DPGSettings", "OffPolicySettings"]

RATIO_NAMES = ("step", "causal", "trajectory", "per-decision")
WEIGHTING_NAMES = ("importance", "clipped", "self-normalised")
BEHAVIOUR_NAMES = ("own", "mixture")
DPG_CRITIC_NAMES = ("mlp", "compatible")
OFF_POLICY_BASELINES = ("value", "leave-one-out", "none")


@dataclass(frozen=True)
class OffPolicySettings(CriticSettings):
    """Hyper-parameters of the off-policy policy gradient.

    ============= =====================================================================================================
    ratio         w_t, with ρ_t = π_θ(a_t|o_t)/β(a_t|o_t)
    ============= =====================================================================================================
    step          ρ_t: little variance, and a bias that is zero at θ = β (W4)
    causal        Π_{k≤t} ρ_k: the states are π_θ's, what follows is β's (W4)
    trajectory    Π_k ρ_k of the whole episode: unbiased (W2)
    per-decision  each reward with the ratios up to its own step: unbiased, with less variance (W3)
    ============= =====================================================================================================

    Examples
    --------
    >>> OffPolicySettings().delta
    0.02
    """

    n_episodes: int = hyper(8, "episodes of an iteration")
    n_batches: int = hyper(2, "batches that are learned from: the fresh one and those before it")
    n_updates: int = hyper(20, "gradient steps on them")
    delta: float = hyper(0.02, "δ: the largest KL(π_new ‖ π_old) over the fresh states, in nats a state")
    learning_rate: float = hyper(0.01, "step size α")
    gamma: float = hyper(0.99, "discount factor γ")
    discount_states: bool = hyper(False, "keep γ^t: unbiased for the discounted objective; per-decision always does")
    ratio: str = hyper("step", "how far the importance ratio goes", RATIO_NAMES)
    weighting: str = hyper("importance", "what is made of the ratios: as they are, cut, or of mean 1", WEIGHTING_NAMES)
    max_weight: float = hyper(2.0, "where --weighting clipped cuts")
    behaviours: str = hyper("own", "the ratio to who acted, or to the mixture of all who did", BEHAVIOUR_NAMES)
    baseline: str = hyper("value", "what is subtracted from the return", OFF_POLICY_BASELINES)
    gae_lambda: float = hyper(0.97, "λ of GAE, with --baseline value; not with --ratio per-decision")
    normalize_advantage: bool = hyper(True, "standardise what weighs the scores: a scale, and a small bias")
    optimizer: str = hyper("adam", "how the gradient becomes a step", OPTIMIZER_NAMES)

    def __post_init__(self) -> None:
        super().__post_init__()
        from ..validation import require_positive, require_probability  # they import NumPy, which help does without

        for name in ("n_episodes", "n_batches", "n_updates", "delta", "learning_rate", "max_weight"):
            require_positive(name, getattr(self, name))
        for name in ("gamma", "gae_lambda"):
            require_probability(name, getattr(self, name))
        require_known("ratio", self.ratio, RATIO_NAMES)
        require_known("weighting", self.weighting, WEIGHTING_NAMES)
        require_known("behaviours", self.behaviours, BEHAVIOUR_NAMES)
        require_known("baseline", self.baseline, OFF_POLICY_BASELINES)
        require_known("optimizer", self.optimizer, OPTIMIZER_NAMES)
        if self.ratio == "per-decision" and self.normalize_advantage:
            raise InvalidInput(
                "normalize_advantage standardises what weighs a score, but with ratio per-decision that is made of "
                "single rewards with ratios of their own; give normalize_advantage=False"
            )
        if self.baseline == "leave-one-out" and self.n_episodes < 2:
            raise InvalidInput("baseline leave-one-out looks at the other episodes; give n_episodes of at least 2")


@dataclass(frozen=True)
class DPGSettings(SharedSettings):
    """Hyper-parameters of the deterministic policy gradient.

    Limitation: the compatible critic is exact where its fit is, but its features move with the policy: it wants more
    noise and smaller steps than the perceptron, a shorter memory, and states that stay bounded.

    Examples
    --------
    >>> DPGSettings().critic
    'mlp'
    """

    n_steps: int = hyper(16, "timesteps of every environment in an iteration")
    n_updates: int = hyper(64, "updates of critic and policy in an iteration")
    batch_size: int = hyper(64, "transitions of an update, from all that are remembered")
    buffer_size: int = hyper(50_000, "transitions that are remembered")
    learning_starts: int = hyper(1000, "timesteps before the first update")
    sigma: float = hyper(0.1, "σ of the exploration noise, in half widths of bounded actions, else as it is")
    learning_rate: float = hyper(1e-3, "step size α of the policy")
    gamma: float = hyper(0.99, "discount factor γ")
    tau: float = hyper(0.01, "τ: how much of an update the target networks take over")
    critic: str = hyper("mlp", "Q as a perceptron, or compatible with the policy", DPG_CRITIC_NAMES)
    critic_hidden: tuple[int, ...] = hyper((64, 64), "hidden units of the critic's perceptron")
    critic_learning_rate: float = hyper(3e-3, "step size of the critic")
    optimizer: str = hyper("adam", "how the policy's gradient becomes a step", OPTIMIZER_NAMES)

    def __post_init__(self) -> None:
        super().__post_init__()
        from ..validation import require_positive, require_probability  # they import NumPy, which help does without

        for name in ("n_steps", "n_updates", "batch_size", "buffer_size", "sigma", "learning_rate", "tau"):
            require_positive(name, getattr(self, name))
        require_positive("critic_learning_rate", self.critic_learning_rate)
        for name in ("gamma", "tau"):
            require_probability(name, getattr(self, name))
        require_known("critic", self.critic, DPG_CRITIC_NAMES)
        require_known("optimizer", self.optimizer, OPTIMIZER_NAMES)
        if self.learning_starts < 0:
            raise InvalidInput(f"learning_starts is {self.learning_starts}, expected a number of at least 0")
        if self.batch_size > self.buffer_size:
            raise InvalidInput(
                f"batch_size is {self.batch_size}, but only buffer_size = {self.buffer_size} are remembered; "
                "make one smaller or the other larger"
            )
