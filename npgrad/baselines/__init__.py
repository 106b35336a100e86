"""Baselines: what is subtracted from the returns without changing the mean of the gradient (B1).

A baseline is a function ``(psi, batch) → b`` of shape (T,). Those fitted on the batch they are used on are biased (B3)
and say so by their names; the default, leave-one-out, is not.
"""

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
    "biased_alive_mean",
    "biased_batch_mean",
    "biased_batch_mean_return",
    "leave_one_out",
    "leave_one_out_return",
    "no_baseline",
]
