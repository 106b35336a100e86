"""Section 10, misprints about values, models and differences (X20, X21, X24, X29, X37, X38). Told in docs/errata.md."""

from __future__ import annotations

import numpy as np

from ..critics import reward_to_go
from ..estimators import FiniteDifferences, ScoreFunction
from ..oracle import (
    TabularMDP,
    Trajectories,
    backward_induction,
    greedy,
    objective,
    probabilities,
    scores,
    trajectories,
    values,
)
from ..types import Array, FloatArray
from .catalogue import Finding, statement
from .measures import complex_gradient, difference, must, worst
from .misprints import both_cases, even_coin, of_table, uneven_coin
from .on_tables import action_critic, mean_of
from .paths import gradient_by_step, tally
from .problem import Problem
from .smallest import gate, in_turn, wait


@statement(
    id="X20",
    section=10,
    statement="Q^{π,γ} = E[R_0 + γV^{π,γ}(S_1)]: the V behind must be discounted as well, V^π is not",
    source="10-703",
    kind="exact",
)
def value_behind(problem: Problem) -> Finding:
    """Q^{π,γ} = E[R_0 + γ(R_1 + γR_2 + …)], and the bracket's mean is V^{π,γ}(S_1). V^π is R_1 + R_2 + … without γ:
    then only the first step is discounted. Rewards 0, 0, 1 and γ = ½: Q = ¼, printed ½. Behind two steps it gives ¼, so
    that the "=" between the slide's lines fails as well.

    A superscript: γ stands in the line before, and V^π has been the only V until there.

    Measured: the oracle's V^{π,γ}, put behind 1, 2 and 3 steps of all trajectories, against the means of Σ γ^k r_k
    given (s_0, a_0).
    """
    residuals = []
    for mdp, policy, theta in both_cases(problem, of_table(in_turn([0.0, 0.0, 1.0])), discounted=True):
        t, plain = trajectories(mdp, policy, theta), mdp.replace(gamma=1.0)
        first = t.batch.offsets[:-1]
        cell = t.states[first] * mdp.n_actions + t.batch.act[first]
        truth = _means_by(cell, t.prob, reward_to_go(t.batch, mdp.gamma)[first])
        printed = []
        for n in (1, 2, 3):
            right, wrong = (_after_steps(t, mdp.gamma, values(m, policy, theta).V, n) for m in (mdp, plain))
            residuals.append(difference(_means_by(cell, t.prob, right), truth))
            printed.append(_means_by(cell, t.prob, wrong))
    return Finding(
        worst(*residuals),
        printed=difference(printed[0], truth),
        numbers={"Q": truth[0], "printed, n = 1": printed[0][0], "n = 2": printed[1][0], "n = 3": printed[2][0]},
    )


@statement(
    id="X21",
    section=10,
    statement="Forward differences take n + 1 evaluations, and give no derivative where U has none: at a jump 0 or 1/ε",
    source="10-703",
    kind="exact",
)
def evaluations(problem: Problem) -> Finding:
    """(U(θ + εu_k) − U(θ))/ε for k = 1 … n: n evaluations, and U(θ) once. Without derivative there is nothing to
    approximate: U = 1[θ ≥ 0] gives 0 at θ = 0 for every ε, and 1/ε at θ = −ε/2, whatever large.

    Meant is that U may come from a black box. Its mean over random starts or actions is smooth even where rewards jump
    (O8); that mean is what has a gradient, and what differences approximate. n would do if U(θ) were kept from the step
    before.

    Measured: the library's forward differences, counting calls, on a quadratic U, and on the step.
    """
    n, calls = 3, []

    def counted(theta: FloatArray, i: int) -> FloatArray:
        calls.append(theta)
        return np.array([float(theta @ theta)])

    theta, eps = problem.rng().normal(size=n), 0.25
    found = FiniteDifferences(eps, central=False)(counted, theta).gradient
    step = FiniteDifferences(eps, central=False)
    at, before = (
        float(step(lambda x, i: np.array([float(x[0] >= 0)]), np.array([x])).gradient[0]) for x in (0.0, -eps / 2)
    )
    return Finding(
        worst(
            difference(len(calls), n + 1), difference(found, 2 * theta + eps), difference([at, before], [0.0, 1 / eps])
        ),
        printed=min(difference(len(calls), n), difference(before, at)),
        numbers={"parameters": n, "evaluations": len(calls), "at θ = 0": at, "at θ = −ε/2, ε = ¼": before},
    )


@statement(
    id="X24",
    section=10,
    statement="Model-based RL learns p(s'|s,a): with p(s'|s) alone no plan can choose an action for where it leads",
    source="CS285 3.4",
    kind="exact",
)
def model_without_actions(problem: Problem) -> Finding:
    """p(s'|s) = Σ_a π(a|s) p(s'|s,a), in data of π. It belongs to π, and predicts the future of no other policy. A
    planner that is given it thinks all actions lead to the same, and takes the one that pays most at once. At a gate
    action 0 ends and pays .3, action 1 pays nothing and leads to a choice of 0 or 1; π uniform. Planned with p(s'|s): Q
    = .3 + ½ and 0 + ½, it stops, J = .3. With p(s'|s,a): J = 1.

    A table cell with little room; the section's own definitions have p(s_{t+1}|s_t, a_t).

    Measured: plans with both models by the oracle's backward induction, and what they get; J of another policy than π,
    predicted by p(s'|s,a) read off all trajectories of π.
    """
    mdp, policy, theta = of_table(gate(stop=0.3))
    in_truth, blind = (
        greedy(backward_induction(m).Q) for m in (mdp, _without_actions(mdp, probabilities(mdp, policy, theta)))
    )
    got, printed = (float(objective(mdp, plan)) for plan in (in_truth, blind))

    other, policy, theta = problem.mdp, *problem.policy(problem.mdp)
    t = trajectories(other, policy, theta)
    counts = np.zeros(other.P.shape)
    np.add.at(counts, (t.states, t.batch.act, t.next_states), t.prob[t.batch.segment])
    visited = counts.sum(axis=2, keepdims=True)
    learned = other.replace(P=np.where(visited > 0, counts / np.where(visited > 0, visited, 1), other.P))
    new = problem.theta(policy, 1)
    return Finding(
        worst(
            difference(got, 1.0),
            difference(printed, 0.3),
            difference(objective(learned, policy, new), objective(other, policy, new)),
        ),
        printed=got - printed,
        numbers={"J of the plan": got, "J of the plan with p(s'|s)": printed},
    )


@statement(
    id="X29",
    section=10,
    statement="b(s) = E[r_t + … | s_t = s], H(π(·|s_t)) and gradient ascent: not E[r_t + …], H(π(a_t|s_t)), descent",
    source="10-703",
    kind="exact",
)
def three_notations(problem: Problem) -> Finding:
    """Three slips of notation, each read as it stands.

    E[r_t + …] without "given s_t = s" is a number, b(s) a function: two states that return 1 and −1 have b = ±1,
    printed 0.

    π(a_t|s_t) is a number, and −log of it (whose mean is the entropy) has for its own gradient −f_t, of mean 0: E[∇log
    π] = 0. That of H(π(·|s)) is −E[f log π] (S8). π = (.9, .1): −.198 in the first coordinate, printed 0.

    θ − α∇J goes down: fair coin, α = 1, J from .5 to .378; θ + α∇J to .622.

    As read aloud they are all right; "stochastic gradient descent" is the family's name.

    Measured: V_t(s) against means over all trajectories; ∇H by complex step against E[−f log π], and E[f]; J after both
    steps, and their slopes ±‖∇J‖² at α = 0.
    """
    residuals = []
    P = np.repeat(np.eye(2)[:, None], 2, axis=1)
    two = TabularMDP(np.full(2, 0.5), P, np.array([[1.0, 1.0], [-1.0, -1.0]]), horizon=1)
    for mdp, policy, theta in both_cases(problem, of_table(two)):
        t, V = trajectories(mdp, policy, theta), values(mdp, policy, theta).V[:-1]
        d, G = (tally(t, t.states, mdp.n_states, x) for x in (np.ones(t.batch.n_steps), reward_to_go(t.batch)))
        residuals.append(difference(V[d > 0], G[d > 0] / d[d > 0]))
    apart = [difference(np.full(2, G[0].sum()), V[0])]

    for mdp, policy, theta in both_cases(problem, uneven_coin()):
        pi, f = probabilities(mdp, policy, theta), scores(mdp, policy, theta)
        of_entropy = np.einsum("sa,sap->sp", -pi * np.log(pi), f)
        of_log = np.einsum("sa,sap->sp", -pi, f)  # E ∇(−log π(a|s))
        truth = complex_gradient(lambda x: _entropies(probabilities(mdp, policy, x)), theta)  # noqa: B023
        residuals += [difference(of_entropy, truth), difference(of_log, 0 * truth)]
    apart.append(difference(of_log, truth))

    for mdp, policy, theta in both_cases(problem, even_coin()):
        g = gradient_by_step(mdp, policy, theta)
        for sign in (1.0, -1.0):
            rate = complex_gradient(lambda a: objective(mdp, policy, theta + sign * a[0] * g), np.zeros(1))  # noqa: B023
            residuals.append(difference(rate[0], sign * (g @ g)))
    down, here, up = (float(objective(mdp, policy, theta + a * g)) for a in (-1, 0, 1))
    apart.append(here - down)
    return Finding(
        worst(*residuals, must(down < here < up)),
        printed=min(apart),
        numbers={"two states: V": str(V[0].tolist()), "∂H": truth[0, 0], "J after descent": down, "after ascent": up},
    )


@statement(
    id="X37",
    section=10,
    statement="A = R + γV(s') − V(s) with V of the same γ: with V fitted to Σ R or R + V(s') the mean of A is not 0",
    source="10-703",
    kind="exact",
)
def two_discounts(problem: Problem) -> Finding:
    """The slides regress V_φ on Σ_k R, or on R + V_φ(s'), both without γ, and then compute A with γV_φ(s') in it. With
    V = V^π, undiscounted,

        E[R + γV^π(s') − V^π(s) | s] = −(1 − γ) E[V^π(s') | s]

    which an advantage does not have: on average every action looks worse than the policy, or better where V < 0. That
    part is a baseline's business and does no harm to the mean of the gradient; E[f_t γV^π(s_{t+1})] in place of E[f_t
    γV^{π,γ}(s_{t+1})] does, as with any wrong V (P7). A gate (π uniform, γ = ½; action 1 goes on to 0 or 1): A = −¼ and
    0, with γ in both −⅛ and ⅛.

    The γ came with the slides on Q^{π,γ}, between the fit and its use.

    Measured: E_a A of the oracle's values, with γ in both and as printed, against 0 and −(1 − γ)E V^π(s').
    """
    residuals = []
    for mdp, policy, theta in both_cases(problem, of_table(gate()), discounted=True):
        pi, alive = probabilities(mdp, policy, theta), ~mdp.terminal
        V, plain = values(mdp, policy, theta).V, values(mdp.replace(gamma=1.0), policy, theta).V
        A, printed = (_residuals(mdp, v) for v in (V, plain))
        of_A, of_printed = ((pi * x).sum(axis=2)[:, alive] for x in (A, printed))
        behind = np.einsum("sa,sax,tx->ts", pi, mdp.P, plain[1:])[:, alive]
        residuals += [difference(of_A, 0 * of_A), difference(of_printed, -(1 - mdp.gamma) * behind)]
    return Finding(
        worst(*residuals),
        printed=difference(of_printed[0], 0 * of_printed[0]),
        numbers={"A at the gate": str(A[0, 0].tolist()), "as printed": str(printed[0, 0].tolist())},
    )


@statement(
    id="X38",
    section=10,
    statement="E[G_t|s_t, a_t] is Q_t, of the steps that are left; Q = E[R_0 + R_1 + … |S_0 = s, A_0 = a] is Q_0",
    source="10-703, Seita",
    kind="exact",
)
def whole_horizon(problem: Problem) -> Finding:
    """With T finite the same state is worth less later: fewer rewards follow. One state, two steps at most, action 0
    ends and pays 1, action 1 waits, π uniform: Q_0 = (1, ½), Q_1 = (1, 0). In the gradient, Q_0 at both times:

        Σ_t E[f_t Q_0(s_t,a_t)] = ¼ · ½ + ⅛ · ½ = 3/16,   Σ_t E[f_t Q_t(s_t,a_t)] = ¼ · ½ + ⅛ · 1 = ¼

    (∂/∂θ_0). Without an end, or with the time in the state, one Q is enough.

    Seita says so below the formula: one can "also consider starting at any given time step". On the slide the sum "R_0
    + R_1 + …" has no end.

    Measured: means over all trajectories of G_t given (s_t, a_t) against the oracle's Q_t; the mean of the gradient
    with Q_t, against ∇J, and with Q_0.
    """
    residuals = []
    for mdp, policy, theta in both_cases(problem, of_table(wait())):
        t, Q, truth = (
            trajectories(mdp, policy, theta),
            values(mdp, policy, theta).Q,
            gradient_by_step(mdp, policy, theta),
        )
        cell = t.states * mdp.n_actions + t.batch.act
        n = mdp.n_states * mdp.n_actions
        d, G = (
            tally(t, cell, n, x).reshape(-1, *Q.shape[1:]) for x in (np.ones(t.batch.n_steps), reward_to_go(t.batch))
        )
        right, printed = (
            mean_of(ScoreFunction(action_critic(q), keep_per_episode=True), mdp, policy, theta)
            for q in (Q, np.broadcast_to(Q[0], Q.shape))
        )
        residuals += [difference(Q[d > 0], G[d > 0] / d[d > 0]), difference(right, truth)]
    return Finding(
        worst(*residuals),
        printed=min(difference(printed, truth), difference(Q[0], Q[1])),
        numbers={
            "Q_0": str(Q[0, 0].tolist()),
            "Q_1": str(Q[1, 0].tolist()),
            "∂J/∂θ_0": truth[0],
            "with Q_0": printed[0],
        },
    )


def _means_by(cell: Array, p: FloatArray, x: FloatArray) -> FloatArray:
    """E[x | cell] for every cell that occurs."""
    weight = np.bincount(cell, p)
    return np.asarray(np.bincount(cell, p * x)[weight > 0] / weight[weight > 0])


def _after_steps(t: Trajectories, gamma: float, V: FloatArray, n: int) -> FloatArray:
    """Σ_{k<n} γ^k r_k + γ^n V_n(s_n) of every trajectory, V = 0 where it has ended before."""
    rewards = t.pad(t.batch.rew * gamma**t.batch.time)[:, :n].sum(axis=1)
    s_n = t.pad(t.next_states)[:, n - 1]
    return np.asarray(rewards + gamma**n * np.where(t.batch.lengths >= n, V[n, s_n], 0.0))


def _without_actions(mdp: TabularMDP, pi: Array) -> TabularMDP:
    """The problem with p(s'|s) = Σ_a π(a|s) p(s'|s,a) behind every action, and the rewards r(s,a)."""
    of_states = np.einsum("sa,sax->sx", pi, mdp.P)
    return mdp.replace(P=np.repeat(of_states[:, None], mdp.n_actions, axis=1), R=mdp.r)


def _residuals(mdp: TabularMDP, V: FloatArray) -> FloatArray:
    """r(s,a) + γ Σ_{s'} p(s'|s,a) V_{t+1}(s') − V_t(s), (T, S, A)."""
    return np.asarray(mdp.r + mdp.gamma * np.einsum("sax,tx->tsa", mdp.P, V[1:]) - V[:-1, :, None])


def _entropies(pi: Array) -> Array:
    """H(π(·|s)) of every state."""
    return np.asarray(-(pi * np.log(pi)).sum(axis=1))
