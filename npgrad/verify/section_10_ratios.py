"""Section 10, misprints about ratios and divergences (X5, X6, X7, X12, X35). Told in docs/errata.md."""

from __future__ import annotations

import numpy as np

from ..estimators import OffPolicyGradient, PerDecisionGradient, causal_ratio, importance, log_ratios
from ..oracle import TabularMDP, fisher, marginals, probabilities, scores, separable_moments, trajectories, values
from ..policies import ComposedPolicy
from ..types import Array, FloatArray
from .catalogue import Finding, statement
from .measures import complex_gradient, difference, must, worst
from .misprints import TO_GO, even_coin, of_table
from .on_tables import field
from .paths import gradient_by_step, path_probabilities
from .problem import Problem
from .smallest import gate


@statement(
    id="X5",
    section=10,
    statement="KL(π_{θ+d}‖π_θ) ≈ ½ dᵀFd, and KL(π'‖π) = E_{π'}[log π' − log π]: a half is missing, and a sign turned",
    source="CS285 4.5.1",
    kind="exact",
)
def divergence_and_fisher(problem: Problem) -> Finding:
    """The Hessian of the KL at d = 0 is F, in either direction (N1), and a second-order Taylor term has ½ before its
    Hessian. The divergence is ≥ 0; E_{π'}[log π − log π'] is minus that. π = (½, ½), π' = (.9, .1): KL = .368, printed
    −.368.

    With the printed sign the constraint ≤ ε holds for every π'. Without ½ the bound is on 2KL: steps are shorter by √2,
    where the step is computed from it, and their direction is the same.

    The update that follows, θ + αF⁻¹∇J, is right, as α absorbs the half.

    Measured, twice: the Hessian of Σ_s d(s) KL in both directions, by a complex step through the library's gradients of
    the KL, and by one through the score, −E_θ[∇²log π], against the oracle's F; the library's KL against both signs.
    """
    residuals = []
    for mdp, policy, theta in ((problem.mdp, *problem.policy(problem.mdp)), even_coin()):
        act = np.zeros(mdp.n_states, dtype=np.int64)
        d = marginals(mdp, policy, theta)[:-1].sum(axis=0) * ~mdp.terminal
        pi, F, here = probabilities(mdp, policy, theta), fisher(mdp, policy, theta), policy.at(theta, mdp.obs, act)

        def new_old(x: Array) -> Array:  # ∇_x Σ_s d KL(π_x‖π_θ)
            return policy.at(x, mdp.obs, act).kl_vjp(here, d)  # noqa: B023

        def old_new(x: Array) -> Array:
            return policy.at(x, mdp.obs, act).kl_from_vjp(here, d)  # noqa: B023

        def mean_score(x: Array) -> Array:
            return np.asarray(np.einsum("s,sa,sap->p", d, pi, scores(mdp, policy, x)))  # noqa: B023

        H = complex_gradient(new_old, theta)
        residuals += [
            difference(H, F),
            difference(complex_gradient(old_new, theta), F),
            difference(-complex_gradient(mean_score, theta), F),
        ]
    half = difference(2 * F, H)  # the Hessian of dᵀFd is 2F

    new = np.log([0.9, 0.1])
    kl = float(policy.at(new, mdp.obs, act).kl_to(here)[0])
    p, q = probabilities(mdp, policy, new)[0], pi[0]
    printed = float(p @ (np.log(q) - np.log(p)))
    residuals.append(difference(p @ (np.log(p) - np.log(q)), kl))
    return Finding(
        worst(*residuals, must(kl > 0)),
        printed=min(half, difference(printed, kl)),
        numbers={"KL": kl, "its sign as printed": printed, "∂²KL/∂θ²": H[0, 0], "as printed": 2 * F[0, 0]},
    )


@statement(
    id="X6",
    section=10,
    statement="E_p[f] = ∫ (q/q) p f = E_q[(p/q) f]: with q/p in the middle it is E_q[f]",
    source="CS285 4.4",
    kind="exact",
)
def a_one_that_is_none(problem: Problem) -> Finding:
    """The step multiplies by 1 = q/q. ∫ (q/p) p f = ∫ q f = E_q[f], without any weight. p = (.9, .1), q = (½, ½), f =
    (1, 0): .9, printed ½.

    One letter; the line below it is right. CS224R has the same slide with q/q.

    Measured: sums over all trajectories of β, for a random f(τ), with the library's p/q.
    """
    mdp, (policy, theta) = problem.mdp, problem.policy(problem.mdp)
    t = trajectories(mdp, policy, problem.theta(policy, 1))
    p, q, f = path_probabilities(mdp, t, probabilities(mdp, policy, theta)), t.prob, problem.table(len(t))
    w = np.exp(t.sum(log_ratios(policy, theta, t.batch)))
    residual = worst(difference(((q / q) * p) @ f, t.expect(w * f)), difference(((q / p) * p) @ f, t.expect(f)))

    p, q, f = np.array([0.9, 0.1]), np.array([0.5, 0.5]), np.array([1.0, 0.0])
    right, printed = float(((q / q) * p) @ f), float(((q / p) * p) @ f)
    return Finding(
        worst(residual, difference(right, q @ (p / q * f)), difference(right, 0.9)),
        printed=difference(printed, right),
        numbers={"E_p f": right, "as printed": printed},
    )


@statement(
    id="X7",
    section=10,
    statement="Σ_t f_t Π_{k≤t}ρ_k Σ_{k≥t} r_k Π_{t<j≤k}ρ_j: the second product from t + 1, or ρ_t counts twice",
    source="CS285 4.4",
    kind="exact",
)
def a_ratio_twice(problem: Problem) -> Finding:
    """f_t r_k needs Π_{j≤k}ρ_j (W3): j ≤ t in the first product, t < j ≤ k in the second. With t' = t … in the second
    there is one more ρ_t in every term, and

        E_β[…] = Σ_t E_{d_t^θ, π_θ}[ρ_t f_t Q_t^θ]

    One step, R = (1, 0), π = (½, ½), β = (.8, .2): ¼ for the first coordinate, printed ¼ · .5/.8 = .156.

    At θ' = θ it does not show; and the ratios over t'' are dropped in the next line.

    Measured, twice: means under β over all trajectories of the library's estimator against ∇J; and of the sums written
    out, with the second product from t + 1 and from t, the last against the sum over states.
    """
    coin, policy, theta = even_coin()
    residuals, printed = [], theta
    for mdp, pi, x, beta in (
        (problem.mdp, *problem.policy(problem.mdp), None),
        (coin, policy, theta, np.log([0.8, 0.2])),
    ):
        beta = problem.theta(pi, 1) if beta is None else beta
        truth = gradient_by_step(mdp, pi, x)
        estimator = PerDecisionGradient(keep_per_episode=True)
        with_library = separable_moments(estimator, mdp, pi, x, behaviour=(pi, beta)).mean
        right, printed = (_products_from(first, mdp, pi, x, beta) for first in (1, 0))
        table, Q = probabilities(mdp, pi, x), values(mdp, pi, x).Q
        rho = table / probabilities(mdp, pi, beta)
        as_sum = field(mdp, scores(mdp, pi, x), marginals(mdp, pi, x)[:-1], table, rho * Q)
        residuals += [difference(with_library, truth), difference(right, truth), difference(printed, as_sum)]
    return Finding(
        worst(*residuals),
        printed=difference(printed, truth),
        numbers={"coin: ∂J/∂θ": truth[0], "as printed": printed[0]},
    )


@statement(
    id="X12",
    section=10,
    statement="Without the ratios over t'' it is ≈, no =: the mean has Q^β for Q^θ, with or without ratios of states",
    source="CS285 4.4",
    kind="exact",
)
def ratios_ignored(problem: Problem) -> Finding:
    """Π_{k≤t}ρ_k turns the distribution of (s_t, a_t) under β into that under π_θ; what follows a_t stays β's:

        E_β[Π_{k≤t}ρ_k f_t G_t] = E_{d_t^θ, π_θ}[f_t Q_t^β]

    (W4). So "= ∇J" is ≈, here already, and "no longer unbiased" comes two steps late: the form with state-action
    ratios, too, has Q̂ of β's data. A gate (action 1 goes on to a choice of 0 or 1), π uniform, β = (.1, .9) in both
    states: ⅛ for the first choice, printed ¼ · .9 = .225. It is 0 at θ' = θ, and small nearby, as the text says of the
    error.

    The text calls it a policy iteration, which is the right idea: improve π against the Q of β.

    Measured: means under β over all trajectories of the library's estimators, with all ratios against ∇J, with those up
    to t against the sum with Q^β, by the oracle; the latter at θ = β.
    """
    gated, policy, theta = of_table(gate())
    residuals, printed = [], theta
    for mdp, pi, x, beta in (
        (problem.mdp, *problem.policy(problem.mdp), None),
        (gated, policy, theta, np.tile(np.log([0.1, 0.9]), gated.n_states)),
    ):
        beta = problem.theta(pi, 1) if beta is None else beta
        truth, Q = gradient_by_step(mdp, pi, x), values(mdp, pi, beta).Q
        ignoring = OffPolicyGradient(TO_GO.weights, causal_ratio, importance, keep_per_episode=True)
        complete = PerDecisionGradient(keep_per_episode=True)
        right, printed = (separable_moments(g, mdp, pi, x, behaviour=(pi, beta)).mean for g in (complete, ignoring))
        table, f = probabilities(mdp, pi, x), scores(mdp, pi, x)
        residuals += [
            difference(right, truth),
            difference(printed, field(mdp, f, marginals(mdp, pi, x)[:-1], table, Q)),
            difference(separable_moments(ignoring, mdp, pi, x, behaviour=(pi, x)).mean, truth),
        ]
    return Finding(
        worst(*residuals),
        printed=difference(printed, truth),
        numbers={"at the gate: ∂J/∂θ": truth[1], "as printed": printed[1]},
    )


@statement(
    id="X35",
    section=10,
    statement="q > 0 wherever p f ≠ 0, be p as small as it may: not only where p is high",
    source="CS224R",
    kind="exact",
)
def support_of_a_proposal(problem: Problem) -> Finding:
    """E_q[(p/q) f] = Σ_{q>0} p f (W1). What q never draws is missing, and p f can be large where p is small: p = (.99,
    .01), f = (0, 100), E_p f = 1. q = (1, 0) covers all of the high probability and gives 0, on any number of samples,
    with variance 0. Where f = 0, q may be 0 too.

    As advice (q should cover where p is) it is good; as a condition it is too weak.

    Measured: both examples, and a random p with q = 0 at one place, where f is 0 and where it is not.
    """
    p, q, f = (problem.rng(i).dirichlet(np.ones(4)) for i in (1, 2, 3))
    hole = np.arange(4) == 2
    q, silent = np.where(hole, 0, q) / q[~hole].sum(), np.where(hole, 0, f)
    residuals = [
        difference(_by_weights(p, q, silent), p @ silent),
        difference(_by_weights(p, q, f), p @ f - p[2] * f[2]),
    ]
    rare, paid = np.array([0.99, 0.01]), np.array([0.0, 100.0])
    truth, printed = float(rare @ paid), _by_weights(rare, np.array([1.0, 0.0]), paid)
    residuals.append(difference(_by_weights(rare, np.array([0.0, 1.0]), paid), truth))
    return Finding(
        worst(*residuals), printed=difference(printed, truth), numbers={"E_p f": truth, "q where p is high": printed}
    )


def _products_from(
    first: int, mdp: TabularMDP, policy: ComposedPolicy, theta: FloatArray, beta: FloatArray
) -> FloatArray:
    """E_β Σ_t f_t Π_{k≤t}ρ_k Σ_{k≥t} r_k Π_{t+first≤j≤k}ρ_j, term by term."""
    t = trajectories(mdp, policy, beta)
    f, rho = policy.score(theta, t.batch.obs, t.batch.act), np.exp(log_ratios(policy, theta, t.batch))
    out = np.zeros(len(theta))
    for p, begin, end in zip(t.prob, t.batch.offsets[:-1], t.batch.offsets[1:], strict=True):
        for i in range(begin, end):
            later = sum(t.batch.rew[k] * rho[i + first : k + 1].prod() for k in range(i, end))
            out += p * f[i] * rho[begin : i + 1].prod() * later
    return out


def _by_weights(p: FloatArray, q: FloatArray, f: FloatArray) -> float:
    """E_q[(p/q) f], over what q draws."""
    drawn = q > 0
    return float(q[drawn] @ (p[drawn] / q[drawn] * f[drawn]))
