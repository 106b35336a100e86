"""Rounding to float32, for twins of environments that compute in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import jit

__all__ = ["single"]


@jit.device
def single(x: Any) -> Any:
    """x rounded to float32, as a float64.

    A sum or product of two float32 numbers, computed in float64 and rounded so, is what float32 arithmetic gives.

    Examples
    --------
    >>> float(single(0.1))
    0.10000000149011612
    """
    return np.float64(np.float32(x))
