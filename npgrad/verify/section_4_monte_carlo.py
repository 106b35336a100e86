"""Section 4, estimators from whole episodes (P1 … P3, P9, P12). Derived in docs/derivations/estimators.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..baselines import no_baseline
from ..distributions import Categorical, DiagonalGaussian
from ..estimators import (
    EntropyBonus,
    EntropyRegularised,
    PolicyGradient,
    RewardsTimesPastScores,
    SampledEntropy,
    ScoreFunction,
    log_surrogate,
    score_function_estimate,
    unit_weights,
)
from ..functions import MLP, Concatenated, Fixed
from ..oracle import TabularMDP, Trajectories, marginals, probabilities, separable_moments, trajectories
from ..policies import ComposedPolicy
from ..types import Array, Batch, FloatArray
from .catalogue import Finding, statement
from .measures import complex_gradient, difference, worst
from .on_tables import mean_of
from .paths import gradient_by_step, path_probabilities
from .problem import Problem
from .score_cases import Case, log_softmax_at, policy_case
from .smallest import gate, repeated
from .tabular_cases import table_policy, visits

WHOLE = PolicyGradient(causality=False, baseline=no_baseline, keep_per_episode=True)  # P1
TO_GO = PolicyGradient(baseline=no_baseline, keep_per_episode=True)  # P3; P4 with a γ


@statement(id="P1", section=4, statement="(i) E[R Σ_t f_t] = ∇J", source="all", kind="exact")
def return_times_scores(problem: Problem) -> Finding:
    """J(θ) = Σ_τ p_θ(τ) R(τ), and R does not depend on θ. By L1 and L3

        ∇J = Σ_τ ∇p_θ(τ) R(τ) = Σ_τ p_θ(τ) ∇log p_θ(τ) R(τ) = E[R Σ_t f_t]

    With R = Σ_t γ^t r_t the same words give ∇J_γ. Nothing is asked of R: it may depend on all of τ.

    Measured: the exact mean of the library's estimator, over all trajectories, against a complex step through J by
    dynamic programming, which holds no score; with and without discount, softmax policies linear and MLP.
    """
    residuals, numbers = [], {}
    for mdp in (problem.mdp, problem.discounted):
        for kind in ("linear", "mlp"):
            policy, theta = problem.policy(mdp, kind)
            m = separable_moments(replace(WHOLE, gamma=mdp.gamma), mdp, policy, theta)
            residuals.append(difference(m.mean, gradient_by_step(mdp, policy, theta)))
            numbers[f"Var ĝ, γ = {mdp.gamma:.3g}, {kind}"] = m.variance
    return Finding(worst(*residuals), numbers=numbers)


@statement(
    id="P2",
    section=4,
    statement="(ii) E[Σ_{t'} r_{t'} Σ_{t≤t'} f_t] = ∇J; it is (iii) on every trajectory",
    source="Seita",
    kind="exact",
    tolerance=1e-12,
)
def rewards_times_past_scores(problem: Problem) -> Finding:
    """Take r_{t'} alone for the return. It is known after t' + 1 steps, so their p_θ is enough, and P1 gives

        ∇E[r_{t'}] = E[r_{t'} Σ_{t≤t'} f_t]

    Summed over t', with γ^{t'} before it where γ < 1, it is ∇J. The sum over pairs t ≤ t' in the other order is
    Σ_t f_t Σ_{t'≥t} r_{t'}: (ii) and (iii) are one number on every trajectory. (i) is not: it has the pairs t > t' too.

    Measured: the library's terms against those of reward-to-go, trajectory by trajectory; the mean for each reward
    alone against a complex step through γ^t' E r_t', and of all of them against ∇J.
    """
    residuals, apart = [], 0.0
    for mdp in (problem.mdp, problem.discounted):
        policy, theta = problem.policy(mdp)
        t = trajectories(mdp, policy, theta)
        second = RewardsTimesPastScores(mdp.gamma, keep_per_episode=True)
        first_terms, terms, third_terms = (
            np.asarray(g(policy, theta, t.batch).per_episode)
            for g in (replace(WHOLE, gamma=mdp.gamma), second, replace(TO_GO, gamma=mdp.gamma))
        )
        residuals += [difference(terms, third_terms), difference(t.expect(terms), gradient_by_step(mdp, policy, theta))]
        apart = max(apart, float(np.abs(terms - first_terms).max()))
        for k in range(int(t.batch.lengths.max())):
            alone = replace(t.batch, rew=np.where(t.batch.time == k, t.batch.rew, 0.0))
            mean = t.expect(np.asarray(second(policy, theta, alone).per_episode))
            residuals.append(difference(mean, complex_gradient(_mean_reward(mdp, policy, k), theta)))
    return Finding(worst(*residuals), numbers={"(i) and (ii) on a trajectory, apart by up to": apart})


@statement(
    id="P3",
    section=4,
    statement="(iii) E[Σ_t f_t G_t] = ∇J; it is P1 in the mean only, and not if a reward depends on later actions",
    source="all",
    kind="exact",
)
def causality(problem: Problem) -> Finding:
    """P1 has the pairs f_t r_k with k < t besides. Given s_0, a_0, …, s_t the reward r_k is a number, and f_t has mean
    zero (L4):

        E[f_t r_k] = E[r_k E[f_t | s_0, a_0, …, s_t]] = 0,   k < t

    The step fails if r_k depends on a_t. Then P1 − P3 = E Σ_t f_t Σ_{k<t} r_k is what P3 lacks. One state, two steps,
    r_0 = 1 if a_1 = 1, r_1 = 0: J = π(1), so ∇J = ∇π(1), which P1 has; P3 has E[f_0] π(1) = 0.

    Measured: the exact mean of the library's estimator against a complex step through J; with rewards that are any
    function of the whole trajectory, P1 against a complex step through Σ_τ p_θ(τ) R(τ), and the difference; the
    example.
    """
    residuals = []
    for kind in ("linear", "mlp"):
        mdp, (policy, theta) = problem.mdp, problem.policy(problem.mdp, kind)
        m = separable_moments(TO_GO, mdp, policy, theta)
        residuals.append(difference(m.mean, gradient_by_step(mdp, policy, theta)))

    policy, theta = problem.policy(mdp)
    t = trajectories(mdp, policy, theta)
    ahead = problem.rng().normal(size=t.batch.n_steps)  # r_t(τ)
    past = t.sum(policy.score(theta, t.batch.obs, t.batch.act) * _sum_before(ahead, t.batch)[:, None])
    first, third = _means_with_rewards(ahead, mdp, policy, theta)
    residuals.append(difference(first - third, t.expect(past)))
    residuals.append(difference(first, complex_gradient(_mean_return(mdp, t, policy, ahead), theta)))

    coin = repeated([0.0, 0.0], steps=2)
    policy, theta = table_policy(coin), problem.rng(1).normal(size=2)
    t, (_, p) = trajectories(coin, policy, theta), probabilities(coin, policy, theta)[0]
    last = t.batch.act[t.batch.offsets[1:] - 1]
    foresight = np.where(t.batch.time == 0, np.repeat(last, t.batch.lengths), 0.0)  # r_0 = a_1
    first, third = _means_with_rewards(foresight, coin, policy, theta)
    residuals += [difference(first, [-p * (1 - p), p * (1 - p)]), difference(third, [0.0, 0.0])]
    return Finding(
        worst(*residuals), numbers={"r_0 = a_1: ∇J": float(first[1]), "the mean of P3": abs(float(third[1]))}
    )


@statement(
    id="P9",
    section=4,
    statement="Ψ = 1 is maximum likelihood; Σ Ψ log π has gradient Σ Ψ f; −log π is cross-entropy, or ‖a−μ‖²/2σ² + c",
    source="COL778, CS224R",
    kind="identity",
)
def surrogates(problem: Problem) -> float:
    """Ψ holds numbers, which do not move with θ: ∇ Σ_t Ψ_t log π_θ(a_t|s_t) = Σ_t Ψ_t f_t. What is differentiated by
    machines, elsewhere, is this sum; its value says nothing of J. With Ψ = 1 it is the log-likelihood of the actions.

    Softmax: −log π(a|s) = −Σ_b 1[a = b] log π(b|s), the cross-entropy between the action taken and π. Gaussian with
    fixed σ: −log π = ‖a − μ_θ(s)‖²/2σ² + k log σ + (k/2) log 2π, so least squares is maximum likelihood.

    Measured: a complex step through the library's surrogate against its estimate, softmax and Gaussian MLPs and random
    Ψ; the surrogate with Ψ = 1 against cross-entropy and squares written out, and the gradients of these by complex
    step against the library's estimate with Ψ = 1.
    """
    std, rng = 0.7, problem.rng()
    least_squares = Concatenated((MLP(2, 2, hidden=(3,)), Fixed(2, (np.log(std),) * 2)))
    cases = [
        (policy_case(problem, MLP(2, 3, hidden=(3,)), Categorical(3)), _cross_entropy),
        (policy_case(problem, least_squares, DiagonalGaussian(2), stream=1), _squares(std)),
    ]
    residuals = []
    for case, loss in cases:
        policy, theta, batch = case.policy, case.theta, _two_segments(case)
        psi = rng.normal(size=batch.n_steps)
        estimate = score_function_estimate(policy, theta, batch, psi).gradient
        likelihood = ScoreFunction(unit_weights)(policy, theta, batch).gradient
        residuals += [
            difference(complex_gradient(lambda x: log_surrogate(policy, x, batch, psi), theta), estimate),  # noqa: B023
            difference(-log_surrogate(policy, theta, batch, np.ones(batch.n_steps)), loss(case, theta) / 2),
            difference(-likelihood, complex_gradient(lambda x: loss(case, x) / 2, theta)),  # noqa: B023
        ]
    return worst(*residuals)


@statement(
    id="P12",
    section=4,
    statement="∇(J + βEΣH_t) = EΣf_t(G_t + βΣ_{k>t}H_k) + βEΣ∇H_t = EΣf_tΣ_{k≥t}(r_k − β log π_k); A3C lacks a part",
    source="10-703",
    kind="exact",
)
def entropy_gradients(problem: Problem) -> Finding:
    """H_k = H(π_θ(·|s_k)) is a reward that depends on s_k, known before a_k, and on θ. As a reward it goes to the
    scores before it (P2), f_t with t < k; as a function of θ it adds its own gradient (product rule):

        ∇E H_k = E[H_k Σ_{t<k} f_t] + E[∇H_k]

    Summed over k this is the first form. −log π_k is such a reward too, with mean H_k given s_k. Its own gradient is
    −f_k, of mean zero, and E[−f_k log π_k | s_k] = ∇H_k (S8): the second form, which needs no entropy in closed form.

    A3C adds β∇H_t alone. That is the gradient with the distribution of states frozen, and lacks

        β Σ_k Σ_s ∇d_k(s) H(s) = βE Σ_t f_t Σ_{k>t} H_k

    Behind a gate (action 1 goes on to a second choice, nothing is paid, π uniform) this is β ∇π(1) log 2: A3C's bonus
    does not know that going on brings entropy. With γ < 1 every term of time t has γ^t before it.

    Measured: the exact means of the library's three estimators against complex steps through Σ_t γ^t d_t·(r_π + βH),
    for A3C's with d_t held fixed in the second term; γ = 1 and less.
    """
    beta, residuals, numbers = 0.3, [], {}
    for mdp in (problem.mdp, problem.discounted):
        policy, theta = problem.policy(mdp)
        whole = complex_gradient(_with_entropy(mdp, policy, beta), theta)
        moving_states = complex_gradient(_frozen_entropy(mdp, policy, theta, beta), theta)
        bonus = _bonus(mdp.gamma, beta)
        residuals += [
            difference(mean_of(EntropyRegularised(beta, mdp.gamma, no_baseline, True), mdp, policy, theta), whole),
            difference(mean_of(SampledEntropy(beta, mdp.gamma, no_baseline, True), mdp, policy, theta), whole),
            difference(mean_of(bonus, mdp, policy, theta), whole - moving_states),
        ]
        numbers[f"γ = {mdp.gamma:.3g}: ‖∇(J + βE ΣH)‖"] = float(np.linalg.norm(whole))
        numbers[f"γ = {mdp.gamma:.3g}: ‖bias‖ of A3C's bonus"] = float(np.linalg.norm(moving_states))

    silent = gate(behind=(0.0, 0.0))
    policy, uniform = table_policy(silent), np.zeros(6)
    lacking = beta * np.log(2) / 4 * np.array([-1.0, 1.0, 0, 0, 0, 0])
    residuals += [
        difference(mean_of(EntropyRegularised(beta, 1.0, no_baseline, True), silent, policy, uniform), lacking),
        difference(mean_of(_bonus(1.0, beta), silent, policy, uniform), np.zeros(6)),
    ]
    return Finding(worst(*residuals), numbers=numbers | {"behind the gate A3C lacks": float(lacking[1])})


def _means_with_rewards(
    rew: Array, mdp: TabularMDP, policy: ComposedPolicy, theta: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The means of P1 and P3 where the rewards of all listed trajectories are these."""
    t = trajectories(mdp, policy, theta)
    batch = replace(t.batch, rew=rew)
    first, third = (t.expect(np.asarray(g(policy, theta, batch).per_episode)) for g in (WHOLE, TO_GO))
    return first, third


def _mean_reward(mdp: TabularMDP, policy: ComposedPolicy, k: int) -> Callable[[Array], Array]:
    """θ ↦ γ^k E r_k."""

    def mean(theta: Array) -> Array:
        pi = probabilities(mdp, policy, theta)
        d = marginals(mdp, pi)[k]
        return np.asarray(mdp.gamma**k * d @ (pi * mdp.r).sum(axis=1))

    return mean


def _mean_return(mdp: TabularMDP, t: Trajectories, policy: ComposedPolicy, rew: Array) -> Callable[[Array], Array]:
    """θ ↦ Σ_τ p_θ(τ) R(τ) for the rewards of listed rows."""
    R = t.sum(rew)
    return lambda theta: np.asarray(path_probabilities(mdp, t, probabilities(mdp, policy, theta)) @ R)


def _sum_before(x: Array, batch: Batch) -> Array:
    """Σ_{k<t} x_k within each segment."""
    total = np.cumsum(x) - x
    return np.asarray(total - np.repeat(total[batch.offsets[:-1]], batch.lengths))


def _two_segments(case: Case) -> Batch:
    """The rows of a case as two episodes, of two steps and of the rest."""
    T, d = case.obs.shape
    ends = np.ones(2, dtype=bool)
    offsets, zeros = np.array([0, 2, T]), np.zeros(T)
    return Batch(
        case.obs, case.act, zeros, zeros, offsets, terminated=ends, truncated=~ends, final_obs=np.zeros((2, d))
    )


def _cross_entropy(case: Case, theta: Array) -> Array:
    """−Σ_t log softmax(h(s_t))_{a_t}."""
    return np.asarray(-log_softmax_at(case.y(theta), case.act).sum())


def _squares(std: float) -> Callable[[Case, Array], Array]:
    """Σ_t ‖a_t − μ(s_t)‖²/2σ² + k log σ + (k/2) log 2π."""

    def loss(case: Case, theta: Array) -> Array:
        d = case.act - case.y(theta)[:, : case.act.shape[1]]
        return np.asarray((d * d).sum() / (2 * std**2) + d.size * (np.log(std) + np.log(2 * np.pi) / 2))

    return loss


def _bonus(gamma: float, beta: float) -> EntropyBonus:
    """A3C's, with reward-to-go for its Ψ."""
    psi = replace(TO_GO, gamma=gamma, discount_states=False).weights
    return EntropyBonus(psi, beta, gamma, keep_per_episode=True)


def _with_entropy(mdp: TabularMDP, policy: ComposedPolicy, beta: float) -> Callable[[Array], Array]:
    """θ ↦ Σ_t γ^t Σ_s d_t(s) (r_π(s) + βH(s))."""

    def objective(theta: Array) -> Array:
        pi = probabilities(mdp, policy, theta)
        return np.asarray(_discounted_visits(mdp, pi) @ (pi * (mdp.r - beta * np.log(pi))).sum(axis=1))

    return objective


def _frozen_entropy(
    mdp: TabularMDP, policy: ComposedPolicy, theta: FloatArray, beta: float
) -> Callable[[Array], Array]:
    """θ' ↦ β Σ_t γ^t Σ_s d_t(s; θ') H(s; θ), with H held fixed."""
    pi = probabilities(mdp, policy, theta)
    H = -(pi * np.log(pi)).sum(axis=1)
    return lambda x: np.asarray(beta * _discounted_visits(mdp, probabilities(mdp, policy, x)) @ H)


def _discounted_visits(mdp: TabularMDP, pi: Array) -> Array:
    """Σ_t γ^t d_t(s) where an action is taken."""
    d = visits(mdp, pi)
    return np.asarray(mdp.gamma ** np.arange(len(d)) @ d)
