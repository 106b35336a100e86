"""Bandits, whose gradients, variances and best baselines have closed forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import Polynomial

from ..errors import InvalidInput
from ..types import Array, FloatArray
from ..validation import require_finite
from .mdp import TabularMDP
from .whole_return import WholeReturnMoments

__all__ = ["GaussianBandit", "SoftmaxBandit"]


@dataclass(frozen=True, eq=False)
class SoftmaxBandit:
    """One state, A actions, π = softmax(θ), reward R_a plus noise of variance v_a that does not depend on θ.

        J = πᵀR,  ∂J/∂θ_k = π_k (R_k − J),  f_k(a) = 1[k = a] − π_k

    Parameters
    ----------
    rewards : array, shape (A,)
        R_a, the mean reward of each action.
    reward_variance : array, shape (A,), optional
        v_a; 0 by default.

    Raises
    ------
    InvalidInput
        If shapes disagree or a variance is negative.

    Notes
    -----
    B4, B5, B9, X14 of the catalogue.

    Examples
    --------
    >>> bandit = SoftmaxBandit([1.0, 0.0])
    >>> m = bandit.moments(np.log([0.9, 0.1]))
    >>> round(m.variance(m.R), 4), round(m.variance(), 4), round(m.best_constant(), 4)  # b = E R is worse than none
    (0.1152, 0.0018, 0.1)
    """

    rewards: FloatArray
    reward_variance: FloatArray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        R = np.asarray(self.rewards, dtype=np.float64)
        v = np.zeros_like(R) if self.reward_variance is None else np.asarray(self.reward_variance, dtype=np.float64)
        if R.ndim != 1 or len(R) < 1 or v.shape != R.shape or (v < 0).any():
            raise InvalidInput(
                f"rewards have shape {R.shape}, variances {v.shape}; expected (A,) of both, variances of at least 0"
            )
        require_finite("rewards", R)
        object.__setattr__(self, "rewards", R)
        object.__setattr__(self, "reward_variance", v)

    def probabilities(self, theta: Array) -> Array:
        """π, shape (A,)."""
        theta = np.asarray(theta)
        if theta.shape != self.rewards.shape:
            raise InvalidInput(
                f"theta has shape {theta.shape}, expected {self.rewards.shape}, one number for each action"
            )
        e = np.exp(theta - theta.real.max())
        return np.asarray(e / e.sum())

    def objective(self, theta: Array) -> Any:
        """J = πᵀR, complex for a complex θ."""
        return self.probabilities(theta) @ self.rewards

    def gradient(self, theta: Array) -> Array:
        """∇J = π ∘ (R − J), shape (A,)."""
        pi = self.probabilities(theta)
        return np.asarray(pi * (self.rewards - pi @ self.rewards))

    def moments(self, theta: Array) -> WholeReturnMoments:
        """Moments of reward and score, and with them variances and best baselines.

        E f_k² = π_k (1 − π_k), E R f_k² = π_k (1 − 2π_k) R_k + π_k² J, and E R² f_k² the same with R² + v for R.
        """
        pi, R = self.probabilities(theta), self.rewards
        RR = R**2 + self.reward_variance

        def with_squares(x: FloatArray) -> FloatArray:  # E x f_k², f_k² = 1[k = a](1 − 2π_k) + π_k²
            return np.asarray(pi * (1 - 2 * pi) * x + pi**2 * (pi @ x))

        ones = np.ones_like(R)
        return WholeReturnMoments(
            R=float(pi @ R),
            RR=float(pi @ RR),
            FF=with_squares(ones),
            RF=self.gradient(theta),
            RFF=with_squares(R),
            RRFF=with_squares(RR),
        )

    def mdp(self) -> TabularMDP:
        """The same as a problem of one state and one step, where rewards are not noisy.

        Raises
        ------
        InvalidInput
            If they are.
        """
        if self.reward_variance.any():
            raise InvalidInput("rewards are noisy, which r(s,a) is not; make outcomes of a reward into states")
        return TabularMDP([1.0], np.ones((1, len(self.rewards), 1)), self.rewards[None], horizon=1)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class GaussianBandit:
    """One state, a ~ N(μ, σ²), reward r(a) = Σ_k c_k a^k, θ = (μ, log σ).

        J = E r(a),  ∂J/∂μ = E r′(a),  ∂J/∂log σ = σ² E r″(a),  f = (z/σ, z² − 1),  z = (a − μ)/σ

    Every number is a Gaussian moment: with E z^{2m} = (2m − 1)!!, exact for every polynomial.

    Parameters
    ----------
    coefficients : array, shape (K,)
        c_0 … c_{K−1}.

    Notes
    -----
    L2, S2, S4, P19 of the catalogue.

    Examples
    --------
    >>> bandit = GaussianBandit([0.0, 0.0, -1.0])  # r = −a²
    >>> theta = np.array([2.0, np.log(0.5)])
    >>> bandit.objective(theta), bandit.gradient(theta)
    (-4.25, array([-4. , -0.5]))
    >>> bandit.moments(theta).best_per_coordinate().round(6)
    array([-4.75, -5.25])
    """

    coefficients: FloatArray

    def __post_init__(self) -> None:
        c = np.asarray(self.coefficients, dtype=np.float64)
        if c.ndim != 1 or len(c) < 1:
            raise InvalidInput(f"coefficients have shape {c.shape}, expected (K,), c_0 first")
        require_finite("coefficients", c)
        object.__setattr__(self, "coefficients", c)

    def objective(self, theta: Array) -> Any:
        """J = E r(a), complex for a complex θ."""
        return _expect(self._in_z(theta))

    def gradient(self, theta: Array) -> Array:
        """(E r′(a), σ² E r″(a)), shape (2,)."""
        in_z = self._in_z(theta)  # its derivatives are σ r′ and σ² r″
        return np.array([_expect(in_z.deriv()) / np.exp(theta[1]), _expect(in_z.deriv(2))])

    def moments(self, theta: Array) -> WholeReturnMoments:
        """Moments of reward and score (z/σ, z² − 1), and with them variances and best baselines."""
        r = self._in_z(theta)
        scores = [Polynomial([0, np.exp(-theta[1])]), Polynomial([-1, 0, 1])]
        return WholeReturnMoments(
            R=_expect(r),
            RR=_expect(r**2),
            FF=np.array([_expect(f**2) for f in scores]),
            RF=np.array([_expect(r * f) for f in scores]),
            RFF=np.array([_expect(r * f**2) for f in scores]),
            RRFF=np.array([_expect(r**2 * f**2) for f in scores]),
        )

    def _in_z(self, theta: Array) -> Polynomial:
        """r(μ + σz) as a polynomial in z."""
        if np.shape(theta) != (2,):
            raise InvalidInput(f"theta has shape {np.shape(theta)}, expected (2,): (μ, log σ)")
        composed: Polynomial = Polynomial(self.coefficients)(Polynomial([theta[0], np.exp(theta[1])]))
        return composed


def _expect(q: Polynomial) -> Any:
    """E q(z) = Σ_m c_{2m} (2m − 1)!!."""
    even = q.coef[::2]
    odd_factors = np.arange(1, 2 * len(even) - 1, 2)  # 1, 3, 5, …
    expected = even @ np.cumprod([1.0, *odd_factors])
    return expected if np.iscomplexobj(expected) else float(expected)
