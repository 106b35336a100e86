"""The catalogue of statements, each a check with a residual; users can register their own."""

from .catalogue import CATALOGUE, KINDS, Check, Finding, Statement, statement
from .certificates import check_certificate, make_certificate, write_certificate
from .measures import complex_gradient, difference, must, slope, worst
from .problem import Problem
from .report import explain, residual_table, table
from .runner import Result, run, run_each

__all__ = [
    "CATALOGUE",
    "KINDS",
    "Check",
    "Finding",
    "Problem",
    "Result",
    "Statement",
    "check_certificate",
    "complex_gradient",
    "difference",
    "explain",
    "make_certificate",
    "must",
    "residual_table",
    "run",
    "run_each",
    "slope",
    "statement",
    "table",
    "worst",
    "write_certificate",
]
