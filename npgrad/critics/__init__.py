"""Critics: values of states and actions, fitted in closed form or by gradients, and the returns made with them."""

from .action_values import action_features, action_targets
from .closed_form import features, fitted_iteration, lstd, ridge_regression
from .critic import ActionValueCritic, Critic, Inputs, StateActionCritic, ValueCritic, observations, visited
from .gradients import bellman_error, descend, fit_error, squared_error
from .returns import (
    Values,
    bootstrap,
    gae,
    lambda_return,
    n_step_return,
    next_values,
    reward_to_go,
    td_residual,
    total_return,
    vtrace,
)

__all__ = [
    "ActionValueCritic",
    "Critic",
    "Inputs",
    "StateActionCritic",
    "ValueCritic",
    "Values",
    "action_features",
    "action_targets",
    "bellman_error",
    "bootstrap",
    "descend",
    "features",
    "fit_error",
    "fitted_iteration",
    "gae",
    "lambda_return",
    "lstd",
    "n_step_return",
    "next_values",
    "observations",
    "reward_to_go",
    "ridge_regression",
    "squared_error",
    "td_residual",
    "total_return",
    "visited",
    "vtrace",
]
