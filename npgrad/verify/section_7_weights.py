"""Section 7: weights that are tamed, steps that are held back, data of several policies (W5, W6, W10).

Derived in docs/derivations/off_policy.md.
"""

from __future__ import annotations

from functools import partial
from math import lgamma

import numpy as np

from ..baselines import ConstantBaseline
from ..estimators import (
    BalanceHeuristic,
    Behaviour,
    Clipped,
    Estimator,
    LocalGeometry,
    OffPolicyGradient,
    PolicyGradient,
    balance_log_weights,
    effective_sample_size,
    log_ratios,
    self_normalised,
    step_ratio,
    trajectory_ratio,
    trajectory_returns,
)
from ..optimizers import backtrack
from ..oracle import (
    TabularMDP,
    Trajectories,
    exact_moments,
    objective,
    probabilities,
    scores,
    separable_moments,
    surrogate,
    trajectories,
    values,
)
from ..policies import ComposedPolicy
from ..types import Array, FloatArray, concatenate
from .catalogue import KINDS, Finding, statement
from .measures import complex_gradient, difference, must, slope, worst
from .paths import gradient_by_step, path_probabilities
from .problem import Problem
from .tabular_cases import row_weights, table_policy, visits

RETURNS = PolicyGradient(baseline=ConstantBaseline(0.0)).weights  # Ψ_t = G_t


@statement(
    id="W5",
    section=7,
    statement="Bias: −E_β[w²(h − μ)]/N + O(1/N²) if self-normalised, E_β[(min(w,c) − w)h] if clipped; 1 ≤ ESS ≤ N",
    source="beyond",
    kind="order",
)
def tamed_weights(problem: Problem) -> Finding:
    """Self-normalised: μ̂ = Σ w_i h_i / Σ w_i over N episodes, E_β w = 1, μ = E_β[w h]. With u = w(h − μ), of mean 0,
    and averages ū and w̄, μ̂ − μ = ū/w̄ = ū(1 − (w̄ − 1) + (w̄ − 1)² − …). The mean of ū is 0, that of −ū(w̄ − 1) is

        −Cov(u, w)/N = −E_β[w²(h − μ)]/N

    and the next is O(1/N²), as the mean of a product of three centred averages. Clipped: E_β[min(w,c) h] − E_β[w h] is
    the bias, whatever N. The effective sample size (Σw)²/Σw² is at most N by Cauchy and Schwarz, which it is for equal
    weights, and at least 1 as Σw² ≤ (Σw)².

    Measured: the slope of the self-normalised bias, less its first term, over N = 128, 256, 512: exact means, by the
    binomial distribution, of the library's estimate of J of a bandit. To 1e-10 besides: clipped means under β; means
    over all batches of two of the self-normalised gradient; the effective sample size on random weights.
    """
    mdp, tiny = problem.mdp, problem.tiny
    policy, theta = problem.policy(mdp)
    beta = (policy, problem.theta(policy, 1))
    t = trajectories(mdp, *beta)
    w, h = _weights_and_terms(mdp, policy, theta, t)
    c = float(np.sort(w)[2 * len(w) // 3])
    clipped = OffPolicyGradient(RETURNS, weighting=Clipped(c), keep_per_episode=True)
    bias = separable_moments(clipped, mdp, policy, theta, behaviour=beta).mean - gradient_by_step(mdp, policy, theta)
    exact = worst(
        difference(bias, (t.prob * (np.minimum(w, c) - w)) @ h),
        _pairs_self_normalised(problem, tiny),
        _effective_sizes(problem.rng(2)),
    )
    sizes, remainders, first = _self_normalised_bias(problem)
    return Finding(
        worst(abs(slope(1 / sizes, remainders) - 2), must(exact <= KINDS["exact"]), must((w > c).any())),
        numbers={
            "−E_β[w²(h − μ)]": first,
            "N · bias at N = 512": first + float(remainders[-1] * sizes[-1]),
            "‖bias‖ clipped": float(np.linalg.norm(bias)),
            "largest residual of the exact parts": exact,
        },
    )


@statement(
    id="W6",
    section=7,
    statement="Several gradient steps on one batch under E_s KL(π_θ'‖π_θ) ≤ δ, measured at every step",
    source="CS224R",
    kind="exact",
)
def steps_within_a_constraint(problem: Problem) -> Finding:
    """Data of θ_0 = β are used for steps θ_1, θ_2, …, each up the gradient at θ_k that they still give, that of the
    per-step form: ∇L_β(θ_k) (W4). It is ∇J at the first step and drifts from it with d^θ_k and Q^θ_k. What bounds the
    drift is a bound on how far π has moved in the states of the data (N8), here the mean of KL(π_θk‖π_β) under d^β.

    A step αg that breaks the bound, or lowers L_β, is halved until it does neither; α is constant, and the KL is that
    from θ_0, not from θ_{k−1}, for the data stay those of θ_0.

    Measured: all trajectories of β as the batch. At each of 8 steps the library's gradient against a complex step
    through L_β, its KL against sums over the oracle's tables, the KL so found against δ, and that L_β rises; the same
    steps without the constraint break it.
    """
    mdp, delta = problem.mdp, 0.01
    policy, theta_0 = problem.policy(mdp)
    old = (policy, theta_0)
    beta, A = probabilities(mdp, *old), values(mdp, *old).A
    t, d = trajectories(mdp, *old), visits(mdp, beta)
    psi = row_weights(t) * len(t) * A[t.batch.time, t.states, t.batch.act]  # 1/N Σ_i is E_β
    estimator = OffPolicyGradient(lambda _: psi, step_ratio)
    near = LocalGeometry(policy, theta_0, t.batch, weights=row_weights(t) / d.sum())

    def mean_kl(theta: Array) -> float:
        pi = probabilities(mdp, policy, theta)
        return float(np.einsum("ts,sa->", d, pi * np.log(pi / beta)) / d.sum())

    def L(theta: Array) -> Array:
        return np.asarray(surrogate(mdp, (policy, theta), old))

    g = estimator(policy, theta_0, t.batch).gradient
    alpha = np.sqrt(delta / (2 * g @ near.fisher_vp(g)))  # the first step has KL ≈ δ/4
    theta, free, residuals, kls, free_kls = theta_0, theta_0, [], [], []
    for _ in range(8):
        g = estimator(policy, theta, t.batch).gradient
        gain = partial(_gained, near, psi, theta)
        found = backtrack(theta, alpha * g, gain=gain, kl=near.kl_new_old, delta=delta, max_tries=40)
        kls.append(mean_kl(found.theta))
        residuals += [
            difference(g, complex_gradient(L, theta)),
            difference(near.kl_new_old(found.theta), kls[-1]),
            max(0.0, kls[-1] - delta),
            must(found.fraction == 0 or L(found.theta) > L(theta)),
        ]
        theta, free = found.theta, free + alpha * estimator(policy, free, t.batch).gradient
        free_kls.append(mean_kl(free))
    return Finding(
        worst(*residuals, must(kls[-1] > kls[0] > 0), must(max(free_kls) > delta)),
        numbers={
            "δ": delta,
            "KL at each step": " ".join(f"{kl:.5f}" for kl in kls),
            "without the constraint": " ".join(f"{kl:.5f}" for kl in free_kls),
            "J of β, and after": f"{objective(mdp, *old):.5f}, {objective(mdp, policy, theta):.5f}",
        },
    )


@statement(
    id="W10",
    section=7,
    statement="Data of several behaviours: own ratios and the balance heuristic are unbiased, no ratios are biased",
    source="10-703 (A3C, replay)",
    kind="exact",
)
def several_behaviours(problem: Problem) -> Finding:
    """n_m of N episodes are from β_m. With own ratios each term has the mean ∇J (W2). The balance heuristic weighs
    every episode against the mixture q = Σ_m (n_m/N) p_{β_m}, whoever made it:

        E 1/N Σ_i (p_θ/q)(τ_i) g(τ_i) = Σ_m (n_m/N) Σ_τ p_{β_m} (p_θ/q) g = Σ_τ q (p_θ/q) g = ∇J

    Its weight is at most N/n_m times p_θ/p_{β_m}, for every m: data of θ itself bound it. Without ratios (a replay
    buffer, or the late gradients of A3C) the mean is Σ_m (n_m/N) E_{β_m}[g], which is another thing, though f and π_θ
    be those of now.

    Measured: all batches of two episodes, one of each behaviour, of a tiny problem: means of the library's estimators
    against ∇J by complex step, and against sums over trajectories; the bound on the weights.
    """
    mdp = problem.tiny
    policy, theta = problem.policy(mdp)
    thetas = [problem.theta(policy, 1), problem.theta(policy, 2)]
    makers = [Behaviour(policy, x, 1) for x in thetas]
    estimators: dict[str, Estimator] = {
        "own ratios": OffPolicyGradient(RETURNS),
        "balance heuristic": BalanceHeuristic(RETURNS, makers),
        "no ratios": PolicyGradient(baseline=ConstantBaseline(0.0)),
    }
    moments = {
        name: exact_moments(e, mdp, policy, theta, n=2, behaviour=[(policy, x) for x in thetas])
        for name, e in estimators.items()
    }
    truth = gradient_by_step(mdp, policy, theta)
    lists = [trajectories(mdp, policy, x) for x in thetas]
    plain = [t.expect(_weights_and_terms(mdp, policy, theta, t)[1]) for t in lists]

    both = concatenate([lists[0].batch, lists[1].batch])
    counted = [Behaviour(policy, x, len(t)) for x, t in zip(thetas, lists, strict=True)]
    log_w = balance_log_weights(policy, theta, both, counted)
    own = trajectory_ratio(log_ratios(policy, theta, both), both)
    share = np.repeat([both.n_episodes / len(t) for t in lists], [t.batch.n_steps for t in lists])
    return Finding(
        worst(
            difference(moments["own ratios"].mean, truth),
            difference(moments["balance heuristic"].mean, truth),
            difference(moments["no ratios"].mean, np.mean(plain, axis=0)),
            max(0.0, float((np.exp(log_w) - share * np.exp(own)).max())),
            must(np.linalg.norm(moments["no ratios"].mean - truth) > 1e-9),
        ),
        numbers={
            "‖∇J‖": float(np.linalg.norm(truth)),
            "‖bias‖ without ratios": float(np.linalg.norm(moments["no ratios"].mean - truth)),
            **{f"Var ĝ, {name}": m.variance for name, m in moments.items()},
        },
    )


def _gained(near: LocalGeometry, psi: FloatArray, start: FloatArray, theta: FloatArray) -> float:
    """How much more L_β is at θ than at where the step starts; `psi` has its weights already."""
    psi = psi / (near.batch.n_episodes * near.weights)
    return near.gain(theta, psi) - near.gain(start, psi)


def _weights_and_terms(
    mdp: TabularMDP, policy: ComposedPolicy, theta: FloatArray, t: Trajectories
) -> tuple[FloatArray, FloatArray]:
    """p_θ/p_β and Σ_t f_t G_t of every trajectory, from the tables."""
    w = path_probabilities(mdp, t, probabilities(mdp, policy, theta)) / t.prob
    f = t.pad(scores(mdp, policy, theta)[t.states, t.batch.act])
    G = t.pad(t.batch.rew)[:, ::-1].cumsum(axis=1)[:, ::-1]
    return w, np.einsum("mt,mtp->mp", G, f)


def _pairs_self_normalised(problem: Problem, mdp: TabularMDP) -> float:
    """The mean over all batches of two, with the library's weights and with the ratio of sums."""
    policy, theta = problem.policy(mdp)
    beta = (policy, problem.theta(policy, 1))
    got = exact_moments(OffPolicyGradient(RETURNS, weighting=self_normalised), mdp, policy, theta, n=2, behaviour=beta)
    t = trajectories(mdp, *beta)
    w, h = _weights_and_terms(mdp, policy, theta, t)
    total = w[:, None] + w
    ratio = (w[:, None, None] * h[:, None] + w[:, None] * h) / total[..., None]
    return difference(got.mean, np.einsum("i,j,ijp->p", t.prob, t.prob, ratio))


def _effective_sizes(rng: np.random.Generator) -> float:
    """The worst of: outside [1, N]; not N where weights are equal; not 1 for one weight; not (Σw)²/Σw²."""
    residuals = []
    for n in range(1, 50):
        log_w = rng.normal(scale=rng.uniform(0, 5), size=n)
        size, w = effective_sample_size(log_w), np.exp(log_w)
        residuals += [max(0.0, 1 - size), max(0.0, size / n - 1), difference(size, w.sum() ** 2 / (w @ w))]
        residuals.append(difference(effective_sample_size(np.full(n, log_w[0])), n))
    return worst(*residuals, difference(effective_sample_size(np.array([0.0, -2000.0])), 1.0))


def _self_normalised_bias(problem: Problem) -> tuple[FloatArray, FloatArray, float]:
    """N, the bias of self-normalised Ĵ of a two-armed bandit less its first term, and that term times N.

    β and π are apart enough for the second term, ∝ (1 − 2β_0) − 3(π_0 − β_0), not to vanish.
    """
    bandit = TabularMDP(np.ones(1), np.ones((1, 2, 1)), np.array([[2.0, 1.0]]), horizon=1)
    policy, draw = table_policy(bandit), problem.rng(3)
    beta_0, pi_0 = draw.uniform(0.3, 0.5), draw.uniform(0.7, 0.9)
    beta, pi = np.array([beta_0, 1 - beta_0]), np.array([pi_0, 1 - pi_0])
    t, J = trajectories(bandit, policy, np.log(beta)), float(objective(bandit, pi[None]))
    first = -float(beta @ ((pi / beta) ** 2 * (bandit.r[0] - J)))
    sizes, remainders = np.array([128, 256, 512]), []
    for n in sizes.tolist():
        k = np.arange(n + 1)
        log_p = np.array([lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) for i in k])
        p = np.exp(log_p + k * np.log(beta[0]) + (n - k) * np.log(beta[1]))  # of k times the first arm
        mean = 0.0
        for i in k[p > 1e-15].tolist():
            batch = t.batch.select([0] * i + [1] * (n - i))
            mean += p[i] * trajectory_returns(policy, np.log(pi), batch, weighting=self_normalised).mean()
        remainders.append(mean - J - first / n)
    return sizes, np.array(remainders), first
