"""Section 5, variances (B4, B6, B8, B10). Derived in docs/derivations/baselines.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np

from ..baselines import Baseline, ConstantBaseline, no_baseline
from ..estimators import (
    GAE,
    Advantage,
    Estimator,
    PolicyGradient,
    RewardsTimesPastScores,
    ScoreFunction,
    TDResidual,
)
from ..oracle import (
    CausalMoments,
    TabularMDP,
    Trajectories,
    causal_moments,
    exact_moments,
    lqr_moments,
    separable_moments,
    trajectories,
    values,
    variance_parts,
    whole_return_moments,
)
from ..policies import ComposedPolicy
from ..types import Array, FloatArray
from .catalogue import Finding, statement
from .linear_quadratic import episodes_at_nodes, gain, gaussian_linear, random_lqr, theta_of
from .measures import difference, worst
from .on_tables import action_critic, state_baseline, value_critic
from .problem import Problem
from .smallest import bandit, gate
from .tabular_cases import table_policy

WHOLE = PolicyGradient(causality=False, baseline=no_baseline, keep_per_episode=True)  # P1
TO_GO = PolicyGradient(baseline=no_baseline, keep_per_episode=True)  # P3; P4 with a γ


@statement(
    id="B4",
    section=5,
    statement="Var ĝ = tr E[(ĝ−Eĝ)(ĝ−Eĝ)ᵀ], by enumeration and by dynamic programming on moments",
    source="10-703",
    kind="exact",
)
def variance_of_an_estimate(problem: Problem) -> Finding:
    """The definition is a sum over trajectories, exponentially many in T. But of what follows s_t only a few moments
    given s_t are needed, and they come backwards. With ′ for t + 1, Y = G − b and X = Σ_{k≥t} ω^{k−t} f_k Y_k:

        G = ρ + κG′,   X = fY + ωX′
        E G²   = E[ρ² + 2κρG′ + κ²G′²]
        E G X  = E[f G Y] + ω E[ρX′ + κG′X′]
        E X Xᵀ = E[f fᵀ Y²] + ω E[f uᵀ + u fᵀ] + ω² E X′X′ᵀ,   u = E[Y X′ | s, a]

    ρ is the reward, the TD residual or Q, which covers P3 … P8. Of P1 it is E[G^i (Σf)^j] in the same way. T steps cost
    T times one. On LQR the moments are polynomials in the state.

    Measured: the whole covariance matrix of the library's estimators over all trajectories, against the recursion, γ =
    1 and less; of P1 the variance of each coordinate; on LQR the variance over all episodes at Gauss's nodes.
    """
    residuals, numbers = [], {}
    for mdp in (problem.mdp, problem.discounted):
        policy, theta = problem.policy(mdp)
        m = separable_moments(replace(WHOLE, gamma=mdp.gamma), mdp, policy, theta)
        residuals.append(difference(np.diag(m.covariance), whole_return_moments(mdp, policy, theta).variances()))
        numbers[f"P1, γ = {mdp.gamma:.3g}"] = m.variance
        for name, estimator, by_moments in _two_routes(problem, mdp, policy, theta):
            m = separable_moments(estimator, mdp, policy, theta)
            residuals.append(difference(m.mean, by_moments.mean))
            residuals.append(difference(m.covariance, np.asarray(by_moments.covariance)))
            numbers[f"{name}, γ = {mdp.gamma:.3g}"] = m.variance
    long = problem.random_mdp(4, 2, 200, stream=30)
    numbers["P3 over 200 steps, 8^200 trajectories"] = causal_moments(long, *problem.policy(long)).variance

    lqr, sigma = random_lqr(problem, 1, 1, horizon=2), 0.5
    K = gain(problem, lqr)
    batch, w = episodes_at_nodes(lqr, K, sigma, nodes=4)
    terms = np.asarray(replace(TO_GO, gamma=lqr.gamma)(gaussian_linear(1, 1, sigma), theta_of(K), batch).per_episode)
    of_nodes = w @ ((terms - w @ terms) ** 2).sum(axis=1)
    residuals.append(difference(of_nodes, lqr_moments(lqr, K, sigma=sigma).variance))
    return Finding(worst(*residuals), numbers=numbers)


@statement(
    id="B6",
    section=5,
    statement="Var = ΣE‖X_t‖² − Σ‖EX_t‖² + cross terms; Seita's (i) drops the last two, (ii) factorises E‖X_t‖²",
    source="Seita",
    kind="exact",
)
def two_approximations(problem: Problem) -> Finding:
    """X_t = f_t (G_t − b(s_t)), ĝ = Σ_t X_t. The variance of a sum, as a trace, is

        Σ_t E‖X_t‖² − Σ_t ‖E X_t‖² + 2 Σ_{t<k} (E X_tᵀX_k − E X_tᵀ E X_k)

    (i) ≈ Σ_t E‖X_t‖². What it drops: ‖E X_t‖² is the gradient's own part at t, not zero, but does not depend on b. The
    cross terms do depend on b, and need not be small: all steps share θ. (ii) ≈ Σ_t E‖f_t‖² E(G_t − b)², as if squares
    of scores and of advantages were independent. Rare actions have large scores and, often, other returns: bandit, π =
    (.9, .1), R = (1, 0), b = .9. Var = .1152, (i) = .1314, (ii) = .18 · .09 = .0162.

    Of (ii) V is the best b, and that is the usual reason for it; of the variance it is not (B12).

    Measured: X_t by the library's scores and weights over all trajectories: the sum of the three parts against the
    variance by dynamic programming, with and without b = V; and both approximations; the bandit.
    """
    mdp, (policy, theta) = problem.mdp, problem.policy(problem.mdp)
    t, V, residuals = trajectories(mdp, policy, theta), values(mdp, policy, theta).V[:-1], []
    numbers: dict[str, float] = {}
    for name, baseline, b in (("b = 0", no_baseline, np.zeros_like(V)), ("b = V", state_baseline(V), V)):
        parts = _parts(t, policy, theta, baseline)
        exact = causal_moments(mdp, policy, theta, baseline=b).variance
        residuals.append(difference(parts[0] - parts[1] + parts[2], exact))
        numbers |= {f"{name}: Var": exact, f"{name}: (i)": parts[0], f"{name}: (ii)": parts[3]}

    uneven = bandit([1.0, 0.0])
    table, theta = table_policy(uneven), np.log([0.9, 0.1])
    parts = _parts(trajectories(uneven, table, theta), table, theta, ConstantBaseline(0.9))
    residuals.append(difference([parts[0] - parts[1] + parts[2], parts[0], parts[3]], [0.1152, 0.1314, 0.0162]))
    return Finding(worst(*residuals), numbers=numbers)


@statement(
    id="B8",
    section=5,
    statement="Var_s + E Var_a + E Var(rest) = Var(f_tG_t) at each t, covariances apart; sample variances are unbiased",
    source="beyond",
    kind="exact",
)
def law_of_total_variance(problem: Problem) -> Finding:
    """Given (s_t, a_t), f_t is a number. Twice the law of total variance, for X = f_t(G_t − b_t(s_t)), as traces:

        Var X = Var_s E[X | s] + E Var_a(E[X | s, a] | s) + E Var(X | s, a)

    E[X | s, a] = f_t(Q_t − b): a baseline acts on the second part alone; all actions in place of one (P13) remove it;
    Q_t for G_t removes the third. Σ_t of these and the covariances between times make up Var ĝ.

    On a sample of N episodes 1/(N−1) (1/N Σ‖g_i‖² − ‖ĝ‖²) has the mean Var(ĝ_1)/N: it is 1/N of the sample variance of
    the g_i (O5). The signal-to-noise ratio ‖∇J‖²/Var ĝ grows like N.

    Measured: the library's X over all trajectories, by means given s_t and (s_t, a_t), against the oracle's parts;
    their sum and the covariances against the variance; the library's estimate of the variance over all pairs of
    episodes of a tiny problem against half the exact one. Shown besides: a sample of 2,000 episodes.
    """
    mdp, (policy, theta) = problem.mdp, problem.policy(problem.mdp)
    b = problem.table(len(values(mdp, policy, theta).Q), mdp.n_states)
    t = trajectories(mdp, policy, theta)
    parts = variance_parts(mdp, policy, theta, baseline=b)
    shares = [parts.states, parts.actions, parts.rest]
    X = _rows(t, policy, theta, state_baseline(b))
    each = t.expect((X**2).sum(axis=2)) - (t.expect(X) ** 2).sum(axis=1)  # Var X_t
    exact = separable_moments(replace(TO_GO, baseline=state_baseline(b)), mdp, policy, theta).variance
    n = X.shape[1]
    residuals = [
        difference(_shares(t, X, mdp), np.array(shares)[:, :n]),
        difference(np.sum(shares, axis=0)[:n], each),
        difference(sum(map(np.sum, shares)) + parts.cross, exact),
        _mean_of_sample_variances(problem.tiny, *problem.policy(problem.tiny)),
    ]
    N = 2000
    drawn = t.batch.select(problem.rng().choice(len(t), size=N, p=t.prob).tolist())
    sample = TO_GO(policy, theta, drawn)
    squares = ((np.asarray(sample.per_episode) - sample.gradient) ** 2).sum(axis=1)
    plain = separable_moments(TO_GO, mdp, policy, theta, n=N)
    numbers = {name: float(x.sum()) for name, x in zip(("states", "actions", "rest"), shares, strict=True)}
    return Finding(
        worst(*residuals),
        numbers=numbers
        | {
            "covariances between times": parts.cross,
            "Var ĝ, N = 2000": plain.variance,
            "by a sample": f"{sample.variance:.6g} ± {3.29 * squares.std() / N**1.5:.2g}",
            "signal to noise, N = 2000": float((plain.mean**2).sum() / plain.variance),
        },
    )


@statement(id="B10", section=5, statement="With a fixed baseline Var ĝ_N = Var ĝ_1 / N", source="CS224R", kind="exact")
def variance_of_a_mean(problem: Problem) -> Finding:
    """ĝ_N = 1/N Σ_i g(τ_i), and a fixed b leaves the g(τ_i) independent and alike: variances add, N Var(g)/N².

    With a baseline of the batch the terms share it and are not independent; its variance has a part of order 1/N²
    (B11).

    Measured: the covariance matrix of the library's estimator over all batches of N = 2 on a tiny problem and of N = 3
    on the gate, against that of one episode by dynamic programming; and N Var ĝ_N of leave-one-out.
    """
    b, residuals = float(problem.table(1)[0]), []
    numbers: dict[str, float] = {}
    estimator = PolicyGradient(baseline=ConstantBaseline(b))
    two = gate()
    table = table_policy(two)
    for N, mdp, policy, theta in (
        (2, problem.tiny, *problem.policy(problem.tiny)),
        (3, two, table, problem.theta(table)),
    ):
        of_one = causal_moments(mdp, policy, theta, baseline=b, covariance=True)
        of_N = exact_moments(estimator, mdp, policy, theta, n=N)
        residuals.append(difference(of_N.mean, of_one.mean))
        residuals.append(difference(N * of_N.covariance, np.asarray(of_one.covariance)))
        coupled = exact_moments(PolicyGradient(), mdp, policy, theta, n=N).variance
        numbers |= {f"Var ĝ_1, b fixed (N = {N})": of_one.variance, f"{N} Var ĝ_{N}, leave-one-out": N * coupled}
    return Finding(worst(*residuals), numbers=numbers)


def _two_routes(
    problem: Problem, mdp: TabularMDP, policy: ComposedPolicy, theta: FloatArray
) -> Iterator[tuple[str, Estimator, CausalMoments]]:
    """Estimators of the library, and their moments by the oracle's recursion."""
    gamma, v = mdp.gamma, values(mdp, policy, theta)
    b, V = problem.table(*v.V[:-1].shape), problem.table(*v.V.shape, stream=1)
    Q, exact, critic = action_critic(v.Q), value_critic(v.V), value_critic(V)

    def route(estimator: Estimator, **options: Array | float) -> tuple[Estimator, CausalMoments]:
        return estimator, causal_moments(mdp, policy, theta, covariance=True, **options)  # type: ignore[arg-type]

    def of(psi: object) -> ScoreFunction:
        return ScoreFunction(psi, gamma, keep_per_episode=True)  # type: ignore[arg-type]

    plain = replace(TO_GO, gamma=gamma)
    yield "P2", *route(RewardsTimesPastScores(gamma, keep_per_episode=True))
    yield "P3, P4", *route(plain)
    yield "P3, P4 with b_t(s)", *route(replace(plain, baseline=state_baseline(b)), baseline=b)
    yield "P5", *route(replace(plain, discount_states=False), state_discount=1.0)
    yield "P6, Q", *route(of(Q), rewards=v.Q[..., None], discount=0.0)
    yield "P6, A", *route(of(Advantage(Q, exact)), rewards=v.A[..., None], discount=0.0)
    yield "P7 with any V", *route(of(TDResidual(critic, gamma)), critic=V, discount=0.0)
    yield "P8 with any V, λ = .6", *route(of(GAE(critic, gamma, 0.6)), critic=V, discount=0.6 * gamma)


def _rows(t: Trajectories, policy: ComposedPolicy, theta: FloatArray, baseline: Baseline) -> FloatArray:
    """X_t = f_t (G_t − b) of every trajectory and time, zero after the end, (M, T, P)."""
    psi = replace(TO_GO, baseline=baseline).weights(t.batch)
    return t.pad(policy.at(theta, t.batch.obs, t.batch.act).vjp_rows(psi))


def _parts(
    t: Trajectories, policy: ComposedPolicy, theta: FloatArray, baseline: Baseline
) -> tuple[float, float, float, float]:
    """Σ E‖X_t‖², Σ ‖E X_t‖², the cross terms, and Σ E‖f_t‖² E(G_t − b)²."""
    X = _rows(t, policy, theta, baseline)
    f = t.pad(policy.score(theta, t.batch.obs, t.batch.act))
    Y = t.pad(replace(TO_GO, baseline=baseline).weights(t.batch))
    means, n = t.expect(X), X.shape[1]
    cross = sum(
        2 * float(t.expect((X[:, i] * X[:, k]).sum(axis=1)) - means[i] @ means[k]) for k in range(n) for i in range(k)
    )
    squares = t.expect((f**2).sum(axis=2)) @ t.expect(Y**2)
    return float(t.expect((X**2).sum(axis=(1, 2)))), float((means**2).sum()), cross, float(squares)


def _shares(t: Trajectories, X: FloatArray, mdp: TabularMDP) -> FloatArray:
    """Var_s E[X_t|s], E Var_a(E[X_t|s,a]|s) and E Var(X_t|s,a), by means over all trajectories that pass, (3, T)."""
    states, act, alive = (t.pad(x) for x in (t.states, t.batch.act, np.ones(t.batch.n_steps)))
    out = np.zeros((3, X.shape[1]))
    for k in range(X.shape[1]):
        p = t.prob * alive[:, k]
        of_s, of_sa = (
            _squared_means(p, X[:, k], cell) for cell in (states[:, k], states[:, k] * mdp.n_actions + act[:, k])
        )
        mean, square = p @ X[:, k], p @ (X[:, k] ** 2).sum(axis=1)
        out[:, k] = of_s - mean @ mean, of_sa - of_s, square - of_sa
    return out


def _squared_means(p: FloatArray, x: FloatArray, cell: Array) -> float:
    """E ‖E[x | cell]‖²."""
    n = int(cell.max()) + 1
    weight = np.bincount(cell, p, n)
    sums = np.stack([np.bincount(cell, p * column, n) for column in x.T], axis=1)
    return float(((sums**2).sum(axis=1)[weight > 0] / weight[weight > 0]).sum())


def _mean_of_sample_variances(mdp: TabularMDP, policy: ComposedPolicy, theta: FloatArray) -> float:
    """The mean of the library's estimated variance over all pairs, against that of a mean of two episodes."""
    t = trajectories(mdp, policy, theta)
    pairs = list(product(range(len(t)), repeat=2))
    found = [TO_GO(policy, theta, t.batch.select(list(pair))).variance for pair in pairs]
    mean = np.outer(t.prob, t.prob).ravel() @ np.array(found)
    return difference(mean, causal_moments(mdp, policy, theta).variance / 2)
