"""Autoregressive discretisation: a continuous action, one dimension after the other, each a softmax over bins."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InvalidInput
from ..types import Array, FloatArray, IntArray
from .base import check_integers, missing, require_count, require_rows
from .categorical import Categorical
from .logspace import log_softmax, times

__all__ = ["Autoregressive", "bin_centres"]

MOST_PREFIXES = 4096
Local = Callable[[Categorical, Array, Array], tuple[Array, Array]]


@dataclass(frozen=True)
class Autoregressive:
    """π(a|s) = Π_i π(a_i | s, a_{<i}), each factor a softmax over the bins of dimension i.

    The logits of dimension i are linear in what came before: a base row plus one row for each earlier choice,

        logits_i = Y_i[base] + Σ_{j<i} Y_i[j, a_j],

    and y holds the tables Y_1, Y_2, …, one after the other: Y_i has 1 + Σ_{j<i} bins_j rows of bins_i numbers.
    Entropy, KL and Fisher are exact sums over all prefixes a_{<i}, and absent beyond 4096 prefixes.

    Parameters
    ----------
    bins : tuple of int
        Number of bins of each dimension; an action is a row of bin numbers, `bin_centres` makes it a point.

    References
    ----------
    S12, S8, S9, S10 of the catalogue; docs/derivations/autoregressive.md.

    Examples
    --------
    >>> pi = Autoregressive((2, 2))
    >>> y = np.array([[0.0, 0.0, 0.0, 0.0, 9.0, 0.0, 0.0, 9.0]])  # the second dimension follows the first
    >>> pi.draw(np.repeat(y, 2, axis=0), noise=np.array([[0.3, 0.5], [0.7, 0.5]]))
    array([[0, 0],
           [1, 1]])
    """

    bins: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "bins", tuple(require_count("bins", n) for n in self.bins))
        if not self.bins:
            raise InvalidInput("bins is empty, expected the number of bins of at least one dimension")

    @property
    def n_y(self) -> int:
        """Σ_i bins_i (1 + Σ_{j<i} bins_j)."""
        return self._first_column(len(self.bins))

    @property
    def act_shape(self) -> tuple[int, ...]:
        """An action is a row of bin numbers."""
        return (len(self.bins),)

    @property
    def act_dtype(self) -> np.dtype[Any]:
        """int64."""
        return np.dtype(np.int64)

    @property
    def draws(self) -> tuple[str, ...]:
        """A uniform for each dimension."""
        return ("uniform",) * len(self.bins)

    @property
    def absent(self) -> tuple[str, ...]:
        """What is a sum over all prefixes, if they are too many."""
        prefixes = sum(math.prod(self.bins[:i]) for i in range(len(self.bins)))
        return ("entropy", "entropy_grad", "kl", "kl_grad", "fisher") if prefixes > MOST_PREFIXES else ()

    def log_prob(self, y: Array, act: Array) -> Array:
        """log π(a) = Σ_i log π(a_i | a_{<i}), shape (T,). S12."""
        require_rows(self, y, act)
        log_p = np.zeros(len(y), y.dtype)
        for i, n in enumerate(self.bins):
            log_p += Categorical(n).log_prob(self._logits(y, act, i), act[:, i])
        return log_p

    def score(self, y: Array, act: Array) -> Array:
        """∂ log π/∂Y_i[row] = 1[b = a_i] − π(b | a_{<i}) for the rows that made logits_i, else 0; (T, n_y). S12."""
        require_rows(self, y, act)
        score = np.zeros_like(y)
        for i, n in enumerate(self.bins):
            g = Categorical(n).score(self._logits(y, act, i), act[:, i])
            score[np.arange(len(y))[:, None, None], self._columns(act, i)] = g[:, None, :]
        return score

    def draw(self, y: Array, noise: Array) -> Array:
        """One dimension after the other by the inverse distribution function, shape (T, k)."""
        return self._one_by_one(y, lambda i, logits: Categorical(self.bins[i]).draw(logits, noise[:, i : i + 1]))

    def mode(self, y: Array) -> Array:
        """One dimension after the other the likeliest bin, shape (T, k).

        Limitation: greedy; an action of higher joint probability can begin with a less likely bin.
        """
        return self._one_by_one(y, lambda i, logits: Categorical(self.bins[i]).mode(logits))

    def entropy(self, y: Array) -> Array:
        """H = Σ_i E_{a_{<i}} H(π(· | a_{<i})), the chain rule, shape (T,). S8."""
        return self._over_prefixes("entropy", y, y, lambda pi, x, _: (pi.entropy(x), pi.entropy_grad(x)))[0]

    def entropy_grad(self, y: Array) -> Array:
        """∂H/∂y, shape (T, n_y). S8."""
        return self._over_prefixes("entropy_grad", y, y, lambda pi, x, _: (pi.entropy(x), pi.entropy_grad(x)))[1]

    def kl(self, y: Array, y_other: Array) -> Array:
        """KL(p ‖ q) = Σ_i E_{a_{<i} ~ p} KL(p(· | a_{<i}) ‖ q(· | a_{<i})), the chain rule, shape (T,). S9."""
        return self._over_prefixes("kl", y, y_other, _kl)[0]

    def kl_grad(self, y: Array, y_other: Array) -> tuple[Array, Array]:
        """∂KL/∂y, and ∂KL/∂y_other = Σ_i E_{a_{<i} ~ p} (q − p), shapes (T, n_y). S9."""
        in_y = self._over_prefixes("kl_grad", y, y_other, _kl)
        in_other = self._over_prefixes("kl_grad", y, y_other, lambda pi, x, q: _gradient_alone(pi.kl_grad(x, q)[1]))
        return in_y[1], in_other[1]

    def fisher(self, y: Array, v: Array) -> Array:
        """M v = Σ_i E_{a_{<i}} M_i v_i, v_i the sum of the rows of v that a_{<i} selects, shape (T, n_y). S10."""
        return self._over_prefixes("fisher", y, v, lambda pi, x, dx: _gradient_alone(pi.fisher(x, dx)))[1]

    def check_actions(self, act: Array) -> None:
        """Raise `InvalidInput` unless `act` is (T, k) integers, column i in 0 … bins_i − 1."""
        check_integers(self, act, self.bins)

    def _first_column(self, i: int) -> int:
        """Where Y_i begins in y."""
        return sum(n * (1 + sum(self.bins[:j])) for j, n in enumerate(self.bins[:i]))

    def _columns(self, prefix: Array, i: int) -> IntArray:
        """The columns of y that make up logits_i after each prefix of (…, i): shape (…, 1 + i, bins_i)."""
        first_row = np.array([1, *itertools.accumulate(self.bins[:i], initial=1)][1 : i + 1], np.int64)
        rows = np.concatenate([np.zeros((*prefix.shape[:-1], 1), np.int64), prefix[..., :i] + first_row], axis=-1)
        columns: IntArray = self._first_column(i) + rows[..., None] * self.bins[i] + np.arange(self.bins[i])
        return columns

    def _logits(self, y: Array, act: Array, i: int) -> Array:
        """logits_i after the first i columns of act, (T, bins_i)."""
        logits: Array = y[np.arange(len(y))[:, None, None], self._columns(act, i)].sum(axis=1)
        return logits

    def _one_by_one(self, y: Array, choose: Callable[[int, Array], Array]) -> Array:
        act = np.zeros((len(y), len(self.bins)), np.int64)
        for i in range(len(self.bins)):
            act[:, i] = choose(i, self._logits(y, act, i))
        return act

    def _over_prefixes(self, name: str, y: Array, other: Array, local: Local) -> tuple[Array, Array]:
        """Σ_i E_{a_{<i}} local_i, (T,), and its gradient in y, (T, n_y).

        `local` gives, for the logits that y and `other` have after one prefix, a value and its gradient. What is ahead
        of a prefix is W = local + Σ_a p_a W_a, and its gradient in these logits ∂local + p∘(W_a − Σ_b p_b W_b).
        """
        if name in self.absent:
            raise missing(self, name)
        grad = np.zeros(y.shape, np.result_type(y, other))

        def visit(prefix: tuple[int, ...], reached: Array) -> Array:
            i = len(prefix)
            columns = self._columns(np.array(prefix, np.int64), i)
            logits = _sum_of_rows(y, columns)
            value, row = local(Categorical(self.bins[i]), logits, _sum_of_rows(other, columns))
            if i + 1 < len(self.bins):
                p = np.exp(log_softmax(logits))
                ahead = np.stack([visit((*prefix, a), reached * p[:, a]) for a in range(self.bins[i])], axis=1)
                p_ahead = times(p, ahead)
                mean = p_ahead.sum(axis=1)
                value, row = value + mean, row + p_ahead - p * mean[:, None]
            grad[:, columns] += times(reached[:, None], row)[:, None, :]
            return value

        return visit((), np.ones(len(y), y.dtype)), grad


def _kl(pi: Categorical, x: Array, x_other: Array) -> tuple[Array, Array]:
    return pi.kl(x, x_other), pi.kl_grad(x, x_other)[0]


def _gradient_alone(row: Array) -> tuple[Array, Array]:
    """A local term whose value is not asked for, and whose gradient does not pass through the prefixes."""
    return np.zeros(len(row), row.dtype), row


def _sum_of_rows(y: Array, columns: IntArray) -> Array:
    logits: Array = y[:, columns].sum(axis=1)
    return logits


def bin_centres(act: IntArray, bins: tuple[int, ...], low: FloatArray, high: FloatArray) -> FloatArray:
    """The centre of bin a_i of `bins` equal ones between low_i and high_i: low + (a + ½)/bins · (high − low), (T, k).

    Examples
    --------
    >>> bin_centres(np.array([[0, 4]]), (2, 5), np.array([0.0, -1.0]), np.array([1.0, 1.0]))
    array([[0.25, 0.8 ]])
    """
    centres: FloatArray = low + (act + 0.5) / np.asarray(bins) * (high - low)
    return centres
