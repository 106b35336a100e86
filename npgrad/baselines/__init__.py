"""Baselines: what is subtracted from the returns without changing the mean of the gradient (B1).

A baseline is a function ``(psi, batch) → b`` of shape (T,). Those fitted on the batch they are used on are biased (B3)
and say so by their names; the default, leave-one-out, is not.
"""

from .fitted import BiasedFitted, CrossFitted, Fit, TableFit, return_mean_fit, time_mean_fit
from .given import ConstantBaseline, StateBaseline, StateTable, TimeBaseline
from .optimal import (
    best_state_baseline,
    biased_optimal,
    biased_optimal_per_coordinate,
    leave_one_out_optimal,
    leave_one_out_optimal_per_coordinate,
    optimal_constant,
    optimal_per_coordinate,
)
from .sample import (
    BASELINES,
    RETURN_BASELINES,
    Baseline,
    biased_alive_mean,
    biased_batch_mean,
    biased_batch_mean_return,
    leave_one_out,
    leave_one_out_return,
    no_baseline,
)

__all__ = [
    "BASELINES",
    "RETURN_BASELINES",
    "Baseline",
    "BiasedFitted",
    "ConstantBaseline",
    "CrossFitted",
    "Fit",
    "StateBaseline",
    "StateTable",
    "TableFit",
    "TimeBaseline",
    "best_state_baseline",
    "biased_alive_mean",
    "biased_batch_mean",
    "biased_batch_mean_return",
    "biased_optimal",
    "biased_optimal_per_coordinate",
    "leave_one_out",
    "leave_one_out_optimal",
    "leave_one_out_optimal_per_coordinate",
    "leave_one_out_return",
    "no_baseline",
    "optimal_constant",
    "optimal_per_coordinate",
    "return_mean_fit",
    "time_mean_fit",
]
