"""Functions y = f_θ(x) with their products Jᵀw and Jv by hand, and features φ(x)."""

from .base import CheckedLinearisation, FeedForward, Function, Linearisation
from .bases import RBF, Fourier, TileCoding
from .composition import Concatenated, Constant, Featured, Fixed
from .features import Features, OneHot, Polynomial
from .linear import Linear
from .mlp import MLP
from .preferences import ActionPreferences
from .recurrent import Recurrent
from .stacked import Stacked

__all__ = [
    "MLP",
    "RBF",
    "ActionPreferences",
    "CheckedLinearisation",
    "Concatenated",
    "Constant",
    "Featured",
    "Features",
    "FeedForward",
    "Fixed",
    "Fourier",
    "Function",
    "Linear",
    "Linearisation",
    "OneHot",
    "Polynomial",
    "Recurrent",
    "Stacked",
    "TileCoding",
]
