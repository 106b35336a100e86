"""What a recipe's step reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..errors import InvalidInput
from ..types import FloatArray, IntArray

__all__ = ["Metrics"]


@dataclass(frozen=True)
class Metrics:
    """The figures of one iteration, and every episode that ended in it.

    Parameters
    ----------
    values : mapping of str to float
        Under Stable-Baselines3's keys, as in ``"train/entropy_loss"``.
    returns : array, shape (n,)
        Σ_t r_t of each episode that ended in the iteration, undiscounted.
    lengths : array, shape (n,)
        Steps of each of these episodes.

    Raises
    ------
    InvalidInput
        If there are not as many returns as lengths.

    Examples
    --------
    >>> metrics = Metrics({"train/loss": 0.5}, returns=np.array([20.0, 12.0]), lengths=np.array([20, 12]))
    >>> metrics.values["train/loss"]
    0.5
    """

    values: Mapping[str, float] = field(default_factory=dict)
    returns: FloatArray = field(default_factory=lambda: np.zeros(0))
    lengths: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        returns = np.asarray(self.returns, dtype=np.float64)
        lengths = np.asarray(self.lengths, dtype=np.int64)
        if returns.ndim != 1 or returns.shape != lengths.shape:
            raise InvalidInput(f"returns have shape {returns.shape} and lengths {lengths.shape}, expected both (n,)")
        object.__setattr__(self, "returns", returns)
        object.__setattr__(self, "lengths", lengths)
