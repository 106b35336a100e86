"""Section 8: surrogates and how far to trust them (N5, N8). Derived in docs/derivations/natural_gradient.md."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..estimators import ClippedSurrogate, LocalGeometry, ScoreFunction, clipped_surrogate, local_surrogate
from ..oracle import TabularMDP, objective, occupancy, probabilities, trajectories, values
from ..policies import ComposedPolicy
from ..types import Array, FloatArray
from .catalogue import Finding, statement
from .measures import TINY, complex_gradient, difference, worst
from .problem import Problem
from .tabular_cases import all_transitions


@statement(
    id="N5",
    section=8,
    statement="PPO's min(ρA, clip(ρ, 1−ε, 1+ε)A): weight ρA of f, or 0 where ρ > 1+ε, A > 0 and where ρ < 1−ε, A < 0",
    source='CS224R ("basis for PPO")',
    kind="diff",
)
def clipped_objective(problem: Problem) -> Finding:
    """∇ρ = ρf. Piece by piece, for A > 0: min(ρ, clip ρ)A is ρA up to 1 + ε, and (1 + ε)A beyond, flat. For A < 0 the
    minimum takes the larger of ρ, clip ρ: (1 − ε)A, flat, below 1 − ε, and ρA above. What is flat is what has already
    gone where A asks it to; on the other side nothing is cut, and L ≤ ρA everywhere. At θ = β, ρ = 1 lies inside: the
    gradient is that of ΣAρ, and the plain estimate with Ψ = A.

    At the kinks ρ = 1 ± ε it has two slopes; elsewhere it is analytic.

    Measured: the library's gradient of every trajectory from β, at a θ far away, against a complex step through min and
    clip written out; values and slopes on a grid of (ρ, A) with all pieces; and the gradient at θ = β.
    """
    mdp, epsilon = problem.mdp, 0.2
    policy, theta = problem.policy(mdp)
    beta = problem.theta(policy, 1)
    t = trajectories(mdp, policy, beta)
    adv = problem.table(t.batch.n_steps)
    clipped = ClippedSurrogate(lambda _: adv, epsilon, keep_per_episode=True)

    def of_episodes(x: Array) -> Array:
        log_rho = policy.at(x, t.batch.obs, t.batch.act).log_prob - t.batch.logp
        return t.sum(_written_out(np.exp(log_rho), adv, epsilon))

    rho = np.exp(policy.at(theta, t.batch.obs, t.batch.act).log_prob - t.batch.logp)
    pieces = [np.mean(sign * (rho - 1) > epsilon) for sign in (1, -1)]

    x, A = (m.ravel() for m in np.meshgrid(np.linspace(-1, 1, 30), [-2.0, -0.5, 0.5, 2.0]))  # x = log ρ, off the kinks
    value, weight = clipped_surrogate(x, A, epsilon)
    by_step = _written_out(np.exp(x + 1j * TINY), A, epsilon).imag / TINY
    plain = ScoreFunction(lambda _: adv, keep_per_episode=True)
    return Finding(
        worst(
            difference(np.asarray(clipped(policy, theta, t.batch).per_episode), complex_gradient(of_episodes, theta)),
            difference(value, _written_out(np.exp(x), A, epsilon)),
            difference(weight, by_step),
            max(0.0, float((value - np.exp(x) * A).max())),
            difference(
                np.asarray(clipped(policy, beta, t.batch).per_episode),
                np.asarray(plain(policy, beta, t.batch).per_episode),
            ),
        ),
        numbers={"rows with ρ > 1 + ε": float(pieces[0]), "with ρ < 1 − ε": float(pieces[1])},
    )


@statement(
    id="N8",
    section=8,
    statement="|J' − J − L| ≤ 2γε/(1−γ)² E_d[TV], ε = max|E_{π'}A|, Σd = 1; ≤ TRPO's 4γ max|A| max KL/(1−γ)²",
    source='CS285 4.4 ("can be bounded"); beyond (Achiam et al. 2017; Schulman et al. 2015)',
    kind="bound",
)
def surrogate_error(problem: Problem) -> Finding:
    """Ā(s) = Σ_a π'(a|s) A^π(s,a). With occupancies d_γ, which sum to 1/(1 − γ), J' − J = Σ_s d'_γ Ā (O10) and L = Σ_s
    d_γ Ā: their difference is (d'_γ − d_γ)ᵀĀ, at most ε‖d'_γ − d_γ‖₁. From d_γ = p_0 + γP_πᵀd_γ, and its like for π',

        d'_γ − d_γ = γP_π'ᵀ(d'_γ − d_γ) + γ(P_π' − P_π)ᵀd_γ
        (1 − γ) ‖d'_γ − d_γ‖₁ ≤ γ Σ_s d_γ Σ_a |π' − π| = 2γ Σ_s d_γ TV

    as P_π'ᵀ does not lengthen in ‖·‖₁. With d = (1 − γ)d_γ, of sum 1, this is the first bound. Since E_π A = 0, ε ≤
    Σ|π' − π| |A| ≤ 2 max TV max|A|, and the bound is at most 4γ max|A| (max TV)²/(1 − γ)². Pinsker: TV² ≤ ½KL, in
    either direction; TRPO uses TV² ≤ KL, so its bound holds with half the constant too.

    Measured: 60 random problems, γ from 0.1 to 0.95, and steps of all sizes: J by the oracle, L and KL by the library,
    no bound violated, and each at most the next.
    """
    excess, tightness = [], []
    for i in range(60):
        rng = problem.rng(100 + i)
        gamma = float(rng.uniform(0.1, 0.95))
        mdp = problem.random_mdp(3, 2 + i % 2, None, stream=100 + i, gamma=gamma)
        policy = problem.policy(mdp)[0]
        theta = rng.normal(size=policy.n_params)
        new = theta + rng.choice([0.03, 0.3, 3.0]) * rng.normal(size=policy.n_params)
        error, bounds = _error_and_bounds(mdp, policy, theta, new)
        ordered = [error, *bounds]
        excess += [(low - high) / max(1.0, high) for low, high in pairwise(ordered)]
        tightness.append(error / bounds[0])
    return Finding(
        max(0.0, *excess),
        numbers={"error over the first bound, largest": float(max(tightness)), "median": float(np.median(tightness))},
    )


def _written_out(rho: Array, adv: FloatArray, epsilon: float) -> Array:
    """min(ρA, clip(ρ)A), by the real part of ρ."""
    inside = np.where(rho.real < 1 - epsilon, 1 - epsilon, np.where(rho.real > 1 + epsilon, 1 + epsilon, rho))
    return np.where((rho * adv).real <= (inside * adv).real, rho * adv, inside * adv)


def _error_and_bounds(
    mdp: TabularMDP, policy: ComposedPolicy, theta: FloatArray, new: FloatArray
) -> tuple[float, list[float]]:
    """|J' − J − L|, and bounds on it, each at most the next: by TV, by max TV, by max KL, by TRPO's constant."""
    pi, pi_new = probabilities(mdp, policy, theta), probabilities(mdp, policy, new)
    gamma, d, A = mdp.gamma, occupancy(mdp, pi), values(mdp, pi).A
    t, weight = all_transitions(mdp, pi, d)
    psi = weight * len(t) * A[t.states, t.batch.act]  # 1/N Σ_i is the sum in these weights
    L = local_surrogate(policy, new, t.batch, psi)
    error = abs(float(objective(mdp, policy, new) - objective(mdp, policy, theta)) - L)

    tv = np.abs(pi_new - pi).sum(axis=1) / 2
    each = [
        LocalGeometry(policy, theta, t.batch, weights=(t.states == s) / (t.states == s).sum()) for s in range(len(d))
    ]
    kl = min(max(near.kl_new_old(new) for near in each), max(near.kl_old_new(new) for near in each))
    mean_tv, epsilon, largest = (1 - gamma) * d @ tv, np.abs((pi_new * A).sum(axis=1)).max(), np.abs(A).max()
    scale = gamma / (1 - gamma) ** 2
    return error, [
        float(scale * 2 * epsilon * mean_tv),
        float(scale * 4 * largest * tv.max() ** 2),
        float(scale * 2 * largest * kl),
        float(scale * 4 * largest * kl),
    ]
