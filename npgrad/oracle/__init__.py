"""The exact oracle: J, ∇J and the moments of estimators, computed without estimators, kernels, baselines or critics."""

from .bandit import GaussianBandit, SoftmaxBandit
from .best_baselines import StateBaselines, VarianceParts, state_baselines, variance_parts
from .builders import from_gymnasium, random_mdp, with_emissions
from .chains import marginals, occupancy, ratio_second_moments, state_action_chain, stationary_distribution
from .enumeration import Trajectories, trajectories
from .evaluation import (
    Values,
    average_reward,
    differential_values,
    objective,
    performance_difference,
    surrogate,
    values,
)
from .expectations import ExactMoments, exact_moments, pair_estimates, separable_moments, u_statistic
from .gradients import average_gradient, fisher, gradient
from .lqr import LQR
from .lqr_variance import lqr_moments
from .mdp import TabularMDP
from .moments import CausalMoments, causal_moments, return_variance
from .planning import backward_induction, greedy, optimal_values, policy_iteration, value_iteration
from .quadrature import integral, normal_expectation, normal_nodes
from .tables import probabilities, scores
from .whole_return import WholeReturnMoments, whole_return_moments

__all__ = [
    "LQR",
    "CausalMoments",
    "ExactMoments",
    "GaussianBandit",
    "SoftmaxBandit",
    "StateBaselines",
    "TabularMDP",
    "Trajectories",
    "Values",
    "VarianceParts",
    "WholeReturnMoments",
    "average_gradient",
    "average_reward",
    "backward_induction",
    "causal_moments",
    "differential_values",
    "exact_moments",
    "fisher",
    "from_gymnasium",
    "gradient",
    "greedy",
    "integral",
    "lqr_moments",
    "marginals",
    "normal_expectation",
    "normal_nodes",
    "objective",
    "occupancy",
    "optimal_values",
    "pair_estimates",
    "performance_difference",
    "policy_iteration",
    "probabilities",
    "random_mdp",
    "ratio_second_moments",
    "return_variance",
    "scores",
    "separable_moments",
    "state_action_chain",
    "state_baselines",
    "stationary_distribution",
    "surrogate",
    "trajectories",
    "u_statistic",
    "value_iteration",
    "values",
    "variance_parts",
    "whole_return_moments",
    "with_emissions",
]
