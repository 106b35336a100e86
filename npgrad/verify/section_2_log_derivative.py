"""Section 2: the log-derivative trick (L1 … L7). Derived in docs/derivations/log_derivative.md."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..baselines import Baseline, ConstantBaseline, StateBaseline
from ..critics import Values, gae, reward_to_go
from ..distributions import DiagonalGaussian
from ..estimators import PolicyGradient, episode_scores
from ..oracle import (
    GaussianBandit,
    SoftmaxBandit,
    TabularMDP,
    Trajectories,
    integral,
    probabilities,
    scores,
    trajectories,
)
from ..policies import ComposedPolicy
from ..types import Array, FloatArray
from .catalogue import Finding, statement
from .families import Family, every_family, panels, squashed_edges, squashed_policy
from .measures import complex_gradient, difference, must, worst
from .paths import gradient_by_step, path_probabilities
from .problem import Problem


@statement(id="L1", section=2, statement="p ∇log p = ∇p", source="all", kind="diff")
def density_times_score(problem: Problem) -> float:
    """By the chain rule ∇log p = ∇p / p wherever p > 0.

    Measured: ∇p by complex step through exp log p against p times the library's score, for every distribution in its
    own parameters and for a policy on a table in θ.
    """
    residuals = []
    for family in every_family(problem):
        by_step = complex_gradient(family.p, family.y)
        residuals.append(difference(family.p()[:, None] * family.score(), by_step))
    mdp = problem.mdp
    policy, theta = problem.policy(mdp, "mlp")
    pi, f = probabilities(mdp, policy, theta), scores(mdp, policy, theta)
    by_step = complex_gradient(lambda x: probabilities(mdp, policy, x), theta)
    return worst(*residuals, difference(pi[..., None] * f, by_step))


@statement(
    id="L2",
    section=2,
    statement="∇E_{x~p_θ} f(x) = E[∇log p_θ(x) f(x)] for each distribution of the library",
    source="10-703, Seita",
    kind="quadrature",
)
def gradient_of_a_mean(problem: Problem) -> float:
    """∇ Σ_a p(a) f(a) = Σ_a ∇p(a) f(a) = Σ_a p(a) ∇log p(a) f(a): L1, once ∇ has passed the sum (L6).

    Nothing is asked of f, which may jump: for a ~ N(μ, σ²), f(a) = 1[a > c] the mean is Φ(z), z = (μ − c)/σ, with
    derivatives φ(z)/σ in μ and −z φ(z) in log σ.

    Measured: sums over all actions with a random f; one-dimensional Gaussians with a polynomial and with the jump, the
    full Gaussian with a quadratic form and the softmax, against closed forms; the others against a complex step through
    their integral; the squashed Gaussian against the mean of f(tanh(μ + σε)), whose ε does not move with μ and σ.
    """
    rng = problem.rng()
    families = {family.name: family for family in every_family(problem)}
    residuals = []
    for family in families.values():
        a = family.act.reshape(len(family.act), -1)
        f = rng.normal(size=len(a)) if family.act.dtype.kind == "i" else (a + a**2 / 2).sum(axis=1)
        residuals.append(difference(_mean_of_score_times(family, f), complex_gradient(_mean(family, f), family.y)))

    softmax, rewards = families["categorical"], rng.normal(size=3)
    bandit_gradient = SoftmaxBandit(rewards).gradient(softmax.y)
    residuals.append(difference(_mean_of_score_times(softmax, rewards), bandit_gradient))
    line, c = families["Gaussian, k = 1"], rng.normal(size=4)
    polynomial = _mean_of_score_times(line, np.polynomial.Polynomial(c)(line.act[:, 0]))
    residuals.append(difference(polynomial, GaussianBandit(c).gradient(line.y)))
    return worst(*residuals, _of_a_quadratic_form(families["Gaussian, full Σ"], rng), *_jump_and_squash(line, rng))


@statement(
    id="L3",
    section=2,
    statement="∇log p_θ(τ) = Σ_t f_t: start distribution and dynamics drop out",
    source="all",
    kind="diff",
)
def score_of_a_trajectory(problem: Problem) -> float:
    """The logarithm turns the product p(s_0) Π π_θ(a_t|s_t) p(s_{t+1}|s_t,a_t) into a sum of which only the log π_θ
    depend on θ:

        ∇log p_θ(τ) = Σ_t ∇log π_θ(a_t|s_t) = Σ_t f_t

    Measured: ∇p_θ(τ)/p_θ(τ) by complex step through the whole product, dynamics and all, for every trajectory, against
    the library's sums of scores; softmax policies linear and MLP.
    """
    mdp, residuals = problem.mdp, []
    for kind in ("linear", "mlp"):
        policy, theta = problem.policy(mdp, kind)
        t = trajectories(mdp, policy, theta)
        by_step = complex_gradient(_path_probability(mdp, policy, t), theta) / t.prob[:, None]
        residuals.append(difference(episode_scores(policy, theta, t.batch, np.ones(t.batch.n_steps)), by_step))
    return worst(*residuals)


@statement(id="L4", section=2, statement="E_{a~π}[f] = 0", source="Seita", kind="quadrature")
def mean_score(problem: Problem) -> float:
    """L2 with the function 1: E[∇log p] = ∇ Σ_a p(a) = ∇1 = 0.

    Measured: the library's scores, summed over all actions or integrated, for every distribution; and for a policy in
    every state of a table.
    """
    residuals = [difference(family.mean(family.score()), 0 * family.y) for family in every_family(problem)]
    mdp = problem.mdp
    policy, theta = problem.policy(mdp, "mlp")
    means = (probabilities(mdp, policy, theta)[..., None] * scores(mdp, policy, theta)).sum(axis=1)
    return worst(*residuals, difference(means, np.zeros_like(means)))


@statement(
    id="L5",
    section=2,
    statement="POMDP, π(a|o): P1, P3 and B1 with b(o) or b(s) stay unbiased; TD and GAE with λ < 1 do not",
    source="CS285 4.2",
    kind="exact",
)
def partial_observability(problem: Problem) -> Finding:
    """p(τ) has the factors p(o_t|s_t) more, and they drop out like the dynamics: L3 holds with ∇log π_θ(a_t|o_t).

    Given s_t and o_t the action depends on o_t alone, E[f_t | s_t, o_t] = 0 (L4), so a baseline may know either. What
    fails is bootstrapping. V_t(o) = E[G_t | o_t = o] averages over the states behind o, and o_{t+1} does not say all
    that (o_t, a_t) says of what follows:

        E[r_t + V_{t+1}(o_{t+1}) | o_t, a_t] ≠ E[G_t | o_t, a_t]

    so TD residuals, and GAE with λ < 1, are biased even with the exact V_t(o). λ = 1 telescopes to G_t − V_t(o_t).

    Measured: exact means of the library's estimators over all trajectories, hidden states and symbols, against ∇J by
    complex step; the bias of TD and GAE.
    """
    mdp, pairs = problem.hidden
    policy, theta = problem.policy(mdp)
    t, truth = trajectories(mdp, policy, theta), gradient_by_step(mdp, policy, theta)
    symbol, state = pairs[t.states, 1], pairs[t.states, 0]

    def mean(baseline: Baseline, causality: bool = True) -> Array:
        estimator = PolicyGradient(causality=causality, baseline=baseline, keep_per_episode=True)
        return t.expect(np.asarray(estimator(policy, theta, t.batch).per_episode))

    b = problem.table(mdp.n_states)
    unbiased = {
        "P1": mean(ConstantBaseline(0.0), causality=False),
        "P3": mean(ConstantBaseline(0.0)),
        "b(o)": mean(StateBaseline(lambda _: b[symbol])),
        "b(s)": mean(StateBaseline(lambda _: b[state])),
    }
    V = _values_of_symbols(t, symbol)
    biases = {}
    for gae_lambda in (0.0, 0.5, 1.0):
        psi = gae(t.batch, V, gamma=1.0, gae_lambda=gae_lambda)
        biases[gae_lambda] = t.expect(episode_scores(policy, theta, t.batch, psi)) - truth
    sizes = {key: float(np.linalg.norm(bias)) for key, bias in biases.items()}
    return Finding(
        worst(
            *(difference(m, truth) for m in unbiased.values()),
            difference(biases[1.0], 0 * truth),
            must(min(sizes[0.0], sizes[0.5]) > 1e-9),
        ),
        numbers={
            "‖∇J‖": float(np.linalg.norm(truth)),
            "‖bias‖ of TD with the exact V(o)": sizes[0.0],
            "‖bias‖ of GAE, λ = 0.5": sizes[0.5],
        },
    )


@statement(
    id="L6",
    section=2,
    statement="∇∫ = ∫∇ is sure with a support free of θ and an integrable bound; U(0, θ), f = x: ½ against −½",
    source="Seita, 10-703",
    kind="exact",
)
def when_derivatives_pass(problem: Problem) -> Finding:
    """x ~ U(0, θ): E x = θ/2, whose derivative is ½. The score is ∇log(1/θ) = −1/θ, and E[−x/θ] = −½. Leibniz' rule has
    the moving end besides: p(θ) f(θ) · dθ/dθ = 1, and −½ + 1 = ½. The conditions suffice and are not necessary: with
    f(x) = x(c − x), which is 0 at the moving end when θ = c, both sides are −c/6.

    A fixed support is not enough. With probability θ let x be exponential with rate θ², else 0, and f = 1[x > 0]: the
    mean is θ, its derivative 1. But p_θ(x) = θ³ exp(−θ²x) has ∂p/∂θ = 0 at θ = 0 for every x > 0: the integral of the
    derivatives is 0. The mass has gone to x of the order 1/θ², and no integrable function bounds (p_θ − p_0)/θ =
    θ² exp(−θ²x) for all θ: its largest value over θ is 1/(e x).

    The densities of the library are positive on a fixed support and analytic, with Gaussian tails: L2 holds for them.

    Measured: each of these numbers by quadrature, at a random θ.
    """
    theta = float(problem.rng().uniform(0.5, 2.0))

    def both_sides(f: Callable[[Array], Array]) -> tuple[float, float]:  # ∇E f and E[∇log p f] under U(0, θ)
        def mean(end: float) -> float:
            return float(integral(lambda x: f(x) / end, [0.0, end]))

        by_score = float(integral(lambda x: f(x) / theta * (-1 / theta), [0.0, theta]))
        return (mean(theta + 0.25) - mean(theta - 0.25)) / 0.5, by_score

    slope, by_score = both_sides(lambda x: x)  # central differences are exact: means are linear and quadratic in θ
    parabola = both_sides(lambda x: x * (theta - x))
    boundary = (1 / theta) * theta

    small = theta / 10

    def escaping(a: Array) -> Array:
        return small**3 * np.exp(-(small**2) * a)

    mass = float(integral(escaping, (np.linspace(0, 40, 41) / small**2).tolist()))
    x = 3.0
    rates = np.array([small**2 * np.exp(-(small**2) * x) for small in (1e-4, 1e-6)])  # (p_θ(x) − p_0(x))/θ → 0
    return Finding(
        worst(
            difference([slope, by_score, by_score + boundary], [0.5, -0.5, 0.5]),
            difference(parabola, [-theta / 6] * 2),
            difference(mass / small, 1.0),
            must(rates[1] < rates[0] < 1e-7),
        ),
        numbers={"∇E x": slope, "E[x ∇log p]": by_score, "the moving end": boundary, "θ of the second": small},
    )


@statement(
    id="L7",
    section=2,
    statement="Every density of the library sums or integrates to 1, COL778's N(−1, 0.5) among them",
    source="COL778",
    kind="quadrature",
)
def densities(problem: Problem) -> float:
    """Each has its constant: the softmax by its denominator, a Gaussian by (2π)^{−k/2} |Σ|^{−1/2}, products and chains
    factor by factor, mixtures by Σ_m w_m = 1, a squashed one by |∂a/∂u|: ∫ p(a) da = ∫ p(u) du = 1.

    Measured: exp of the library's log p, summed over all actions or integrated; the squashed density over the bounded
    interval of a, with u from arctanh.
    """
    totals = [float(family.p().sum()) for family in every_family(problem)]
    half = DiagonalGaussian(1)
    a, da = panels(np.array([-1.0]), np.array([np.sqrt(0.5)]))
    y = np.tile([-1.0, 0.5 * np.log(0.5)], (len(a), 1))
    totals.append(float(da @ np.exp(half.log_prob(y, a[:, None]))))

    policy, theta, low, high = squashed_policy(problem)

    def density(a: Array) -> Array:
        u = np.arctanh(2 * (a - low) / (high - low) - 1)
        return np.exp(policy.log_prob(theta, np.ones((len(a), 1)), u[:, None]))

    totals.append(float(integral(density, squashed_edges(low, high))))
    mdp = problem.mdp
    totals += probabilities(mdp, *problem.policy(mdp)).sum(axis=1).tolist()
    return difference(totals, np.ones(len(totals)))


def _mean(family: Family, f: FloatArray) -> Callable[[Array], Array]:
    """y ↦ E f."""
    return lambda y: np.asarray(family.p(y) @ f)


def _mean_of_score_times(family: Family, f: FloatArray) -> Array:
    """E[∇log p f]."""
    return family.mean(family.score() * f[:, None])


def _path_probability(mdp: TabularMDP, policy: ComposedPolicy, t: Trajectories) -> Callable[[Array], Array]:
    """θ ↦ p_θ(τ) of every trajectory."""
    return lambda theta: path_probabilities(mdp, t, probabilities(mdp, policy, theta))


def _of_a_quadratic_form(family: Family, rng: np.random.Generator) -> float:
    """E[aᵀMa + c·a] = μᵀMμ + tr(M L Lᵀ) + c·μ, with gradients (M + Mᵀ)μ + c and (M + Mᵀ)L."""
    M, c, a = rng.normal(size=(2, 2)), rng.normal(size=2), family.act
    f = np.einsum("ni,ij,nj->n", a, M, a) + a @ c
    mu, diagonal = family.y[:2], np.exp(family.y[2:4])
    in_L = (M + M.T) @ np.array([[diagonal[0], 0.0], [family.y[4], diagonal[1]]])
    closed = np.concatenate([(M + M.T) @ mu + c, diagonal * np.diag(in_L), [in_L[1, 0]]])
    return difference(_mean_of_score_times(family, f), closed)


def _jump_and_squash(family: Family, rng: np.random.Generator) -> tuple[float, float]:
    """f = 1[a > c] against the derivatives of Φ, and f = tanh a + tanh² a against a = μ + σε with ε held fixed."""
    (mu, log_std), c = family.y, float(rng.normal())
    std = np.exp(log_std)
    a, da = panels(np.array([mu]), np.array([std]), jumps=(c,))
    fine = Family("", family.pi, family.y, a[:, None], da)
    z = (mu - c) / std
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    jump = difference(_mean_of_score_times(fine, np.where(a > c, 1.0, 0.0)), [density / std, -z * density])

    e, de = panels(np.zeros(1), np.ones(1))
    p = de * np.exp(-(e**2) / 2) / np.sqrt(2 * np.pi)

    def by_noise(y: Array) -> Array:
        tanh = np.tanh(y[0] + np.exp(y[1]) * e)
        return np.asarray(p @ (tanh + tanh**2))

    squash = _mean_of_score_times(fine, np.tanh(a) + np.tanh(a) ** 2)
    return jump, difference(squash, complex_gradient(by_noise, family.y))


def _values_of_symbols(t: Trajectories, symbol: Array) -> Values:
    """V_t(o) = E[G_t | o_t = o] at every row, by the listed trajectories."""
    G, p = reward_to_go(t.batch), t.prob[t.batch.segment]
    cells = t.batch.time * (symbol.max() + 1) + symbol
    V = np.bincount(cells, p * G) / np.maximum(np.bincount(cells, p), 1e-300)
    return Values(V[cells], np.zeros(len(t)))
