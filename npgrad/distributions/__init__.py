"""Distributions over actions given y: log p and its gradient, entropy, KL, Fisher, each in closed form."""

from .autoregressive import Autoregressive, bin_centres
from .base import Distribution, provides, require_method
from .bernoulli import Bernoulli
from .categorical import Categorical, apply_mask
from .deterministic import Deterministic
from .full_gaussian import FullGaussian
from .gaussian import DiagonalGaussian
from .mixture import GaussianMixture
from .product import Product
from .squash import expected_log_slope, expected_log_slope_grad, log_jacobian, log_slope, squashed_entropy

__all__ = [
    "Autoregressive",
    "Bernoulli",
    "Categorical",
    "Deterministic",
    "DiagonalGaussian",
    "Distribution",
    "FullGaussian",
    "GaussianMixture",
    "Product",
    "apply_mask",
    "bin_centres",
    "expected_log_slope",
    "expected_log_slope_grad",
    "log_jacobian",
    "log_slope",
    "provides",
    "require_method",
    "squashed_entropy",
]
