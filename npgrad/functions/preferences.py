"""Preferences h_θ(s, a) of a softmax policy, given by one function of (s, a)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..types import Array, FloatArray, IntArray
from .base import CheckedLinearisation, FeedForward, Function, checked_obs, set_counts

__all__ = ["ActionPreferences", "ActionPreferencesLinearisation"]


@dataclass(frozen=True)
class ActionPreferences(FeedForward):
    """A function of (s, a) read at every action.

        y_{t,a} = h_θ(s_t, a),   a = 0 … K − 1

    With `Featured(features, Linear(n, 1, bias=False))` it is h = θ · φ(s, a).

    Parameters
    ----------
    function : Function
        h, from d + 1 columns, the last of which is a, to one; without memory.
    n_actions : int
        K.

    Raises
    ------
    InvalidInput
        If the function has another n_out than 1, a memory, or no column for the action.

    Notes
    -----
    S1 (10-703); derived in ``docs/derivations/functions.md``.

    Examples
    --------
    >>> from npgrad.functions import Featured, Linear, Polynomial
    >>> h = Featured(Polynomial(2, degree=2), Linear(6, 1, bias=False))  # θ · (1, s, a, s², sa, a²)
    >>> f = ActionPreferences(h, n_actions=3)
    >>> f.at(np.array([0.0, 0.0, 0.0, 0.0, 1.0, 0.0]), [[5.0]]).y  # s a
    array([[ 0.,  5., 10.]])
    """

    function: Function
    n_actions: int

    def __post_init__(self) -> None:
        set_counts(self, n_actions=1)
        h = self.function
        if h.n_out != 1 or h.n_memory or h.n_in < 2:
            got = f"n_in = {h.n_in}, n_out = {h.n_out}, n_memory = {h.n_memory}"
            raise InvalidInput(f"the function has {got}, expected (s, a) to one preference, without memory")

    @property
    def n_in(self) -> int:
        """d, one less than the function takes."""
        return self.function.n_in - 1

    @property
    def n_out(self) -> int:
        """K, the number of actions."""
        return self.n_actions

    @property
    def n_params(self) -> int:
        """P, that of the function."""
        return self.function.n_params

    def init(self, rng: np.random.Generator) -> FloatArray:
        """The function's first θ, shape (P,)."""
        return self.function.init(rng)

    def at(
        self, theta: Array, obs: npt.ArrayLike, offsets: npt.ArrayLike | None = None
    ) -> ActionPreferencesLinearisation:
        """Linearise at θ (P,) on obs (T, d); offsets have no effect."""
        return ActionPreferencesLinearisation(self, theta, checked_obs(self, theta, obs))


class ActionPreferencesLinearisation(CheckedLinearisation):
    """h on the T·K rows (s_t, a), a running fastest: row t of y is one segment of K of them."""

    def __init__(self, f: ActionPreferences, theta: Array, x: Array) -> None:
        K = f.n_actions
        actions = np.tile(np.arange(K, dtype=x.dtype), len(x))
        self._h = f.function.at(theta, np.column_stack([np.repeat(x, K, axis=0), actions]))
        super().__init__(theta, self._h.y.reshape(len(x), K))

    def _vjp(self, w: Array, out: Array) -> None:
        out[:] = self._h.vjp(w.reshape(-1, 1))

    def _jvp(self, v: Array) -> Array:
        return self._h.jvp(v).reshape(self.y.shape)

    def _vjp_rows(self, w: Array, out: Array) -> None:
        self._vjp_segments(w, np.arange(len(w) + 1), out)

    def _vjp_segments(self, w: Array, offsets: IntArray, out: Array) -> None:
        out[:] = self._h.vjp_segments(w.reshape(-1, 1), offsets * w.shape[1])
