"""Section 4, linear-quadratic problems and deterministic policies (P18, P19).

Derived in docs/derivations/estimators.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.polynomial import Polynomial

from ..baselines import no_baseline
from ..estimators import DeterministicGradient, PolicyGradient, ScoreFunction
from ..oracle import LQR, normal_nodes
from ..types import Array, Batch, FloatArray
from .catalogue import KINDS, Finding, statement
from .linear_quadratic import (
    deterministic_linear,
    episodes_at_nodes,
    gain,
    gaussian_linear,
    one_episode_each,
    random_lqr,
    theta_of,
)
from .measures import complex_gradient, difference, must, slope, worst
from .problem import Problem

TO_GO = PolicyGradient(baseline=no_baseline, keep_per_episode=True)


@statement(
    id="P18",
    section=4,
    statement="LQR: ∇_K J = −2 Σ_t γ^t E_tΣ_t, endless −2E_KΣ_K; exact cost difference; gradient domination",
    source="beyond (Fazel et al. 2018)",
    kind="exact",
)
def linear_quadratic(problem: Problem) -> Finding:
    """With M = A − BK the cost to go from x at t is xᵀP_tx and what noise adds, P_t = Q + KᵀRK + γMᵀP_{t+1}M. So

        Q_t(x,a) = −xᵀQx − aᵀRa − γ(Ax + Ba)ᵀP_{t+1}(Ax + Ba) + const,   ∇_a Q_t = 2E_t x at a = −Kx
        E_t = (R + γBᵀP_{t+1}B)K − γBᵀP_{t+1}A

    The score in K is −e xᵀ/σ. Q_t is quadratic in e, and of E[e Q_t] only its linear term is left: P6 gives

        ∇_K J = −2 Σ_t γ^t E_t Σ_t,   Σ_t = E x_tx_tᵀ,   Σ_{t+1} = MΣ_tMᵀ + W + σ²BBᵀ

    whatever σ, which enters by Σ_t alone. Endless and stable: P and E_K are constant, Σ_K = Σ_t γ^t Σ_t. The
    performance difference (O10), with D = K' − K and the Σ' of K', has advantages quadratic in D, and no rest:

        J(K') − J(K) = −Σ_t γ^t tr[Σ'_t (2DᵀE_t + Dᵀ(R + γBᵀP_{t+1}B)D)]

    The square completed, −tr[…] ≤ tr(Σ' EᵀR⁻¹E) for any D, hence for the best K*:

        J(K*) − J(K) ≤ ‖Σ_{K*}‖ ‖E‖²/λ(R) ≤ ‖Σ_{K*}‖ ‖∇J‖²/(4 λ(Σ_0)² λ(R)),   λ: the least eigenvalue

    No stationary point but the best one.

    Measured: the library's reward-to-go over all episodes at nodes of Gauss's rule, exact for these polynomials,
    against the closed form; endless, its score estimator with Q, x of second moment Σ_K, against the closed form and
    that against a complex step through J, summed over 1,000 steps; differences against two J; the bound on three gains.
    """
    sigma, lqr = 0.5, random_lqr(problem, 2, 1, horizon=2, noise=0.4)
    K = gain(problem, lqr)
    batch, weights = episodes_at_nodes(lqr, K, sigma)
    policy, theta = gaussian_linear(2, 1, sigma), theta_of(K)
    terms = np.asarray(replace(TO_GO, gamma=lqr.gamma)(policy, theta, batch).per_episode)

    endless = replace(lqr, horizon=None)
    x, w = _nodes_with_moment(endless.covariances(K, sigma=sigma), sigma)
    act = -x[:, :2] @ K.T + x[:, 2:]
    rew, last = np.zeros((len(x), 1)), np.zeros((len(x), 2))
    steps = one_episode_each(x[:, None, :2], act[:, None], rew, last)
    values = _action_values(endless, endless.cost_to_go(K))
    with_Q = ScoreFunction(lambda b: values(b.obs, b.act), keep_per_episode=True)
    of_steps = np.asarray(with_Q(policy, theta, steps).per_episode)
    by_step = complex_gradient(lambda g: _long_run(endless, g.reshape(1, 2), sigma), K.ravel())

    others = [gain(problem, lqr, which) for which in (1, 2)]
    residuals = [
        difference(theta_of((weights @ terms).reshape(2, 1)), lqr.gradient(K, sigma=sigma).ravel()),
        difference(theta_of((w @ of_steps).reshape(2, 1)), endless.gradient(K, sigma=sigma).ravel()),
        difference(endless.gradient(K, sigma=sigma).ravel(), by_step),
    ]
    for problem_, new in ((lqr, others[0]), (endless, others[1])):
        gap = problem_.objective(new, sigma=sigma) - problem_.objective(K, sigma=sigma)
        residuals.append(difference(problem_.difference(new, K, sigma=sigma), gap))
    bounds = [endless.domination(k, sigma=sigma) for k in (K, *others)]
    residuals.append(must(all(-1e-12 <= gap <= bound for gap, bound in bounds)))
    return Finding(
        worst(*residuals),
        numbers={
            "‖∇J‖, two steps": float(np.linalg.norm(lqr.gradient(K, sigma=sigma))),
            "‖∇J‖, endless": float(np.linalg.norm(by_step)),
            "J(K*) − J(K)": bounds[0][0],
            "its bound": bounds[0][1],
        },
    )


@statement(
    id="P19",
    section=4,
    statement="E[∇μ ∇_aQ], the deterministic policy gradient, is the limit σ → 0 of P3, with an error O(σ²)",
    source="10-703 lists the policy; Silver et al. 2014",
    kind="order",
)
def deterministic_limit(problem: Problem) -> Finding:
    """a = μ_θ(s) + σε: the score is ∇μ ε/σ, and with Q_t smooth in a, by Taylor and E[ε²] = 1, E[ε⁴] = 3,

        E[(ε/σ) Q_t(s, μ + σε)] = ∇_aQ_t + (σ²/2) ∇_a³Q_t + O(σ⁴)

    P3 with Q_t for G_t (P6) tends to E[∇μ ∇_aQ_t]. What σ does to Q_t and to the states that are met is even in σ as
    well: smooth functions of the variance σ². So the error is O(σ²) as a whole.

    A bandit with reward r(a): the error is (σ²/2) r'''(μ) + …. LQR: Q_t is quadratic and its third derivative 0; the
    states alone, through Σ_t, bring an error that is a multiple of σ².

    Measured: slopes in σ of the distance between the exact means of the library's reward-to-go, by Gauss's nodes, and
    of its deterministic gradient, on a bandit with a polynomial of degree 5 and on LQR of three steps; on LQR, where
    both have closed forms, the means against these (exactly, or the row fails).
    """
    sigmas = 2.0 ** -np.arange(4, 8)
    c, mu = problem.rng().uniform(0.5, 1.5, size=6), float(problem.rng(1).uniform(0.5, 1.0))
    r = Polynomial(c)
    errors_of_bandit = [_bandit_mean(r, mu, sigma) - r.deriv()(mu) for sigma in sigmas]
    limit_of_bandit = _deterministic_bandit(r, mu)

    lqr = random_lqr(problem, 2, 1, horizon=3)
    K = gain(problem, lqr)
    limit, exact = _deterministic_mean(lqr, K), [difference(limit_of_bandit, [r.deriv()(mu)])]
    exact.append(difference(limit, lqr.gradient(K).ravel()))
    errors = []
    for sigma in sigmas:
        batch, weights = episodes_at_nodes(lqr, K, float(sigma))
        terms = replace(TO_GO, gamma=lqr.gamma)(gaussian_linear(2, 1, sigma), theta_of(K), batch).per_episode
        mean = theta_of((weights @ np.asarray(terms)).reshape(2, 1))
        exact.append(difference(mean, lqr.gradient(K, sigma=sigma).ravel()))
        errors.append(np.linalg.norm(mean - limit))
    slopes = {"bandit": slope(sigmas, errors_of_bandit), "LQR": slope(sigmas, errors)}
    return Finding(
        worst(*(abs(p - 2) for p in slopes.values()), must(worst(*exact) <= KINDS["exact"])),
        numbers={f"slope, {name}": p for name, p in slopes.items()},
    )


def _action_values(lqr: LQR, P: Array) -> Callable[[Array, Array], Array]:
    """(x, a) ↦ Q(x,a) but for a constant, row by row, with xᵀPx for the cost to go of what follows; analytic in a."""

    def Q(x: Array, a: Array) -> Array:
        after = x @ lqr.A.T + a @ lqr.B.T
        forms = ((x, lqr.Q), (a, lqr.R), (after, lqr.gamma * P))
        return np.asarray(-np.sum([np.einsum("ti,ij,tj->t", y, form, y) for y, form in forms], axis=0))

    return Q


def _nodes_with_moment(second: Array, sigma: float) -> tuple[FloatArray, FloatArray]:
    """Rows (x, σe) with E x xᵀ = `second`, and their weights."""
    z, w = normal_nodes(3, len(second) + 1)
    n = len(second)
    return np.concatenate([z[:, :n] @ np.linalg.cholesky(second).T, sigma * z[:, n:]], axis=1), w


def _long_run(lqr: LQR, K: Array, sigma: float) -> Array:
    """J summed over 1,000 steps, after which γ^t is nothing."""
    M, N, S, J = lqr.A - lqr.B @ K, lqr.W + sigma**2 * lqr.B @ lqr.B.T, lqr.start.astype(K.dtype), 0.0
    for t in range(1000):
        J = J - lqr.gamma**t * (np.trace((lqr.Q + K.T @ lqr.R @ K) @ S) + sigma**2 * np.trace(lqr.R))
        S = M @ S @ M.T + N
    return np.asarray(J)


def _bandit_mean(r: Polynomial, mu: float, sigma: float) -> float:
    """The mean of the library's reward-to-go on a bandit with reward r(a)."""
    z, w = normal_nodes(6)
    act, ones = mu + sigma * z, np.ones((len(z), 1, 1))
    batch = one_episode_each(ones, act[:, None], r(act), ones[:, 0])
    terms = TO_GO(gaussian_linear(1, 1, sigma), np.array([mu]), batch).per_episode
    return float(w @ np.asarray(terms)[:, 0])


def _deterministic_bandit(r: Polynomial, mu: float) -> FloatArray:
    """The library's deterministic gradient on the same."""
    one = np.ones((1, 1, 1))
    batch = one_episode_each(one, mu * one, np.zeros((1, 1)), one[:, 0])
    estimator = DeterministicGradient(lambda b, a: r.deriv()(a))
    return np.asarray(estimator(deterministic_linear(1, 1), np.array([mu]), batch).gradient)


def _deterministic_mean(lqr: LQR, K: FloatArray) -> FloatArray:
    """The mean of the library's deterministic gradient in K, with ∇_aQ_t by complex step."""
    batch, weights = episodes_at_nodes(lqr, K, 0.0)
    P = lqr.cost_to_go(K)

    def action_gradient(b: Batch, mu: Array) -> FloatArray:
        out = np.empty_like(mu)
        for t in range(len(P) - 1):
            rows = b.time == t
            Q, x = _action_values(lqr, P[t + 1]), b.obs[rows]
            slopes = complex_gradient(lambda a: Q(x, mu[rows] + a), np.zeros(mu.shape[1]))  # noqa: B023
            out[rows] = slopes
        return out

    estimator = DeterministicGradient(action_gradient, lqr.gamma, keep_per_episode=True)
    terms = estimator(deterministic_linear(lqr.n_states, lqr.n_actions), theta_of(K), batch).per_episode
    return theta_of((weights @ np.asarray(terms)).reshape(lqr.n_states, lqr.n_actions))
