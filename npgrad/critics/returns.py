"""Returns and advantages of a batch: the kernels, with the ends of episodes told apart.

Where a segment terminated, V(s_T) is 0; where it was truncated or cut, it is the critic's V of the final observation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .. import kernels
from ..errors import InvalidInput
from ..types import Batch, FloatArray
from ..validation import require_finite, require_probability, require_shape

__all__ = [
    "Values",
    "bootstrap",
    "gae",
    "lambda_return",
    "n_step_return",
    "next_values",
    "reward_to_go",
    "td_residual",
    "total_return",
    "vtrace",
]


class Values(NamedTuple):
    """A critic's V on a batch.

    Parameters
    ----------
    rows : array, shape (T,)
        V(s_t).
    final : array, shape (N,)
        V(s_T) of each segment, of its `final_obs`, however it ended.
    """

    rows: FloatArray
    final: FloatArray


def total_return(batch: Batch, gamma: float = 1.0) -> FloatArray:
    """Ψ_t = R = Σ_k γ^k r_k, the same at every t of an episode (P1).

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((3, 1)), act=np.zeros(3, int), rew=np.array([1.0, 2.0, 4.0]), logp=np.zeros(3),
    ...               offsets=[0, 3], terminated=[True], truncated=[False], final_obs=np.zeros((1, 1)))
    >>> total_return(batch, gamma=0.5)
    array([3., 3., 3.])
    """
    return _complete_returns(kernels.discounted_return, batch, gamma)


def reward_to_go(batch: Batch, gamma: float = 1.0) -> FloatArray:
    """Ψ_t = G_t = Σ_{k≥t} γ^{k−t} r_k (P3 at γ = 1).

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((3, 1)), act=np.zeros(3, int), rew=np.array([1.0, 2.0, 4.0]), logp=np.zeros(3),
    ...               offsets=[0, 3], terminated=[True], truncated=[False], final_obs=np.zeros((1, 1)))
    >>> reward_to_go(batch, gamma=0.5)
    array([3., 4., 4.])
    """
    return _complete_returns(kernels.reward_to_go, batch, gamma)


def bootstrap(batch: Batch, values: Values) -> FloatArray:
    """V(s_T) of each segment as it counts: 0 where the episode terminated, and only there. Shape (N,).

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((2, 1)), act=np.zeros(2, int), rew=np.ones(2), logp=np.zeros(2), offsets=[0, 1, 2],
    ...               terminated=[True, False], truncated=[False, True], final_obs=np.zeros((2, 1)))
    >>> bootstrap(batch, Values(np.zeros(2), np.array([5.0, 7.0])))
    array([0., 7.])
    """
    return np.where(batch.terminated, 0.0, values.final)


def next_values(batch: Batch, values: Values) -> FloatArray:
    """V(s_{t+1}) of each row as it counts, shape (T,).

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((3, 1)), act=np.zeros(3, int), rew=np.ones(3), logp=np.zeros(3), offsets=[0, 3],
    ...               terminated=[False], truncated=[True], final_obs=np.zeros((1, 1)))
    >>> next_values(batch, Values(np.array([1.0, 2.0, 3.0]), np.array([4.0])))
    array([2., 3., 4.])
    """
    out = np.empty(batch.n_steps)
    out[:-1] = values.rows[1:]
    out[batch.offsets[1:] - 1] = bootstrap(batch, values)
    return out


def td_residual(batch: Batch, values: Values, gamma: float = 1.0) -> FloatArray:
    """δ_t = r_t + γ V(s_{t+1}) − V(s_t) (P7).

    Parameters
    ----------
    batch : Batch
    values : Values
        V of its states.
    gamma : float, optional
        γ in [0, 1].

    Returns
    -------
    array, shape (T,)

    Raises
    ------
    InvalidInput
        On wrong shapes, or γ outside [0, 1].
    NonFinite
        If a value is NaN or infinite.

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((2, 1)), act=np.zeros(2, int), rew=np.ones(2), logp=np.zeros(2), offsets=[0, 2],
    ...               terminated=[True], truncated=[False], final_obs=np.zeros((1, 1)))
    >>> td_residual(batch, Values(np.array([2.0, 4.0]), np.array([9.0])), gamma=0.5)
    array([ 1., -3.])
    """
    return _bootstrapped(kernels.td_residual, batch, values, gamma)


def n_step_return(batch: Batch, values: Values, gamma: float = 1.0, n: int | None = None) -> FloatArray:
    """G^(n)_t = Σ_{k<n} γ^k r_{t+k} + γ^n V(s_{t+n}), no further than the end of the segment (P7, V6).

    A3C's R is that of the whole segment, ``n=None``; its advantage is R − V. The mean is Q_t for every n at V = V^π.

    Parameters
    ----------
    batch, values, gamma
        As for `td_residual`.
    n : int, optional
        Steps before the value; None goes on to the end of the segment.

    Returns
    -------
    array, shape (T,)

    Raises
    ------
    InvalidInput
        On wrong shapes, γ outside [0, 1], or n below 1.

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((3, 1)), act=np.zeros(3, int), rew=np.ones(3), logp=np.zeros(3), offsets=[0, 3],
    ...               terminated=[False], truncated=[False], final_obs=np.zeros((1, 1)))
    >>> values = Values(np.array([5.0, 6.0, 7.0]), np.array([8.0]))
    >>> n_step_return(batch, values, n=2), n_step_return(batch, values)
    (array([ 9., 10.,  9.]), array([11., 10.,  9.]))
    """
    if n is None:
        return lambda_return(batch, values, gamma, 1.0)
    if n < 1:
        raise InvalidInput(f"n is {n}, expected at least 1")
    return _bootstrapped(kernels.n_step_return, batch, values, gamma, int(n))


def lambda_return(batch: Batch, values: Values, gamma: float = 1.0, gae_lambda: float = 0.95) -> FloatArray:
    """G^λ_t = r_t + γ ((1−λ) V(s_{t+1}) + λ G^λ_{t+1}) = A^GAE_t + V(s_t) (P8).

    Parameters
    ----------
    batch, values, gamma
        As for `td_residual`.
    gae_lambda : float, optional
        λ in [0, 1].

    Returns
    -------
    array, shape (T,)

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((2, 1)), act=np.zeros(2, int), rew=np.ones(2), logp=np.zeros(2), offsets=[0, 2],
    ...               terminated=[True], truncated=[False], final_obs=np.zeros((1, 1)))
    >>> lambda_return(batch, Values(np.array([2.0, 4.0]), np.zeros(1)), gae_lambda=0.5)
    array([3.5, 1. ])
    """
    require_probability("gae_lambda", gae_lambda)
    return _bootstrapped(kernels.lambda_return, batch, values, gamma, float(gae_lambda))


def gae(batch: Batch, values: Values, gamma: float = 1.0, gae_lambda: float = 0.95) -> FloatArray:
    """A_t = Σ_k (γλ)^k δ_{t+k} (P8; Schulman et al. 2016, eq. 16).

    λ = 0 is the TD residual; λ = 1 is G_t − V(s_t), plus γ^{T−t} V(s_T) on a segment that did not terminate.

    Parameters
    ----------
    batch, values, gamma
        As for `td_residual`.
    gae_lambda : float, optional
        λ in [0, 1].

    Returns
    -------
    array, shape (T,)

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((2, 1)), act=np.zeros(2, int), rew=np.ones(2), logp=np.zeros(2), offsets=[0, 2],
    ...               terminated=[True], truncated=[False], final_obs=np.zeros((1, 1)))
    >>> gae(batch, Values(np.array([2.0, 4.0]), np.zeros(1)), gae_lambda=0.5)
    array([ 1.5, -3. ])
    """
    require_probability("gae_lambda", gae_lambda)
    return _bootstrapped(kernels.gae, batch, values, gamma, float(gae_lambda))


def vtrace(
    batch: Batch,
    values: Values,
    rho: FloatArray,
    gamma: float = 1.0,
    gae_lambda: float = 1.0,
    rho_bar: float = 1.0,
    c_bar: float = 1.0,
) -> tuple[FloatArray, FloatArray]:
    """Off-policy targets v_t and advantages (V7; Espeholt et al. 2018, eq. 1 and section 4.2).

        v_t = V(s_t) + Σ_{k≥t} γ^{k−t} (Π_{t≤j<k} c_j) ρ_k δ_k,    A_t = ρ_t (r_t + γ v_{t+1} − V(s_t))

    with ρ_t = min(ρ̄, π/β), c_t = λ min(c̄, π/β). In expectation v is the V of π_ρ̄ ∝ min(ρ̄β, π) where V is that.

    Parameters
    ----------
    batch, values, gamma
        As for `td_residual`.
    rho : array, shape (T,)
        π_θ(a_t|s_t)/β(a_t|s_t).
    gae_lambda : float, optional
        λ in [0, 1].
    rho_bar, c_bar : float, optional
        ρ̄ and c̄.

    Returns
    -------
    targets, advantages : array, shape (T,)
        v_t, and A_t, which has its ρ_t already.

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((2, 1)), act=np.zeros(2, int), rew=np.ones(2), logp=np.zeros(2), offsets=[0, 2],
    ...               terminated=[True], truncated=[False], final_obs=np.zeros((1, 1)))
    >>> vtrace(batch, Values(np.array([2.0, 4.0]), np.zeros(1)), rho=np.array([0.5, 2.0]))
    (array([2., 1.]), array([ 0., -3.]))
    """
    require_probability("gae_lambda", gae_lambda)
    require_shape("rho", rho, (batch.n_steps,))
    delta = td_residual(batch, values, gamma)
    x = np.empty(batch.n_steps)
    settings = float(gamma), float(gae_lambda), float(rho_bar), float(c_bar)
    kernels.vtrace_correction(delta, np.ascontiguousarray(rho, dtype=np.float64), batch.offsets, *settings, x)
    targets = values.rows + x  # v_t
    following = next_values(batch, Values(targets, values.final))  # v_{t+1}
    return targets, np.minimum(rho_bar, rho) * (batch.rew + gamma * following - values.rows)


def _complete_returns(kernel: Callable[..., None], batch: Batch, gamma: float) -> FloatArray:
    require_probability("gamma", gamma)
    batch.require_complete()
    out = np.empty(batch.n_steps)
    kernel(np.ascontiguousarray(batch.rew), np.ascontiguousarray(batch.offsets), float(gamma), out)
    return out


def _bootstrapped(
    kernel: Callable[..., None], batch: Batch, values: Values, gamma: float, *settings: float
) -> FloatArray:
    require_probability("gamma", gamma)
    require_shape("values.rows", values.rows, (batch.n_steps,))
    require_shape("values.final", values.final, (batch.n_episodes,))
    for name, array in zip(("values.rows", "values.final"), values, strict=True):
        require_finite(name, array)
    out = np.empty(batch.n_steps)
    rows = np.ascontiguousarray(values.rows, dtype=np.float64)
    arrays = np.ascontiguousarray(batch.rew), rows, bootstrap(batch, values), np.ascontiguousarray(batch.offsets)
    kernel(*arrays, float(gamma), *settings, out)
    return out
