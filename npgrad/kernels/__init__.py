"""Kernels: how Ψ follows from rewards, values and ratios, over CSR offsets; loops that numba compiles."""

from .advantages import gae, lambda_return, n_step_return, td_residual, vtrace_correction
from .ragged import chunk_bounds, segment_rows
from .returns import discounted_return, entropy_return, reward_to_go, running_sum, time_mean_of_others

__all__ = [
    "chunk_bounds",
    "discounted_return",
    "entropy_return",
    "gae",
    "lambda_return",
    "n_step_return",
    "reward_to_go",
    "running_sum",
    "segment_rows",
    "td_residual",
    "time_mean_of_others",
    "vtrace_correction",
]
