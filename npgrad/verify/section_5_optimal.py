"""Section 5, baselines of least variance (B5, B12). Derived in docs/derivations/baselines.md."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..baselines import (
    ConstantBaseline,
    best_state_baseline,
    biased_optimal,
    leave_one_out_optimal,
    leave_one_out_optimal_per_coordinate,
    no_baseline,
    optimal_constant,
    optimal_per_coordinate,
)
from ..estimators import OptimalBaselineGradient, PolicyGradient, episode_scores, reward_to_go
from ..oracle import (
    exact_moments,
    separable_moments,
    state_baselines,
    trajectories,
    values,
    whole_return_moments,
)
from ..types import FloatArray
from .catalogue import Finding, statement
from .measures import difference, must, worst
from .on_tables import state_baseline
from .paths import gradient_by_step
from .problem import Problem
from .smallest import bandit
from .tabular_cases import table_policy

WHOLE = PolicyGradient(causality=False, baseline=no_baseline, keep_per_episode=True)  # P1
TO_GO = PolicyGradient(baseline=no_baseline, keep_per_episode=True)  # P3
UNEVEN, NINE_TO_ONE = bandit([1.0, 0.0]), np.log([0.9, 0.1])


@statement(
    id="B5",
    section=5,
    statement="P1: b* = E[‖g‖²R]/E‖g‖², b*_k = E[g_k²R]/E[g_k²]; Var(b) − Var(b*) = E‖g‖²(b − b*)²/N",
    source="COL778, CS285 4.3",
    kind="exact",
)
def optimal_constants(problem: Problem) -> Finding:
    """g = Σ_t f_t. The mean of g_k(R − b) does not depend on b (B1), so its variance is, but for a constant,

        E[g_k²(R − b)²] = E[g_k²] b² − 2 E[g_k²R] b + E[g_k²R²]

    a parabola: least at b*_k, and above that by E[g_k²](b − b*_k)². For the trace sum over k: ‖g‖² for g_k². N
    independent episodes divide all of it by N (B10).

    b* is the mean of R weighted by ‖g‖². Rare actions have large scores: bandit, π = (.9, .1), R = (1, 0): b* = .1 and
    Var = 0, where E[R] = .9 gives .1152, and no baseline .0018. Estimated on its own batch b* is biased like the
    batch's mean; on the other episodes it is not.

    Measured: the library's b* and b*_k from all trajectories against dynamic programming; exact variances of the
    library's estimators with other b, against the parabola; the means with estimated b* over all pairs of episodes of a
    tiny problem; the bandit.
    """
    mdp, (policy, theta) = problem.mdp, problem.policy(problem.mdp)
    t, of_return = trajectories(mdp, policy, theta), whole_return_moments(mdp, policy, theta)
    g, R = episode_scores(policy, theta, t.batch, np.ones(t.batch.n_steps)), t.batch.returns()
    best, each = optimal_constant(g, R, t.prob), optimal_per_coordinate(g, R, t.prob)
    squares = t.expect(g**2)

    def variances(b: float | FloatArray) -> FloatArray:
        estimator = OptimalBaselineGradient(baseline=lambda scores, returns: b, keep_per_episode=True)
        return np.diag(separable_moments(estimator, mdp, policy, theta).covariance)

    residuals = [difference(best, of_return.best_constant()), difference(each, of_return.best_per_coordinate())]
    for b in problem.table(3):
        one = separable_moments(replace(WHOLE, baseline=ConstantBaseline(b)), mdp, policy, theta).variance
        residuals += [
            difference(one - variances(best).sum(), squares.sum() * (b - best) ** 2),
            difference(variances(b + each) - variances(each), squares * b**2),
        ]
    tiny, (pi, x) = problem.tiny, problem.policy(problem.tiny)
    truth = gradient_by_step(tiny, pi, x)
    for estimate in (leave_one_out_optimal, leave_one_out_optimal_per_coordinate):
        by_others = exact_moments(OptimalBaselineGradient(baseline=estimate), tiny, pi, x, n=2, symmetric=True)
        residuals.append(difference(by_others.mean, truth))

    table = table_policy(UNEVEN)
    of_bandit = [
        separable_moments(replace(WHOLE, baseline=ConstantBaseline(b)), UNEVEN, table, NINE_TO_ONE).variance
        for b in (0.0, 0.9, 0.1)
    ]
    of_itself = exact_moments(OptimalBaselineGradient(baseline=biased_optimal), UNEVEN, table, NINE_TO_ONE, n=2).mean
    residuals += [difference(of_bandit, [0.0018, 0.1152, 0.0]), must(abs(of_itself[0] - 0.09) > 1e-3)]
    return Finding(
        worst(*residuals),
        numbers={
            "Var ĝ without": of_return.variance(),
            "b = E[R]": of_return.variance(of_return.R),
            f"b* = {best:.6g}": float(variances(best).sum()),
            "b*_k": float(variances(each).sum()),
            "bandit, N = 2: ∇J .09, with b* of the batch": float(of_itself[0]),
        },
    )


@statement(
    id="B12",
    section=5,
    statement="P3, X = Σ f_tG_t: b*_t(s) = E[f_tᵀX|s]/E[‖f_t‖²|s]; Var(b) − Var(b*) = ΣE‖f_t‖²(b−b*)²/N; V^π is not it",
    source="beyond (Greensmith, Bartlett, Baxter 2004)",
    kind="exact",
)
def optimal_state_baselines(problem: Problem) -> Finding:
    """X_b = X − Σ_t f_t b_t(s_t), X = Σ_t f_tG_t. As the mean does not depend on b, what b does to the variance is

        E‖X_b‖² = E‖X‖² − 2 Σ_t E[f_tᵀX b_t(s_t)] + E‖Σ_t f_tb_t(s_t)‖²

    In the last term the products of different times vanish: for k < t all but f_t is known at s_t, and E[f_t|s_t] = 0.
    What is left is a parabola in each b_t(s) alone,

        Σ_t Σ_s d_t(s) (E[‖f_t‖²|s] b_t(s)² − 2 E[f_tᵀX|s] b_t(s))

    least at b*_t(s) = E[f_tᵀX|s]/E[‖f_t‖²|s]. X is all of the episode: f_tᵀf_kG_k of other times has no zero mean where
    steps share θ. Only of one step, and only if ‖f‖² does not vary with the action, is b* = V^π: on the bandit
    π = (.9, .1), R = (1, 0), b* = .1 and V = .9.

    Measured: the library's b*, from all trajectories, against the oracle's, by dynamic programming; exact variances of
    the library's estimator with random b, with V^π, with none and with b* against the parabola; the bandit.
    """
    mdp, (policy, theta) = problem.mdp, problem.policy(problem.mdp)
    t, oracle, V = (
        trajectories(mdp, policy, theta),
        state_baselines(mdp, policy, theta),
        values(mdp, policy, theta).V[:-1],
    )
    scores, cells = policy.score(theta, t.batch.obs, t.batch.act), t.batch.time * mdp.n_states + t.states
    psi = reward_to_go(t.batch)
    best = best_state_baseline(scores, psi, t.batch.offsets, cells, V.size, t.prob).reshape(V.shape)

    def variance(b: FloatArray) -> float:
        estimator = replace(TO_GO, baseline=state_baseline(b))
        return separable_moments(estimator, mdp, policy, theta).variance

    met = oracle.w > 0
    least = variance(best)
    residuals = [difference(best[met], oracle.best()[met])]
    for b in (problem.table(*V.shape), V, 0 * V):
        residuals.append(difference(variance(b) - least, (oracle.w * (b - best) ** 2).sum()))

    table = table_policy(UNEVEN)
    once = trajectories(UNEVEN, table, NINE_TO_ONE)
    f = table.score(NINE_TO_ONE, once.batch.obs, once.batch.act)
    of_bandit = best_state_baseline(f, once.batch.rew, once.batch.offsets, np.zeros(2, dtype=np.int64), 1, once.prob)
    residuals += [
        difference(of_bandit, [0.1]),
        difference(values(UNEVEN, table, NINE_TO_ONE).V[0], [0.9]),
    ]
    return Finding(
        worst(*residuals),
        numbers={"Var ĝ without": variance(0 * V), "b = V_t(s)": variance(V), "b = b*_t(s)": least},
    )
