"""Baselines: what is subtracted from the returns without changing the mean of the gradient (B1).

A baseline is a function ``(psi, batch) → b`` of shape (T,). Those fitted on the batch they are used on are biased (B3) and
say so by their names; the default, leave-one-out, is not.
"""

from .sample import BASELINES, Baseline, batch_mean, leave_one_out, no_baseline

__all__ = ["BASELINES", "Baseline", "batch_mean", "leave_one_out", "no_baseline"]
