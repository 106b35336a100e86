"""A distribution with the points it is checked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..types import Array, FloatArray
from .derivatives import Method, choose
from .expectation import DRAWS, draw_noise

__all__ = ["Family"]

MOST_ROWS = 24


class Family:
    """A distribution with the points it is checked at: y and another y, a direction v, actions.

    Parameters
    ----------
    distribution : Distribution
    rng : numpy.random.Generator
    y : array, shape (T, K), or None
    """

    def __init__(self, distribution: Any, rng: np.random.Generator, y: npt.ArrayLike | None) -> None:
        self.pi, self._rng = distribution, rng
        shape = (min(max(6, distribution.n_y + 3), MOST_ROWS), distribution.n_y)
        self.y = 0.5 * rng.normal(size=shape) if y is None else np.array(y, dtype=np.float64)
        self.y_other = self.y + 0.5 * rng.normal(size=self.y.shape)
        self.v = rng.normal(size=self.y.shape)
        self.noise = draw_noise(rng, distribution.draws, len(self.y))

    def has(self, *names: str) -> bool:
        """Whether all these rows are provided."""
        absent = getattr(self.pi, "absent", ())
        return all(hasattr(self.pi, name) and name not in absent for name in names)

    @cached_property
    def act(self) -> Array:
        """An action a row, as drawn."""
        act: Array = self.pi.draw(self.y, self.noise)
        return act

    @cached_property
    def draws(self) -> Array:
        """Many of them, (T, n, …)."""
        act = self.pi.draw(np.repeat(self.y, DRAWS, axis=0), draw_noise(self._rng, self.pi.draws, len(self.y) * DRAWS))
        draws: Array = act.reshape(len(self.y), DRAWS, *act.shape[1:])
        return draws

    @cached_property
    def method(self) -> Method:
        """How derivatives in y are taken."""
        return choose(lambda y: np.asarray(self.pi.log_prob(y, self.act)), self.y)

    def at(self, row: Callable[..., Array], y: Array, act: Array) -> Array:
        """A row at actions (T, n, …) as (T, n) or (T, n, K)."""
        T, n = act.shape[:2]
        values = np.asarray(row(np.repeat(y, n, axis=0), act.reshape(T * n, *act.shape[2:])))
        return values.reshape(T, n, *values.shape[1:])

    def accepts(self, act: Array) -> bool:
        """Whether one action is an action."""
        try:
            self.pi.check_actions(act[None])
        except Exception:
            return False
        return True

    def right_score(self, act: Array, y: Array | None = None) -> FloatArray:
        """∂ log p/∂y from log_prob."""
        return self.method.gradient(lambda x: np.asarray(self.pi.log_prob(x, act)), self.y if y is None else y)

    def action_violations(self) -> Iterator[str]:
        """What is wrong with actions."""
        shape, dtype = (len(self.y), *self.pi.act_shape), np.dtype(self.pi.act_dtype)
        for name, act in (("draw", self.pi.draw(self.y, self.noise)), ("mode", self.pi.mode(self.y))):
            if act.shape != shape or act.dtype != dtype:
                yield f"{name} gives {act.dtype} of shape {act.shape}, expected {dtype} of shape {shape}"
            else:
                self.pi.check_actions(act)
