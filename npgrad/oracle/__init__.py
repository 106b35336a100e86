"""The exact oracle: J, ∇J and the moments of estimators, computed without estimators, kernels, baselines or critics."""

from .builders import from_gymnasium, random_mdp, with_emissions
from .chains import marginals, occupancy, state_action_chain, stationary_distribution
from .evaluation import (
    Values,
    average_reward,
    differential_values,
    objective,
    performance_difference,
    surrogate,
    values,
)
from .gradients import average_gradient, fisher, gradient
from .mdp import TabularMDP
from .planning import backward_induction, greedy, optimal_values, policy_iteration, value_iteration
from .tables import probabilities, scores

__all__ = [
    "TabularMDP",
    "Values",
    "average_gradient",
    "average_reward",
    "backward_induction",
    "differential_values",
    "fisher",
    "from_gymnasium",
    "gradient",
    "greedy",
    "marginals",
    "objective",
    "occupancy",
    "optimal_values",
    "performance_difference",
    "policy_iteration",
    "probabilities",
    "random_mdp",
    "scores",
    "state_action_chain",
    "stationary_distribution",
    "surrogate",
    "value_iteration",
    "values",
    "with_emissions",
]
