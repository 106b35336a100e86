"""Section 4, gradients from returns of perturbed θ (P10, P11). Derived in docs/derivations/estimators.md."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.polynomial import polynomial

from ..distributions import DiagonalGaussian
from ..estimators import EvolutionStrategy, FiniteDifferences, centred_ranks
from ..functions import Concatenated, Constant, Linear
from ..oracle import SoftmaxBandit, normal_nodes
from ..policies import ComposedPolicy
from ..spaces import Discrete
from ..types import Array, FloatArray
from .catalogue import KINDS, Finding, statement
from .measures import complex_gradient, difference, must, slope, worst
from .problem import Problem
from .tabular_cases import table_policy

STEPS = 2.0 ** -np.arange(7, 12)  # the ε at which slopes are measured
ORDERS = {"error, forward": 1.0, "error, central": 2.0, "variance, common noise": -1.0, "variance, own noise": -2.0}


@statement(
    id="P10",
    section=4,
    statement="Forward: n + 1 evaluations, error ½ε∂²J; central: 2n, ⅙ε²∂³J; variance 1/ε on common noise, else 1/ε²",
    source="10-703",
    kind="order",
)
def finite_differences(problem: Problem) -> Finding:
    """Taylor: J(θ ± εe) = J ± ε∂J + ½ε²∂²J ± ⅙ε³∂³J + …, so for n numbers

        (J(θ + εe) − J(θ))/ε        = ∂J + ½ε∂²J + …,      n + 1 evaluations
        (J(θ + εe) − J(θ − εe))/2ε  = ∂J + ⅙ε²∂³J + …,     2n

    J is known by returns alone. Of independent episodes at both points the variance is (Var R_+ + Var R_−)/4ε²: 1/ε².
    On common random numbers the two episodes differ only where a noise number falls between the old and the new border
    of an action. A bandit that takes action k if C_{k−1} ≤ u < C_k, C_k = Σ_{j≤k} π_j, changes with probability
    2ε|∂C_k|, and then by R_{k+1} − R_k:

        Var = 1/2ε · Σ_k |∂C_k| (R_{k+1} − R_k)² + O(1)

    1/ε: returns jump in θ, though their mean is smooth. Where they are smooth for every noise number, as r(μ + σz) of a
    Gaussian action and a smooth r is, the difference tends to a derivative and the variance stays bounded.

    Measured: the library's differences of a random cubic against both error terms and the evaluations counted (exactly,
    or the row fails); on a bandit whose actions the library draws, from every u that matters, with its probability: the
    slopes in ε of errors and variances, and the factor of 1/ε; the variance of independent episodes exactly; the slope
    0 on a Gaussian bandit with reward −a², z at Gauss's nodes.
    """
    bandit, theta = SoftmaxBandit(problem.rng().normal(size=3)), problem.rng(1).normal(size=3)
    measured = [_moments_over_u(bandit, theta, epsilon) for epsilon in STEPS]
    of_own = [m["variance, own noise"] for m in measured]
    exact = worst(
        _on_a_cubic(problem),
        difference(STEPS**2 * of_own, [_variance_of_own(bandit, theta, epsilon) for epsilon in STEPS]),
    )
    slopes = {name: slope(STEPS, [m[name] for m in measured]) for name in ORDERS}
    slopes["variance, smooth returns"] = slope(STEPS, [_smooth_variance(problem, epsilon) for epsilon in STEPS])

    borders = complex_gradient(lambda x: np.cumsum(bandit.probabilities(x))[:-1], theta)  # ∂C_k, (2, 3)
    limit = np.diff(bandit.rewards) ** 2 @ np.abs(borders).sum(axis=1)
    factor = 2 * STEPS[-1] * measured[-1]["variance, common noise"] / limit
    expected = ORDERS | {"variance, smooth returns": 0.0}
    return Finding(
        worst(*(abs(slopes[name] - p) for name, p in expected.items()), abs(factor - 1), must(exact <= KINDS["exact"])),
        numbers={f"slope of the {name}": p for name, p in slopes.items()} | {"2ε Var over its limit": float(factor)},
    )


@statement(
    id="P11",
    section=4,
    statement="Evolution strategies: ∇E F(θ+σε) = E[Fε]/σ, in pairs too; bias (σ²/2)∇ΔF + O(σ⁴); ranks: another update",
    source="10-703",
    kind="exact",
)
def evolution_strategies(problem: Problem) -> Finding:
    """θ' ~ N(θ, σ²I) has the score (θ' − θ)/σ² = ε/σ in θ (S2), and L2 gives the first. The mean does not change if ε
    stands for −ε: so it may be taken of the antithetic (F(θ + σε) − F(θ − σε)) ε/2σ, in which F's even part cancels.

    It is the gradient of the smoothed F. By Taylor, with E ε_iε_j = 1[i = j] and so on, E F(θ + σε) = exp(σ²Δ/2) F:

        F + (σ²/2) ΔF + (σ⁴/8) Δ²F + …

    Ranks in place of F do not change when F is replaced by a monotone function of it; gradients do. So ranks have no
    gradient of F for their mean, of any length or direction.

    Measured: exact means of the library's strategy over Gauss's nodes, for random polynomials of degree 5 in two
    numbers, against ∇ of F and of its smoothing; with ranks the update for F and for arctan F on the same directions.
    """
    rng, sigma = problem.rng(), 0.4
    c = rng.normal(size=(6, 6)) * (np.add.outer(np.arange(6), np.arange(6)) <= 5)
    theta, (directions, weights) = 0.5 * rng.normal(size=2), normal_nodes(6, 2)

    def F(x: FloatArray, i: int) -> FloatArray:
        return np.atleast_1d(polynomial.polyval2d(x[0], x[1], c))

    def squeezed(x: FloatArray, i: int) -> FloatArray:
        return np.arctan(F(x, i))

    once, twice = _laplacian(c), _laplacian(_laplacian(c))
    smoothed = _slope_of(c + sigma**2 / 2 * once + sigma**4 / 8 * twice, theta)
    moments = {}
    for name, antithetic in (("pairs", True), ("single", False)):
        terms = np.asarray(EvolutionStrategy(sigma, antithetic)(F, theta, directions).per_episode)
        moments[name] = weights @ terms, weights @ ((terms - weights @ terms) ** 2).sum(axis=1)
    by_rank = [EvolutionStrategy(sigma, shaping=centred_ranks)(f, theta, directions).gradient for f in (F, squeezed)]
    plain = [EvolutionStrategy(sigma)(f, theta, directions).gradient for f in (F, squeezed)]
    bias = smoothed - _slope_of(c, theta)
    return Finding(
        worst(
            difference(moments["pairs"][0], smoothed),
            difference(moments["single"][0], smoothed),
            difference(by_rank[0], by_rank[1]),
            must(difference(plain[0], plain[1]) > 1e-6),
        ),
        numbers={
            "‖∇F‖": float(np.linalg.norm(_slope_of(c, theta))),
            "‖bias‖": float(np.linalg.norm(bias)),
            "its first term, ‖(σ²/2)∇ΔF‖": float(np.linalg.norm(sigma**2 / 2 * _slope_of(once, theta))),
            "Var of one pair": float(moments["pairs"][1]),
            "Var of one evaluation": float(moments["single"][1]),
        },
    )


def _on_a_cubic(problem: Problem) -> float:
    """Library against Taylor on a·x³ + b·x² + c x_0 x_1², whose series ends; and the number of evaluations."""
    a, b = problem.rng(2).normal(size=(2, 2))
    (c,), theta, epsilon = problem.rng(3).normal(size=1), problem.rng(4).normal(size=2), 0.3
    asked: list[FloatArray] = []

    def J(x: FloatArray, i: int) -> FloatArray:
        asked.append(x)
        return np.atleast_1d(a @ x**3 + b @ x**2 + c * x[0] * x[1] ** 2)

    first = 3 * a * theta**2 + 2 * b * theta + c * np.array([theta[1] ** 2, 2 * theta[0] * theta[1]])
    second, third = 6 * a * theta + 2 * b + np.array([0.0, 2 * c * theta[0]]), 6 * a
    forward = FiniteDifferences(epsilon, central=False)(J, theta).gradient
    n_forward = len(asked)
    central = FiniteDifferences(epsilon)(J, theta).gradient
    return worst(
        difference(forward, first + epsilon * second / 2 + epsilon**2 * third / 6),
        difference(central, first + epsilon**2 * third / 6),
        must((n_forward, len(asked) - n_forward) == (3, 4)),
    )


def _moments_over_u(bandit: SoftmaxBandit, theta: FloatArray, epsilon: float) -> dict[str, float]:
    """‖error‖ of the mean of the library's differences, and their variance, exactly: summed over all u that matter.

    Evaluations with noise numbers 0, 1 and 2 get one u, those with 3, 4 and 5 another, all pairs of them.
    """
    mdp = bandit.mdp()
    policy, steps = table_policy(mdp), epsilon * np.eye(3)
    shifted = np.concatenate([theta + steps, theta - steps, theta[None]])
    borders = np.sort(np.concatenate([[0.0, 1.0], *(np.cumsum(bandit.probabilities(x))[:-1] for x in shifted)]))
    middle, width = (borders[1:] + borders[:-1]) / 2, np.diff(borders)
    pairs, weights = np.array(list(product(middle, repeat=2))), np.outer(width, width).ravel()

    def returns(x: FloatArray, i: int) -> FloatArray:
        act, _, _ = policy.act(x, np.repeat(mdp.obs, len(pairs), axis=0), pairs[:, i // 3, None])
        return np.asarray(mdp.r[0, act])

    def moments(*, central: bool, common: bool) -> tuple[float, float]:
        terms = np.asarray(FiniteDifferences(epsilon, central, common)(returns, theta).per_episode)
        mean = weights @ terms
        error = float(np.linalg.norm(mean - bandit.gradient(theta)))
        return error, float(weights @ ((terms - mean) ** 2).sum(axis=1))

    forward, _ = moments(central=False, common=True)
    central, of_common = moments(central=True, common=True)
    _, of_own = moments(central=True, common=False)
    return dict(zip(ORDERS, (forward, central, of_common, of_own), strict=True))


def _variance_of_own(bandit: SoftmaxBandit, theta: FloatArray, epsilon: float) -> float:
    """ε² Σ_p (Var R(θ + εe_p) + Var R(θ − εe_p))/4ε², by the moments of the rewards."""
    steps, total = epsilon * np.eye(3), 0.0
    for x in np.concatenate([theta + steps, theta - steps]):
        m = bandit.moments(x)
        total += (m.RR - m.R**2) / 4
    return total


def _smooth_variance(problem: Problem, epsilon: float) -> float:
    """Of the library's differences on common noise, a = μ + σz drawn by the library's policy and r = −a²."""
    policy = ComposedPolicy(
        Concatenated((Linear(1, 1, bias=False), Constant(1, 1))), DiagonalGaussian(1), Discrete(1), Discrete(1)
    )
    theta, (z, w) = problem.rng(5).normal(size=2), normal_nodes(10)

    def returns(x: FloatArray, i: int) -> FloatArray:
        act, _, _ = policy.act(x, np.ones((len(z), 1)), z)
        return np.asarray(-(act[:, 0] ** 2))

    terms = np.asarray(FiniteDifferences(epsilon)(returns, theta).per_episode)
    return float(w @ ((terms - w @ terms) ** 2).sum(axis=1))


def _laplacian(c: Array) -> Array:
    """Coefficients of ΔF, of the same shape."""
    out = np.zeros_like(c)
    out[:-2] += polynomial.polyder(c, 2, axis=0)
    out[:, :-2] += polynomial.polyder(c, 2, axis=1)
    return out


def _slope_of(c: Array, x: FloatArray) -> FloatArray:
    """∇F at x."""
    return np.array([polynomial.polyval2d(x[0], x[1], polynomial.polyder(c, axis=axis)) for axis in (0, 1)])
