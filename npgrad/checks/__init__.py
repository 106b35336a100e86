"""Checks that a user can turn on a function, distribution, policy or environment of their own."""

from .distribution import check_distribution
from .function import check_function
from .report import Line, Report

__all__ = ["Line", "Report", "check_distribution", "check_function"]
