"""Estimators: the only door to a gradient. An estimator is any ``(policy, theta, batch) → Estimate``."""

from ..critics import reward_to_go, total_return
from .action_space import AllActions, DeterministicGradient
from .base import Estimate, Estimator, episode_estimate, episode_scores, log_probs, score_function_estimate
from .behaviours import BalanceHeuristic, Behaviour, balance_log_weights
from .entropy import EntropyBonus, EntropyRegularised, SampledEntropy, entropies
from .monte_carlo import PolicyGradient
from .off_policy import (
    OffPolicyGradient,
    PerDecisionGradient,
    VTraceGradient,
    per_decision_returns,
    trajectory_returns,
)
from .optimal import OptimalBaselineGradient
from .parameter_space import EvolutionStrategy, FiniteDifferences, Objective, centred_ranks
from .psi import GAE, Advantage, NStepAdvantage, Psi, Standardised, TDResidual, unit_weights
from .ratios import (
    Clipped,
    causal_ratio,
    effective_sample_size,
    importance,
    log_ratios,
    self_normalised,
    step_ratio,
    trajectory_ratio,
)
from .score_function import RewardsTimesPastScores, ScoreFunction

__all__ = [
    "GAE",
    "Advantage",
    "AllActions",
    "BalanceHeuristic",
    "Behaviour",
    "Clipped",
    "DeterministicGradient",
    "EntropyBonus",
    "EntropyRegularised",
    "Estimate",
    "Estimator",
    "EvolutionStrategy",
    "FiniteDifferences",
    "NStepAdvantage",
    "Objective",
    "OffPolicyGradient",
    "OptimalBaselineGradient",
    "PerDecisionGradient",
    "PolicyGradient",
    "Psi",
    "RewardsTimesPastScores",
    "SampledEntropy",
    "ScoreFunction",
    "Standardised",
    "TDResidual",
    "VTraceGradient",
    "balance_log_weights",
    "causal_ratio",
    "centred_ranks",
    "effective_sample_size",
    "entropies",
    "episode_estimate",
    "episode_scores",
    "importance",
    "log_probs",
    "log_ratios",
    "per_decision_returns",
    "reward_to_go",
    "score_function_estimate",
    "self_normalised",
    "step_ratio",
    "total_return",
    "trajectory_ratio",
    "trajectory_returns",
    "unit_weights",
]
