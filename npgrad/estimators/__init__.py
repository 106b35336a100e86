"""Estimators: the only door to a gradient. An estimator is any ``(policy, theta, batch) → Estimate``."""

from ..critics import reward_to_go, total_return
from .base import Estimate, Estimator, episode_estimate, episode_scores, score_function_estimate
from .monte_carlo import PolicyGradient
from .optimal import OptimalBaselineGradient

__all__ = [
    "Estimate",
    "Estimator",
    "OptimalBaselineGradient",
    "PolicyGradient",
    "episode_estimate",
    "episode_scores",
    "reward_to_go",
    "score_function_estimate",
    "total_return",
]
