"""Checks that a user can turn on a function, distribution, policy or environment of their own."""

from .distribution import check_distribution
from .environment import check_environment
from .function import check_function
from .policy import check_policy
from .report import Line, Report

__all__ = ["Line", "Report", "check_distribution", "check_environment", "check_function", "check_policy"]
