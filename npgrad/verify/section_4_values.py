"""Section 4, estimators with values in place of returns (P6 … P8, P13). Derived in docs/derivations/estimators.md."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from ..baselines import no_baseline
from ..critics import Values, gae, n_step_return
from ..estimators import (
    GAE,
    Advantage,
    AllActions,
    NStepAdvantage,
    PolicyGradient,
    Psi,
    ScoreFunction,
    TDResidual,
)
from ..oracle import TabularMDP, marginals, probabilities, scores, trajectories, values
from ..policies import ComposedPolicy
from ..types import Array, Batch, FloatArray
from .catalogue import Finding, statement
from .measures import complex_gradient, difference, worst
from .on_tables import action_critic, field, mean_of, value_critic
from .paths import gradient_by_step
from .problem import Problem
from .smallest import bandit, wait
from .tabular_cases import table_policy, visits

LAMBDA = 0.6


@statement(
    id="P6",
    section=4,
    statement="E[Σ_t f_t Q_t] = ∇J, A_t too, indexed by time; γ^t Q^γ_t for J_γ; Q_0 at every t is biased",
    source="10-703, Seita",
    kind="exact",
)
def values_for_returns(problem: Problem) -> Finding:
    """Given (s_t, a_t), f_t is a number and E[G_t | s_t, a_t] = Q_t(s_t,a_t): P3 and P4 keep their means if Q_t stands
    for G_t. V_t(s_t) may be subtracted (B1): A_t.

    With a horizon, Q_t counts the T − t rewards that are left. The Q_0 of the whole horizon, used at every t, is
    another function: the mean is off by Σ_t E[f_t (Q_0 − Q_t)]. One state, two steps: action 0 ends and pays 1, action
    1 waits, π uniform. Q_0(wait) = ½, Q_1(wait) = 0. Q_0 at the second step, reached with probability ½, puts ½ · ½ · ¼
    = 1/16 too much on waiting.

    Measured: exact means of the library's estimators with tables of the exact Q_t and V_t, and with any V, against a
    complex step through J; with Q_0, against that and the difference of the tables; the example.
    """
    residuals, numbers = [], {}
    for mdp in (problem.mdp, problem.discounted):
        policy, theta = problem.policy(mdp)
        v, truth = values(mdp, policy, theta), gradient_by_step(mdp, policy, theta)
        Q, V, any_V = action_critic(v.Q), value_critic(v.V), value_critic(problem.table(*v.V.shape))
        for psi in (Q, Advantage(Q, V), Advantage(Q, any_V)):
            residuals.append(difference(_mean(psi, mdp, policy, theta), truth))
        whole_horizon = _mean(action_critic(v.Q[0]), mdp, policy, theta)
        too_much = np.sum([_seen(mdp, policy, theta, t, v.Q[0] - v.Q[t]) for t in range(len(v.Q))], axis=0)
        residuals.append(difference(whole_horizon - truth, too_much))
        numbers[f"γ = {mdp.gamma:.3g}: ‖∇J‖"] = float(np.linalg.norm(truth))
        numbers[f"γ = {mdp.gamma:.3g}: ‖bias‖ with Q_0 at every t"] = float(np.linalg.norm(too_much))

    waiting = wait()
    policy, uniform = table_policy(waiting), np.zeros(4)
    v = values(waiting, policy, uniform)
    bias = _mean(action_critic(v.Q[0]), waiting, policy, uniform) - gradient_by_step(waiting, policy, uniform)
    residuals.append(difference(bias, [-1 / 16, 1 / 16, 0, 0]))
    return Finding(worst(*residuals), numbers=numbers | {"waiting: bias": float(bias[1])})


@statement(
    id="P7",
    section=4,
    statement="r_t + γV(s_{t+1}) − V(s_t), n-step: bias Σ_t γ^{t+n} E[f_t(V−V^π)(s_{t+n})]; −V(s_t) never biases",
    source="10-703",
    kind="exact",
)
def bootstrapping(problem: Problem) -> Finding:
    """G^(n)_t = Σ_{k<n} γ^k r_{t+k} + γ^n V(s_{t+n}). With V^π_{t+n} for V its mean given (s_t, a_t) is Q^γ_t
    (Bellman's equation n times), and P6 applies. So with the weight γ^t the bias is that of V − V^π, seen n steps
    later:

        Σ_t γ^t E[f_t γ^n (V − V^π)(s_{t+n})]

    over the t at which the episode has not ended by t + n: behind the end V counts as 0, and is right. What is
    subtracted is known before a_t: it never biases (B1). n beyond the end is G_t − V(s_t), without bias for any V.
    Without γ^t the mean at V = V^π is that of P5.

    Measured: exact means of the library's estimators with any table V_t, for n = 1, 2 and to the end, less a complex
    step through J_γ, against the bias by d_t, scores and powers of P_π; the exact V^π_{t+n} with any V subtracted; P5.
    """
    mdp, (policy, theta) = problem.discounted, problem.policy(problem.discounted)
    gamma, v, truth = mdp.gamma, values(mdp, policy, theta), gradient_by_step(mdp, policy, theta)
    wrong = problem.table(*v.V.shape)
    V, exact = value_critic(wrong), value_critic(v.V)
    residuals, numbers = [], {"‖∇J_γ‖": float(np.linalg.norm(truth))}
    for n in (1, 2):
        bias = _mean(NStepAdvantage(V, gamma, n), mdp, policy, theta) - truth
        residuals += [
            difference(bias, _bias(mdp, policy, theta, wrong - v.V, n)),
            difference(_mean(NStepAdvantage(exact, gamma, n), mdp, policy, theta), truth),
            difference(_mean(_other_subtracted(exact, V, gamma, n), mdp, policy, theta), truth),
        ]
        numbers[f"n = {n}: ‖bias‖ with a V of normal numbers"] = float(np.linalg.norm(bias))
    by_residual = _mean(TDResidual(V, gamma), mdp, policy, theta)
    one_step = _mean(NStepAdvantage(V, gamma, 1), mdp, policy, theta)
    without_power = mean_of(ScoreFunction(TDResidual(exact, gamma), keep_per_episode=True), mdp, policy, theta)
    P5 = PolicyGradient(gamma, discount_states=False, baseline=no_baseline, keep_per_episode=True)
    residuals += [
        difference(by_residual, one_step),
        difference(_mean(NStepAdvantage(V, gamma, None), mdp, policy, theta), truth),
        difference(without_power, mean_of(P5, mdp, policy, theta)),
    ]
    return Finding(worst(*residuals), numbers=numbers)


@statement(
    id="P8",
    section=4,
    statement="GAE = Σ_k (γλ)^k δ_{t+k} = (1−λ)Σ_n λ^{n−1}A^(n); λ = 0: P7; λ = 1: G_t − V, + γ^{T−t}V(s_T) if cut",
    source="Seita (cites it)",
    kind="exact",
    tolerance=1e-12,
)
def generalised_advantages(problem: Problem) -> Finding:
    """A^(n)_t = G^(n)_t − V(s_t) telescopes: Σ_{k<n} γ^k δ_{t+k}, as +γ^k V(s_{t+k}) of one residual meets
    −γ^k V(s_{t+k}) of the next. The weights (1 − λ)λ^{n−1} sum to 1, with λ^{L−1} on the last A^(L) where L = T − t
    steps are left, and δ_{t+k} stands in all A^(n) with n > k, whose weights sum to λ^k:

        (1 − λ) Σ_{n<L} λ^{n−1} A^(n)_t + λ^{L−1} A^(L)_t = Σ_{k<L} (γλ)^k δ_{t+k}

    λ = 0 leaves δ_t. λ = 1 leaves A^(L): G_t − V(s_t), plus γ^L V(s_T) if the segment was cut rather than ended. Then
    V has no part in the mean (B1): ∇J_γ with γ^t, else that of P5, for any V, on complete episodes. In between, biases
    add up with the same weights: (1 − λ) Σ_n λ^{n−1} times that of P7.

    Measured: the library's GAE on every trajectory, complete and cut after 2 steps, against both sums written out, for
    λ = 0, .6 and 1; the exact mean at λ = 1 with any V against a complex step through J_γ, at .6 against ∇J_γ and
    biases.
    """
    mdp, (policy, theta) = problem.discounted, problem.policy(problem.discounted)
    gamma, v, truth = mdp.gamma, values(mdp, policy, theta), gradient_by_step(mdp, policy, theta)
    wrong = problem.table(*v.V.shape)
    V, residuals = value_critic(wrong), []
    for options in ({}, {"length": 2, "cut": True}):
        batch = trajectories(mdp, policy, theta, **options).batch  # type: ignore[arg-type]
        for gae_lambda in (0.0, LAMBDA, 1.0):
            got = gae(batch, V(batch), gamma, gae_lambda)
            residuals += [difference(got, x) for x in _two_sums(batch, V(batch), gamma, gae_lambda)]
    at_one = _mean(GAE(V, gamma, 1.0), mdp, policy, theta)
    between = _mean(GAE(V, gamma, LAMBDA), mdp, policy, theta) - truth
    biases = [_bias(mdp, policy, theta, wrong - v.V, n) for n in range(1, len(v.Q))]
    added = np.sum([(1 - LAMBDA) * LAMBDA**k * b for k, b in enumerate(biases)], axis=0)
    residuals += [difference(at_one, truth), difference(between, added)]
    return Finding(
        worst(*residuals),
        numbers={"‖∇J_γ‖": float(np.linalg.norm(truth)), f"‖bias‖ at λ = {LAMBDA}": float(np.linalg.norm(added))},
    )


@statement(
    id="P13",
    section=4,
    statement="All actions: E Σ_t Σ_a ∇π(a|s_t) Q_t = ∇J; tabular softmax ∂J/∂θ_{sa} = d(s)π(a|s)A(s,a); why 1/π",
    source="10-703",
    kind="exact",
)
def all_actions(problem: Problem) -> Finding:
    """∇π = π f (L1), so Σ_a ∇π(a|s) Q_t(s,a) = E[f_t Q_t | s_t = s]: the mean over s_t is P6.

    Softmax of a table: ∂π(a|s)/∂θ_{sb} = π(b|s)(1[a = b] − π(a|s)), so Σ_a ∂π(a|s)/∂θ_{sb} Q(s,a) = π(b|s) A(s,b), and

        ∂J/∂θ_{sb} = Σ_t γ^t d_t(s) π(b|s) A_t(s,b)

    f = ∇π/π and not ∇π: an action is drawn with probability π, and 1/π makes up for it. Without, the mean of ∇π(a|s) r
    with equal rewards r = 1 is Σ_a π ∇π = ½ ∇Σ_a π², and that pushes up what is frequent already, where nothing can be
    gained: in a softmax, θ_b by π_b (π_b − Σ_a π_a²), for π = (.7, .2, .1) by (.112, −.068, −.044).

    Measured: the exact mean of the library's estimator against a complex step through J; on a table against
    the formula; the library's score estimator with Ψ = r π(a|s), which has no 1/π.
    """
    residuals = []
    for mdp in (problem.mdp, problem.discounted):
        v = values(mdp, *problem.policy(mdp))
        of_all = AllActions(action_critic(v.Q).table, mdp.gamma, keep_per_episode=True)
        residuals.append(
            difference(mean_of(of_all, mdp, *problem.policy(mdp)), gradient_by_step(mdp, *problem.policy(mdp)))
        )

        table = table_policy(mdp)
        theta = problem.theta(table)
        pi, v = probabilities(mdp, table, theta), values(mdp, table, theta)
        d = visits(mdp, pi)
        formula = np.einsum("t,ts,sa,tsa->sa", mdp.gamma ** np.arange(len(d)), d, pi, v.A).ravel()
        of_all = AllActions(action_critic(v.Q).table, mdp.gamma, keep_per_episode=True)
        residuals += [
            difference(mean_of(of_all, mdp, table, theta), formula),
            difference(gradient_by_step(mdp, table, theta), formula),
        ]

    equal, pi = bandit([1.0, 1.0, 1.0]), np.array([0.7, 0.2, 0.1])
    table = table_policy(equal)
    drawn = ScoreFunction(lambda batch: batch.rew * pi[batch.act], keep_per_episode=True)
    push = mean_of(drawn, equal, table, np.log(pi))
    by_step = complex_gradient(lambda x: (probabilities(equal, table, x) ** 2).sum() / 2, np.log(pi))
    residuals += [difference(push, by_step), difference(push, [0.112, -0.068, -0.044])]
    return Finding(worst(*residuals), numbers={"equal rewards, without 1/π": push.round(12).tolist()})


def _mean(psi: Psi, mdp: TabularMDP, policy: ComposedPolicy, theta: FloatArray) -> FloatArray:
    """E Σ_t γ^t Ψ_t f_t."""
    return mean_of(ScoreFunction(psi, mdp.gamma, keep_per_episode=True), mdp, policy, theta)


def _other_subtracted(V: Callable[[Batch], Values], other: Callable[[Batch], Values], gamma: float, n: int) -> Psi:
    """G^(n)_t with V, less another V(s_t)."""
    return lambda batch: n_step_return(batch, V(batch), gamma, n) - other(batch).rows


def _seen(mdp: TabularMDP, policy: ComposedPolicy, theta: FloatArray, t: int, weight: Array) -> Array:
    """γ^t E[f_t w(s_t,a_t)], shape (P,), where an action is taken at t."""
    pi = probabilities(mdp, policy, theta)
    d = mdp.gamma**t * marginals(mdp, pi)[t]
    return field(mdp, scores(mdp, policy, theta), d[None], pi, weight[None])


def _bias(mdp: TabularMDP, policy: ComposedPolicy, theta: FloatArray, off: Array, n: int) -> Array:
    """Σ_t γ^{t+n} E[f_t off_{t+n}(s_{t+n})] over t + n < T and states that are not terminal; off (T + 1, S)."""
    pi, T = probabilities(mdp, policy, theta), mdp.horizon or 0
    P_pi = np.einsum("sa,sax->sx", pi, mdp.P)
    total = np.zeros(len(theta))
    for t in range(T - n):
        later = np.linalg.matrix_power(P_pi, n - 1) @ np.where(mdp.terminal, 0.0, off[t + n])  # by s_{t+1}
        total += mdp.gamma**n * _seen(mdp, policy, theta, t, mdp.P @ later)
    return total


def _two_sums(batch: Batch, V: Values, gamma: float, gae_lambda: float) -> tuple[FloatArray, FloatArray]:
    """Σ_k (γλ)^k δ_{t+k}, and (1 − λ) Σ_n λ^{n−1} A^(n)_t with λ^{L−1} on the last, term by term."""
    by_residuals, by_steps = np.zeros(batch.n_steps), np.zeros(batch.n_steps)
    for i, (begin, end) in enumerate(pairwise(batch.offsets)):
        after = np.append(V.rows[:end], 0.0 if batch.terminated[i] else V.final[i])[1:]  # V(s_{t+1}) of row t
        for t in range(begin, end):
            L, G = end - t, 0.0
            for k in range(L):
                delta = batch.rew[t + k] + gamma * after[t + k] - V.rows[t + k]
                by_residuals[t] += (gamma * gae_lambda) ** k * delta
                G += gamma**k * batch.rew[t + k]
                A = G + gamma ** (k + 1) * after[t + k] - V.rows[t]  # n = k + 1
                by_steps[t] += (1.0 if k + 1 == L else 1 - gae_lambda) * gae_lambda**k * A
    return by_residuals, by_steps
