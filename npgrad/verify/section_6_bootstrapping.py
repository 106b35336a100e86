"""Section 6: bootstrapping (V4 … V7). Derived in docs/derivations/critics.md."""

from __future__ import annotations

import numpy as np

from ..critics import Critic, Values, bellman_error, fit_error, n_step_return, vtrace
from ..estimators import GAE, NStepAdvantage, ScoreFunction, VTraceGradient, log_ratios
from ..oracle import (
    TabularMDP,
    marginals,
    occupancy,
    probabilities,
    scores,
    separable_moments,
    trajectories,
    values,
)
from ..types import Array, Batch
from .catalogue import Finding, statement
from .measures import complex_gradient, difference, must, worst
from .on_tables import value_critic
from .paths import gradient_by_step, tally
from .problem import Problem
from .tabular_cases import all_transitions, perceptron_critic


@statement(
    id="V4",
    section=6,
    statement="Segments cut at L: with V^π at the end E ĝ = ∇J_γ − γ^L E[∇V(s_L)], with 0 it is ∇ of L steps alone",
    source="A3C in 10-703",
    kind="exact",
)
def cut_segments(problem: Problem) -> Finding:
    """J_γ = E[Σ_{t<L} γ^t r_t + γ^L V(s_L)]. In ∇ of the right side θ moves the L actions, and V itself:

        ∇J_γ = Σ_{t<L} γ^t E[f_t Q^π(s_t,a_t)] + γ^L E[∇V(s_L)]

    With V^π at the end, Σ_{k=t}^{L−1} γ^{k−t} r_k + γ^{L−t}V^π(s_L) has the mean Q^π given (s_t,a_t): the mean of ĝ is
    the first sum, which lacks what the policy does after L; and so for TD and GAE with that V, for every λ. With 0 at
    the end it is Σ_{t<L} γ^t E[f_t Q^L_t], the policy gradient of E Σ_{t<L} γ^t r_t. That one is right if the limit is
    part of the task, the segment `terminated`; the first, if someone merely stopped looking, `truncated` or cut.

    Measured: exact means of the library's estimators on all segments of L = 2 steps of an endless task, with γ^t; ∇V
    and ∇ of the L-step objective by complex step.
    """
    mdp, L = problem.endless, 2
    policy, theta = problem.policy(mdp)
    gamma, V = mdp.gamma, values(mdp, policy, theta).V
    task, b = mdp.replace(horizon=L), problem.table(mdp.n_states)

    def mean(psi: GAE | NStepAdvantage, task: TabularMDP = mdp) -> Array:
        estimator = ScoreFunction(psi, discount=gamma, keep_per_episode=True)
        return separable_moments(estimator, task, policy, theta, length=L, cut=True).mean

    truth = gradient_by_step(mdp, policy, theta)
    of_V = complex_gradient(lambda x: values(mdp, policy, x).V, theta)  # (S, P)
    lost = gamma**L * marginals(mdp, policy, theta, steps=L)[L] @ of_V
    of_L = gradient_by_step(task, policy, theta)
    critic, other = value_critic(V), value_critic(b)
    with_V = [mean(GAE(critic, gamma, gae_lambda)) for gae_lambda in (0.0, 0.7, 1.0)]
    with_V.append(mean(NStepAdvantage(critic, gamma)))
    with_0 = mean(NStepAdvantage(lambda batch: Values(other(batch).rows, np.zeros(batch.n_episodes)), gamma))
    at_limit = mean(GAE(other, gamma, 1.0), task)  # the limit terminates: V(s_L) is not looked at
    return Finding(
        worst(
            *(difference(m, truth - lost) for m in with_V),
            difference(with_0, of_L),
            difference(at_limit, of_L),
            must(np.linalg.norm(lost) > 1e-9),
        ),
        numbers={
            "‖∇J_γ‖": float(np.linalg.norm(truth)),
            "‖what V^π at the end lacks‖": float(np.linalg.norm(lost)),
            "‖what 0 at the end lacks‖": float(np.linalg.norm(of_L - truth)),
        },
    )


@statement(
    id="V5",
    section=6,
    statement="A3C's −2(R − V)∇V holds R fixed; through the bootstrapped R the gradient has γ^n ∇V(s_{t+n}) besides",
    source="A3C in 10-703",
    kind="diff",
)
def semi_gradients(problem: Problem) -> Finding:
    """L(w) = Σ_t (R_t − V_w(s_t))², R_t = Σ_{k<n} γ^k r_{t+k} + γ^n V_w(s_{t+n}). The chain rule gives

        ∇L = 2 Σ_t (R_t − V_w(s_t)) (γ^n ∇V_w(s_{t+n}) − ∇V_w(s_t))

    A3C drops the first gradient. Each has its own goal. At V = V^π the semi-gradient has the mean 0 (V6), and TD stays
    there. The full gradient has not, as δ goes with s_{t+1}, and so with ∇V(s_{t+1}): it descends E δ² = (E δ)² + Var
    δ, and settles elsewhere, unless what follows s_t is certain (Baird 1995).

    Measured: both of the library for an MLP, n = 1, 2 and to the end, on segments that terminated and that were cut,
    against complex steps through the sum, R held fixed and not; and their means at V^π on a table.
    """
    mdp, residuals = problem.discounted, []
    policy, theta = problem.policy(mdp)
    batch = trajectories(mdp, policy, theta, length=(mdp.horizon or 3) - 1, cut=True).batch
    critic = perceptron_critic(problem, mdp)
    c = problem.rng().uniform(0.5, 2, size=batch.n_steps)
    for n in (1, 2, None):
        V, V_T = _outputs(critic, batch, critic.w)
        R = _returns(batch, V, V_T, mdp.gamma, n)
        targets = n_step_return(batch, critic(batch), mdp.gamma, n)
        _, semi = fit_error(critic, batch, targets, weights=c)
        _, full = bellman_error(critic, batch, gamma=mdp.gamma, n=n, weights=c)

        def held(w: Array, R: Array = R) -> Array:
            return np.asarray(c @ (R - _outputs(critic, batch, w)[0]) ** 2)

        def through(w: Array, n: int | None = n) -> Array:
            V, V_T = _outputs(critic, batch, w)
            return np.asarray(c @ (_returns(batch, V, V_T, mdp.gamma, n) - V) ** 2)

        residuals += [
            difference(semi, complex_gradient(held, critic.w)),
            difference(full, complex_gradient(through, critic.w)),
            must(np.abs(semi - full).max() > 1e-9),
        ]

    endless = problem.endless
    policy, theta = problem.policy(endless)
    pi, gamma, V_pi = probabilities(endless, policy, theta), endless.gamma, values(endless, policy, theta).V
    t, weight = all_transitions(endless, pi, occupancy(endless, pi))
    table = value_critic(V_pi)
    _, semi = fit_error(table, t.batch, n_step_return(t.batch, table(t.batch), gamma, 1), weights=weight)
    _, full = bellman_error(table, t.batch, gamma=gamma, weights=weight)
    joint = occupancy(endless, pi)[:, None, None] * pi[:, :, None] * endless.P
    delta = endless.R + gamma * V_pi - V_pi[:, None, None]
    residuals += [difference(semi, 0 * semi), difference(full, 2 * gamma * (joint * delta).sum(axis=(0, 1)))]
    return Finding(worst(*residuals), numbers={"mean of the full gradient at V^π": float(np.linalg.norm(full))})


@statement(
    id="V6",
    section=6,
    statement="Q(s_t,a_t) = E[Σ_{k<n} γ^k r_{t+k} + γ^n V(s_{t+n}) | s_t, a_t] for every n",
    source="10-703",
    kind="exact",
)
def returns_of_n_steps(problem: Problem) -> float:
    """n = 1 is Bellman's equation. Into the case n put V(s_{t+n}) = E[r_{t+n} + γV(s_{t+n+1}) | s_{t+n}]; by the Markov
    property the condition may be joined by (s_t, a_t), which gives the case n + 1:

        E[… + γ^n V(s_{t+n})] = E[… + γ^n r_{t+n} + γ^{n+1} V(s_{t+n+1})]

    Past the end of an episode there is nothing, V = 0; where a segment was cut, V of its last state is as good as the
    rest of the sum.

    Measured: the library's n-step returns with the exact V, averaged over all trajectories through each (t,s,a),
    against the oracle's Q, for all n; episodes that end, and segments cut from an endless task.
    """
    residuals = []
    for mdp in (problem.discounted, problem.endless):
        policy, theta = problem.policy(mdp)
        t, v = trajectories(mdp, policy, theta, length=mdp.horizon or 2, cut=True), values(mdp, policy, theta)
        pair, n_pairs = t.states * mdp.n_actions + t.batch.act, mdp.n_states * mdp.n_actions
        p = tally(t, pair, n_pairs, np.ones(len(pair)))
        Q = np.broadcast_to(v.Q.reshape(-1, n_pairs), p.shape)
        for n in (1, 2, 3, 4, None):
            G = n_step_return(t.batch, value_critic(v.V)(t.batch), mdp.gamma, n)
            residuals.append(difference(tally(t, pair, n_pairs, G)[p > 0] / p[p > 0], Q[p > 0]))
    return worst(*residuals)


@statement(
    id="V7",
    section=6,
    statement="The fixed point of V-trace is the V of π_ρ̄ ∝ min(ρ̄β, π), whatever c̄ and λ",
    source="beyond (Espeholt et al. 2018)",
    kind="exact",
)
def fixed_point_of_vtrace(problem: Problem) -> Finding:
    """v_t = V(s_t) + Σ_{k≥t} γ^{k−t} (Π_{t≤j<k} c_j) ρ_k δ_k with δ_k = r_k + γV(s_{k+1}) − V(s_k), ρ_k = min(ρ̄, π/β)
    and c_j = λ min(c̄, π/β). Under β

        E[ρ_k δ_k | s_k] = Σ_a min(ρ̄β, π)(a|s_k) (r + γ P V − V)(s_k,a) = Z(s_k) (T_{π_ρ̄} V − V)(s_k)

    Z = Σ_a min(ρ̄β, π), π_ρ̄ = min(ρ̄β, π)/Z, T its Bellman operator. It is 0 in every state exactly at V = V^{π_ρ̄}.
    The c_j before k, known by then, only weigh it: there E[v_t|s_t] = V(s_t), whatever they are. How fast it is reached
    depends on them; that it is reached is proven for c̄ ≤ ρ̄. With ρ̄ large π_ρ̄ = π; for ρ̄ → 0 it tends to β.

    In the gradient min(ρ̄, ρ_t)(r_t + γv_{t+1} − V(s_t)) then has the mean Z(s_t) A^{π_ρ̄} under π_ρ̄.

    Measured: V ↦ E[v_0|s_0] over all segments of an endless task under β is affine in V; it is taken from the library's
    targets at V = 0 and at each unit vector, and solved. Its fixed point against the oracle's V of π_ρ̄, its spectral
    radius below 1, for several ρ̄, c̄, λ; and the mean of the library's V-trace gradient.
    """
    mdp, L, residuals = problem.endless, 2, []
    policy, theta = problem.policy(mdp)
    beta, S, gamma = problem.theta(policy, 1), mdp.n_states, mdp.gamma
    pi, b, f = probabilities(mdp, policy, theta), probabilities(mdp, policy, beta), scores(mdp, policy, theta)
    mdp = mdp.replace(start=np.full(S, 1 / S))
    t = trajectories(mdp, policy, beta, length=L, cut=True)
    rho, d = np.exp(log_ratios(policy, theta, t.batch)), marginals(mdp, b, steps=L)[:L]
    gaps = {}
    for rho_bar, c_bar, lam in ((0.6, 0.6, 1.0), (1.0, 1.0, 1.0), (1.0, 0.5, 0.8), (np.inf, 1.0, 1.0)):
        clipped = np.minimum(rho_bar * b, pi)
        mixed = clipped / clipped.sum(axis=1, keepdims=True)  # π_ρ̄
        v, settings = values(mdp, mixed), (gamma, lam, rho_bar, c_bar)

        def means(V: Array, settings: tuple[float, float, float, float] = settings) -> Array:
            targets, _ = vtrace(t.batch, value_critic(V)(t.batch), rho, *settings)
            return np.asarray(tally(t, t.states, S, targets)[0] * S)

        shift = means(np.zeros(S))
        M = np.stack([means(e) - shift for e in np.eye(S)], axis=1)
        estimator = VTraceGradient(value_critic(v.V), *settings, discount=gamma, keep_per_episode=True)
        mean = separable_moments(estimator, mdp, policy, theta, behaviour=(policy, beta), length=L, cut=True).mean
        expected = np.einsum("t,ts,sa,sa,sap->p", gamma ** np.arange(L), d, clipped, v.A, f)
        residuals += [
            difference(np.linalg.solve(np.eye(S) - M, shift), v.V),
            difference(mean, expected),
            must(np.abs(np.linalg.eigvals(M)).max() < 1),
        ]
        gaps[rho_bar] = float(np.abs(v.V - values(mdp, pi).V).max())
    return Finding(
        worst(*residuals, difference(gaps[np.inf], 0.0)),
        numbers={f"max |V^π_ρ̄ − V^π| at ρ̄ = {rho_bar:g}": gap for rho_bar, gap in gaps.items()},
    )


def _outputs(critic: Critic, batch: Batch, w: Array) -> tuple[Array, Array]:
    """V_w at the rows, and at the ends as it counts."""
    V, V_T = (critic.function.at(w, obs).y[:, 0] for obs in (batch.obs, batch.final_obs))
    return V, np.where(batch.terminated, 0, V_T)


def _returns(batch: Batch, V: Array, V_T: Array, gamma: float, n: int | None) -> Array:
    """Σ_{k<m} γ^k r_{t+k} + γ^m V(s_{t+m}), m = n or what is left of the segment, term by term."""
    R = np.zeros(batch.n_steps, dtype=V.dtype)
    for i, (first, end) in enumerate(zip(batch.offsets[:-1], batch.offsets[1:], strict=True)):
        for t in range(first, end):
            m = min(n or end - t, end - t)
            R[t] = sum(gamma**k * batch.rew[t + k] for k in range(m))
            R[t] += gamma**m * (V_T[i] if t + m == end else V[t + m])
    return R
