"""Section 10, misprints about variance (X13, X14, X15, X16, X22, X34, X40). Told in docs/errata.md."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..baselines import ConstantBaseline
from ..critics import reward_to_go, total_return
from ..estimators import PolicyGradient, ScoreFunction, episode_scores
from ..oracle import (
    TabularMDP,
    Trajectories,
    causal_moments,
    objective,
    separable_moments,
    state_baselines,
    trajectories,
    values,
    whole_return_moments,
)
from ..policies import ComposedPolicy
from ..types import FloatArray
from .catalogue import Finding, statement
from .measures import difference, must, worst
from .misprints import TO_GO, WHOLE, both_cases, even_coin, of_table, uneven_coin
from .on_tables import state_baseline
from .paths import gradient_by_step, tally
from .problem import Problem
from .smallest import in_turn, wait


@statement(
    id="X13",
    section=10,
    statement="Reward-to-go need not have the smaller variance: rewards −1, then +1: whole return 0, reward-to-go ½",
    source="CS285 4.3.1",
    kind="exact",
)
def reward_to_go_varies(problem: Problem) -> Finding:
    """P1 is P3 and the pairs of scores with rewards before them, Z = Σ_t f_t Σ_{k<t} r_k, of mean zero (X4):

        Var(P1) = Var(P3) + Var(Z) + 2 Cov(P3, Z)

    Each f_t Σ_{k<t} r_k is noise, but may be the opposite of the noise in f_t G_t. Rewards −1 and +1, whatever is done,
    π uniform: R = 0, so P1 is 0 on every trajectory; P3 has 0 · f_0 + 1 · f_1, and E‖f_1‖² = ½. ∇J = 0.

    It is smaller as a rule, and the more so the longer the past is. Causality alone does not give it: it says that Z
    has mean zero, and nothing of the sign of the covariance (B13).

    Measured: both variances by enumeration of the library's estimators and by dynamic programming; the sum of the three
    on a random problem.
    """
    residuals = []
    for mdp, policy, theta in both_cases(problem, of_table(in_turn([-1.0, 1.0]))):
        t = trajectories(mdp, policy, theta)
        whole, to_go, past = (
            np.asarray(g(policy, theta, t.batch).per_episode)
            for g in (WHOLE, TO_GO, ScoreFunction(lambda b: total_return(b) - reward_to_go(b), keep_per_episode=True))
        )
        var = [float(np.trace(t.covariance(x))) for x in (whole, to_go, past)]
        cross = 2 * float(t.expect(((to_go - t.expect(to_go)) * (past - t.expect(past))).sum(axis=1)))
        exact = whole_return_moments(mdp, policy, theta).variance(), causal_moments(mdp, policy, theta).variance
        residuals += [difference(var[:2], exact), difference(var[0], var[1] + var[2] + cross)]
    residuals.append(difference(exact, [0.0, 0.5]))
    return Finding(
        worst(*residuals),
        printed=exact[1] - exact[0],
        numbers={"Var, whole return": exact[0], "Var, reward-to-go": exact[1], "2 Cov": cross},
    )


@statement(
    id="X14",
    section=10,
    statement="b = E[R] can be worse than none: π = (.9, .1), R = (1, 0): Var .1152; .0018 with b = 0, 0 with b* = .1",
    source="COL778, CS224R, CS285",
    kind="exact",
)
def average_reward(problem: Problem) -> Finding:
    """Var(b) = Var(b*) + E‖F‖²(b − b*)² with b* = E[‖F‖²R]/E‖F‖² (B5): what counts is the distance from b*, which is a
    mean under other weights than E[R], those of ‖F‖². Rare actions have the large scores. π = (.9, .1), R = (1, 0):
    ‖F‖² = .02 and 1.62, E‖F‖² = .18, b* = .018/.18 = .1, E[R] = .9;

        Var(.9) = .1152,   Var(0) = .0018,   Var(.1) = 0

    It gets worse the surer the policy is of the better action, as towards the end of training.

    "Not the best, but pretty good" it often is: where returns lie far from 0 beside their spread, b = 0 is the bad
    choice. Nor do the lectures promise more.

    Measured: the bandit's closed form and the library's estimator by enumeration, b fixed; the formula on a random
    problem; the mean of the batch itself, N Var ĝ_N.
    """
    mdp, policy, theta = uneven_coin()
    m = whole_return_moments(mdp, policy, theta)
    b = m.best_constant()
    listed = [
        separable_moments(replace(WHOLE, baseline=ConstantBaseline(x)), mdp, policy, theta).variance
        for x in (0.9, 0.0, 0.1)
    ]
    exact = [m.variance(0.9), m.variance(), m.variance(b)]

    other = (problem.mdp, *problem.policy(problem.mdp))
    J, of_other = float(objective(*other)), whole_return_moments(*other)
    gap = float(of_other.FF.sum()) * (J - of_other.best_constant()) ** 2
    with_mean = separable_moments(replace(WHOLE, baseline=ConstantBaseline(J)), *other).variance
    return Finding(
        worst(
            difference(exact, [0.1152, 0.0018, 0.0]),
            difference(listed, exact),
            difference(b, 0.1),
            difference(with_mean, of_other.variance(of_other.best_constant()) + gap),
        ),
        printed=exact[0] - exact[1],
        numbers={"b = E[R]": exact[0], "b = 0": exact[1], "b = b*": abs(exact[2])}
        | {f"N Var ĝ_N, the mean of {n}": n * float(m.batch_mean_variances(n).sum()) for n in (2, 10, 100)},
    )


@statement(
    id="X34",
    section=10,
    statement="b* = E[g²R]/E[g²] weighs by squared gradient magnitudes: by magnitudes it is .5 on X14's coin, for .1",
    source="COL778, CS285",
    kind="exact",
)
def squared_magnitudes(problem: Problem) -> Finding:
    """dVar/db = −2E[g²R] + 2bE[g²] = 0. π = (.9, .1), R = (1, 0): |g| = .1 and .9, so

        E[|g|R]/E|g| = .09/.18 = .5,   E[g²R]/E[g²] = .009/.09 = .1

    in each coordinate, and Var(.5) = .0288, Var(.1) = 0 in both together.

    The formula is right; "weighted by gradient magnitudes" is how it is put in words.

    Measured: the minimum by the oracle's moments against E[g²R]/E[g²] over all trajectories, each coordinate and the
    trace; both weights on the coin.
    """
    residuals = []
    for mdp, policy, theta in both_cases(problem, uneven_coin()):
        t, m = trajectories(mdp, policy, theta), whole_return_moments(mdp, policy, theta)
        g, R = episode_scores(policy, theta, t.batch, np.ones(t.batch.n_steps)), t.batch.returns()
        squares = t.expect(g**2)
        seen = squares > 1e-12
        with_R = t.expect(g**2 * R[:, None])
        residuals += [
            difference(m.best_per_coordinate()[seen], with_R[seen] / squares[seen]),
            difference(m.best_constant(), with_R.sum() / squares.sum()),
            *(must(m.variance(m.best_constant() + x) > m.variance(m.best_constant())) for x in (-0.1, 0.1)),
        ]
    size = np.linalg.norm(g, axis=1)
    by_size = float(t.expect(size * R) / t.expect(size))
    best = m.best_constant()
    return Finding(
        worst(*residuals, difference(best, 0.1)),
        printed=m.variance(by_size) - m.variance(best),
        numbers={"by squares": best, "by magnitudes": by_size, "Var with the latter": m.variance(by_size)},
    )


@statement(
    id="X15",
    section=10,
    statement="Var X_t = E‖X_t‖² − ‖E X_t‖², where E X_t is the gradient's term at t, not 0 because b does not bias",
    source="Seita",
    kind="exact",
)
def mean_squared(problem: Problem) -> Finding:
    """X_t = f_t (G_t − b(s_t)). That b does not bias says E[f_t b] = 0, and so E X_t = E[f_t G_t], whatever b: the
    terms of ∇J. Their squares are not 0 unless ∇J is. A fair coin: E‖X‖² = ¼, ‖E X‖² = ⅛, Var = ⅛.

    As they do not depend on b, Var and ΣE‖X_t‖² fall and rise together, cross terms apart, and have their minimum at
    the same b: the post's conclusion stands, its value of the variance does not.

    The sentence is the post's; of two comments that ask about it, the second (Pastafarianist) has it right.

    Measured: E X_t for two baselines, summed against ∇J; Var against E‖X_t‖² − ‖E X_t‖² and the cross terms.
    """
    residuals = []
    for mdp, policy, theta in both_cases(problem, even_coin()):
        t, b = trajectories(mdp, policy, theta), problem.table(mdp.horizon or 0, mdp.n_states)
        plain, with_b = (_rows(t, policy, theta, g) for g in (TO_GO, replace(TO_GO, baseline=state_baseline(b))))
        means = t.expect(plain)
        truth = gradient_by_step(mdp, policy, theta)
        residuals += [difference(t.expect(with_b), means), difference(means.sum(axis=0), truth)]
        for X, offset in ((plain, 0.0), (with_b, b)):
            squares, cross = float(t.expect((X**2).sum(axis=(1, 2)))), _cross_terms(t, X)
            exact = causal_moments(mdp, policy, theta, baseline=offset).variance
            residuals.append(difference(squares - (means**2).sum() + cross, exact))
    squares = float(t.expect((plain**2).sum(axis=(1, 2))))
    var = causal_moments(mdp, policy, theta).variance
    return Finding(worst(*residuals), printed=difference(squares, var), numbers={"E‖X‖²": squares, "Var": var})


@statement(
    id="X16",
    section=10,
    statement="Under (i) and (ii) the best b(s_t) is E[G_t|s_t] = V_t(s_t), not E[G_t]; of the variance it is B12's",
    source="Seita",
    kind="exact",
)
def best_state_baseline(problem: Problem) -> Finding:
    """The two approximations leave ΣE‖f_t‖² E(G_t − b(s_t))², whose least-squares solution among functions of s_t is
    the mean given s_t. E[G_t] is the best number: with two states, where everything returns 1 or −1, it is 0 and leaves
    E(G − b)² = 1, V leaves 0.

    Without (ii) squares of scores weigh these squares: b* = E[f_tᵀX|s]/E[‖f_t‖²|s], X = Σ_k f_k G_k (B12). One state, π
    = (.9, .1), R = (1, 0): V = .9 has the variance .1152, b* = .1 has 0.

    The post says that both are approximations, and means the conditional mean ("starting at time t"); the comment that
    asks for the minimum of the variance itself is right, and the answer names those who found it.

    Measured: V_t against the means over all trajectories of G_t given s_t; at the oracle's b* the variance of the
    library's estimator by enumeration, below those of V_t and E[G_t], by ΣE‖f_t‖²(b − b*)².
    """
    residuals = []
    for mdp, policy, theta in both_cases(problem, uneven_coin()):
        t, V = trajectories(mdp, policy, theta), values(mdp, policy, theta).V[:-1]
        d, G = (tally(t, t.states, mdp.n_states, x) for x in (np.ones(t.batch.n_steps), reward_to_go(t.batch)))
        seen = d > 0
        alone = G.sum(axis=1) / d.sum(axis=1)  # E[G_t | the episode goes on]
        of_b = state_baselines(mdp, policy, theta)
        best, flat = of_b.best(), np.broadcast_to(alone[:, None], V.shape)
        least = separable_moments(replace(TO_GO, baseline=state_baseline(best)), mdp, policy, theta).variance
        residuals += [difference(V[seen], G[seen] / d[seen]), difference(least, of_b.variance(best))]
        for b in (V, flat):
            found = separable_moments(replace(TO_GO, baseline=state_baseline(b)), mdp, policy, theta).variance
            residuals.append(difference(found - least, float((of_b.w * (b - best) ** 2).sum())))
    gap = found - least  # one state: V is E[G]

    P = np.repeat(np.eye(2)[:, None], 2, axis=1)
    mdp, policy, theta = of_table(TabularMDP(np.full(2, 0.5), P, np.array([[1.0, 1.0], [-1.0, -1.0]]), horizon=1))
    t, V = trajectories(mdp, policy, theta), values(mdp, policy, theta).V[0]
    left = [float(t.expect((t.batch.rew - b) ** 2)) for b in (t.expect(t.batch.rew), V[t.states])]
    residuals.append(difference(left, [1.0, 0.0]))
    return Finding(
        worst(*residuals, difference([found, least], [0.1152, 0.0])),
        printed=min(left[0] - left[1], gap),
        numbers={
            "two states: E(G − b)², b = E[G]": left[0],
            "two states: b = V(s)": left[1],
            "one state: Var with V": found,
            "one state: Var with b*": abs(least),
        },
    )


@statement(
    id="X22",
    section=10,
    statement="Var = E[(g(r − b))²] − (E[g r])²: the second term is the square of E[g r], not E[g r]",
    source="CS285 4.3.2, COL778",
    kind="exact",
)
def square_of_a_mean(problem: Problem) -> Finding:
    """E[x]² with x = g(r − b), and E[g b] = 0: it is (E[g r])² = (∇J)², in each coordinate. A fair coin, b = 0: ⅛ −
    (¼)² = 1/16; as printed ⅛ − ¼ < 0, which no variance is.

    Only that it does not depend on b is used, and that is so.

    COL778's slide "Analyzing variance" has the same words under a brace; there the brace may be meant for what is
    inside the square.

    Measured: variances of each coordinate by enumeration of the library's estimator, with a random b, against E[g²(r −
    b)²] − (∇J)², ∇J by complex step.
    """
    b, residuals = float(problem.table(1)[0]), []
    for mdp, policy, theta in both_cases(problem, even_coin()):
        t, truth = trajectories(mdp, policy, theta), gradient_by_step(mdp, policy, theta)
        g, R = episode_scores(policy, theta, t.batch, np.ones(t.batch.n_steps)), t.batch.returns()
        for x in (b, 0.0):
            squares = t.expect((g * (R - x)[:, None]) ** 2)
            exact = separable_moments(replace(WHOLE, baseline=ConstantBaseline(x)), mdp, policy, theta).covariance
            residuals.append(difference(squares - truth**2, np.diag(exact)))
    printed, var = squares[0] - truth[0], exact[0, 0]
    return Finding(worst(*residuals), printed=difference(printed, var), numbers={"Var": var, "as printed": printed})


@statement(
    id="X40",
    section=10,
    statement="(i), Var ≈ ΣE‖X_t‖², is no better for N parallel episodes, as in A3C: its relative error is the same",
    source="Seita",
    kind="exact",
)
def parallel_episodes(problem: Problem) -> Finding:
    """Guessed: when "the correlation among samples is broken", as A3C does, (i) becomes better. With N independent
    episodes both sides are divided by N, and their ratio stays. The terms that (i) drops, cross terms and squared
    means, are of one and the same episode, and there ĝ sums over it however many others run. One state, two steps at
    most, action 0 ends and pays 1, π uniform: (i)/Var = ½/⅛ = 4 for N = 1, 2, …

    If every X_t came from an episode of its own, of which the rest is thrown away, the cross terms would go: ΣE‖X_t‖² −
    Σ‖EX_t‖² = 7/16, more than ⅛, for the cross terms help here.

    The author calls it an intuition and asks for a better one. What parallel actors do is to make the *batch* less
    alike than consecutive steps of one long run.

    Measured: variances of the library's estimator for N = 1, 2 and 1000 against (i)/N; over all tuples of episodes, one
    for each time, the variance of Σ_t X_t.
    """
    ratios, residuals = [], []
    for mdp, policy, theta in both_cases(problem, of_table(wait())):
        t = trajectories(mdp, policy, theta)
        X = _rows(t, policy, theta, TO_GO)
        first, means = float(t.expect((X**2).sum(axis=(1, 2)))), t.expect(X)
        ratios = [first / n / separable_moments(TO_GO, mdp, policy, theta, n=n).variance for n in (1, 2, 1000)]
        own = float(sum(np.trace(t.covariance(X[:, k])) for k in range(X.shape[1])))
        residuals += [
            difference(ratios, [ratios[0]] * 3),
            difference(own, first - (means**2).sum()),
            difference(first / ratios[0], own + _cross_terms(t, X)),
        ]
    separate = np.einsum("i,j->ij", t.prob, t.prob)  # one episode for each of the two times
    sums = X[:, None, 0] + X[None, :, 1]
    residuals += [
        difference(np.tensordot(separate, (sums - means.sum(axis=0)) ** 2).sum(), own),
        difference([first, first / ratios[0], own], [0.5, 0.125, 0.4375]),
    ]
    return Finding(
        worst(*residuals),
        printed=difference(ratios[2], 1.0),
        numbers={"(i)/Var, N = 1": ratios[0], "N = 1000": ratios[2], "Var, each term of its own episode": own},
    )


def _rows(t: Trajectories, policy: ComposedPolicy, theta: FloatArray, g: PolicyGradient) -> FloatArray:
    """X_t = f_t (G_t − b) of every trajectory and time, zero after the end, (M, T, P)."""
    return t.pad(policy.score(theta, t.batch.obs, t.batch.act) * g.weights(t.batch)[:, None])


def _cross_terms(t: Trajectories, X: FloatArray) -> float:
    """2 Σ_{t<k} Cov(X_t, X_k), traces."""
    of_sum = float(np.trace(t.covariance(X.sum(axis=1))))
    return of_sum - float(sum(np.trace(t.covariance(X[:, k])) for k in range(X.shape[1])))
