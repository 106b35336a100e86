"""Section 4, discounted and average reward (P4, P5, P14 … P17). Derived in docs/derivations/estimators.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..baselines import no_baseline
from ..estimators import Advantage, AllActions, PolicyGradient, ScoreFunction, TDResidual
from ..oracle import (
    TabularMDP,
    Trajectories,
    average_gradient,
    average_reward,
    differential_values,
    gradient,
    marginals,
    occupancy,
    probabilities,
    scores,
    separable_moments,
    stationary_distribution,
    trajectories,
    values,
)
from ..policies import ComposedPolicy
from ..types import Array, Batch, FloatArray
from .catalogue import Finding, statement
from .measures import complex_gradient, difference, must, worst
from .on_tables import action_critic, field, mean_of, value_critic
from .paths import gradient_by_step, path_probabilities
from .problem import Problem
from .smallest import gate, repeated
from .tabular_cases import table_policy

TO_GO = PolicyGradient(baseline=no_baseline, keep_per_episode=True)


@statement(
    id="P4", section=4, statement="E[Σ_t γ^t f_t G_t] = ∇J_γ, G_t = Σ_{k≥t} γ^{k−t} r_k", source="10-703", kind="exact"
)
def discounted_causality(problem: Problem) -> Finding:
    """P2 with the rewards γ^k r_k: ∇J_γ = E Σ_t f_t Σ_{k≥t} γ^k r_k, and γ^k = γ^t γ^{k−t}.

    So γ^t is no matter of taste: an action at t moves rewards that all count γ^t or less.

    Measured: the exact mean of the library's estimator against a complex step through J_γ, policies linear and MLP.
    """
    mdp, residuals, numbers = problem.discounted, [], {"γ": problem.discounted.gamma}
    for kind in ("linear", "mlp"):
        policy, theta = problem.policy(mdp, kind)
        m = separable_moments(replace(TO_GO, gamma=mdp.gamma), mdp, policy, theta)
        residuals.append(difference(m.mean, gradient_by_step(mdp, policy, theta)))
        numbers[f"Var ĝ, {kind}"] = m.variance
    return Finding(worst(*residuals), numbers=numbers)


@statement(
    id="P5",
    section=4,
    statement="G_t or A^{π,γ}, γ < 1, without γ^t: the mean is in general neither ∇J_γ nor ∇J; it can save variance",
    source="Seita, 10-703",
    kind="exact",
)
def discount_without_its_power(problem: Problem) -> Finding:
    """E[f_t G_t | s_t] = E[f_t Q^γ_t | s_t], and V^γ_t(s_t) has no part in the mean (B1). So both forms have the mean

        Σ_t Σ_s d_t(s) Σ_a ∇π(a|s) Q^γ_t(s,a)

    ∇J_γ with γ^t for 1, and ∇J with Q for Q^γ. The bias to the one is Σ_t (1 − γ^t) E[f_t Q^γ_t], to the other
    Σ_t E[f_t (Q^γ_t − Q_t)].

    A gate: action 1 goes on to a second choice, whose action 1 pays 1; π uniform, γ = ½. In the two logits of action 1,
    ∇J = (1, 1)/8 and ∇J_γ = (½, ½)/8; P5 has (½, 1)/8, no multiple of either. A coin, tossed 6 times, heads paying 1:
    what comes later does not depend on a_t, so discounting it away leaves ∇J, with less variance.

    Measured: the exact mean of the library's estimator, with returns and with A^{π,γ}, against d_t, Q^γ_t and scores;
    the two examples; biases and variances.
    """
    mdp, policy, theta = problem.discounted, *problem.policy(problem.discounted)
    gamma, v = mdp.gamma, values(mdp, *problem.policy(problem.discounted))
    moments = {
        "P3": separable_moments(TO_GO, mdp, policy, theta),
        "P4": separable_moments(replace(TO_GO, gamma=gamma), mdp, policy, theta),
        "P5": separable_moments(_without_power(gamma), mdp, policy, theta),
    }
    by_advantage = ScoreFunction(Advantage(action_critic(v.Q), value_critic(v.V)), keep_per_episode=True)
    exact = _field_at(mdp, policy, omega=1.0)(theta)
    residuals = [difference(moments["P5"].mean, exact), difference(mean_of(by_advantage, mdp, policy, theta), exact)]

    two, uniform = gate(), np.zeros(6)
    table = table_policy(two)
    means = [mean_of(g, two, table, uniform) for g in (TO_GO, replace(TO_GO, gamma=0.5), _without_power(0.5))]
    logits = [[m[1], m[3]] for m in means]  # of action 1 in either state
    residuals.append(difference(logits, [[1 / 8, 1 / 8], [1 / 16, 1 / 16], [1 / 16, 1 / 8]]))

    coin = repeated([0.0, 1.0], steps=6)
    tosses = [separable_moments(g, coin, table_policy(coin), np.zeros(2)) for g in (TO_GO, _without_power(0.5))]
    residuals += [difference(tosses[1].mean, [-1.5, 1.5]), must(tosses[1].variance < tosses[0].variance)]
    size = np.linalg.norm
    return Finding(
        worst(*residuals),
        numbers={
            "γ": gamma,
            "‖bias to ∇J_γ‖/‖∇J_γ‖": float(size(exact - moments["P4"].mean) / size(moments["P4"].mean)),
            "‖bias to ∇J‖/‖∇J‖": float(size(exact - moments["P3"].mean) / size(moments["P3"].mean)),
            **{f"Var of {name}": m.variance for name, m in moments.items()},
            "six tosses: Var of P3": tosses[0].variance,
            "six tosses: Var of P5": tosses[1].variance,
        },
    )


@statement(
    id="P14",
    section=4,
    statement="∇J_avg = E_μ[f Q] with differential values, of a unichain",
    source="CS285 3.1 (J alone)",
    kind="exact",
)
def average_reward_gradient(problem: Problem) -> Finding:
    """h = r_π − J_avg + P_π h defines h but for a constant, which μᵀh = 0 fixes; Q(s,a) = r(s,a) − J_avg + Σ_s' p
    h(s'), so h = E_a Q. Differentiate h(s) = Σ_a π Q and take the mean over μ:

        ∇h = Σ_a ∇π Q − ∇J_avg + P_π ∇h,    μᵀP_π = μᵀ    ⇒    0 = E_μ[f Q] − ∇J_avg

    ∇h drops out: nobody need know how values or μ move. δ = r − J_avg + h(s') − h(s) has the mean Q − h given (s, a),
    so it may stand for Q.

    Measured: single steps with s_0 ~ μ as episodes; the exact means of the library's estimators with Q and with δ
    against a complex step through J_avg = μ(θ)ᵀr_π(θ); Q by the equation.
    """
    mdp, (policy, theta) = problem.endless, problem.policy(problem.endless)
    mu, v = stationary_distribution(mdp, policy, theta), differential_values(mdp, policy, theta)
    J = float(average_reward(mdp, policy, theta))
    truth = complex_gradient(lambda x: average_reward(mdp, policy, x), theta)
    by_Q = _of_one_step(ScoreFunction(action_critic(v.Q), keep_per_episode=True), mdp, mu, policy, theta)

    def delta(batch: Batch) -> FloatArray:
        return TDResidual(value_critic(v.V))(batch) - J

    by_delta = _of_one_step(ScoreFunction(delta, keep_per_episode=True), mdp, mu, policy, theta)
    ahead = (mdp.P * (mdp.R + v.V)).sum(axis=2) - J
    return Finding(
        worst(
            difference(by_Q, truth),
            difference(by_delta, truth),
            difference(average_gradient(mdp, policy, theta), truth),
            difference(v.Q, ahead),
            difference(mu @ v.V, 0.0),
        ),
        numbers={"J_avg": J, "‖∇J_avg‖": float(np.linalg.norm(truth))},
    )


@statement(
    id="P15",
    section=4,
    statement="d_γ = (I − γP_πᵀ)⁻¹p_0: ∇J_γ = Σ_s d_γ(s) Σ_a ∇π Q; a normalised d gives only a multiple",
    source="beyond (Sutton et al. 2000)",
    kind="exact",
)
def discounted_occupancy(problem: Problem) -> Finding:
    """Differentiate V = Σ_a π Q, Q = r + γ Σ_s' p V:

        ∇V = Σ_a ∇π Q + γ P_π ∇V    ⇒    ∇V = (I − γP_π)⁻¹ Σ_a ∇π Q    ⇒    ∇J_γ = p_0ᵀ∇V = Σ_s d_γ(s) Σ_a ∇π Q

    d_γ = Σ_t γ^t p_t has the sum 1/(1 − γ), or less where episodes end. States drawn from d_γ/Σd_γ, as every sampler
    draws them, have a gradient Σd_γ times too short; where episodes end, that number depends on θ.

    Measured: single steps with s_0 ~ d_γ/Σd_γ; the exact means of the library's estimators with all actions and with
    one, times Σd_γ, against a complex step through J_γ; with an end and without; d_γ against its series.
    """
    endless = problem.endless
    ends = problem.random_mdp(3, 2, None, stream=20, gamma=endless.gamma, n_terminal=1)
    residuals, numbers = [], {}
    for name, mdp in (("endless", endless), ("with an end", ends)):
        policy, theta = problem.policy(mdp)
        d, Q = occupancy(mdp, policy, theta), values(mdp, policy, theta).Q
        truth, critic = gradient_by_step(mdp, policy, theta), action_critic(Q)
        for estimator in (
            AllActions(critic.table, keep_per_episode=True),
            ScoreFunction(critic, keep_per_episode=True),
        ):
            mean = _of_one_step(estimator, mdp, d / d.sum(), policy, theta)
            residuals.append(difference(d.sum() * mean, truth))
        p = marginals(mdp, policy, theta, steps=1000)[:-1] * ~mdp.terminal
        residuals += [
            difference(d, mdp.gamma ** np.arange(1000) @ p),
            difference(gradient(mdp, policy, theta), truth),
        ]
        numbers[f"{name}: Σ_s d_γ(s)"] = float(d.sum())
    return Finding(worst(*residuals), numbers=numbers | {"1/(1 − γ)": 1 / (1 - endless.gamma)})


@statement(
    id="P16",
    section=4,
    statement="E_μ[f Q^γ] = ∇J_avg − (1−γ) Σ_s ∇μ(s) V^γ(s): what discounting costs in the average-reward problem",
    source="beyond (Baxter and Bartlett 2001)",
    kind="exact",
)
def cost_of_discounting(problem: Problem) -> Finding:
    """μᵀV^γ = μᵀ(r_π + γP_πV^γ) = J_avg + γ μᵀV^γ, so μᵀV^γ = J_avg/(1 − γ). Differentiate both sides:

        Σ ∇μ V^γ + μᵀ∇V^γ = ∇J_avg/(1 − γ)

    and μᵀ∇V^γ = E_μ[f Q^γ] + γ μᵀ∇V^γ, as in P15, so μᵀ∇V^γ = E_μ[f Q^γ]/(1 − γ). What is lacking is small near γ = 1:
    V^γ = J_avg/(1 − γ) + h + O(1 − γ) and Σ∇μ = 0, which leaves (1 − γ) Σ ∇μ h.

    Measured: single steps with s_0 ~ μ; the exact mean of the library's estimator with Q^γ against complex steps
    through J_avg and through μ, at the problem's γ and at .99; the bias over its limit form.
    """
    mdp, (policy, theta) = problem.endless, problem.policy(problem.endless)
    mu = stationary_distribution(mdp, policy, theta)
    J_slope = complex_gradient(lambda x: average_reward(mdp, policy, x), theta)
    mu_slope = complex_gradient(lambda x: stationary_distribution(mdp, policy, x), theta)  # (S, P)
    h = differential_values(mdp, policy, theta).V
    residuals, numbers = [], {"‖∇J_avg‖": float(np.linalg.norm(J_slope))}
    for gamma in (mdp.gamma, 0.99):
        v = values(mdp.replace(gamma=gamma), policy, theta)
        mean = _of_one_step(ScoreFunction(action_critic(v.Q), keep_per_episode=True), mdp, mu, policy, theta)
        residuals.append(difference(mean, J_slope - (1 - gamma) * v.V @ mu_slope))
        numbers[f"‖bias‖/(1 − γ), γ = {gamma:.3g}"] = float(np.linalg.norm(mean - J_slope) / (1 - gamma))
    return Finding(worst(*residuals), numbers=numbers | {"its limit, ‖Σ ∇μ h‖": float(np.linalg.norm(h @ mu_slope))})


@statement(
    id="P17",
    section=4,
    statement="θ ↦ E[P5] has an asymmetric Jacobian: no function has it for its gradient; that of P4 is symmetric",
    source="beyond (Nota and Thomas 2020)",
    kind="exact",
)
def gradient_of_nothing(problem: Problem) -> Finding:
    """The Jacobian of a gradient ∇J is a Hessian, ∂²J/∂θ_i∂θ_j, which does not care in which order one differentiates.
    A smooth field whose Jacobian is not symmetric is the gradient of no function at all.

    A gate: logits u of going on, v of taking the 1 behind it, p = π_u, q = π_v. E[P5] has the components γ p'q and p q'
    (P5), so that

        ∂F_u/∂v = γ p'q',    ∂F_v/∂u = p'q'

    equal only at γ = 1 (or where nothing moves). At π uniform and γ = ½: 1/32 and 1/16.

    Measured: complex steps through the exact means of the library's estimators, probabilities and scores both at the
    complex θ; that of P5 against a complex step through Σ_t Σ_s d_t Σ_a ∇π Q^γ_t; the gate.
    """
    mdp, (policy, theta) = problem.discounted, problem.policy(problem.discounted)
    t = trajectories(mdp, policy, theta)
    of_P4 = complex_gradient(_mean_at(replace(TO_GO, gamma=mdp.gamma), mdp, t, policy), theta)
    of_P5 = complex_gradient(_mean_at(_without_power(mdp.gamma), mdp, t, policy), theta)

    two, uniform = gate().replace(gamma=0.5), np.zeros(6)
    table = table_policy(two)
    all_of_two = trajectories(two, table, uniform)
    F = complex_gradient(_mean_at(_without_power(0.5), two, all_of_two, table), uniform)
    G = complex_gradient(_mean_at(replace(TO_GO, gamma=0.5), two, all_of_two, table), uniform)
    return Finding(
        worst(
            difference(of_P4, of_P4.T),
            difference(of_P5, complex_gradient(_field_at(mdp, policy, omega=1.0), theta)),
            difference(of_P4, complex_gradient(_field_at(mdp, policy, omega=mdp.gamma), theta)),
            difference([F[1, 3], F[3, 1]], [1 / 32, 1 / 16]),
            difference([G[1, 3], G[3, 1]], [1 / 32, 1 / 32]),
        ),
        numbers={
            "‖H − Hᵀ‖/‖H‖ of P5": float(np.linalg.norm(of_P5 - of_P5.T) / np.linalg.norm(of_P5)),
            "of P4": float(np.linalg.norm(of_P4 - of_P4.T) / np.linalg.norm(of_P4)),
            "gate, P5": f"{F[1, 3]:.6g} and {F[3, 1]:.6g}",
        },
    )


def _without_power(gamma: float) -> PolicyGradient:
    """P5."""
    return replace(TO_GO, gamma=gamma, discount_states=False)


def _field_at(mdp: TabularMDP, policy: ComposedPolicy, omega: float) -> Callable[[Array], Array]:
    """θ ↦ Σ_t ω^t Σ_s d_t(s) Σ_a π(a|s) Q_t(s,a) f(s,a)."""

    def at(theta: Array) -> Array:
        pi = probabilities(mdp, policy, theta)
        d, Q = marginals(mdp, pi)[:-1], values(mdp, pi).Q
        return field(mdp, scores(mdp, policy, theta), omega ** np.arange(len(d))[:, None] * d, pi, Q)

    return at


def _mean_at(
    estimator: PolicyGradient, mdp: TabularMDP, t: Trajectories, policy: ComposedPolicy
) -> Callable[[Array], Array]:
    """θ ↦ Σ_τ p_θ(τ) g(τ; θ), the estimator's terms and the probabilities of their trajectories both at θ."""

    def mean(theta: Array) -> Array:
        p = path_probabilities(mdp, t, probabilities(mdp, policy, theta))
        return np.asarray(p @ np.asarray(estimator(policy, theta, t.batch).per_episode))

    return mean


def _of_one_step(
    estimator: ScoreFunction | AllActions, mdp: TabularMDP, start: Array, policy: ComposedPolicy, theta: FloatArray
) -> FloatArray:
    """E of an estimator on single steps from s_0 ~ start, whose s_1 is not the end of the task."""
    longer = mdp.replace(start=start, horizon=2)
    return separable_moments(estimator, longer, policy, theta, length=1, cut=True).mean
