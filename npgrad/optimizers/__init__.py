"""Optimisers: how ĝ becomes a step. All ascend, none mutates; moments are plain arrays in a dict."""

from .first_order import OPTIMIZERS, SGD, Adam, Optimizer
from .natural import (
    Backtracked,
    Solution,
    backtrack,
    conjugate_gradient,
    kl_step_length,
    solve_direct,
    solve_in_sample_space,
)

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "Adam",
    "Backtracked",
    "Optimizer",
    "Solution",
    "backtrack",
    "conjugate_gradient",
    "kl_step_length",
    "solve_direct",
    "solve_in_sample_space",
]
