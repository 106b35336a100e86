"""Section 5, baselines made of the batch they are used on (B3, B11). Derived in docs/derivations/baselines.md."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..baselines import (
    Baseline,
    BiasedFitted,
    CrossFitted,
    TableFit,
    biased_alive_mean,
    biased_batch_mean,
    biased_batch_mean_return,
    leave_one_out,
    leave_one_out_return,
    no_baseline,
    time_mean_fit,
)
from ..estimators import Estimator, PolicyGradient, episode_scores
from ..oracle import (
    TabularMDP,
    Trajectories,
    exact_moments,
    pair_estimates,
    probabilities,
    scores,
    trajectories,
    u_statistic,
    values,
    whole_return_moments,
)
from ..policies import ComposedPolicy
from ..types import Batch, FloatArray, IntArray
from .catalogue import Finding, statement
from .measures import difference, worst
from .on_tables import field
from .paths import gradient_by_step
from .problem import Problem
from .smallest import gate
from .tabular_cases import table_policy, visits

WHOLE = PolicyGradient(causality=False, baseline=no_baseline, keep_per_episode=True)  # P1
TO_GO = PolicyGradient(baseline=no_baseline, keep_per_episode=True)  # P3


@statement(
    id="B3",
    section=5,
    statement="Of the same batch: the mean gives (N−1)/N ∇J, leave-one-out N/(N−1) times that; others bias otherwise",
    source="COL778, CS224R, CS285, 10-703",
    kind="exact",
    tolerance=1e-12,
)
def baselines_of_the_batch(problem: Problem) -> Finding:
    """b = 1/N Σ_j R_j holds R_i itself, with weight 1/N; the other returns are independent of episode i and do not bias
    it. So E[F_i (R_i − b)] = (1 − 1/N) E[F_i R_i], F = Σ_t f_t. On every batch

        R_i − 1/(N−1) Σ_{j≠i} R_j = N/(N−1) (R_i − 1/N Σ_j R_j)

    which makes leave-one-out unbiased. The same holds at each t for means over all N of G_t, which is 0 after the end.
    Over the n_t ≥ 1 episodes still alive at t the own weight is 1/n_t. Alive itself with probability q_t, an episode
    finds n_t − 1 others, binomial, and E[1/n_t | alive] = (1 − (1 − q_t)^N)/(N q_t): term t has the factor

        1 − (1 − (1 − q_t)^N)/(N q_t)

    another one for each t, so that the direction is biased too. Behind a gate, q = (1, ½), N = 2: ½ and ¼. A table
    V_t(s) or V(s), fitted on one episode that meets no state twice, is G_t itself: Ψ = 0, ĝ = 0. Fitted on other
    episodes it is unbiased, whatever the fit.

    Measured: exact means of the library's estimators over all batches of N = 2 on a tiny problem, and of N = 3 on the
    gate, against a complex step through J and these factors; leave-one-out against the batch mean on batches of 5;
    ĝ of some forty single episodes with a table fitted on each.
    """
    mdp, (policy, theta) = problem.tiny, problem.policy(problem.tiny)
    truth = gradient_by_step(mdp, policy, theta)
    in_table = TableFit(lambda batch: _states(batch), mdp.n_states)
    factors: list[tuple[PolicyGradient, float]] = [
        (_whole(biased_batch_mean_return), 1 / 2),
        (_whole(leave_one_out_return), 1),
        (_to_go(biased_batch_mean), 1 / 2),
        (_to_go(leave_one_out), 1),
        (_to_go(CrossFitted(in_table)), 1),
    ]
    residuals = [difference(_mean_of_pairs(g, mdp, policy, theta), c * truth) for g, c in factors]
    alive = _mean_of_pairs(_to_go(biased_alive_mean), mdp, policy, theta)
    residuals.append(difference(alive, _alive_mean(mdp, policy, theta, N=2)))

    two = gate()
    table, uniform = table_policy(two), np.zeros(6)
    for g, c in (
        (_whole(biased_batch_mean_return), 2 / 3),
        (_to_go(biased_batch_mean), 2 / 3),
        (_to_go(leave_one_out), 1),
    ):
        mean = exact_moments(g, two, table, uniform, n=3).mean
        residuals.append(difference(mean, c * gradient_by_step(two, table, uniform)))
    numbers: dict[str, object] = {"gate: ∇J in the logits of action 1": [0.125, 0.125]}
    for N in (2, 3):
        mean = exact_moments(_to_go(biased_alive_mean), two, table, uniform, n=N).mean
        numbers[f"less the mean over those alive, N = {N}"] = mean[[1, 3]].round(12).tolist()
        late = 1 - (1 - 0.5**N) / (N / 2)
        residuals.append(difference([mean[1], mean[3]], [(1 - 1 / N) / 8, late / 8]))

    t = trajectories(mdp, policy, theta)
    residuals += [_on_every_batch(problem, t, policy, theta), _fitted_on_itself(problem)]
    return Finding(worst(*residuals), numbers=numbers)


@statement(
    id="B11",
    section=5,
    statement="∇J = Cov(Σf, R); leave-one-out: unbiased sample covariance, batch mean: biased; Var for every N",
    source="beyond (Hoeffding 1948)",
    kind="exact",
    tolerance=1e-12,
)
def sample_covariances(problem: Problem) -> Finding:
    """E F = 0 for F = Σ_t f_t, so ∇J = E[F R] = Cov(F, R). With the batch's means F̄ and R̄

        1/N Σ F_i (R_i − R̄) = 1/N Σ (F_i − F̄)(R_i − R̄),   1/N Σ F_i (R_i − R̄_{−i}) = 1/(N−1) Σ (F_i − F̄)(R_i − R̄)

    since Σ(R_i − R̄) = 0, and R_i − R̄_{−i} = N/(N−1) (R_i − R̄) (B3). The second is an average over pairs of

        h(τ, τ') = ½ (F − F')(R − R')

    a U-statistic, and Hoeffding's formula gives its variance for every N from two numbers for each coordinate,

        Var = 2/(N(N−1)) (2(N−2) ζ_1 + ζ_2),   4ζ_1 = Var[F (R − J)],   ζ_2 = Var h

    (E[h|τ] = ½ (F(R − J) + ∇J)). For large N it is Var[F(R − J)]/N: that of b = E[R].

    Measured: the library's ĝ on batches of 2 and 5 against sample covariances; its exact covariance over all batches of
    N = 2 on a tiny problem and N = 3 on a gate against the formula, with h by the library; the closed form for N up to
    1000; the batch mean's as ((N−1)/N)² of it.
    """
    mdp, (policy, theta) = problem.tiny, problem.policy(problem.tiny)
    t, residuals = trajectories(mdp, policy, theta), []
    out, mean = (replace(WHOLE, baseline=b) for b in (leave_one_out_return, biased_batch_mean_return))
    for N in (2, 5):
        for chosen in problem.rng(N).choice(len(t), size=(20, N), p=t.prob):
            batch = t.batch.select(chosen.tolist())
            F, R = episode_scores(policy, theta, batch, np.ones(batch.n_steps)), batch.returns()
            with_F = (F - F.mean(axis=0)).T @ (R - R.mean())
            residuals += [
                difference(out(policy, theta, batch).gradient, with_F / (N - 1)),
                difference(mean(policy, theta, batch).gradient, with_F / N),
            ]

    two = gate()
    table = table_policy(two)
    numbers: dict[str, float] = {}
    for N, m, pi, x in ((2, mdp, policy, theta), (3, two, table, problem.theta(table))):
        prob, h = pair_estimates(out, m, pi, x)
        formula, whole = u_statistic(prob, h, N), whole_return_moments(m, pi, x)
        listed, of_mean = exact_moments(out, m, pi, x, n=N), exact_moments(mean, m, pi, x, n=N)
        residuals += [
            difference(listed.mean, gradient_by_step(m, pi, x)),
            difference(listed.covariance, formula.covariance),
            difference(np.diag(of_mean.covariance), whole.batch_mean_variances(N)),
        ]
        for n in (2, 3, 10, 1000):
            residuals.append(
                difference(n * whole.leave_one_out_variances(n), n * np.diag(u_statistic(prob, h, n).covariance))
            )
            numbers[f"N = {N}: {n} Var ĝ_{n}"] = n * float(whole.leave_one_out_variances(n).sum())
        numbers[f"N = {N}: its limit, Var[F (R − J)]"] = whole.variance(whole.R)
    return Finding(worst(*residuals), numbers=numbers)


def _whole(baseline: Baseline) -> PolicyGradient:
    return replace(WHOLE, baseline=baseline)


def _to_go(baseline: Baseline) -> PolicyGradient:
    return replace(TO_GO, baseline=baseline)


def _states(batch: Batch) -> IntArray:
    return np.asarray(batch.obs.argmax(axis=1))


def _mean_of_pairs(g: Estimator, mdp: TabularMDP, policy: ComposedPolicy, theta: FloatArray) -> FloatArray:
    """E ĝ over all batches of two."""
    return exact_moments(g, mdp, policy, theta, n=2, symmetric=True).mean


def _alive_mean(mdp: TabularMDP, policy: ComposedPolicy, theta: FloatArray, N: int) -> FloatArray:
    """Σ_t (1 − (1 − (1 − q_t)^N)/(N q_t)) E[f_t Q_t], by d_t, Q_t and scores."""
    pi, f, Q = probabilities(mdp, policy, theta), scores(mdp, policy, theta), values(mdp, policy, theta).Q
    d = visits(mdp, pi)
    q = d.sum(axis=1)
    factor = np.where(q > 0, 1 - (1 - (1 - q) ** N) / (N * np.where(q > 0, q, 1)), 0)
    return field(mdp, f, factor[:, None] * d, pi, Q)


def _on_every_batch(problem: Problem, t: Trajectories, policy: ComposedPolicy, theta: FloatArray) -> float:
    """Leave-one-out against N/(N−1) times the batch mean and against cross-fitting in N folds, on batches of 5."""
    N, residuals = 5, []
    for chosen in problem.rng(1).choice(len(t), size=(20, N), p=t.prob):
        batch = t.batch.select(chosen.tolist())
        out, mean, fold = (
            _to_go(b)(policy, theta, batch).gradient
            for b in (leave_one_out, biased_batch_mean, CrossFitted(time_mean_fit, n_folds=N))
        )
        out_R, mean_R = (
            _whole(b)(policy, theta, batch).gradient for b in (leave_one_out_return, biased_batch_mean_return)
        )
        residuals += [difference(out, N / (N - 1) * mean), difference(out, fold)]
        residuals.append(difference(out_R, N / (N - 1) * mean_R))
    return worst(*residuals)


def _fitted_on_itself(problem: Problem) -> float:
    """The largest ĝ of some forty single episodes that meet no state twice, with a table fitted on that episode."""
    mdp, (policy, theta) = problem.mdp, problem.policy(problem.mdp)
    t = trajectories(mdp, policy, theta)
    estimator, largest = _to_go(BiasedFitted(TableFit(_states, mdp.n_states))), 0.0
    for i in range(0, len(t), max(1, len(t) // 40)):
        batch = t.batch.select([i])
        if len(set(_states(batch).tolist())) == batch.n_steps:
            largest = max(largest, float(np.abs(estimator(policy, theta, batch).gradient).max()))
    return largest
