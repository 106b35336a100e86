"""Hyper-parameters of the algorithms that learn from past data; nothing heavy is imported here."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InvalidInput
from .settings import OPTIMIZER_NAMES, CriticSettings, hyper, require_known

__all__ = ["OffPolicySettings"]

RATIO_NAMES = ("step", "causal", "trajectory", "per-decision")
WEIGHTING_NAMES = ("importance", "clipped", "self-normalised")
BEHAVIOUR_NAMES = ("own", "mixture")
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
