"""Functions y = f_θ(x) with their products Jᵀw and Jv by hand, and features φ(x)."""

from .base import CheckedLinearisation, FeedForward, Function, Linearisation
from .composition import Concatenated, Constant, Featured, Fixed
from .features import Features, OneHot
from .linear import Linear
from .mlp import MLP

__all__ = [
    "MLP",
    "CheckedLinearisation",
    "Concatenated",
    "Constant",
    "Featured",
    "Features",
    "FeedForward",
    "Fixed",
    "Function",
    "Linear",
    "Linearisation",
    "OneHot",
]
