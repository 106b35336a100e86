"""Section 5, what baselines do to the mean (B1, B2, B7, B9). Derived in docs/derivations/baselines.md."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np

from ..baselines import (
    Baseline,
    ConstantBaseline,
    StateBaseline,
    TimeBaseline,
    leave_one_out,
    leave_one_out_return,
    no_baseline,
)
from ..estimators import Estimator, PolicyGradient
from ..oracle import (
    TabularMDP,
    causal_moments,
    objective,
    probabilities,
    scores,
    separable_moments,
    trajectories,
    values,
    whole_return_moments,
)
from ..policies import ComposedPolicy
from ..types import Array, FloatArray
from .catalogue import Finding, statement
from .measures import complex_gradient, difference, must, worst
from .on_tables import field, mean_of, state_baseline
from .paths import gradient_by_step
from .problem import Problem
from .smallest import bandit, gate
from .tabular_cases import table_policy, visits

WHOLE = PolicyGradient(causality=False, baseline=no_baseline, keep_per_episode=True)  # P1
TO_GO = PolicyGradient(baseline=no_baseline, keep_per_episode=True)  # P3; P4 with a γ


@statement(
    id="B1",
    section=5,
    statement="E[f_t b(s_t)] = 0: a constant, b_t and b_t(s_t) leave P1, P3 and P4 unbiased; b(s_t, a_t) does not",
    source="all",
    kind="exact",
)
def baselines_do_not_bias(problem: Problem) -> Finding:
    """Given s_0, a_0, …, s_t, b is a number whatever it depends on of these, and E[f_t | s_0 … s_t] = 0 (L4):

        E[f_t b] = E[b E[f_t | s_0, a_0, …, s_t]] = 0

    Term by term, so each b_t is free, and a factor γ^t changes nothing. b(s_t, a_t) is no number given s_t, and
    subtracts E[f_t b(s_t,a_t)] from the gradient: with b = r on a bandit, all of it.

    Measured: exact means of the library's estimators with its baselines, of random numbers, against a complex step
    through J; E[f_t b_t(s_t)] for each t; a table b(s,a) against what it subtracts.
    """
    residuals = []
    for mdp in (problem.mdp, problem.discounted):
        policy, theta = problem.policy(mdp)
        truth = gradient_by_step(mdp, policy, theta)
        T, S, A = len(values(mdp, policy, theta).Q), mdp.n_states, mdp.n_actions
        b = problem.table(T, S)
        for baseline in (ConstantBaseline(b[0, 0]), TimeBaseline(b[:, 0]), state_baseline(b[0]), state_baseline(b)):
            for plain in (WHOLE, TO_GO):
                estimator = replace(plain, gamma=mdp.gamma, baseline=baseline)
                residuals.append(difference(mean_of(estimator, mdp, policy, theta), truth))

        t = trajectories(mdp, policy, theta)
        f = policy.score(theta, t.batch.obs, t.batch.act)
        each = t.expect(t.pad(f * state_baseline(b)(t.batch.rew, t.batch)[:, None]))
        residuals.append(difference(each, np.zeros_like(each)))

        of_pairs = problem.table(S, A, stream=1)
        wrong = StateBaseline(lambda batch: of_pairs[batch.obs.argmax(axis=1), batch.act])  # noqa: B023
        bias = mean_of(replace(TO_GO, gamma=mdp.gamma, baseline=wrong), mdp, policy, theta) - truth
        pi, f = probabilities(mdp, policy, theta), scores(mdp, policy, theta)
        d = mdp.gamma ** np.arange(T)[:, None] * visits(mdp, pi)
        subtracted = field(mdp, f, d, pi, np.broadcast_to(of_pairs, (T, S, A)))
        residuals.append(difference(bias, -subtracted))
    return Finding(worst(*residuals), numbers={"‖bias‖ of a random b(s,a)": float(np.linalg.norm(bias))})


@statement(
    id="B2",
    section=5,
    statement="b = E[R], b_t = E[G_t], b(s) = V_t(s): unbiased, and the variance of each",
    source="10-703",
    kind="exact",
)
def usual_baselines(problem: Problem) -> Finding:
    """B1 with exact numbers for b. All three are means of what they are subtracted from: of the return, of G_t (0 where
    the episode has ended), of G_t given s_t. The last predicts G_t best: it has the least E(G_t − b)². The variance of
    ĝ need not be least with it, nor fall at all (B13): it weighs these squares by ‖f_t‖² (B5, B12).

    Measured: exact means of the library's estimators against a complex step through J, and their exact variances by
    enumeration against those by dynamic programming.
    """
    mdp, (policy, theta) = problem.mdp, problem.policy(problem.mdp)
    V, truth = values(mdp, policy, theta).V[:-1], gradient_by_step(mdp, policy, theta)
    J = float(objective(mdp, policy, theta))
    G = (visits(mdp, probabilities(mdp, policy, theta)) * V).sum(axis=1)  # E[G_t]
    of_return = whole_return_moments(mdp, policy, theta)

    def to_go(b: Array | float) -> float:
        return causal_moments(mdp, policy, theta, baseline=b).variance

    rows: dict[str, tuple[PolicyGradient, float]] = {
        "P1": (WHOLE, of_return.variance()),
        "P1, b = E[R]": (replace(WHOLE, baseline=ConstantBaseline(J)), of_return.variance(J)),
        "P3": (TO_GO, to_go(0.0)),
        "P3, b = E[R]": (replace(TO_GO, baseline=ConstantBaseline(J)), to_go(J)),
        "P3, b_t = E[G_t]": (replace(TO_GO, baseline=TimeBaseline(G)), to_go(G[:, None])),
        "P3, b = V_t(s)": (replace(TO_GO, baseline=state_baseline(V)), to_go(V)),
    }
    residuals, numbers = [], {}
    for name, (estimator, variance) in rows.items():
        m = separable_moments(estimator, mdp, policy, theta)
        residuals += [difference(m.mean, truth), difference(m.variance, variance)]
        numbers[f"Var ĝ, {name}"] = m.variance
    return Finding(worst(*residuals), numbers=numbers)


@statement(
    id="B7",
    section=5,
    statement="Two states with returns about 3000 and −4000: Var ĝ = 6250000.25 without, 0.25 with b(s)",
    source="10-703",
    kind="exact",
)
def two_states(problem: Problem) -> Finding:
    """Each state half of the time, π uniform, R = 3000 ± 1 in one and −4000 ± 1 in the other. f = ±(½, −½) in the
    logits of the state, ‖f‖² = ½, and ∇J = (¼, −¼) in each state, up to signs: ‖∇J‖² = ¼.

        without:      E‖f R‖² = ½ · ½ (3000² + 4000² + 2) = 6250000.5
        b = E[R]:     both are 3500 away from −500: ½ (3500² + 1) = 6125000.5
        b(s) = V(s):  fA = (½, −½) in one state for both actions, and likewise in the other: ½

    less ¼ each. A constant does next to nothing where states differ; what is left with V(s) is that ĝ shows one state
    of two.

    Measured: exact variances of the library's estimators.
    """
    R = np.array([[3001.0, 2999.0], [-4001.0, -3999.0]])
    mdp = TabularMDP(np.full(2, 0.5), np.full((2, 2, 2), 0.5), R, horizon=1)
    policy, uniform = table_policy(mdp), np.zeros(4)
    baselines: dict[str, tuple[Baseline, float]] = {
        "no baseline": (no_baseline, 6250000.25),
        "b = E[R]": (ConstantBaseline(-500.0), 6125000.25),
        "b(s) = V(s)": (state_baseline(np.array([3000.0, -4000.0])), 0.25),
    }
    residuals, numbers = [], {}
    for name, (baseline, expected) in baselines.items():
        m = separable_moments(_to_go(baseline), mdp, policy, uniform)
        residuals += [difference(m.variance, expected), difference(m.mean, [0.25, -0.25, -0.25, 0.25])]
        numbers[f"Var ĝ, {name}"] = m.variance
    return Finding(worst(*residuals), numbers=numbers)


@statement(
    id="B9",
    section=5,
    statement="R + c: same mean, other Var, leave-one-out unchanged; kR: kĝ; r_t + c: another problem if T is random",
    source="COL778, CS224R, 10-703",
    kind="exact",
    tolerance=1e-12,
)
def shifts_and_scales(problem: Problem) -> Finding:
    """c added to the return of every episode is a baseline −c (B1): the mean stays, the variance is that of b = −c
    (B5). Differences of returns do not see it: R_i − mean of the others, and so ĝ, is unchanged on every batch. That is
    for whole returns, or rewards-to-go of episodes of one length; where lengths differ, the mean over others of G_t + c
    counts c only for those alive at t, and ĝ moves. kR makes ĝ k times as long.

    c added to every reward adds c T to the return. If T is random it is another problem: ∇J moves by c ∇E[T]. Behind a
    gate, c = −1 makes a loss of going on: ∇J = (⅛, ⅛) becomes (−⅛, ⅛).

    An episode with R = 0 has no part in ĝ, however good it was among the others: bandit, R = (0, −1). Without a
    baseline the better action teaches nothing, and all is learned from the worse one.

    Measured: the library's estimators with c on the last reward of every episode: mean against a complex step through
    J, variance by dynamic programming, ĝ on all pairs of a tiny problem; kR; c on every reward against complex steps
    through J and E[T]; the examples.
    """
    c, k = 2.5, -3.0
    mdp, (policy, theta) = problem.mdp, problem.policy(problem.mdp)
    t = trajectories(mdp, policy, theta)
    last = np.isin(np.arange(t.batch.n_steps), t.batch.offsets[1:] - 1)
    truth, of_return = gradient_by_step(mdp, policy, theta), whole_return_moments(mdp, policy, theta)

    def terms(rew: Array, estimator: PolicyGradient = WHOLE) -> Array:
        return np.asarray(estimator(policy, theta, replace(t.batch, rew=rew)).per_episode)

    plain, shifted, every = terms(t.batch.rew), terms(t.batch.rew + c * last), terms(t.batch.rew + c)
    longer = complex_gradient(lambda x: objective(mdp.replace(R=np.ones_like(mdp.R)), policy, x), theta)  # ∇E[T]
    residuals = [
        difference(t.expect(shifted), truth),
        difference(np.trace(t.covariance(shifted)), of_return.variance(-c)),
        difference(terms(k * t.batch.rew), k * plain),
        difference(terms(k * t.batch.rew, TO_GO), k * terms(t.batch.rew, TO_GO)),
        difference(t.expect(every), truth + c * longer),
        _shift_seen(_whole(leave_one_out_return), problem.tiny, *problem.policy(problem.tiny), c),
    ]
    two = gate()
    table, uniform = table_policy(two), np.zeros(6)
    dearer = two.replace(R=np.where(two.terminal[:, None, None], 0.0, two.R - 1))
    means = np.stack([mean_of(WHOLE, m, table, uniform)[[1, 3]] for m in (two, dearer)])
    losses = bandit([0.0, -1.0])
    both = trajectories(losses, table_policy(losses), np.zeros(2)).batch
    taught = np.asarray(WHOLE(table_policy(losses), np.zeros(2), both).per_episode)
    residuals += [
        difference(means, [[1 / 8, 1 / 8], [-1 / 8, 1 / 8]]),
        difference(taught, [[0.0, 0.0], [0.5, -0.5]]),
        must(_shift_seen(_to_go(leave_one_out), two, table, uniform, c) > 0.1),
    ]
    return Finding(
        worst(*residuals),
        numbers={
            "Var ĝ": float(np.trace(t.covariance(plain))),
            f"Var ĝ with R + {c:g}": float(np.trace(t.covariance(shifted))),
            "‖∇E[T]‖": float(np.linalg.norm(longer)),
        },
    )


def _whole(baseline: Baseline) -> PolicyGradient:
    return replace(WHOLE, baseline=baseline)


def _to_go(baseline: Baseline) -> PolicyGradient:
    return replace(TO_GO, baseline=baseline)


def _shift_seen(g: Estimator, mdp: TabularMDP, policy: ComposedPolicy, theta: FloatArray, c: float) -> float:
    """How far ĝ moves at most, on any pair of episodes, when c is added to both returns."""
    t, moved = trajectories(mdp, policy, theta), []
    for pair in product(range(len(t)), repeat=2):
        batch = t.batch.select(list(pair))
        last = np.isin(np.arange(batch.n_steps), batch.offsets[1:] - 1)
        shifted = replace(batch, rew=batch.rew + c * last)
        moved.append(difference(g(policy, theta, shifted).gradient, g(policy, theta, batch).gradient))
    return worst(*moved)
