"""Gradients from returns alone: finite differences (P10) and evolution strategies (P11), by perturbing θ.

They ask an *objective* ``(theta, i) → (n,)`` for n returns of θ under noise number i: the same i gives the same
noise, so that evaluations of different θ under one i share their random numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from ..errors import InvalidInput
from ..pool import map_ordered
from ..types import Array, FloatArray, IntArray
from ..validation import require_finite, require_positive, require_shape
from .base import Estimate

__all__ = ["EvolutionStrategy", "FiniteDifferences", "Objective", "centred_ranks"]

Objective = Callable[[FloatArray, int], FloatArray]


@dataclass(frozen=True)
class FiniteDifferences:
    """∂J/∂θ_p by differences of returns along each coordinate (P10).

        central:  (J(θ + εe_p) − J(θ − εe_p)) / 2ε,   2P evaluations, error ⅙ε² ∂³J
        forward:  (J(θ + εe_p) − J(θ)) / ε,           P + 1 evaluations, error ½ε ∂²J

    With common random numbers the variance grows as 1/ε, or stays bounded where returns are smooth in θ, without them
    as 1/ε².

    Parameters
    ----------
    epsilon : float
        ε > 0.
    central : bool, optional
        Central differences rather than forward ones.
    common_random_numbers : bool, optional
        Every evaluation under noise number 0; else each has a number of its own.
    executor : concurrent.futures.Executor, optional
        Who computes the evaluations.

    Raises
    ------
    InvalidInput
        If ε is not above 0, or (when called) evaluations give different numbers of returns.
    NonFinite
        When called, if a return is NaN or infinite.

    Notes
    -----
    10-703; Kohl and Stone 2004.

    Examples
    --------
    >>> def square(theta, i):  # two returns, noise cancels where it is common
    ...     return np.sum(theta**2) + np.random.default_rng(i).normal(size=2)
    >>> FiniteDifferences(0.5)(square, np.array([1.0, 2.0])).gradient.round(12)
    array([2., 4.])
    >>> FiniteDifferences(0.5, central=False)(square, np.array([1.0, 2.0])).gradient.round(12)
    array([2.5, 4.5])
    """

    epsilon: float
    central: bool = True
    common_random_numbers: bool = True
    executor: Executor | None = None

    def __post_init__(self) -> None:
        require_positive("epsilon", self.epsilon)

    def __call__(self, objective: Objective, theta: FloatArray) -> Estimate:
        """ĝ at θ; the terms of its n episodes are the differences of the returns with the same place."""
        steps = self.epsilon * np.eye(len(theta))
        shifted = np.concatenate([theta + steps, theta - steps if self.central else theta[None]])
        noise = np.arange(len(shifted)) * (not self.common_random_numbers)
        returns = _evaluate(objective, shifted, noise, self.executor)  # (M, n)
        above, below = returns[: len(theta)], returns[len(theta) :]
        return Estimate.of_terms((above - below).T / (2 * self.epsilon if self.central else self.epsilon))


@dataclass(frozen=True)
class EvolutionStrategy:
    """∇_θ E_{ε~N(0,I)} J(θ + σε) = E[J(θ + σε) ε]/σ, by given directions ε (P11).

        antithetic:  1/n Σ_i (J(θ + σε_i) − J(θ − σε_i)) ε_i / 2σ
        else:        1/n Σ_i J(θ + σε_i) ε_i / σ

    It is the gradient of the smoothed objective: its bias to ∇J is (σ²/2) ∇ΔJ + O(σ⁴).

    Parameters
    ----------
    sigma : float
        σ > 0.
    antithetic : bool, optional
        Pairs θ ± σε: the same mean, and no term of even order.
    common_random_numbers : bool, optional
        Every evaluation under noise number 0; else each pair has a number of its own.
    shaping : function, optional
        Applied to all J at once before they weigh the directions, e.g. `centred_ranks`: another update than the
        gradient's, invariant to monotone maps of J.
    executor : concurrent.futures.Executor, optional
        Who computes the evaluations.

    Raises
    ------
    InvalidInput
        If σ is not above 0, or (when called) directions have another shape than (n, P).
    NonFinite
        When called, if a return is NaN or infinite.

    Notes
    -----
    10-703; Salimans et al. 2017.

    Examples
    --------
    >>> directions = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> EvolutionStrategy(0.1)(lambda theta, i: np.array([3 * theta[0]]), np.zeros(2), directions).gradient.round(12)
    array([1.5, 0. ])
    """

    sigma: float
    antithetic: bool = True
    common_random_numbers: bool = False
    shaping: Callable[[FloatArray], FloatArray] | None = None
    executor: Executor | None = None

    def __post_init__(self) -> None:
        require_positive("sigma", self.sigma)

    def __call__(self, objective: Objective, theta: FloatArray, directions: Array) -> Estimate:
        """ĝ at θ from directions (n, P), each drawn from N(0, I); their terms are the estimate's episodes."""
        require_shape("directions", directions, (None, len(theta)), "one row a direction, drawn from N(0, I)")
        steps = self.sigma * directions
        both = np.concatenate([theta + steps, theta - steps]) if self.antithetic else theta + steps
        n = len(directions)
        noise = np.arange(len(both)) % n * (not self.common_random_numbers)
        J = _evaluate(objective, both, noise, self.executor).mean(axis=1)  # (2n,) or (n,)
        if self.shaping is not None:
            J = self.shaping(J)
            require_shape("the shaped returns", J, (len(both),))
        weight = (J[:n] - J[n:]) / (2 * self.sigma) if self.antithetic else J / self.sigma
        return Estimate.of_terms(weight[:, None] * directions)


def centred_ranks(values: FloatArray) -> FloatArray:
    """Ranks scaled to [−½, ½], equals sharing theirs (P11; Salimans et al. 2017).

    Parameters
    ----------
    values : array, shape (n,)

    Returns
    -------
    array, shape (n,)

    Examples
    --------
    >>> centred_ranks(np.array([10.0, -5.0, 100.0, 10.0])).round(3)
    array([ 0. , -0.5,  0.5,  0. ])
    """
    if len(values) < 2:
        return np.zeros(len(values))
    ordered = np.sort(values)
    below, above = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    rank = (below + above - 1) / 2  # from 0 to n − 1
    centred: FloatArray = rank / (len(values) - 1) - 0.5
    return centred


def _evaluate(objective: Objective, thetas: Array, noise: IntArray, executor: Executor | None) -> FloatArray:
    """The returns of every θ under its noise number, (M, n)."""
    found = map_ordered(
        lambda unit: np.atleast_1d(objective(unit[0], int(unit[1]))), zip(thetas, noise, strict=True), executor
    )
    if len({r.shape for r in found}) != 1 or found[0].ndim != 1:
        shapes = ", ".join(sorted({str(r.shape) for r in found}))
        raise InvalidInput(f"the objective gave returns of shapes {shapes}, expected (n,) with one n for all")
    returns = np.stack(found).astype(np.float64, copy=False)
    require_finite("the returns", returns)
    return returns
