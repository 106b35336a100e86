"""Section 7: ratios of policies in J and ∇J (W1, W2, W3, W7). Derived in docs/derivations/off_policy.md."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ..baselines import Baseline, ConstantBaseline, StateBaseline, TimeBaseline
from ..estimators import (
    Estimator,
    OffPolicyGradient,
    PerDecisionGradient,
    PolicyGradient,
    importance,
    log_ratios,
    per_decision_returns,
    trajectory_ratio,
    trajectory_returns,
)
from ..oracle import TabularMDP, Trajectories, objective, probabilities, separable_moments, trajectories
from ..policies import ComposedPolicy
from ..types import Array, FloatArray
from .catalogue import Finding, statement
from .measures import complex_gradient, difference, must, worst
from .paths import gradient_by_step, path_probabilities
from .problem import Problem


@statement(
    id="W1",
    section=7,
    statement="E_p[f] = E_q[(p/q) f] if q > 0 wherever p f ≠ 0",
    source="CS224R",
    kind="exact",
)
def change_of_measure(problem: Problem) -> Finding:
    """Σ p f = Σ_{q>0} q (p/q) f + Σ_{q=0} p f, and the last sum is empty or zero if q > 0 wherever p f ≠ 0.

    For trajectories start and dynamics cancel in p/q, which is Π_t π(a_t|s_t)/β(a_t|s_t). If β never takes some action,
    its data lack the second sum, however many they are. It does no harm where f is zero.

    Measured: the library's weights on all trajectories of β, for a random f(τ), against the mean under π; the same for
    a β that lacks an action in one state, which misses Σ p f of the trajectories with it, and for an f that is zero on
    these.
    """
    mdp = problem.mdp
    policy, theta = problem.policy(mdp)
    t = trajectories(mdp, policy, problem.theta(policy, 1))
    p, f = path_probabilities(mdp, t, probabilities(mdp, policy, theta)), problem.table(len(t))

    s = int(t.states[0])  # a state that can be the first
    table = probabilities(mdp, policy, problem.theta(policy, 1)).copy()
    table[s, 0] = 0
    table[s] /= table[s].sum()
    missing = trajectories(mdp, table)
    passes = t.sum(((t.states == s) & (t.batch.act == 0)).astype(float)) > 0  # trajectories that this β lacks
    q = path_probabilities(mdp, t, table)
    short, harmless = (_mean_by_weights(policy, theta, missing, g[~passes]) for g in (f, np.where(passes, 0, f)))
    return Finding(
        worst(
            difference(_mean_by_weights(policy, theta, t, f), p @ f),
            difference(missing.prob, q[~passes]),
            difference(p @ f - short, p @ (passes * f)),
            difference(harmless, p @ np.where(passes, 0, f)),
            must(abs(p @ f - short) > 1e-9),
        ),
        numbers={"E_π f": float(p @ f), "by a β that lacks an action": short},
    )


@statement(
    id="W2",
    section=7,
    statement="Π_kρ_k (Σ_t f_t)(R − b) and Π_kρ_k Σ_t f_t(G_t − b) from β have the mean ∇J(θ)",
    source="CS224R, CS285 4.4",
    kind="exact",
)
def ratio_of_trajectories(problem: Problem) -> Finding:
    """W1 with f(τ) the on-policy estimate at θ: E_β[Πρ g] = E_θ[g], for any g whose mean under π_θ is ∇J(θ): P1, P3, P4
    with every baseline of B1. The scores are those of π_θ at actions of β.

    Measured: exact means of the library's estimator under β, with and without causality and discounting, and with
    constant, time- and state-dependent baselines, against ∇J by complex step.
    """
    residuals, variances = [], {}
    for mdp in (problem.mdp, problem.discounted):
        policy, theta = problem.policy(mdp)
        beta, truth = (policy, problem.theta(policy, 1)), gradient_by_step(mdp, policy, theta)
        of_states, of_times = problem.table(mdp.n_states), problem.table(3, stream=1)
        baselines: dict[str, Baseline] = {
            "0": ConstantBaseline(0.0),
            "b": ConstantBaseline(0.7),
            "b_t": TimeBaseline(of_times),
            "b(s)": StateBaseline(lambda batch, b=of_states: batch.obs @ b),  # type: ignore[misc]
        }
        for causality, name in ((False, "0"), (False, "b"), (True, "0"), (True, "b"), (True, "b_t"), (True, "b(s)")):
            psi = PolicyGradient(mdp.gamma, causality, baseline=baselines[name]).weights
            estimator = OffPolicyGradient(psi, keep_per_episode=True)
            moments = separable_moments(estimator, mdp, policy, theta, behaviour=beta)
            residuals.append(difference(moments.mean, truth))
            variances[f"Var ĝ, {'G_t' if causality else 'R'} − {name}, γ = {mdp.gamma:.2g}"] = moments.variance
    return Finding(worst(*residuals), numbers=variances)


@statement(
    id="W3",
    section=7,
    statement="Per decision, Σ_t f_t Π_{k≤t}ρ_k Σ_{k≥t} r_k Π_{t<j≤k}ρ_j from β has the mean ∇J(θ)",
    source="CS285 4.4",
    kind="exact",
)
def ratios_per_decision(problem: Problem) -> Finding:
    """P3 is a sum of terms f_t r_k, t ≤ k, each a function of the first k + 1 steps. In E_β[Πρ f_t r_k] the ratios
    behind k have the mean 1 given the past, E_β[ρ_j|s_j] = Σ_a π(a|s_j) = 1, and may be dropped, from the last one on:

        ∇J(θ) = Σ_{t≤k} E_β[f_t r_k Π_{j≤k}ρ_j] = E_β Σ_t f_t Π_{j≤t}ρ_j Σ_{k≥t} r_k Π_{t<j≤k}ρ_j

    The second product begins behind t, or ρ_t is counted twice (X7). A baseline takes the ratios up to t: the mean of
    Π_{j≤t}ρ_j f_t b_t under β is that of f_t b_t under π_θ, which is 0.

    Measured: the exact mean of the library's estimator under β against ∇J by complex step, with and without baselines
    and discounting; on every trajectory, its terms against the double sum written out.
    """
    residuals = []
    for mdp in (problem.mdp, problem.discounted):
        policy, theta = problem.policy(mdp)
        beta, truth = (policy, problem.theta(policy, 1)), gradient_by_step(mdp, policy, theta)
        for baseline in (ConstantBaseline(0.0), TimeBaseline(problem.table(3))):
            estimator = PerDecisionGradient(mdp.gamma, baseline, keep_per_episode=True)
            residuals.append(difference(separable_moments(estimator, mdp, policy, theta, behaviour=beta).mean, truth))
        t = trajectories(mdp, *beta)
        terms = PerDecisionGradient(mdp.gamma, keep_per_episode=True)(policy, theta, t.batch).per_episode
        residuals.append(difference(np.asarray(terms), _written_out(t, policy, theta, mdp.gamma)))
    whole = OffPolicyGradient(PolicyGradient(baseline=ConstantBaseline(0.0)).weights, keep_per_episode=True)
    mdp = problem.mdp
    policy, theta = problem.policy(mdp)
    variance = {
        name: separable_moments(e, mdp, policy, theta, behaviour=(policy, problem.theta(policy, 1))).variance
        for name, e in (("per decision", PerDecisionGradient(keep_per_episode=True)), ("Πρ of the whole", whole))
    }
    return Finding(worst(*residuals), numbers={f"Var ĝ, {name}": v for name, v in variance.items()})


@statement(
    id="W7",
    section=7,
    statement="J(θ) = E_β[Πρ · R], and per decision E_β[Σ_k r_k Π_{j≤k}ρ_j]; their gradients are W2 and W3",
    source="CS224R",
    kind="exact",
)
def objective_from_other_data(problem: Problem) -> float:
    """W1 with f = R; per decision as in W3. θ is in the ratios alone, and ∇ρ_j = ρ_j f_j:

        ∇ Π_jρ_j R = Π_jρ_j (Σ_t f_t) R,   ∇ Σ_k r_k Π_{j≤k}ρ_j = Σ_k r_k Π_{j≤k}ρ_j Σ_{t≤k} f_t

    on every trajectory: W2 with R, and W3 with its sums exchanged. At θ = β the first is REINFORCE (P1), the second P2.

    Measured: means under β of both estimates of J by the library against J; on every trajectory, the library's
    gradients against complex steps through the ratios.
    """
    residuals = []
    for mdp in (problem.mdp, problem.discounted):
        policy, theta = problem.policy(mdp)
        t, gamma, J = trajectories(mdp, policy, problem.theta(policy, 1)), mdp.gamma, objective(mdp, policy, theta)
        whole = PolicyGradient(gamma, causality=False, baseline=ConstantBaseline(0.0)).weights
        pairs: tuple[tuple[Callable[..., FloatArray], Estimator], ...] = (
            (trajectory_returns, OffPolicyGradient(whole, keep_per_episode=True)),
            (per_decision_returns, PerDecisionGradient(gamma, keep_per_episode=True)),
        )
        by_step = complex_gradient(partial(_weighted_returns, mdp, policy, t), theta)
        for i, (returns, estimator) in enumerate(pairs):
            values = returns(policy, theta, t.batch, gamma=gamma)
            terms = np.asarray(estimator(policy, theta, t.batch).per_episode)
            residuals += [
                difference(t.expect(values), J),
                difference(values, _weighted_returns(mdp, policy, t, theta)[i]),
                difference(terms, by_step[i]),
            ]
    return worst(*residuals)


def _mean_by_weights(policy: ComposedPolicy, theta: FloatArray, t: Trajectories, f: FloatArray) -> float:
    """E_β[w f] with the library's weights of whole trajectories."""
    w = importance(trajectory_ratio(log_ratios(policy, theta, t.batch), t.batch), t.batch)
    return float(t.expect(w[t.batch.offsets[:-1]] * f))


def _weighted_returns(mdp: TabularMDP, policy: ComposedPolicy, t: Trajectories, theta: Array) -> Array:
    """Π_kρ_k R and Σ_k γ^k r_k Π_{j≤k}ρ_j of every trajectory, from the table of π_θ, complex or not, (2, M)."""
    rho = probabilities(mdp, policy, theta)[t.states, t.batch.act] * np.exp(-t.batch.logp)
    taken, rew = t.pad(np.ones(len(rho))) > 0, t.pad(t.batch.rew * mdp.gamma**t.batch.time)
    w = np.cumprod(np.where(taken, t.pad(rho), 1), axis=1)
    return np.stack([w[:, -1] * rew.sum(axis=1), (w * rew).sum(axis=1)])


def _written_out(t: Trajectories, policy: ComposedPolicy, theta: FloatArray, gamma: float) -> FloatArray:
    """Σ_t γ^t f_t Π_{k≤t}ρ_k Σ_{k≥t} γ^{k−t} r_k Π_{t<j≤k}ρ_j of every trajectory, term by term."""
    lin = policy.at(theta, t.batch.obs, t.batch.act)
    f, rho = lin.vjp_rows(np.ones(t.batch.n_steps)), np.exp(lin.log_prob - t.batch.logp)
    out = np.zeros((len(t), len(theta)))
    for i, (first, end) in enumerate(zip(t.batch.offsets[:-1], t.batch.offsets[1:], strict=True)):
        for a in range(first, end):
            for k in range(a, end):
                product = rho[first : a + 1].prod() * rho[a + 1 : k + 1].prod()
                out[i] += gamma ** (k - first) * f[a] * product * t.batch.rew[k]
    return out
