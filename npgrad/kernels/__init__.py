"""Kernels: how Ψ follows from rewards, values and ratios, over CSR offsets; loops that numba compiles."""

from .ragged import segment_rows
from .returns import discounted_return, reward_to_go, time_mean_of_others

__all__ = ["discounted_return", "reward_to_go", "segment_rows", "time_mean_of_others"]
