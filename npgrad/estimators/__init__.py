"""Estimators: the only door to a gradient. An estimator is any ``(policy, theta, batch) → Estimate``."""

from ..critics import reward_to_go, total_return
from .action_space import AllActions, DeterministicGradient, action_probabilities
from .base import Estimate, Estimator, episode_estimate, episode_scores, log_probs, score_function_estimate
from .behaviours import BalanceHeuristic, Behaviour, as_from_mixture, balance_log_weights
from .compatible import CompatibleCritic, fit_compatible
from .entropy import EntropyBonus, EntropyRegularised, SampledEntropy, entropies
from .geometry import LocalGeometry
from .monte_carlo import PolicyGradient
from .off_policy import (
    OffPolicyGradient,
    PerDecisionGradient,
    VTraceGradient,
    per_decision_returns,
    trajectory_returns,
)
from .one_pass import score_matrix
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
from .state_values import expected_values, sampled_values
from .surrogate import (
    ClippedSurrogate,
    approximate_kl,
    clip_fraction,
    clipped_surrogate,
    local_surrogate,
    log_surrogate,
    log_surrogate_gradient,
)

__all__ = [
    "GAE",
    "Advantage",
    "AllActions",
    "BalanceHeuristic",
    "Behaviour",
    "Clipped",
    "ClippedSurrogate",
    "CompatibleCritic",
    "DeterministicGradient",
    "EntropyBonus",
    "EntropyRegularised",
    "Estimate",
    "Estimator",
    "EvolutionStrategy",
    "FiniteDifferences",
    "LocalGeometry",
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
    "action_probabilities",
    "approximate_kl",
    "as_from_mixture",
    "balance_log_weights",
    "causal_ratio",
    "centred_ranks",
    "clip_fraction",
    "clipped_surrogate",
    "effective_sample_size",
    "entropies",
    "episode_estimate",
    "episode_scores",
    "expected_values",
    "fit_compatible",
    "importance",
    "local_surrogate",
    "log_probs",
    "log_ratios",
    "log_surrogate",
    "log_surrogate_gradient",
    "per_decision_returns",
    "reward_to_go",
    "sampled_values",
    "score_function_estimate",
    "score_matrix",
    "self_normalised",
    "step_ratio",
    "total_return",
    "trajectory_ratio",
    "trajectory_returns",
    "unit_weights",
]
