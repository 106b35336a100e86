"""Section 6: fits of V (V1, V2). Derived in docs/derivations/critics.md."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..critics import ValueCritic, features, fit_error, fitted_iteration, lstd, reward_to_go, ridge_regression
from ..functions import Linear
from ..oracle import TabularMDP, probabilities, stationary_distribution, trajectories, values
from ..types import Array
from .catalogue import Finding, statement
from .measures import complex_gradient, difference, must, worst
from .on_tables import value_critic
from .problem import Problem
from .tabular_cases import all_transitions, perceptron_critic, row_weights, visits


@statement(
    id="V1",
    section=6,
    statement="Monte Carlo regression of V: linear in closed form, MLP by gradient; a table tends to Σ d_tV_t / Σ d_t",
    source="10-703",
    kind="exact",
)
def monte_carlo_values(problem: Problem) -> Finding:
    """L(w) = E Σ_t (G_t − V_w(s_t))² over trajectories of π. Given s_t = s, G_t has the mean V_t(s), so

        L(w) = Σ_t Σ_s d_t(s) (V_t(s) − V_w(s))² + Σ_t E Var(G_t|s_t)

    whose last term is noise that no w changes. The gradient is −2 Σ_t Σ_s d_t (V_t − V_w) ∇V_w: that of MLPs. Where V_w
    = φᵀw it vanishes at (Σ d φφᵀ) w = Σ_t Σ_s d_t φ V_t, d = Σ_t d_t; on a table, φ one-hot, at

        w(s) = Σ_t d_t(s) V_t(s) / Σ_t d_t(s)

    which is no V_t of a finite horizon but their mean over the times of visits.

    Measured: all trajectories, weighted by their probabilities, so that the fit is the limit of long data. The closed
    form on a table and on random features against the oracle's d_t and V_t; the library's gradient for an MLP on G
    against a complex step through the sum, with noise, and through the one above, without.
    """
    mdp = problem.discounted
    policy, theta = problem.policy(mdp)
    t, v = trajectories(mdp, policy, theta), values(mdp, policy, theta).V[:-1]
    d_t = visits(mdp, probabilities(mdp, policy, theta))
    d, dV = d_t.sum(axis=0), (d_t * v).sum(axis=0)
    G, c = reward_to_go(t.batch, mdp.gamma), row_weights(t)

    table = ridge_regression(t.batch.obs, G, weights=c)
    seen, phi = d > 0, problem.table(mdp.n_states, 2)
    w = ridge_regression(phi[t.states], G, weights=c)

    critic = perceptron_critic(problem, mdp)
    _, gradient = fit_error(critic, t.batch, G, weights=c, ridge=0.3)

    def of_data(w: Array) -> Array:
        return np.asarray(c @ (G - critic.function.at(w, t.batch.obs).y[:, 0]) ** 2 + 0.3 * (w @ w))

    def of_means(w: Array) -> Array:
        return np.asarray((d_t * (v - critic.function.at(w, mdp.obs).y[:, 0]) ** 2).sum() + 0.3 * (w @ w))

    often = d.argmax()
    return Finding(
        worst(
            difference(table[seen], dV[seen] / d[seen]),
            difference(w, np.linalg.solve(phi.T @ (d[:, None] * phi), phi.T @ dV)),
            difference(gradient, complex_gradient(of_data, critic.w)),
            difference(gradient, complex_gradient(of_means, critic.w)),
        ),
        numbers={"V_t(s) at one s": str(v[:, often].round(4).tolist()), "its fit": float(table[often])},
    )


@statement(
    id="V2",
    section=6,
    statement="Fitted V iteration: on a table it contracts by max (n_sγ+λ)/(n_s+λ); w → 2w diverges for γ > 5/6, any λ",
    source="10-703",
    kind="exact",
)
def fitted_value_iteration(problem: Problem) -> Finding:
    """w' = argmin_w Σ_t (V_w(s_t) − r_t − γV_{w_l}(s_{t+1}))² + λ‖w − w_l‖².

    On a table each cell has a problem of its own. With n_s visits to s, after which the rewards have the mean r̂(s) and
    the next states the frequencies P̂(s'|s), the minimum is

        V'(s) = (n_s (r̂ + γ P̂V)(s) + λ V(s)) / (n_s + λ)

    Its fixed point is V̂ = r̂ + γP̂V̂, the values of the *empirical* chain, and V' − V̂ = (n_s γ P̂(V − V̂) + λ(V −
    V̂))/(n_s + λ): by max_s (n_sγ + λ)/(n_s + λ) in the largest component, attained at V = V̂ + 1. A state without data
    stays as it is, so every state that follows must be visited itself.

    With features, and weights d = P_πᵀd of the chain itself (on-policy), let A = ΦᵀDΦ and B = ΦᵀDP_πΦ. Then

        w' − w* = (A + λ)⁻¹ (γB + λ) (w − w*),   ΦᵀD(Φ − γP_πΦ) w* = ΦᵀDr

    As |xᵀBx| ≤ xᵀAx for such d, the eigenvalues are at most (γα + λ)/(α + λ) < 1, α the least of A: it ends at w*, the
    TD fixed point, for every λ. For other d that fails: two states with V = w and 2w, both followed by the second, no
    rewards, equal weights, have (5 + λ)w' = (2γ + 4γ + λ)w, a factor above 1 for γ > 5/6, whatever λ. With the chain's
    own d, all of it on the second state, the factor is (4γ + λ)/(4 + λ) < 1.

    Measured: one step against the formula above, its fixed point against a solve, and the contraction at V̂ + 1, on
    weighted random data; many steps on-policy against the fixed point in terms of P_π; and w → 2w.
    """
    mdp, gamma, ridge = problem.endless, problem.endless.gamma, float(problem.rng().uniform(0.1, 2.0))
    policy, theta = problem.policy(mdp)
    pi, S = probabilities(mdp, policy, theta), mdp.n_states
    t = trajectories(mdp, pi, length=2, cut=True)
    n = problem.rng(1).uniform(0.5, 2.0, size=t.batch.n_steps)  # how often each row counts
    phi, phi_next = features(value_critic(np.zeros(S)), t.batch)
    V = problem.table(S)
    iterate = partial(fitted_iteration, phi, phi_next, t.batch.rew, gamma=gamma, weights=n, ridge=ridge)
    N = np.zeros((S, S))
    np.add.at(N, (t.states, t.next_states), n)
    n_s, r_hat = N.sum(axis=1), np.bincount(t.states, n * t.batch.rew, S)  # n_s, n_s r̂
    V_hat = np.linalg.solve(np.diag(n_s) - gamma * N, r_hat)
    step = (r_hat + gamma * N @ V + ridge * V) / (n_s + ridge)
    above = iterate(w=V_hat + 1) - V_hat
    of_table = worst(
        difference(iterate(w=V), step),
        difference(lstd(phi, phi_next, t.batch.rew, gamma=gamma, weights=n), V_hat),
        difference(above, (n_s * gamma + ridge) / (n_s + ridge)),
        must(np.abs(step - V_hat).max() <= above.max() * np.abs(V - V_hat).max() + 1e-12),
    )
    of_features, radius = _on_policy_iteration(problem, mdp, pi, ridge)

    to_second, obs = np.tile([0.0, 1.0], (2, 1, 1)), np.array([[1.0], [2.0]])
    both = TabularMDP(np.full(2, 0.5), to_second, np.zeros((2, 1)), gamma=0.9, obs=obs)
    critic = ValueCritic(Linear(1, 1, bias=False), np.ones(1))
    phi, phi_next = features(critic, trajectories(both, np.ones((2, 1)), length=1, cut=True).batch)
    factors, own = [], []
    for g, lam in ((0.9, 0.0), (0.9, 100.0), (0.8, 0.0), (5 / 6, 3.0)):
        (w,) = fitted_iteration(phi, phi_next, np.zeros(2), gamma=g, w=[1.0], ridge=lam, n_iterations=20)
        factors.append((w ** (1 / 20), (6 * g + lam) / (5 + lam)))
        (w,) = fitted_iteration(phi, phi_next, np.zeros(2), gamma=g, w=[1.0], ridge=lam, weights=[0.0, 1.0])
        own.append((w, (4 * g + lam) / (4 + lam)))
    return Finding(
        worst(
            of_table,
            of_features,
            difference(*np.transpose(factors)),
            difference(*np.transpose(own)),
            must(factors[0][0] > 1 and factors[1][0] > 1 and factors[2][0] < 1),
        ),
        numbers={
            "contraction on the table": float(above.max()),
            "spectral radius with features, on-policy": radius,
            "w → 2w at γ = 0.9, λ = 0": float(factors[0][0]),
            "w → 2w at γ = 0.9, λ = 100": float(factors[1][0]),
            "w → 2w at γ = 0.8, λ = 0": float(factors[2][0]),
        },
    )


def _on_policy_iteration(problem: Problem, mdp: TabularMDP, pi: Array, ridge: float) -> tuple[float, float]:
    """Fitted iteration on two features in the weights μ against the TD fixed point; and the map's spectral radius."""
    gamma, mu, table = mdp.gamma, stationary_distribution(mdp, pi), problem.table(mdp.n_states, 2, stream=2)
    t, weight = all_transitions(mdp.replace(obs=table), pi, mu)
    critic = ValueCritic(Linear(2, 1, bias=False), np.zeros(2))
    phi, phi_next = features(critic, t.batch)
    P, r, D = np.einsum("sa,sax->sx", pi, mdp.P), (pi * mdp.r).sum(axis=1), np.diag(mu)
    A, B = table.T @ D @ table, table.T @ D @ P @ table
    fixed = np.linalg.solve(A - gamma * B, table.T @ D @ r)
    radius = np.abs(np.linalg.eigvals(np.linalg.solve(A + ridge * np.eye(2), gamma * B + ridge * np.eye(2)))).max()
    alpha = np.linalg.eigvalsh(A)[0]
    iterate = partial(fitted_iteration, phi, phi_next, t.batch.rew, gamma=gamma, weights=weight)
    return (
        worst(
            difference(lstd(phi, phi_next, t.batch.rew, gamma=gamma, weights=weight), fixed),
            difference(iterate(w=np.zeros(2), n_iterations=400), fixed),
            difference(iterate(w=fixed, ridge=ridge), fixed),
            must(radius <= (gamma * alpha + ridge) / (alpha + ridge) + 1e-12),
        ),
        float(radius),
    )
