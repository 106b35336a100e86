"""Estimators: the only door to a gradient. An estimator is any ``(policy, theta, batch) → Estimate``."""

from .base import Estimate, Estimator, score_function_estimate
from .monte_carlo import PolicyGradient, reward_to_go, total_return

__all__ = ["Estimate", "Estimator", "PolicyGradient", "reward_to_go", "score_function_estimate", "total_return"]
