"""Moments of (R − b) Σ_t f_t, the whole return times the score of the trajectory, and its best baselines."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import comb

import numpy as np

from ..errors import InvalidInput
from ..policies import Policy
from ..types import Array, FloatArray
from .chains import require_proper
from .mdp import TabularMDP
from .moments import Step, Steps, mean_over, settler

__all__ = ["WholeReturnMoments", "whole_return_moments"]


@dataclass(frozen=True, eq=False)
class WholeReturnMoments:
    """E R^i F_k^j of the return R = Σ_t γ^t r_t and of each coordinate of F = Σ_t f_t, and what follows from them.

    Parameters
    ----------
    R, RR : float
        E R and E R².
    FF, RF, RFF, RRFF : array, shape (P,)
        E F_k², E R F_k, E R F_k², E R² F_k². E F_k is 0.
    """

    R: float
    RR: float
    FF: FloatArray
    RF: FloatArray
    RFF: FloatArray
    RRFF: FloatArray

    @property
    def mean(self) -> FloatArray:
        """E[(R − b) F] = E[R F] = ∇J, whatever b (P1, B1), shape (P,)."""
        return self.RF

    def variances(self, baseline: Array | float = 0.0) -> FloatArray:
        """Var[(R − b_k) F_k] on one episode, b one number or one a coordinate, shape (P,) (B4)."""
        b = np.asarray(baseline)
        return np.asarray(self.RRFF - 2 * b * self.RFF + b**2 * self.FF - self.RF**2)

    def variance(self, baseline: Array | float = 0.0) -> float:
        """The trace, Σ_k Var[(R − b_k) F_k]."""
        return float(self.variances(baseline).sum())

    def best_constant(self) -> float:
        """b* = E[‖F‖² R]/E‖F‖², which minimises the trace (B5)."""
        total = float(self.FF.sum())
        return float(self.RFF.sum()) / total if total > 0 else 0.0

    def best_per_coordinate(self) -> FloatArray:
        """b*_k = E[F_k² R]/E[F_k²], 0 where F_k is 0, shape (P,) (B5)."""
        return np.asarray(np.divide(self.RFF, self.FF, out=np.zeros_like(self.RFF), where=self.FF > 0))

    def leave_one_out_variances(self, n: int) -> FloatArray:
        """Variances of 1/n Σ_i F_i (R_i − mean of the other returns), a U-statistic, shape (P,) (B11).

            h = ½(F − F′)(R − R′),  4ζ_1 = Var[F (R − E R)],  ζ_2 = Var h = ½(E R²F² + E R² E F²) − E R E[R F²]

        Raises
        ------
        InvalidInput
            If n < 2.
        """
        if n < 2:
            raise InvalidInput(f"n is {n}, expected at least two episodes to leave one out")
        zeta_1 = self.variances(self.R) / 4
        zeta_2 = (self.RRFF + self.RR * self.FF) / 2 - self.R * self.RFF
        return np.asarray(2 / (n * (n - 1)) * (2 * (n - 2) * zeta_1 + zeta_2))

    def batch_mean_variances(self, n: int) -> FloatArray:
        """Variances with the batch's own mean as baseline: ((n − 1)/n)² those of leave-one-out, shape (P,) (B3)."""
        return ((n - 1) / n) ** 2 * self.leave_one_out_variances(n)


def whole_return_moments(mdp: TabularMDP, policy: Policy, theta: Array) -> WholeReturnMoments:
    """Moments of R and F = Σ_t f_t together, by dynamic programming (B4, B5).

        E[G^i F^j | s_t] = Σ_{p≤i, q≤j} C(i,p) C(j,q) γ^p E[r^{i−p} f^{j−q} E[G′^p F′^q | s_{t+1}]]

    Parameters
    ----------
    mdp, policy, theta
        As for `gradient`.

    Raises
    ------
    InvalidInput
        If episodes need not end: Σ f_t then has no moments.

    Examples
    --------
    >>> from npgrad.oracle import TabularMDP
    >>> from npgrad.policies import make_policy
    >>> bandit = TabularMDP([1.0], np.ones((1, 2, 1)), [[1.0, 0.0]], horizon=1)
    >>> policy = make_policy(bandit, "linear")
    >>> theta = np.array([np.log(9.0), 0.0, 0.0, 0.0])  # π = (.9, .1)
    >>> m = whole_return_moments(bandit, policy, theta)
    >>> b = m.best_constant()
    >>> round(b, 6), round(abs(m.variance(b)), 12)
    (0.1, 0.0)
    """
    steps = Steps(mdp, policy, theta)
    endless = mdp.horizon is None
    if endless:
        require_proper(mdp, steps.pi)
    S, P = mdp.n_states, len(theta)
    orders = list(product(range(3), range(3)))  # (i, j) of G^i F^j
    tail = {(i, j): np.zeros((S, P) if j else S) for i, j in orders}
    tail[0, 0] += 1
    powers = [(mdp.P * mdp.R**e).reshape(-1, S) for e in range(3)]  # Σ_{s'} p r^e ·
    for t in reversed(range(mdp.horizon or 1)):
        tail = _before(mdp, steps.at(t), tail, powers, endless)
    m = {order: np.tensordot(mdp.start, tail[order], axes=1) for order in orders}
    return WholeReturnMoments(float(m[1, 0]), float(m[2, 0]), m[0, 2], m[1, 1], m[1, 2], m[2, 2])


Moments = dict[tuple[int, int], Array]


def _before(mdp: TabularMDP, step: Step, tail: Moments, powers: list[Array], endless: bool) -> Moments:
    """Moments from t on, from those from t + 1 on, low orders first."""
    settle = settler(step, endless=endless)
    after, now = {(0, 0): tail[0, 0]}, {(0, 0): tail[0, 0]}
    for i, j in list(tail)[1:]:
        c = np.zeros((*step.pi.shape, *tail[i, j].shape[1:]))  # all terms but the one of (i, j) itself
        for p, q in product(range(i + 1), range(j + 1)):
            if (p, q) != (i, j):
                m = (powers[i - p] @ after[p, q]).reshape(*step.pi.shape, *after[p, q].shape[1:])
                m = m[..., None] if j and not q else m
                c += comb(i, p) * comb(j, q) * mdp.gamma**p * (step.f ** (j - q) * m if j else m)
        after[i, j], now[i, j] = settle(mean_over(step, c), mdp.gamma**i, tail[i, j])
    return now
