"""Section 1: objectives and values (O1 … O10)."""

from __future__ import annotations

import numpy as np

from ..oracle import (
    TabularMDP,
    objective,
    performance_difference,
    probabilities,
    trajectories,
    values,
)
from .catalogue import Finding, statement
from .measures import difference, must, worst
from .problem import Problem


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
    Measured: the factors multiplied along every listed trajectory, and their total.
    """
    mdp = problem.mdp
    policy, theta = problem.policy(mdp)
    t, pi = trajectories(mdp, policy, theta), probabilities(mdp, policy, theta)
    s, a = t.states, t.batch.act
    factors = t.pad(pi[s, a] * mdp.P[s, a, t.next_states])
    alive = np.arange(factors.shape[1]) < t.batch.lengths[:, None]
    p = mdp.start[s[t.batch.offsets[:-1]]] * np.where(alive, factors, 1).prod(axis=1)
    return worst(difference(t.prob, p), difference(p.sum(), 1.0))


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

    Measured: J from the values of each policy, the sum from the states of one and the advantages of the other, on a
    finite and an endless discounted problem.
    """
    residuals = []
    for mdp in (problem.discounted, problem.endless):
        policy, theta = problem.policy(mdp)
        new, old = (policy, problem.theta(policy, 1)), (policy, theta)
        gain = objective(mdp, *new) - objective(mdp, *old)
        residuals.append(difference(performance_difference(mdp, new, old), gain))
    bandit = TabularMDP(np.ones(1), np.ones((1, 3, 1)), np.array([[2.0, 1.0, -9.0]]), horizon=1)
    tables = np.array([[[0.3, 0.4, 0.3]], [[0.2, 0.5, 0.3]]])
    before, after = (float(objective(bandit, pi)) for pi in tables)
    advantage = float(values(bandit, tables[0]).A[0, 0, 1])
    residuals += [difference([before, after], [-1.7, -1.8]), must(advantage > 0)]
    return Finding(worst(*residuals), numbers={"J before": before, "J after": after, "A of the raised": advantage})
