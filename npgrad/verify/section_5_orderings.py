"""Section 5, what lowers the variance of each term and can raise it for the sum (B13).

Derived in docs/derivations/baselines.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np

from ..baselines import Baseline, ConstantBaseline, no_baseline
from ..estimators import (
    AllActions,
    Estimate,
    Estimator,
    OffPolicyGradient,
    PerDecisionGradient,
    PolicyGradient,
    ScoreFunction,
)
from ..oracle import TabularMDP, separable_moments, values
from ..policies import Policy
from ..types import Array, Batch, FloatArray
from .catalogue import Finding, statement
from .measures import difference, must, worst
from .on_tables import action_critic, state_baseline
from .problem import Problem
from .smallest import bandit, in_turn, wait
from .tabular_cases import table_policy

WHOLE = PolicyGradient(causality=False, baseline=no_baseline, keep_per_episode=True)  # P1
TO_GO = PolicyGradient(baseline=no_baseline, keep_per_episode=True)  # P3


@statement(
    id="B13",
    section=5,
    statement="Reward-to-go, E[R], V^π, exact Q, all actions, per-decision ratios: each can raise Var ĝ",
    source="beyond",
    kind="exact",
)
def orderings_that_fail(problem: Problem) -> Finding:
    """Each of the six makes something smaller, and none of them ĝ for sure.

    (1) Reward-to-go drops f_t r_k, k < t, of mean zero. But these may cancel others. Two steps, r = (−1, +1): R = 0, so
    P1 is 0; P3 is f_1, variance ½.

    (2) E[R] makes E(R − b)² least, not E‖g‖²(R − b)² (B5). One step, π = (.9, .1), R = (1, 0): .0018 without, .1152
    with.

    (3) V^π, the same state by state: with one state it is example 2. It can be worse than E[R], too: example 2 in one
    half of the starts, in the other −.7 for both actions and π = (.99, .01). E[R] = .1 is the best b in the first.

    (4) Q_t for G_t: Var(f_tQ_t) ≤ Var(f_tG_t), a conditional mean. But G_t − Q_t can offset later terms. One state, two
    steps: action 0 ends and pays 1, action 1 waits, π uniform. In one logit, who waits and then ends has (f_0 + f_1) ·
    1 = 0 with G, who waits twice 0. With Q_0(wait) = ½ they have ∓¼.

    (5) All actions for one, with exact Q: Var(E[f_tQ_t|s_t]) ≤ Var(f_tQ_t), a conditional mean again. The same, waiting
    pays −½. One action: −½ for who ends, −½ ∓ ⅛ for who waits. All actions: −5/16 at first, and −⅜ more if there is a
    second step.

    (6) Per decision: r_k with Π_{j≤k}ρ_j, the conditional mean of r_k with all ratios. r = (−1, +1) as in 1, β = (¾,
    ¼): ρ_0ρ_1 Σ f_tG_t = ρ_0ρ_1 f_1 against ρ_0ρ_1 f_1 + ρ_0 f_0 (ρ_1 − 1).

    With one step the two of 1, 4, 5 and 6 are the same, or ordered as a single term is. In 4 and 5 what comes later
    must depend on a_0 (here, whether it comes) and share its θ: if each step has parameters of its own, f_tᵀf_k = 0,
    Var ĝ is the sum of the variances of its terms, and the orderings hold.

    Measured: exact variances of the library's estimators against fractions; term by term on a random problem, where the
    orderings of 4, 5 and 6 must hold, and for the sums of 4 and 5 with a row of θ for each time and state.
    """
    examples = _examples()
    residuals, numbers = [], {}
    for name, (mdp, theta, rows) in examples.items():
        policy = table_policy(mdp)
        for label, estimator, behaviour, expected in rows:
            m = separable_moments(estimator, mdp, policy, theta, behaviour=behaviour)
            residuals.append(difference(m.variance, float(expected)))
            numbers[f"{name}: {label}"] = str(expected)
    return Finding(worst(*residuals, *_term_by_term(problem), *_time_apart(problem)), numbers=numbers)


Row = tuple[str, Estimator, Array | None, Fraction]


def _examples() -> dict[str, tuple[TabularMDP, FloatArray, list[Row]]]:
    """Problem, θ, and pairs of estimators with their variances; the second is commonly said to have less."""
    nine_to_one, b_of_two = np.log([0.9, 0.1]), state_baseline(np.array([0.9, -0.7]))
    two_starts = TabularMDP(np.full(2, 0.5), np.full((2, 2, 2), 0.5), np.array([[1.0, 0.0], [-0.7, -0.7]]), horizon=1)
    turns, beta = in_turn([-1.0, 1.0]), np.tile([0.75, 0.25], (3, 1))
    Q, Q_at_a_price = (action_critic(values(m, np.full((2, 2), 0.5)).Q) for m in (wait(), wait(pay=-0.5)))
    one, dearer = (ScoreFunction(q, keep_per_episode=True) for q in (Q, Q_at_a_price))
    every = AllActions(Q_at_a_price.table, keep_per_episode=True)
    of_episodes, per_decision = (
        OffPolicyGradient(TO_GO.weights, keep_per_episode=True),
        PerDecisionGradient(keep_per_episode=True),
    )
    F = Fraction
    return {
        "reward-to-go": (turns, np.zeros(6), [("R", WHOLE, None, F(0)), ("G_t", TO_GO, None, F(1, 2))]),
        "E[R]": (
            bandit([1.0, 0.0]),
            nine_to_one,
            [("none", TO_GO, None, F(18, 10**4)), ("E[R]", _with(ConstantBaseline(0.9)), None, F(1152, 10**4))],
        ),
        "V^π": (
            two_starts,
            np.concatenate([nine_to_one, np.log([0.99, 0.01])]),
            [
                ("E[R]", _with(ConstantBaseline(0.1)), None, F(10_386, 10**6)),
                ("V(s)", _with(b_of_two), None, F(61_650, 10**6)),
            ],
        ),
        "exact Q": (wait(), np.zeros(4), [("G_t", TO_GO, None, F(1, 8)), ("Q_t", one, None, F(3, 16))]),
        "all actions": (
            wait(pay=-0.5),
            np.zeros(4),
            [("one", dearer, None, F(1, 64)), ("all", every, None, F(9, 128))],
        ),
        "ratios": (
            turns,
            np.zeros(6),
            [("of the episode", of_episodes, beta, F(8, 9)), ("per decision", per_decision, beta, F(10, 9))],
        ),
    }


def _with(baseline: Baseline) -> PolicyGradient:
    return replace(TO_GO, baseline=baseline)


def _term_by_term(problem: Problem) -> list[float]:
    """0 for each time at which Q_t for G_t, all actions for one, and ratios per decision have no more variance."""
    mdp, (policy, theta) = problem.mdp, problem.policy(problem.mdp)
    beta = problem.rng().dirichlet(np.full(mdp.n_actions, 5.0), size=mdp.n_states)
    Q = action_critic(values(mdp, policy, theta).Q)
    chains: list[tuple[Array | None, Callable[[int], list[Estimator]]]] = [
        (None, lambda t: [_only(TO_GO.weights, t), _only(Q, t), _only_all(Q.table, t)]),
        (
            beta,
            lambda t: [
                _with_one_reward(OffPolicyGradient(TO_GO.weights, keep_per_episode=True), t),
                _with_one_reward(PerDecisionGradient(keep_per_episode=True), t),
            ],
        ),
    ]
    found = []
    for behaviour, at in chains:
        for t in range(mdp.horizon or 0):
            v = [separable_moments(g, mdp, policy, theta, behaviour=behaviour).variance for g in at(t)]
            found.append(must(all(after <= before + 1e-12 for before, after in pairwise(v))))
    return found


def _time_apart(problem: Problem) -> list[float]:
    """0 if, with a row of θ for each time and state, Q_t varies no more than G_t, and all actions no more than one."""
    mdp = problem.mdp.with_time()
    policy = table_policy(mdp)
    theta = problem.theta(policy)
    Q = values(mdp, policy, theta).Q
    critic = action_critic(np.concatenate([Q, Q[:1] * 0]).reshape(-1, mdp.n_actions))  # rows (t, s), as they are seen
    chain = TO_GO, ScoreFunction(critic, keep_per_episode=True), AllActions(critic.table, keep_per_episode=True)
    v = [separable_moments(g, mdp, policy, theta).variance for g in chain]
    return [must(v[2] <= v[1] + 1e-12 and v[1] <= v[0] + 1e-12)]


def _only(psi: Callable[[Batch], FloatArray], t: int) -> ScoreFunction:
    """Its term of time t."""
    return ScoreFunction(lambda batch: np.where(batch.time == t, psi(batch), 0.0), keep_per_episode=True)


def _only_all(q: Callable[[Batch], Array], t: int) -> AllActions:
    return AllActions(lambda batch: np.where(batch.time[:, None] == t, q(batch), 0.0), keep_per_episode=True)


def _with_one_reward(g: Estimator, t: int) -> Estimator:
    """The estimator where only time t is paid."""

    def paid_once(policy: Policy, theta: Array, batch: Batch) -> Estimate:
        return g(policy, theta, replace(batch, rew=np.where(batch.time == t, batch.rew, 0.0)))

    return paid_once
