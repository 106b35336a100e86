"""Section 1: objectives and values (O1 … O10). Derived in docs/derivations/objectives.md."""

from __future__ import annotations

from itertools import product

import numpy as np

from ..baselines import ConstantBaseline
from ..critics import reward_to_go, total_return
from ..distributions import DiagonalGaussian
from ..estimators import PolicyGradient
from ..oracle import (
    TabularMDP,
    Values,
    average_reward,
    gradient,
    greedy,
    integral,
    marginals,
    objective,
    performance_difference,
    probabilities,
    return_variance,
    separable_moments,
    state_action_chain,
    stationary_distribution,
    trajectories,
    values,
)
from ..types import Array, FloatArray
from .catalogue import Finding, statement
from .measures import difference, must, worst
from .paths import gradient_by_step, path_probabilities, tally
from .problem import Problem

REINFORCE = PolicyGradient(baseline=ConstantBaseline(0.0), keep_per_episode=True)  # Ψ_t = γ^t G_t (P3, P4)


@statement(
    id="O1",
    section=1,
    statement="p_θ(τ) = p(s_0) Π π_θ(a_t|s_t) p(s_{t+1}|s_t,a_t), and Σ_τ p_θ(τ) = 1",
    source="all",
    kind="exact",
)
def trajectory_probabilities(problem: Problem) -> float:
    """The chain rule of probability, with the Markov property: what follows (s_t, a_t) depends on nothing before.

        p(τ) = p(s_0) p(a_0|s_0) p(s_1|s_0,a_0) p(a_1|s_1) …

    Summed from the last factor to the first, each sum is 1.

    Measured: the factors multiplied along every trajectory that the oracle lists, and their total.
    """
    mdp = problem.mdp
    policy, theta = problem.policy(mdp)
    t = trajectories(mdp, policy, theta)
    p = path_probabilities(mdp, t, probabilities(mdp, policy, theta))
    return worst(difference(t.prob, p), difference(p.sum(), 1.0))


@statement(
    id="O2",
    section=1,
    statement="J = E_τ[Σ r_t] = Σ_t E_{(s_t,a_t)}[r]: trajectories and state-action marginals agree",
    source="COL778, CS285 3.1",
    kind="exact",
)
def two_forms_of_the_objective(problem: Problem) -> float:
    """The mean of a sum is the sum of the means, and r_t needs the marginal of (s_t, a_t, s_{t+1}) alone:

        E_τ Σ_t r_t = Σ_t Σ_{s,a} p(s_t = s, a_t = a) r(s,a),   r(s,a) = Σ_s' p(s'|s,a) r(s,a,s')

    with p(s_t = s, a_t = a) = d_t(s) π(a|s) and d_{t+1} = P_πᵀ d_t. After the end nothing is paid.

    Measured: listed trajectories with the library's returns, marginals forwards, values backwards; and the marginals
    against the listed trajectories that pass through each s at each t.
    """
    mdp = problem.mdp
    policy, theta = problem.policy(mdp)
    t, pi, d = trajectories(mdp, policy, theta), probabilities(mdp, policy, theta), marginals(mdp, policy, theta)
    by_trajectories = t.expect(total_return(t.batch)[t.batch.offsets[:-1]])
    by_marginals = (d[:-1, :, None] * pi * mdp.r).sum()
    passing = tally(t, t.states, mdp.n_states, np.ones(len(t.states)))
    return worst(
        difference(by_trajectories, by_marginals),
        difference(objective(mdp, policy, theta), by_marginals),
        difference(passing, d[:-1] * ~mdp.terminal),
    )


@statement(
    id="O3",
    section=1,
    statement="μ = 𝒯μ has eigenvalue 1, simple iff unichain; 1/T Σ p_t → μ; p_t → μ iff aperiodic; J_avg = E_μ[r]",
    source="COL778, CS285 3.1",
    kind="exact",
)
def stationary_state_action_chain(problem: Problem) -> Finding:
    """(s, a) is itself a Markov chain, 𝒯((s',a')|(s,a)) = p(s'|s,a) π(a'|s'), so p_{t+1} = 𝒯ᵀ p_t.

    With one closed class, 𝒯 has the eigenvalue 1 once, I − 𝒯 + 1μᵀ has an inverse Z, and (I − 𝒯) Z = I − 1μᵀ. Hence

        (p_0 − p_T)ᵀ Z = Σ_{t<T} p_tᵀ (I − 𝒯) Z = Σ_{t<T} p_t − T μ

    whose left side is bounded: the average tends to μ like 1/T, periodic or not, and the average reward to E_μ[r]. p_t
    itself tends to μ if no other eigenvalue lies on the unit circle. The 2-cycle has −1 there: p_t swaps for ever. Two
    closed classes have the eigenvalue 1 twice, and the long run depends on the start.

    Measured: the identity at T = 50 on a random chain and on the 2-cycle, with J of T steps; 𝒯 to a high power; the
    number of eigenvalues 1 of one class and of two.
    """
    mdp, T = problem.endless, 50
    policy, theta = problem.policy(mdp)
    pi, mu = probabilities(mdp, policy, theta), stationary_distribution(mdp, policy, theta)
    chain, pair = state_action_chain(mdp, policy, theta), (mu[:, None] * pi).ravel()
    p = [(mdp.start[:, None] * pi).ravel()]
    for _ in range(T):
        p.append(p[-1] @ chain)
    Z = np.linalg.inv(np.eye(len(pair)) - chain + pair)
    excess = (p[0] - p[T]) @ Z  # Σ_{t<T} p_t − T μ
    J_T = objective(mdp.replace(gamma=1.0, horizon=T), policy, theta)

    cycle = TabularMDP(np.eye(2)[0], np.array([[[0.0, 1.0]], [[1.0, 0.0]]]), np.ones((2, 1)), gamma=0.9)
    swap, half = state_action_chain(cycle, np.ones((2, 1))), stationary_distribution(cycle, np.ones((2, 1)))
    q = [np.linalg.matrix_power(swap, t)[0] for t in range(T)]
    two_classes = np.kron(np.eye(2), chain)
    return Finding(
        worst(
            difference(pair @ chain, pair),
            difference(np.sum(p[:T], axis=0) - T * pair, excess),
            difference(J_T - T * average_reward(mdp, policy, theta), excess @ mdp.r.ravel()),
            difference(np.linalg.matrix_power(chain, 2**16), np.tile(pair, (len(pair), 1))),
            difference(np.mean(q, axis=0), half),
            difference([np.abs(x - half).max() for x in q], np.full(T, 0.5)),  # never nearer
            must(_eigenvalues_one(chain) == 1 and _eigenvalues_one(two_classes) == 2),
        ),
        numbers={"J_avg": float(pair @ mdp.r.ravel()), "distance of p_t from μ on the 2-cycle, at every t": 0.5},
    )


@statement(
    id="O4",
    section=1,
    statement="J_γ = E Σ γ^t r_t, with and without a horizon",
    source="Seita, 10-703",
    kind="exact",
)
def discounted_objective(problem: Problem) -> float:
    """Without a horizon V = r_π + γ P_π V, and I − γP_π has an inverse since γ < 1:

        J_γ = Σ_t γ^t d_tᵀ r_π = p_0ᵀ Σ_t (γ P_π)^t r_π = p_0ᵀ (I − γ P_π)⁻¹ r_π

    γ^t is the probability to be alive at t if each step is the last with probability 1 − γ: J_γ is the plain return of
    a task that ends at random.

    Measured: with a horizon, listed trajectories and the library's discounted returns against values; without, the
    solve against 1,000 terms of the series, and against the task that ends at random.
    """
    mdp = problem.discounted
    policy, theta = problem.policy(mdp)
    t = trajectories(mdp, policy, theta)
    finite = t.expect(total_return(t.batch, mdp.gamma)[t.batch.offsets[:-1]])

    endless = problem.endless
    policy_e, theta_e = problem.policy(endless)
    pi, S, A, gamma = probabilities(endless, policy_e, theta_e), endless.n_states, endless.n_actions, endless.gamma
    d, r = marginals(endless, pi, steps=999), (pi * endless.r).sum(axis=1)
    J = objective(endless, pi)
    P = np.zeros((S + 1, A, S + 1))
    P[:S, :, :S], P[:, :, S] = gamma * endless.P, 1 - gamma
    P[S] = np.eye(S + 1)[S]
    mortal = TabularMDP(
        np.append(endless.start, 0), P, np.append(endless.r, np.zeros((1, A)), axis=0), terminal=np.arange(S + 1) == S
    )
    return worst(
        difference(objective(mdp, policy, theta), finite),
        difference(J, gamma ** np.arange(1000) @ (d @ r)),
        difference(J, objective(mortal, np.append(pi, np.full((1, A), 1 / A), axis=0))),
    )


@statement(
    id="O5",
    section=1,
    statement="Ĵ = 1/N Σ R_i is unbiased, Var Ĵ = Var(R)/N, and the sample variance estimates it without bias",
    source="COL778, CS224R",
    kind="exact",
)
def monte_carlo_objective(problem: Problem) -> Finding:
    """The R_i are independent with mean J and variance v. E Ĵ = J, and variances of independent terms add: Var Ĵ = v/N.

    For the sample variance, Σ(R_i − Ĵ)² = Σ(R_i − J)² − N(Ĵ − J)², whose mean is N v − N v/N = (N − 1) v: divided by
    N − 1 it is unbiased for v, divided by N it falls short by the factor (N − 1)/N.

    Measured: all batches of N = 3 of a tiny problem, against J and Var(R) by dynamic programming.
    """
    mdp, N = problem.tiny, 3
    policy, theta = problem.policy(mdp)
    t = trajectories(mdp, policy, theta)
    R = np.array(list(product(t.batch.returns(), repeat=N)))
    p = np.array(list(product(t.prob, repeat=N))).prod(axis=1)
    J, v = objective(mdp, policy, theta), return_variance(mdp, policy, theta)
    J_hat = R.mean(axis=1)
    return Finding(
        worst(
            difference(p @ J_hat, J),
            difference(p @ (J_hat - J) ** 2, v / N),
            difference(p @ R.var(axis=1, ddof=1) / N, v / N),
            difference(p @ R.var(axis=1), (N - 1) / N * v),
        ),
        numbers={"J": float(J), "Var R": v, "E of the sample variance with N for N − 1": float(p @ R.var(axis=1))},
    )


@statement(
    id="O6",
    section=1,
    statement="Q, V, A by time and stationary: E_{s_0}V = J, V = E_a Q, E_a A = 0, and the Bellman equations",
    source="CS285 3.3, Seita",
    kind="exact",
)
def value_functions(problem: Problem) -> float:
    """Q_t(s,a) = E[G_t | s_t = s, a_t = a], G_t = Σ_{k≥t} γ^{k−t} r_k; V_t(s) = E[G_t | s_t = s]; A_t = Q_t − V_t.

    Conditioning on a_t gives V_t = E_a Q_t, hence E_a A_t = 0; at t = 0 the mean over s_0 is J. G_t = r_t + γG_{t+1}
    and the Markov property give Bellman's equation Q_t(s,a) = Σ_s' p(s'|s,a)(r(s,a,s') + γV_{t+1}(s')), V_T = 0.
    Without a horizon what lies ahead is the same at every t, and so are V and Q.

    Measured: means of the library's rewards-to-go over all trajectories through (t, s, a), against the oracle; and the
    equations on its stationary values, written out.
    """
    residuals = []
    for mdp in (problem.mdp, problem.discounted):
        policy, theta = problem.policy(mdp)
        t, pi, v = trajectories(mdp, policy, theta), probabilities(mdp, policy, theta), values(mdp, policy, theta)
        S, A = mdp.n_states, mdp.n_actions
        G, ones = reward_to_go(t.batch, mdp.gamma), np.ones(t.batch.n_steps)
        at_pair = t.states * A + t.batch.act
        d, p = tally(t, t.states, S, ones), tally(t, at_pair, S * A, ones)
        V, Q = tally(t, t.states, S, G), tally(t, at_pair, S * A, G)
        residuals += [
            difference(V[d > 0] / d[d > 0], v.V[:-1][d > 0]),
            difference(Q[p > 0] / p[p > 0], v.Q.reshape(-1, S * A)[p > 0]),
            difference(mdp.start @ v.V[0], t.expect(total_return(t.batch, mdp.gamma)[t.batch.offsets[:-1]])),
            difference((pi * v.Q).sum(axis=2), v.V[:-1]),
            difference((pi * v.A).sum(axis=2), np.zeros_like(v.V[:-1])),
            _bellman(mdp, v),
        ]
    mdp = problem.endless
    policy, theta = problem.policy(mdp)
    pi, v = probabilities(mdp, policy, theta), values(mdp, policy, theta)
    residuals += [difference((pi * v.Q).sum(axis=1), v.V), _bellman(mdp, v)]
    return worst(*residuals)


@statement(
    id="O7",
    section=1,
    statement="π' greedy on Q^π: V^π' ≥ V^π at every state and time, for policies that may be anything",
    source="CS285 3.3",
    kind="exact",
)
def policy_improvement(problem: Problem) -> Finding:
    """In the performance difference (O10), from any s at any t: V^π'_t(s) − V^π_t(s) is the mean, over what π' goes on
    to meet, of Σ_a π'(a|s) A^π(s,a) = max_a A^π(s,a) ≥ E_a A^π = 0.

    The maximum must be free in each state, and with a horizon at each time. Where states look alike it is not. Start
    in A; action 0 leads to B, action 1 ends and pays 1; in B, which looks like A, action 1 pays 4. The uniform policy
    has J = 1.5. In the mean over where it is, action 1 is the better (Q = 2 against 4/3). Always taken it gives 1.

    Measured: the largest fall of V, on a finite and an endless problem; and the example.
    """
    falls = []
    for mdp in (problem.discounted, problem.endless):
        policy, theta = problem.policy(mdp)
        before = values(mdp, policy, theta)
        after = _value_of_table(mdp, greedy(before.Q))
        falls += [max(0.0, float((before.V - after).max())), must((after - before.V).max() > 0)]
    P = np.zeros((3, 2, 3))
    P[0, 0, 1] = P[0, 1, 2] = P[1, :, 2] = P[2, :, 2] = 1
    alike = TabularMDP(np.eye(3)[0], P, np.array([[0.0, 1.0], [0.0, 4.0], [0.0, 0.0]]), 2, terminal=np.arange(3) == 2)
    uniform = np.full((3, 2), 0.5)
    d = marginals(alike, uniform)[:-1] * ~alike.terminal
    Q = np.einsum("ts,tsa->a", d, values(alike, uniform).Q) / d.sum()
    one = np.tile(greedy(Q), (3, 1))
    J = [float(objective(alike, uniform)), float(objective(alike, one))]
    return Finding(
        worst(*falls, difference(Q, [4 / 3, 2.0]), difference(J, [1.5, 1.0])),
        numbers={"states that look alike: J before": J[0], "after the greedy step": J[1]},
    )


@statement(
    id="O8",
    section=1,
    statement="J is smooth in θ though r jumps; the J of a greedy policy is a step function of θ",
    source="CS285 3.1",
    kind="diff",
)
def smoothness(problem: Problem) -> Finding:
    """θ enters J through probabilities alone: J(θ) = Σ_τ p_θ(τ) R(τ). They are smooth, whatever R does.

    A reward that jumps, r(a) = 1[a > c] with a ~ N(μ, σ²), has J = Φ(z), z = (μ − c)/σ: ∂J/∂μ = φ(z)/σ and
    ∂J/∂log σ = −z φ(z), though r' is zero wherever it exists. A greedy policy puts all mass on argmax_a h_θ(a), which
    does not change with θ until another action overtakes: J is constant, and then jumps.

    Measured: ∇J by complex step against the exact mean of the library's REINFORCE; the mean of score times jump, by
    quadrature, against the derivatives of Φ; and J of the mode on both sides of a tie.
    """
    mdp = problem.mdp
    policy, theta = problem.policy(mdp)
    by_step = gradient_by_step(mdp, policy, theta)
    by_score = separable_moments(REINFORCE, mdp, policy, theta).mean

    mu, log_std, c = problem.rng().normal(size=3) * [1.0, 0.3, 1.0]
    std = np.exp(log_std)
    z = (mu - c) / std
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    pi = DiagonalGaussian(1)

    def score_times_jump(a: Array) -> Array:
        y, act = np.tile([mu, log_std], (len(a), 1)), a[:, None]
        return np.exp(pi.log_prob(y, act))[:, None] * pi.score(y, act)

    top = max(mu, c) + 12 * std
    of_jump = integral(score_times_jump, np.linspace(c, top, 2 + int((top - c) / std)).tolist())

    bandit = TabularMDP(np.ones(1), np.ones((1, 2, 1)), np.array([[1.0, 3.0]]), horizon=1)
    chooser, _ = problem.policy(bandit)

    def J_of_mode(preference: float) -> float:
        act, _, _ = chooser.act(np.array([0.0, preference, 0.0, 0.0]), bandit.obs)
        return float(bandit.r[0, act[0]])

    steps = [J_of_mode(x) for x in (-1.0, -1e-9, 1e-9, 1.0)]
    return Finding(
        worst(
            difference(by_score, by_step),
            difference(gradient(mdp, policy, theta), by_step),
            difference(of_jump, [density / std, -z * density]),
            difference(steps, [1.0, 1.0, 3.0, 3.0]),
        ),
        numbers={"J of the greedy policy before and after the tie": f"{steps[1]:g}, {steps[2]:g}"},
    )


@statement(
    id="O9",
    section=1,
    statement="r(s,a,s') or noisy rewards: their conditional mean gives the same J and ∇J, not the same variance",
    source="Seita",
    kind="exact",
)
def conditional_mean_of_rewards(problem: Problem) -> Finding:
    """Given (s_t, a_t), the score f_k of any k ≤ t is independent of what is drawn into r_t beyond its mean r(s,a):

        E[f_k r_t] = E[f_k E[r_t | s_0, a_0, …, s_t, a_t]] = E[f_k r(s_t,a_t)],   k ≤ t

    That covers J and all terms of reward-to-go. Variances are of squares, and E[r_t²|s,a] is not r(s,a)².

    Measured: on a tiny problem with r(s,a,s'), with its conditional mean, and with a coin's ±1 added to every reward
    (twins of each next state): J, the exact mean of the library's REINFORCE, and its variance.
    """
    mdp = problem.tiny
    policy, theta = problem.policy(mdp)
    S = mdp.n_states
    coin = np.repeat([-1.0, 1.0], S)  # (s', tails), (s', heads)
    noisy = TabularMDP(
        start=np.append(mdp.start, np.zeros(S)),
        P=np.tile(mdp.P, (2, 1, 2)) / 2,
        R=np.tile(mdp.R, (2, 1, 2)) + coin,
        horizon=mdp.horizon,
        terminal=np.tile(mdp.terminal, 2),
        obs=np.tile(mdp.obs, (2, 1)),
    )
    problems = {"r(s,a,s')": mdp, "its conditional mean": mdp.replace(R=mdp.r), "with a coin's ±1": noisy}
    moments = [separable_moments(REINFORCE, m, policy, theta) for m in problems.values()]
    J, grad_J = objective(mdp, policy, theta), gradient_by_step(mdp, policy, theta)
    variances = [m.variance for m in moments]
    return Finding(
        worst(
            *(difference(objective(m, policy, theta), J) for m in problems.values()),
            *(difference(m.mean, grad_J) for m in moments),
            must(len({round(v, 9) for v in variances}) == 3),
        ),
        numbers={f"Var ĝ, {name}": v for name, v in zip(problems, variances, strict=True)},
    )


@statement(
    id="O10",
    section=1,
    statement="J(π') − J(π) = Σ_t E_{d_t^π'} Σ_a (π' − π) A^π; raising one good action can lower J",
    source="CS285 3.3",
    kind="exact",
)
def performance_differences(problem: Problem) -> Finding:
    """Write V^π_0(s_0) as a telescoping sum along the trajectories of π', with V^π_T = 0:

        −V^π_0(s_0) = Σ_t V^π_{t+1}(s_{t+1}) − V^π_t(s_t)
        J(π') − J(π) = E_π' Σ_t r_t + V^π_{t+1}(s_{t+1}) − V^π_t(s_t) = E_π' Σ_t A^π_t(s_t,a_t)

    and E_{a~π} A^π = 0 lets π be subtracted from π'. Improvement is sure if Σ_a (π' − π) A^π ≥ 0 in every state. More
    of one action with A > 0 is not enough: the rest of π' must not lose by it. R = (2, 1, −9), π = (.3, .4, .3) has
    J = −1.7; .1 moved from the first action to the second, whose Q = 1 is above V = −1.7, gives −1.8.

    Measured: J of both policies by listing trajectories (by their own values, without a horizon), against the states
    of one with the advantages of the other; and the example.
    """
    mdp, endless = problem.mdp, problem.endless
    policy, theta = problem.policy(mdp)
    new, old = (policy, problem.theta(policy, 1)), (policy, theta)
    J = [float((t := trajectories(mdp, *who)).expect(t.batch.returns())) for who in (new, old)]
    residuals = [difference(performance_difference(mdp, new, old), J[0] - J[1])]
    policy, theta = problem.policy(endless)
    new, old = (policy, problem.theta(policy, 1)), (policy, theta)
    gain = objective(endless, *new) - objective(endless, *old)
    residuals.append(difference(performance_difference(endless, new, old), gain))

    bandit = TabularMDP(np.ones(1), np.ones((1, 3, 1)), np.array([[2.0, 1.0, -9.0]]), horizon=1)
    tables = np.array([[[0.3, 0.4, 0.3]], [[0.2, 0.5, 0.3]]])
    before, after = (float(objective(bandit, pi)) for pi in tables)
    advantage = float(values(bandit, tables[0]).A[0, 0, 1])
    residuals += [difference([before, after], [-1.7, -1.8]), must(advantage > 0)]
    return Finding(worst(*residuals), numbers={"J before": before, "J after": after, "A of the raised": advantage})


def _eigenvalues_one(chain: Array) -> int:
    return int((np.abs(np.linalg.eigvals(chain) - 1) < 1e-6).sum())


def _bellman(mdp: TabularMDP, v: Values) -> float:
    """How far Q_t is from Σ_s' p (r + γV_{t+1}), written out."""
    V = v.V[1:] if v.Q.ndim == 3 else v.V
    ahead = mdp.R + mdp.gamma * V[..., None, None, :]  # r(s,a,s') + γ V(s')
    return difference((mdp.P * ahead).sum(axis=-1), v.Q)


def _value_of_table(mdp: TabularMDP, pi: Array) -> FloatArray:
    """V of a table by applying its Bellman operator, from 0: T times, or until nothing moves."""
    V = np.zeros((mdp.horizon + 1, mdp.n_states)) if mdp.horizon else np.zeros((2, mdp.n_states))
    for t in reversed(range(mdp.horizon or 1000)):
        i = t if mdp.horizon else 0
        Q = (mdp.P * (mdp.R + mdp.gamma * V[i + 1 if mdp.horizon else 0])).sum(axis=2)
        V[i] = ((pi[i] if mdp.horizon else pi) * Q).sum(axis=1)
    return V if mdp.horizon else V[0]
