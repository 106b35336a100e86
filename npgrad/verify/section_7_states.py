"""Section 7: what ratios of actions leave out, and what the product of all costs (W4, W8, W9).

Derived in docs/derivations/off_policy.md.
"""

from __future__ import annotations

import numpy as np

from ..baselines import ConstantBaseline
from ..estimators import (
    OffPolicyGradient,
    PolicyGradient,
    causal_ratio,
    importance,
    local_surrogate,
    log_ratios,
    step_ratio,
    trajectory_ratio,
)
from ..oracle import (
    TabularMDP,
    probabilities,
    ratio_second_moments,
    scores,
    separable_moments,
    surrogate,
    trajectories,
    values,
)
from ..types import Batch, FloatArray
from .catalogue import Finding, statement
from .measures import complex_gradient, difference, must, worst
from .paths import gradient_by_step, tally
from .problem import Problem
from .tabular_cases import row_weights, visits


@statement(
    id="W4",
    section=7,
    statement="Without ratios behind t the mean is ΣE_{d_t^θ,π_θ}[f Q_t^β], with ρ_t alone ∇L_β(θ): biased if θ ≠ β",
    source="CS224R, CS285 4.4",
    kind="exact",
)
def dropped_ratios(problem: Problem) -> Finding:
    """Given the past and (s_t, a_t), E_β[G_t] = Q_t^β(s_t,a_t). The ratios up to t turn the distribution of (s_t, a_t)
    into that of π_θ, but nothing turns Q^β into Q^θ:

        E_β[Π_{k≤t}ρ_k f_t G_t] = Σ_s d_t^θ(s) Σ_a π_θ(a|s) f(s,a) Q_t^β(s,a)

    With ρ_t alone the states, too, are those of β, and Σ_a π_θ f = Σ_a ∇π_θ:

        E_β[ρ_t f_t G_t] = Σ_s d_t^β(s) Σ_a ∇π_θ(a|s) Q_t^β(s,a) = ∇_θ Σ_s d_t^β(s) Σ_a π_θ(a|s) A_t^β(s,a)

    as Σ_a ∇π_θ V = 0. Summed over t it is the gradient of L_β(θ) = J(β) + Σ_t E_{d_t^β,π_θ}[A_t^β], which agrees with J
    at β to first order. At θ = β all ratios are 1, and both are reward-to-go.

    Measured: exact means of the library's estimators under β against these sums, by oracle tables, and against a
    complex step through L_β; L_β itself against the library's surrogate; both means at θ = β against ∇J.
    """
    residuals, numbers = [], {}
    for mdp in (problem.mdp, problem.discounted):
        policy, theta = problem.policy(mdp)
        beta, gamma, truth = problem.theta(policy, 1), mdp.gamma, gradient_by_step(mdp, policy, theta)
        pi, f, v = probabilities(mdp, policy, theta), scores(mdp, policy, theta), values(mdp, policy, beta)
        psi = PolicyGradient(gamma, baseline=ConstantBaseline(0.0)).weights
        causal, by_step = (OffPolicyGradient(psi, ratio, keep_per_episode=True) for ratio in (causal_ratio, step_ratio))
        d = visits(mdp, pi)
        d *= gamma ** np.arange(len(d))[:, None]
        mean_causal = separable_moments(causal, mdp, policy, theta, behaviour=(policy, beta)).mean
        mean_step = separable_moments(by_step, mdp, policy, theta, behaviour=(policy, beta)).mean
        of_L = complex_gradient(lambda x: surrogate(mdp, (policy, x), (policy, beta)), theta)  # noqa: B023

        t = trajectories(mdp, policy, beta)
        A = v.A[t.batch.time, t.states, t.batch.act] * gamma**t.batch.time
        L = local_surrogate(policy, theta, t.batch, row_weights(t) * len(t) * A)  # 1/N Σ_i is E_β
        residuals += [
            difference(mean_causal, np.einsum("ts,sa,tsa,sap->p", d, pi, v.Q, f)),
            difference(mean_step, of_L),
            difference(L, surrogate(mdp, (policy, theta), (policy, beta))),
            *(
                difference(separable_moments(e, mdp, policy, beta).mean, gradient_by_step(mdp, policy, beta))
                for e in (causal, by_step)
            ),
        ]
        for name, mean in (("Π_{k≤t}ρ_k", mean_causal), ("ρ_t", mean_step)):
            numbers[f"‖bias‖ / ‖∇J‖ with {name}, γ = {gamma:.2g}"] = float(
                np.linalg.norm(mean - truth) / np.linalg.norm(truth)
            )
    return Finding(worst(*residuals, must(min(numbers.values()) > 1e-9)), numbers=numbers)


@statement(
    id="W8",
    section=7,
    statement="E_β[Π_{k<t}ρ_k | s_t] = d_t^θ/d_t^β; (d_t^θ/d_t^β)(s_t) ρ_t f_t Q_t^θ has the mean ∇J(θ)",
    source="CS224R, CS285 4.4",
    kind="exact",
)
def ratio_of_states(problem: Problem) -> Finding:
    """For any g(s_t), W1 on the first t steps, whose ratio is Π_{k<t}ρ_k:

        Σ_s d_t^β(s) E_β[Π_{k<t}ρ_k | s_t = s] g(s) = E_β[Π_{k<t}ρ_k g(s_t)] = E_θ[g(s_t)] = Σ_s d_t^θ(s) g(s)

    so the conditional mean is d_t^θ/d_t^β. Put in the place of the product it leaves the mean, and each term has less
    variance. With ρ_t and the Q of π_θ, which needs no ratios behind t, Σ_t Σ_s d_t^θ Σ_a π_θ f Q_t^θ = ∇J (P6). Only
    that d_t^θ/d_t^β is not known.

    Measured: conditional means of the library's products over all trajectories of β through (t, s) against marginals by
    the oracle; the exact mean of the library's estimator with that ratio against ∇J by complex step.
    """
    mdp = problem.discounted
    policy, theta = problem.policy(mdp)
    beta = (policy, problem.theta(policy, 1))
    d_theta, d_beta = (visits(mdp, probabilities(mdp, *who)) for who in ((policy, theta), beta))
    t, seen = trajectories(mdp, *beta), d_beta > 0
    ratio = np.where(seen, d_theta / np.where(seen, d_beta, 1), 0)
    log_rho = log_ratios(policy, theta, t.batch)
    before = importance(causal_ratio(log_rho, t.batch) - log_rho, t.batch)  # Π_{k<t} ρ_k
    Q, state_of = values(mdp, policy, theta).Q, mdp.obs.argmax(axis=0)  # observations are one-hot

    def psi(batch: Batch) -> FloatArray:
        s = state_of[batch.obs.argmax(axis=1)]
        return np.asarray(mdp.gamma**batch.time * ratio[batch.time, s] * Q[batch.time, s, batch.act])

    exact = separable_moments(
        OffPolicyGradient(psi, step_ratio, keep_per_episode=True), mdp, policy, theta, behaviour=beta
    )
    means = tally(t, t.states, mdp.n_states, before)
    return Finding(
        worst(
            difference(means[seen] / d_beta[seen], ratio[seen]),
            difference(exact.mean, gradient_by_step(mdp, policy, theta)),
        ),
        numbers={"largest ratio of states": float(ratio.max()), "largest product of ratios": float(before.max())},
    )


@statement(
    id="W9",
    section=7,
    statement="E_β[(Π_{k<t}ρ_k)²] = p_0 Mᵗ 1 with M(s,s') = Σ_a π²/β p(s'|s,a): exponential in t, while episodes go on",
    source="CS285 4.4",
    kind="exact",
)
def growth_of_ratios(problem: Problem) -> Finding:
    """Let m_t(s') = E_β[(Π_{k<t}ρ_k)² 1[s_t = s']]. One more step draws a from β and multiplies by (π/β)²:

        m_{t+1}(s') = Σ_s m_t(s) Σ_a β (π/β)² p(s'|s,a) = Σ_s m_t(s) M(s,s')

    Row s of M sums to Σ_a π²/β = 1 + χ²(π‖β)(s) ≥ 1. Let ϱ be the spectral radius of M and x > 0 its vector, Mx = ϱx.
    As x/max x ≤ 1 ≤ x/min x, Σ_s m_t(s) = p_0 Mᵗ 1 lies between ϱᵗ p_0x/max x and ϱᵗ p_0x/min x. Where no episode ends,
    ϱ > 1 if π ≠ β in a state that is visited again and again: exponential in t, while the mean stays 1. The state ratio
    of W8 need not grow.

    An episode that ends has no more ratios. With M₀ the block of M among states that go on, the second moment stays
    bounded for T → ∞ if the spectral radius of M₀ is below 1: termination can outrun the ratios.

    Measured: squares of the library's products over all trajectories of β, those of the first t steps for every t,
    against the oracle's powers; these between their bounds up to t = 40 on an endless chain; and their limit where each
    step is the last with probability ½ and Σ_a π²/β = 1.04.
    """
    residuals = []
    for mdp in (problem.mdp, problem.endless.replace(horizon=3)):
        policy, theta = problem.policy(mdp)
        target, beta = (policy, theta), (policy, problem.theta(policy, 1))
        by_powers = ratio_second_moments(mdp, target, beta)
        for steps in range(1, len(by_powers)):
            t = trajectories(mdp, *beta, length=steps)
            w = importance(trajectory_ratio(log_ratios(policy, theta, t.batch), t.batch), t.batch)[t.batch.offsets[:-1]]
            residuals += [difference(t.expect(w**2), by_powers[steps]), difference(t.expect(w), 1.0)]

    T, endless = 40, problem.endless.replace(horizon=40)
    policy, theta = problem.policy(endless)
    pi, b = (probabilities(endless, policy, x) for x in (theta, problem.theta(policy, 1)))
    eigenvalues, vectors = np.linalg.eig(np.einsum("sa,sax->sx", pi**2 / b, endless.P))
    top = np.abs(eigenvalues).argmax()
    radius, x = np.abs(eigenvalues[top]), np.abs(vectors[:, top])
    scaled = ratio_second_moments(endless, pi, b) / radius ** np.arange(T + 1)  # m_t / ϱᵗ
    low, high = endless.start @ x / x.max(), endless.start @ x / x.min()

    # ends after each step with probability ½: Σ_k ½ᵏ xᵏ with x = 1.04 stays bounded
    P = np.array([[[0.5, 0.5]] * 2, [[0.0, 1.0]] * 2])
    mortal = TabularMDP(np.eye(2)[0], P, np.zeros((2, 2)), horizon=200, terminal=np.array([False, True]))
    bounded = ratio_second_moments(mortal, np.tile([0.6, 0.4], (2, 1)), np.full((2, 2), 0.5))[-1]
    return Finding(
        worst(
            *residuals,
            max(0.0, float((low - scaled).max()), float((scaled / high - 1).max())),
            must(radius > 1),
            difference(bounded, 0.52 / 0.48),
        ),
        numbers={"ϱ": float(radius), "E_β[(Πρ)²] after 40 steps": float(scaled[-1] * radius**T)},
    )
