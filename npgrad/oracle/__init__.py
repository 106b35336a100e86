"""The exact oracle: J, ∇J and the moments of estimators, computed without estimators, kernels, baselines or critics."""

from .builders import from_gymnasium, random_mdp, with_emissions
from .chains import marginals, occupancy, state_action_chain, stationary_distribution
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
from .mdp import TabularMDP
from .planning import backward_induction, greedy, optimal_values, policy_iteration, value_iteration
from .tables import probabilities, scores

__all__ = [
    "ExactMoments",
    "TabularMDP",
    "Trajectories",
    "Values",
    "average_gradient",
    "average_reward",
    "backward_induction",
    "differential_values",
    "exact_moments",
    "fisher",
    "from_gymnasium",
    "gradient",
    "greedy",
    "marginals",
    "objective",
    "occupancy",
    "optimal_values",
    "pair_estimates",
    "performance_difference",
    "policy_iteration",
    "probabilities",
    "random_mdp",
    "scores",
    "separable_moments",
    "state_action_chain",
    "stationary_distribution",
    "surrogate",
    "trajectories",
    "u_statistic",
    "value_iteration",
    "values",
    "with_emissions",
]
