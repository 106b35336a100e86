"""Products of independent distributions: MultiDiscrete, and actions of mixed kinds."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InvalidInput
from ..types import Array
from ..validation import require_finite
from .base import OPTIONAL, Distribution, check_shape, provides, require_method, require_rows

__all__ = ["Product"]


@dataclass(frozen=True)
class Product:
    """p(a; y) = Π_i p_i(a_i; y_i): rows of scalars add up, rows in y stand side by side.

    y and the actions are the columns of the parts one after the other; an action of a categorical is one column.
    Actions are int64 if all parts are discrete, and float64 otherwise, where integers are exact too. What one part
    lacks (`absent`), the product lacks.

    Parameters
    ----------
    parts : tuple of Distribution
        At least one.

    References
    ----------
    S5, S8, S9, S10 of the catalogue; docs/derivations/product.md.

    Examples
    --------
    >>> from npgrad.distributions import Categorical, DiagonalGaussian
    >>> pi = Product((Categorical(2), DiagonalGaussian(1)))
    >>> act = pi.draw(np.zeros((1, 4)), noise=np.array([[0.7, -0.5]]))
    >>> act, pi.score(np.zeros((1, 4)), act)
    (array([[ 1. , -0.5]]), array([[-0.5 , 0.5 , -0.5 , -0.75]]))
    """

    parts: tuple[Distribution, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        if not self.parts:
            raise InvalidInput("parts is empty, expected at least one distribution")

    @property
    def n_y(self) -> int:
        """The sum over the parts."""
        return sum(part.n_y for part in self.parts)

    @property
    def act_shape(self) -> tuple[int, ...]:
        """A row with the columns of all parts."""
        return (sum(_columns(part) for part in self.parts),)

    @property
    def act_dtype(self) -> np.dtype[Any]:
        """int64 if all parts are discrete, float64 otherwise."""
        return np.result_type(*(part.act_dtype for part in self.parts))

    @property
    def draws(self) -> tuple[str, ...]:
        """Those of the parts, one after the other."""
        return tuple(kind for part in self.parts for kind in part.draws)

    @property
    def absent(self) -> tuple[str, ...]:
        """The rows that some part lacks."""
        return tuple(name for name in OPTIONAL if not all(provides(part, name) for part in self.parts))

    def log_prob(self, y: Array, act: Array) -> Array:
        """log p(a) = Σ_i log p_i(a_i), shape (T,). S5."""
        require_rows(self, y, act)
        return _sum(part.log_prob(y[:, i], a) for part, i, a in self._with_actions(act))

    def score(self, y: Array, act: Array) -> Array:
        """∂ log p/∂y: the scores of the parts side by side, shape (T, n_y). S5."""
        require_rows(self, y, act)
        return np.concatenate([part.score(y[:, i], a) for part, i, a in self._with_actions(act)], axis=1)

    def draw(self, y: Array, noise: Array) -> Array:
        """Each part draws from its own columns of the noise; shape (T, k)."""
        columns, first = [], 0
        for part, i in self._with_y():
            last = first + len(part.draws)
            columns.append(_as_columns(part, part.draw(y[:, i], noise[:, first:last])))
            first = last
        return np.concatenate(columns, axis=1)

    def mode(self, y: Array) -> Array:
        """The modes of the parts side by side, shape (T, k)."""
        return np.concatenate([_as_columns(part, part.mode(y[:, i])) for part, i in self._with_y()], axis=1)

    def entropy(self, y: Array) -> Array:
        """H = Σ_i H_i, shape (T,). S8."""
        return _sum(require_method(part, "entropy")(y[:, i]) for part, i in self._with_y())

    def entropy_grad(self, y: Array) -> Array:
        """∂H/∂y: those of the parts side by side, shape (T, n_y). S8."""
        return np.concatenate([require_method(part, "entropy_grad")(y[:, i]) for part, i in self._with_y()], axis=1)

    def kl(self, y: Array, y_other: Array) -> Array:
        """KL(p ‖ q) = Σ_i KL(p_i ‖ q_i), shape (T,). S9."""
        return _sum(require_method(part, "kl")(y[:, i], y_other[:, i]) for part, i in self._with_y())

    def kl_grad(self, y: Array, y_other: Array) -> tuple[Array, Array]:
        """The gradients of the parts side by side, in y and in y_other, shapes (T, n_y). S9."""
        rows = [require_method(part, "kl_grad")(y[:, i], y_other[:, i]) for part, i in self._with_y()]
        return np.concatenate([row for row, _ in rows], axis=1), np.concatenate([row for _, row in rows], axis=1)

    def fisher(self, y: Array, v: Array) -> Array:
        """M v is block-diagonal: M_i v_i side by side, shape (T, n_y). S10."""
        return np.concatenate([require_method(part, "fisher")(y[:, i], v[:, i]) for part, i in self._with_y()], axis=1)

    def check_actions(self, act: Array) -> None:
        """Raise unless every part accepts its columns of `act`."""
        check_shape(self, act)
        if act.dtype.kind not in ("fiu" if self.act_dtype.kind == "f" else "iu"):
            raise InvalidInput(
                f"act has dtype {act.dtype}, expected {self.act_dtype}; try act.astype({self.act_dtype})"
            )
        require_finite("act", act)
        column = 0
        for part, _, a in self._with_actions(act):
            last = column + _columns(part)
            given = act[:, column:last]
            if part.act_dtype.kind == "i" and (given != np.floor(given)).any():
                row, j = (int(i) for i in np.argwhere(given != np.floor(given))[0])
                raise InvalidInput(
                    f"act[{row}, {column + j}] is {given[row, j]}, expected a whole number: this column is for {part}"
                )
            try:
                part.check_actions(a)
            except InvalidInput as error:
                raise InvalidInput(f"columns {column} to {last - 1} of act, for {part}: {error}") from None
            column = last

    def _with_y(self) -> Iterator[tuple[Distribution, slice]]:
        """Each part with its columns of y."""
        first = 0
        for part in self.parts:
            yield part, slice(first, first + part.n_y)
            first += part.n_y

    def _with_actions(self, act: Array) -> Iterator[tuple[Distribution, slice, Array]]:
        """Each part with its columns of y and its own actions, cast back to integers if it is discrete."""
        column = 0
        for part, i in self._with_y():
            last = column + _columns(part)
            a = act[:, column] if part.act_shape == () else act[:, column:last]
            yield part, i, a.astype(np.int64) if part.act_dtype.kind == "i" else a
            column = last


def _sum(terms: Iterable[Array]) -> Array:
    return functools.reduce(operator.add, terms)


def _as_columns(part: Distribution, act: Array) -> Array:
    return act.reshape(len(act), _columns(part))


def _columns(part: Distribution) -> int:
    """How many columns an action of `part` takes."""
    return part.act_shape[0] if part.act_shape else 1
