"""How errors grow with the horizon: the chain on which a mistake is never made good (I2, I4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..oracle import TabularMDP, objective
from ..types import FloatArray
from ..validation import require_positive, require_probability

__all__ = ["ChainCosts", "chain_costs", "chain_policy", "mistake_chain"]


def mistake_chain(horizon: int) -> TabularMDP:
    """Two states, on the track and off it for good; the expert takes action 0, and its reward is the cost c = 1[a ≠ 0].

    The objective is the expected number of steps on which a policy does not do as the expert would.

    Parameters
    ----------
    horizon : int
        T.

    Examples
    --------
    >>> mistake_chain(3).P[0]  # on the track: action 0 stays there, 1 leaves it
    array([[1., 0.],
           [0., 1.]])
    """
    require_positive("horizon", horizon)
    P = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    return TabularMDP(np.array([1.0, 0.0]), P, np.array([[0.0, 1.0], [0.0, 1.0]]), horizon=horizon)


def chain_policy(epsilon: float, *, recovers: bool) -> FloatArray:
    """π(a|s) with a mistake in ε of the steps on the track: of them all off it, where cloning has seen nothing, or of ε
    there too, where DAgger has asked.

    Parameters
    ----------
    epsilon : float
        ε in [0, 1].
    recovers : bool
        Whether it knows what to do off the track.

    Examples
    --------
    >>> chain_policy(0.25, recovers=False)
    array([[0.75, 0.25],
           [0.  , 1.  ]])
    """
    require_probability("epsilon", epsilon)
    off = epsilon if recovers else 1.0
    return np.array([[1 - epsilon, epsilon], [1 - off, off]])


@dataclass(frozen=True, eq=False)
class ChainCosts:
    """Expected costs on the chain, and what bounds them, each of shape (n,).

    Parameters
    ----------
    horizons : array
        T.
    clone, dagger : array
        Exact.
    clone_bound : array
        εT(T + 1)/2 (I2).
    loose_bound : array
        T²ε, where ε is a mean over the expert's own states (I4).
    dagger_bound : array
        εT (I2).
    """

    horizons: FloatArray
    clone: FloatArray
    dagger: FloatArray
    clone_bound: FloatArray
    loose_bound: FloatArray
    dagger_bound: FloatArray


def chain_costs(epsilon: float, horizons: npt.ArrayLike) -> ChainCosts:
    """Costs of cloning and of DAgger against the horizon, by dynamic programming (I2, I4).

    Parameters
    ----------
    epsilon : float
        ε.
    horizons : array of int, shape (n,)
        T.

    Examples
    --------
    >>> costs = chain_costs(0.01, [10, 100])
    >>> costs.clone.round(2), costs.dagger.round(2)
    (array([ 0.53, 37.24]), array([0.1, 1. ]))
    """
    T = np.asarray(horizons, dtype=np.float64)
    clone, dagger = (
        np.array([objective(mistake_chain(int(t)), chain_policy(epsilon, recovers=recovers)) for t in T])
        for recovers in (False, True)
    )
    return ChainCosts(T, clone, dagger, epsilon * T * (T + 1) / 2, T**2 * epsilon, epsilon * T)
