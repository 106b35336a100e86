"""Distributions over actions given y: log p and its gradient, entropy, KL, Fisher, each in closed form."""

from .base import Distribution, provides, require_method
from .categorical import Categorical, apply_mask
from .gaussian import DiagonalGaussian

__all__ = ["Categorical", "DiagonalGaussian", "Distribution", "apply_mask", "provides", "require_method"]
