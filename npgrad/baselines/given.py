"""Baselines that come from elsewhere: a number, a number a time step, a value a state (B1, B2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..types import Batch, FloatArray, IntArray
from ..validation import require_finite, require_shape

__all__ = ["ConstantBaseline", "StateBaseline", "StateTable", "TimeBaseline"]


@dataclass(frozen=True)
class ConstantBaseline:
    """b, the same everywhere: unbiased unless it comes from the batch it is used on (B1).

    Parameters
    ----------
    value : float
        b, e.g. E[R] (B2) or b* (B5).

    Raises
    ------
    InvalidInput
        If the value is not finite.

    Examples
    --------
    >>> ConstantBaseline(2.0)(np.ones(3), None)
    array([2., 2., 2.])
    """

    value: float

    def __post_init__(self) -> None:
        if not np.isfinite(self.value):
            raise InvalidInput(f"value is {self.value}, expected a finite number")

    def __call__(self, psi: FloatArray, batch: Batch | None) -> FloatArray:
        """b at each row, shape (T,)."""
        return np.full(len(psi), float(self.value))


class TimeBaseline:
    """b_t, zero beyond the last t given (B1).

    Parameters
    ----------
    values : array, shape (H,)
        b_0 … b_{H−1}, e.g. E[G_t] (B2).

    Raises
    ------
    InvalidInput
        If `values` has another shape.
    NonFinite
        If a value is NaN or infinite.

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((3, 1)), act=np.zeros(3, int), rew=np.ones(3), logp=np.zeros(3), offsets=[0, 3],
    ...               terminated=[True], truncated=[False], final_obs=np.zeros((1, 1)))
    >>> TimeBaseline([5.0, 4.0])(np.ones(3), batch)
    array([5., 4., 0.])
    """

    def __init__(self, values: npt.ArrayLike) -> None:
        self.values = np.array(values, dtype=np.float64)
        require_shape("values", self.values, (None,))
        require_finite("values", self.values)

    def __call__(self, psi: FloatArray, batch: Batch) -> FloatArray:
        """b_t at each row, shape (T,)."""
        t, h = batch.time, len(self.values)
        b = np.zeros(batch.n_steps)
        b[t < h] = self.values[t[t < h]]
        return b


@dataclass(frozen=True)
class StateBaseline:
    """b(s_t), given as a function of the batch's rows (B1).

    Parameters
    ----------
    values : function
        ``batch → (T,)``, e.g. the rows of a critic that was fitted on earlier data, or the exact V_t(s_t) (B2).

    Raises
    ------
    InvalidInput
        When called, if the function returns another shape.

    Examples
    --------
    >>> batch = Batch(obs=np.array([[0.0], [2.0]]), act=np.zeros(2, int), rew=np.ones(2), logp=np.zeros(2),
    ...               offsets=[0, 2], terminated=[True], truncated=[False], final_obs=np.zeros((1, 1)))
    >>> StateBaseline(lambda batch: 10 * batch.obs[:, 0])(np.ones(2), batch)
    array([ 0., 20.])
    """

    values: Callable[[Batch], FloatArray]

    def __call__(self, psi: FloatArray, batch: Batch) -> FloatArray:
        """b(s_t) at each row, shape (T,)."""
        b = np.asarray(self.values(batch), dtype=np.float64)
        require_shape("the state baseline", b, (batch.n_steps,))
        return b


class StateTable:
    """b of a table whose cell follows from the row: states, or pairs of time and state.

    Parameters
    ----------
    values : array, shape (n_cells,)
        b of each cell.
    cells : function
        ``batch → (T,)``: the cell of each row.

    Examples
    --------
    >>> batch = Batch(obs=np.array([[0.0], [1.0]]), act=np.zeros(2, int), rew=np.ones(2), logp=np.zeros(2),
    ...               offsets=[0, 2], terminated=[True], truncated=[False], final_obs=np.zeros((1, 1)))
    >>> StateTable([5.0, 7.0], lambda batch: batch.obs[:, 0].astype(int))(np.ones(2), batch)
    array([5., 7.])
    """

    def __init__(self, values: npt.ArrayLike, cells: Callable[[Batch], IntArray]) -> None:
        self.values = np.array(values, dtype=np.float64)
        self.cells = cells
        require_shape("values", self.values, (None,))
        require_finite("values", self.values)

    def __call__(self, psi: FloatArray, batch: Batch) -> FloatArray:
        """b at each row, shape (T,)."""
        b: FloatArray = self.values[checked_cells(self.cells(batch), batch.n_steps, len(self.values))]
        return b


def checked_cells(cells: npt.ArrayLike, n_rows: int, n_cells: int) -> IntArray:
    """`cells` as (T,) integers in 0 … n_cells − 1."""
    index = np.asarray(cells)
    require_shape("cells", index, (n_rows,))
    if index.dtype.kind not in "iu":
        raise InvalidInput(f"cells have dtype {index.dtype}, expected integers; try astype(np.int64)")
    if len(index) and (index.min() < 0 or index.max() >= n_cells):
        raise InvalidInput(f"cells run from {index.min()} to {index.max()}, expected 0 … {n_cells - 1}")
    return index.astype(np.int64, copy=False)
