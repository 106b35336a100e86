"""The lectures' exercises as graded tasks: a statement, a template to start from, a solution, and a grader."""

from .registry import EXERCISES, exercise, grade
from .task import Exercise, Grade

__all__ = ["EXERCISES", "Exercise", "Grade", "exercise", "grade"]
