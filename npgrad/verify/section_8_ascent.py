"""Section 8: natural steps of a softmax, and how fast exact gradients ascend (N7, N10).

Derived in docs/derivations/natural_gradient.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..estimators import LocalGeometry, fit_compatible
from ..optimizers import SGD, solve_direct
from ..oracle import (
    TabularMDP,
    fisher,
    gradient,
    objective,
    occupancy,
    optimal_values,
    probabilities,
    trajectories,
    values,
)
from .catalogue import Finding, statement
from .measures import complex_gradient, difference, must, worst
from .paths import gradient_by_step
from .problem import Problem
from .tabular_cases import all_transitions, row_weights, table_policy, visits


@statement(
    id="N7",
    section=8,
    statement="Compatible w = F⁻¹∇J; for a tabular softmax F⁺∇J = A + c(s), so that a natural step makes π ∝ π e^{ηA}",
    source="beyond (Kakade 2001)",
    kind="exact",
)
def natural_steps_of_a_table(problem: Problem) -> Finding:
    """w of V3 solves Fw = ∇J. For a table, f_{s'b}(s,a) = 1[s' = s](1[b = a] − π(b|s)), so wᵀf(s,a) = w_sa − Σ_b π(b|s)
    w_sb: for w = A it is A itself, as E_a A = 0, and the least-squares fit of Q_w = wᵀf to A is perfect. So A solves Fw
    = ∇J, as does A + c(s): fᵀc = 0. F⁺ takes the shortest of them, with Σ_a (A + c) = 0:

        (F⁺∇J)_sa = A(s,a) − 1/|A| Σ_b A(s,b),   log π_new = log π + ηA + const(s)

    The weights of states cancel: F and ∇J have the same, and A knows none. It takes a table over (t, s) where the
    horizon is finite. With F of the *normalised* d = (1 − γ)d_γ the step is A/(1 − γ).

    Measured: the library's F and pseudo-inverse on a table, endless and over (t, s), against the oracle's A; the policy
    after the step; the least-squares fit of Q against F⁺∇J for a linear softmax.
    """
    endless, timed = problem.endless, problem.discounted.with_time()
    residuals = []
    for mdp in (endless, timed):
        policy = table_policy(mdp)
        theta, eta = problem.theta(policy), 0.7
        pi, A = probabilities(mdp, policy, theta), values(mdp, policy, theta).A
        if mdp.horizon is None:
            d = occupancy(mdp, pi)
            t, weight = all_transitions(mdp, pi, d)
        else:
            d = visits(mdp, pi)
            t = trajectories(mdp, policy, theta)
            weight = row_weights(t) * mdp.gamma**t.batch.time
        met, shape = d > 0, (-1, mdp.n_states, mdp.n_actions)
        F = LocalGeometry(policy, theta, t.batch, weights=weight).fisher()
        step = solve_direct(F, gradient_by_step(mdp, policy, theta))
        table = step.reshape(shape)[: 1 if A.ndim == 2 else len(A)].reshape(A.shape)
        after = probabilities(mdp, policy, theta + eta * step)
        raised = pi * np.exp(eta * A)
        residuals += [
            difference(table[met], (A - A.mean(axis=-1, keepdims=True))[met]),
            difference(after[met], (raised / raised.sum(axis=-1, keepdims=True))[met]),
        ]
    policy, theta = problem.policy(endless)
    pi, v = probabilities(endless, policy, theta), values(endless, policy, theta)
    t, weight = all_transitions(endless, pi, occupancy(endless, pi))
    fit, _ = fit_compatible(policy, theta, t.batch, v.Q[t.states, t.batch.act], weights=weight)
    F, g = fisher(endless, policy, theta), gradient(endless, policy, theta)
    return Finding(worst(*residuals, difference(fit.w, solve_direct(F, g)), difference(F @ fit.w, g)))


@statement(
    id="N10",
    section=8,
    statement="0 ≤ r ≤ 1: ascent at (1−γ)³/8 gains ≥ ½η‖∇J‖²; natural: V* − V_T ≤ log A/((1−γ)ηT) + 1/((1−γ)²T)",
    source="beyond (Agarwal et al. 2021)",
    kind="bound",
)
def exact_ascent(problem: Problem) -> Finding:
    """Rewards in [0,1], a softmax of a table, M = (I − γP_π)⁻¹. Along a unit direction u of θ, with ′ for its
    derivative, π′ = π(u − E u) and π″ = π((u − E u)² − Var u): Σ_a|π′| ≤ √Var u ≤ 1, Σ_a|π″| ≤ 2 Var u ≤ 2. In J =
    p_0ᵀMr_π, with M′ = γMP′M,

        J″ = p_0ᵀ (Mr″ + 2γMP′Mr′ + γMP″Mr + 2γ²MP′MP′Mr)

    where |P′x| ≤ max|x|, |P″x| ≤ 2 max|x|, |Mx| ≤ max|x|/(1 − γ): |J″| ≤ 2/(1 − γ) + 2γ/(1 − γ)² + 2γ/(1 − γ)² + 2γ²/(1
    − γ)³, which is 2/(1 − γ)³. With any bound β on ‖∇²J‖, J(θ + η∇J) ≥ J + η‖∇J‖² − ½βη²‖∇J‖² = J + ½η‖∇J‖² at η = 1/β.
    The row has β = 8/(1 − γ)³, from cruder sums; a step four times as long will do.

    Natural steps, π_{t+1} = π_t e^{ηA_t}/Z_t (N7). By O10 with the states d* of π*, normalised, and A_t = (log
    π_{t+1}/π_t + log Z_t)/η,

        V* − V_t = 1/(η(1 − γ)) E_{d*}[KL(π*‖π_t) − KL(π*‖π_{t+1}) + log Z_t]

    Also V_{t+1} − V_t ≥ (1/η) E[log Z_t] from any start distribution, d* among them: it is 1/(η(1 − γ)) of the mean of
    KL(π_{t+1}‖π_t) + log Z_t in the states of π_{t+1}, where the start has at least the weight 1 − γ, and neither is
    negative (log Z_t ≥ E_a ηA = 0). Summed over t < T, the KL telescope to at most log A, log Z_t to V_T ≤ 1/(1 − γ),
    and V_t rises, so the last is the best:

        V* − V_T ≤ log A/((1 − γ)ηT) + 1/((1 − γ)²T)

    η is that of N7, where F and ∇J have the same weights. Agarwal et al. take F in the normalised d; their step is
    ηA/(1 − γ), and their first term log A/(ηT). With the step ηA that would be too small: one state, r = (1, 0), γ =
    0.9, η = 1/T, T = 1000.

    Measured: random problems, J and V by the oracle. Steps of both lengths by the library's SGD, and the spectral norm
    of ∇²J by complex step; natural steps by the library's F⁺, long ones in closed form; the bound at every T.
    """
    violations: list[float] = []
    gains, curvatures, ratios = [], [], []
    for mdp in _with_rewards_in_unit_interval(problem, 8):
        policy, gamma = table_policy(mdp), mdp.gamma
        beta, theta = 2 / (1 - gamma) ** 3, problem.theta(policy)
        for eta in 5 * [1 / (4 * beta), 1 / beta]:
            g, sgd = gradient(mdp, policy, theta), SGD(eta)
            after, _ = sgd.step(theta, g, sgd.init(theta))
            gain = float(objective(mdp, policy, after) - objective(mdp, policy, theta))
            violations.append(float(eta / 2 * g @ g - gain))
            gains.append(gain / float(eta / 2 * g @ g))
            theta = after + problem.theta(policy, 1) / 10
        hessian = complex_gradient(lambda x: gradient(mdp, policy, x), theta)  # noqa: B023
        curvatures.append(float(np.linalg.norm(hessian, 2) / beta))

    for mdp in _with_rewards_in_unit_interval(problem, 4):
        policy, best = table_policy(mdp), mdp.start @ optimal_values(mdp).V
        for eta in (0.05, 0.5, 10.0):
            theta = np.zeros(policy.n_params)
            for T in range(1, 21):
                if eta < 1:
                    step = solve_direct(fisher(mdp, policy, theta), gradient(mdp, policy, theta))
                else:  # π becomes too sharp for F
                    step = values(mdp, policy, theta).A.ravel()
                theta = theta + eta * step
                gap, bound = float(best - objective(mdp, policy, theta)), _bound(mdp, eta, T)
                violations.append(gap - bound)
                ratios.append(gap / bound)

    T, one = 1000, TabularMDP(np.ones(1), np.ones((1, 2, 1)), np.array([[1.0, 0.0]]), gamma=0.9)
    theta = np.array([1.0, 0.0])  # after T steps: A differs by 1 between the actions, whatever π
    gap = float(10 - objective(one, table_policy(one), theta))
    too_small, bound = np.log(2) + 100 / T, _bound(one, 1 / T, T)
    return Finding(
        max(0.0, *violations, max(curvatures) - 1, gap - bound, must(gap > too_small)),
        numbers={
            "gain over ½η‖∇J‖², least": min(gains),
            "‖∇²J‖ over 2/(1−γ)³, largest": max(curvatures),
            "V* − V_T over its bound, largest": max(ratios),
            "one state: V* − V_T, the bound without 1/(1−γ), with it": f"{gap:.4f}, {too_small:.4f}, {bound:.4f}",
        },
    )


def _with_rewards_in_unit_interval(problem: Problem, n: int) -> Iterator[TabularMDP]:
    for i in range(n):
        gamma = float(problem.rng(200 + i).uniform(0.3, 0.9))
        mdp = problem.random_mdp(3, 2 + i % 2, None, stream=200 + i, gamma=gamma)
        yield mdp.replace(R=(mdp.R - mdp.R.min()) / np.ptp(mdp.R))


def _bound(mdp: TabularMDP, eta: float, T: int) -> float:
    """log A/((1 − γ)ηT) + 1/((1 − γ)²T)."""
    return float((np.log(mdp.n_actions) / eta + 1 / (1 - mdp.gamma)) / ((1 - mdp.gamma) * T))
