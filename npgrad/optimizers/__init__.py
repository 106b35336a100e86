"""Optimisers: how ĝ becomes a step. All ascend, none mutates; moments are plain arrays in a dict."""

from .first_order import OPTIMIZERS, SGD, Adam, Optimizer

__all__ = ["OPTIMIZERS", "SGD", "Adam", "Optimizer"]
