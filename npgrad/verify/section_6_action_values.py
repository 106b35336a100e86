"""Section 6: critics of Q (V3). Derived in docs/derivations/critics.md."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..critics import (
    ActionValueCritic,
    action_features,
    action_targets,
    fit_error,
    lstd,
    reward_to_go,
    ridge_regression,
)
from ..estimators import CompatibleCritic, ScoreFunction, fit_compatible
from ..functions import MLP, Linear
from ..oracle import (
    TabularMDP,
    Trajectories,
    fisher,
    probabilities,
    scores,
    separable_moments,
    trajectories,
    values,
)
from ..types import Array, FloatArray
from .catalogue import Finding, statement
from .measures import complex_gradient, difference, must, worst
from .paths import gradient_by_step, tally
from .problem import Problem
from .tabular_cases import all_transitions, row_weights, visits


@statement(
    id="V3",
    section=6,
    statement="Ψ = Q_w is unbiased iff E_W[(Q − Q_w)f] = 0: so with least squares on f, weighed as ĝ is; F w = ∇J",
    source="10-703; beyond (Sutton et al. 1999)",
    kind="exact",
)
def action_values(problem: Problem) -> Finding:
    """Monte Carlo: as in V1, a table of Q fitted to G tends to Σ_t d_tQ_t/Σ_t d_t. TD: given (s_t,a_t), the mean of r_t
    + γ Σ_a π(a|s_{t+1})Q_w(s_{t+1},a) is the right side of Bellman's equation; its fixed point on a table is Q^π.

    Now the gradient. Let E_W stand for E Σ_t γ^t. With Ψ = γ^t Q_w the mean of ĝ is

        E_W[Q_w f] = ∇J_γ − E_W[(Q − Q_w) f]

    The last term vanishes where Q − Q_w is orthogonal to the scores in the weights W, which are the normal equations of
    a least-squares fit of Q_w = fᵀw in these weights: E_W[f fᵀ] w = E_W[f Q], or F w = ∇J, the natural gradient (N7). A
    v(s) fitted along changes nothing, being orthogonal to f itself (B1). Other weights give another w.

    Measured: tables of Q by both fits, and the library's gradient of the fit of an MLP; the bias for a random Q_w; the
    mean with the compatible fit, to Q and to G, with and without v(s), against ∇J by complex step; F w with the
    oracle's F. Reported: the bias of a compatible fit that leaves γ^t out of its weights.
    """
    mdp = problem.discounted
    policy, theta = problem.policy(mdp)
    t, pi, v = trajectories(mdp, policy, theta), probabilities(mdp, policy, theta), values(mdp, policy, theta)
    truth, f = gradient_by_step(mdp, policy, theta), scores(mdp, policy, theta)
    d_t, G = visits(mdp, pi), reward_to_go(t.batch, mdp.gamma)
    W = row_weights(t) * mdp.gamma**t.batch.time  # the gradient's weights
    Q, states = v.Q[t.batch.time, t.states, t.batch.act], np.eye(mdp.n_states)[t.states]

    def mean(critic: CompatibleCritic) -> FloatArray:
        estimator = ScoreFunction(critic, discount=mdp.gamma, keep_per_episode=True)
        return separable_moments(estimator, mdp, policy, theta).mean

    random = CompatibleCritic(policy, theta, problem.table(len(theta), stream=1))
    gap = v.Q - f @ random.w  # (T, S, A)
    weighted = mdp.gamma ** np.arange(len(d_t))[:, None] * d_t
    bias = -np.einsum("ts,sa,tsa,sap->p", weighted, pi, gap, f)
    fits = [
        fit_compatible(policy, theta, t.batch, targets, weights=W, state_features=phi)[0]
        for targets in (Q, G)
        for phi in (None, states)
    ]
    unweighted, _ = fit_compatible(policy, theta, t.batch, Q, weights=row_weights(t))
    off = mean(unweighted) - truth
    return Finding(
        worst(
            *(difference(mean(fit), truth) for fit in fits),
            *(difference(fisher(mdp, policy, theta) @ fit.w, truth) for fit in fits),
            difference(mean(random) - truth, bias),
            must(np.linalg.norm(bias) > 1e-9),
            _fits_of_action_values(problem, mdp, t, pi),
        ),
        numbers={
            "‖∇J‖": float(np.linalg.norm(truth)),
            "‖bias‖ of a random Q_w": float(np.linalg.norm(bias)),
            "‖bias‖ of a compatible fit without γ^t": float(np.linalg.norm(off)),
        },
    )


def _fits_of_action_values(problem: Problem, mdp: TabularMDP, t: Trajectories, pi: Array) -> float:
    """Tables of Q by Monte Carlo and by TD against the oracle, and the gradient of the fit of an MLP."""
    S, A, d_t, v = mdp.n_states, mdp.n_actions, visits(mdp, pi), values(mdp, pi)
    G, c = reward_to_go(t.batch, mdp.gamma), row_weights(t)
    table = ActionValueCritic(Linear(S, A, bias=False), np.zeros(S * A))
    phi, _ = action_features(table, t.batch, np.zeros((t.batch.n_steps + t.batch.n_episodes, A)))
    seen = d_t.sum(axis=0) > 0
    of_visits = np.einsum("ts,tsa->sa", d_t, v.Q)[seen] / d_t.sum(axis=0)[seen, None]
    f = MLP(S, A, hidden=(3,))
    perceptron = ActionValueCritic(f, problem.rng(8).normal(size=f.n_params))
    rows = np.arange(t.batch.n_steps)

    def loss(w: Array) -> Array:
        return np.asarray(c @ (G - f.at(w, t.batch.obs).y[rows, t.batch.act]) ** 2)

    endless = problem.endless
    pi_e, q = problem.policy(endless), values(endless, *problem.policy(endless)).Q
    pi_table = probabilities(endless, *pi_e)
    at, weight = all_transitions(endless, pi_table, np.ones(endless.n_states))
    both = np.stack([at.states, at.next_states], axis=1).ravel()  # s_0 and s_1 of each segment
    Q = ActionValueCritic(Linear(endless.n_states, endless.n_actions, bias=False), q.ravel())
    phi_e, next_e = action_features(Q, at.batch, pi_table[both])
    w = lstd(phi_e, next_e, at.batch.rew, gamma=endless.gamma, weights=weight)
    y = action_targets(Q, at.batch, pi_table[both], endless.gamma)
    means = tally(replace(at, prob=weight), at.states * q.shape[1] + at.batch.act, q.size, y)[0]
    return worst(
        difference(ridge_regression(phi, G, weights=c).reshape(S, A)[seen], of_visits),
        difference(fit_error(perceptron, t.batch, G, weights=c)[1], complex_gradient(loss, perceptron.w)),
        difference(w, q.ravel()),
        difference(means, (pi_table * q).ravel()),
    )
