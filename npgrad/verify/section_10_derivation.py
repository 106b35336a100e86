"""Section 10, misprints on the way to ∇log p_θ(τ) (X1, X8, X9, X27, X30, X31, X33). Told in docs/errata.md."""

from __future__ import annotations

import numpy as np

from ..distributions import FullGaussian
from ..functions import MLP, Concatenated, Fixed
from ..oracle import (
    TabularMDP,
    Trajectories,
    integral,
    marginals,
    normal_expectation,
    normal_nodes,
    objective,
    probabilities,
    trajectories,
)
from ..policies import ComposedPolicy
from ..types import Array, FloatArray
from .catalogue import Finding, statement
from .measures import complex_gradient, difference, must, worst
from .misprints import both_cases, even_coin, of_table
from .paths import gradient_by_step, path_probabilities
from .problem import Problem
from .score_cases import log_normal, policy_case
from .smallest import repeated


@statement(
    id="X1",
    section=10,
    statement="∇log N(a; f(s), Σ) = (df/dθ)ᵀ Σ⁻¹ (a − f(s)), without the printed ½",
    source="COL778",
    kind="diff",
)
def half_a_score(problem: Problem) -> Finding:
    """log N = −½ (f − a)ᵀΣ⁻¹(f − a) + const, and the derivative of the square brings a 2:

        ∇log N = −½ · 2 (df/dθ)ᵀΣ⁻¹(f − a) = (df/dθ)ᵀΣ⁻¹(a − f)

    Printed: −½ Σ⁻¹(f − a) df/dθ. N(0, 1) at a = 1 has the score 1 in its mean; printed, ½.

    The line above it on the slide, −½‖f − a‖²_Σ, is right; its ½ was carried over. As a whole gradient it would only be
    a step half as long. Beside terms with a right scale (an entropy bonus, the score in log σ) the direction changes.

    Measured: the library's score, a Gaussian with full Σ over an MLP, against a complex step through log N written out.
    """
    in_L = (np.log(0.8), np.log(1.3), 0.4)  # log diag L, and what is below it
    case = policy_case(problem, Concatenated((MLP(2, 2, hidden=(3,)), Fixed(2, in_L))), FullGaussian(2))
    L = np.array([[0.8, 0.0], [0.4, 1.3]])
    sigma = np.broadcast_to(L @ L.T, (len(case.act), 2, 2))
    by_step = complex_gradient(lambda x: log_normal(case.act, case.y(x)[:, :2], sigma), case.theta)
    at_one = float(FullGaussian(1).score(np.zeros((1, 2)), np.ones((1, 1)))[0, 0])
    return Finding(
        worst(difference(case.score(), by_step), difference(at_one, 1.0)),
        printed=difference(at_one / 2, 1.0),
        numbers={"N(0, 1) at a = 1": at_one, "as printed": at_one / 2},
    )


@statement(
    id="X8",
    section=10,
    statement="∇Π P π = Π P π · Σ ∇log π: a product rule; neither Π P ∇π, nor a constant times Π ∇π",
    source="10-703",
    kind="exact",
)
def product_rule(problem: Problem) -> Finding:
    """The derivative of a product is a sum, with one factor differentiated in each term:

        ∇Π_t P_t π_t = Σ_t (∇π_t/π_t) Π_k P_k π_k = p(τ) Σ_t ∇log π_t

    Printed: Π_t P_t ∇π_t, a product of vectors, which only stands for something coordinate by coordinate; then const ·
    Π_t ∇π_t, where the "constant" Π P depends on τ and cannot leave the sum over τ. Two tosses of a fair coin, P = 1,
    the same action twice: ∂p/∂θ = 2 · ½ · ¼ = ¼; printed, (¼)² = 1/16.

    The slides show this to be a dead end: next they divide and multiply by P_θ(τ), and take the logarithm that turns
    products into sums. The dead end is another one than the one shown.

    Measured: for every trajectory, a complex step through its probability against p(τ) Σ_t f_t with the library's
    scores, and that Π P is not one number.
    """
    residuals, of_dynamics = [], []
    for mdp, policy, theta in both_cases(problem, of_table(repeated([1.0, 0.0], steps=2))):
        t = trajectories(mdp, policy, theta)
        truth = _path_gradients(mdp, t, policy, theta)
        f = policy.score(theta, t.batch.obs, t.batch.act)
        residuals.append(difference(t.prob[:, None] * t.sum(f), truth))
        of_dynamics.append(_product(t, mdp.P[t.states, t.batch.act, t.next_states]))
    printed = _product(t, np.exp(t.batch.logp)[:, None] * f)  # ∇π = π f
    constant = of_dynamics[0]
    return Finding(
        worst(*residuals, must(np.ptp(constant) > 1e-9)),
        printed=difference(printed, truth),
        numbers={
            "two tosses alike: ∂p/∂θ": float(truth[0, 0]),
            "as printed": float(printed[0, 0]),
            "the constant, least": float(constant.min()),
            "and largest": float(constant.max()),
        },
    )


@statement(
    id="X9",
    section=10,
    statement="P(τ;θ) = p(s_0) Π P(s_{t+1}|s_t,a_t) π: without p(s_0) the sum over τ is the number of first states",
    source="10-703",
    kind="exact",
)
def start_distribution(problem: Problem) -> Finding:
    """Summed from the back, every factor P π gives 1, and what is left is Σ_{s_0} p(s_0) = 1. Without p(s_0) it is
    Σ_{s_0} 1: the number of states in which a trajectory can begin. Two states, one step: 2.

    With one first state, as in a game that is always set up alike, p(s_0) = 1 and may be left out. ∇log P(τ;θ) does not
    have it in any case (L3); U(θ) does, and so do both expectations over τ.

    Measured: sums over all trajectories that begin in any state that does not end one.
    """
    two = TabularMDP(np.full(2, 0.5), np.repeat(np.eye(2)[:, None], 2, axis=1), np.zeros((2, 2)), horizon=1)
    begun = ~problem.mdp.terminal / (~problem.mdp.terminal).sum()
    residuals = []
    for mdp, policy, theta in ((problem.mdp.replace(start=begun), *problem.policy(problem.mdp)), of_table(two)):
        t = trajectories(mdp, policy, theta)
        without = float((t.prob / mdp.start[t.states[t.batch.offsets[:-1]]]).sum())
        residuals += [difference(t.prob.sum(), 1.0), difference(without, float((~mdp.terminal).sum()))]
    return Finding(worst(*residuals), printed=difference(without, 1.0), numbers={"two states: Σ P as printed": without})


@statement(
    id="X27",
    section=10,
    statement="∇∫ = ∫∇ needs more than bounds free of θ: over ±∞ the density of U(0, θ) with f = x gives ½ and −½",
    source="Seita (a comment)",
    kind="quadrature",
)
def constant_bounds(problem: Problem) -> Finding:
    """Any integral can be written with the bounds ±∞: put the support into the density, p_θ(x) = 1[0 ≤ x ≤ θ]/θ. Then

        ∇∫ x p_θ dx = ∇ θ/2 = ½,   ∫ x ∇p_θ dx = ∫_0^θ −x/θ² dx = −½

    where ∇p_θ(x) is taken at every x but θ, at which it does not exist. Leibniz's terms at the bounds have not
    vanished, they have moved into the jump of the integrand: p_θ(θ) f(θ) = 1. His rule asks for a ∇p_θ that is
    continuous besides; dominated convergence for an integrable bound (L6). With ±∞ that is not for free either, as mass
    can escape there.

    The comment is right for what the post needs: Gaussians and softmaxes have it all. Its reason is not the reason.

    Measured: both sides by quadrature for U(0, θ), with the jump added, and for N(θ, 1).
    """
    theta, h = float(problem.rng().uniform(0.5, 2.0)), 0.25

    def mean(end: float) -> float:
        return float(integral(lambda x: x / end, [0.0, end]))

    outside = (mean(theta + h) - mean(theta - h)) / (2 * h)  # the mean is linear in θ: exact
    inside = float(integral(lambda x: -x / theta**2, [0.0, theta]))
    jump = (1 / theta) * theta
    of_normal = normal_expectation(lambda x: x * (x - theta), mean=theta)  # E[x ∇log p] = ∇θ
    return Finding(
        worst(difference(inside + jump, outside), difference(of_normal, 1.0)),
        printed=difference(inside, outside),
        numbers={"∇∫": outside, "∫∇": inside, "the jump at θ": jump},
    )


@statement(
    id="X30",
    section=10,
    statement="∇U = Σ_τ P_θ (∇_θP_θ/P_θ) R: with ∇_μ, as on two slides, it is 0, or evolution strategies' gradient",
    source="10-703",
    kind="exact",
)
def derivative_by_another_name(problem: Problem) -> Finding:
    """μ is no argument of P_θ(τ): ∇_μ P_θ(τ) = 0, and so is the sum. Should θ be drawn around μ, as on the slides on
    evolution strategies from where the line was taken, it would be ∇_μ E_{θ~N(μ,σ²I)} U(θ), which is ∇U smoothed (P11):
    of the fair coin at σ = 1, .182 for .25.

    One letter: the lines before and behind it have ∇_θ.

    Measured: Σ_τ ∇_θP_θ(τ) R(τ) by a complex step through listed trajectories against one through J by dynamic
    programming.
    """
    residuals = []
    for mdp, policy, theta in both_cases(problem, even_coin()):
        t = trajectories(mdp, policy, theta)
        truth = gradient_by_step(mdp, policy, theta)
        residuals.append(difference(t.batch.returns() @ _path_gradients(mdp, t, policy, theta), truth))
    e, w = normal_nodes(20, len(theta))
    smoothed = w @ (np.array([objective(mdp, policy, theta + x) for x in e])[:, None] * e)  # E[U(μ + ε) ε]
    return Finding(
        worst(*residuals),
        printed=min(difference(0 * truth, truth), difference(smoothed, truth)),
        numbers={"∂U/∂θ": float(truth[0]), "∂P_θ/∂μ": 0.0, "smoothed, σ = 1": float(smoothed[0])},
    )


@statement(
    id="X31",
    section=10,
    statement="p(s_1, a_1, …, s_T, a_T) ends with π(a_T|s_T); with p(s_{T+1}|s_T, a_T) behind it, τ must hold s_{T+1}",
    source="COL778, 10-703, CS224R, CS285",
    kind="exact",
)
def last_factor(problem: Problem) -> Finding:
    """Π_{t=1}^T π p(s_{t+1}|s_t,a_t) is a function of s_{T+1} too, which the left side does not have. For each value x
    of it the sum over s_1, a_1, …, s_T, a_T is P(s_{T+1} = x), and not 1. One step, then one of two ends, equally
    likely: ½.

    Two ways to mend it: let τ end with s_{T+1} (as Seita's does), or the product of transitions at T − 1. The gradient
    does not care, as the factor has no θ. A reward r(s, a, s') does: it needs the state behind the last action.

    Measured: sums over all trajectories, with s_{T+1}, without the last factor, and as printed, for each x.
    """
    fork = np.zeros((3, 2, 3))
    fork[0, :, 1:] = 0.5
    end = np.array([False, True, True])
    one_step = TabularMDP(np.eye(3)[0], fork, np.zeros((3, 2)), horizon=1, terminal=end)
    longer = problem.random_mdp(3, 2, 2, stream=40)  # every s' can follow every s
    residuals = []
    for mdp, policy, theta in ((longer, *problem.policy(longer)), of_table(one_step)):
        t, T = trajectories(mdp, policy, theta), mdp.horizon
        sums = np.bincount(t.final_states, t.prob, mdp.n_states)  # as printed, s_{T+1} = x
        last = t.batch.offsets[1:] - 1
        without = t.prob / mdp.P[t.states[last], t.batch.act[last], t.final_states]
        followed = np.count_nonzero(mdp.P[t.states[last], t.batch.act[last]], axis=1)  # how often each is listed
        residuals += [
            difference(sums, marginals(mdp, policy, theta)[T]),
            difference(sums.sum(), 1.0),
            difference((without / followed).sum(), 1.0),
        ]
    return Finding(worst(*residuals), printed=difference(sums[1], 1.0), numbers={"Σ as printed": float(sums[1])})


@statement(
    id="X33",
    section=10,
    statement="log p(τ) = log p(s_1) + Σ_t [log π + log p(s_{t+1}|s_t,a_t)]: the brackets; and Σ_t (ε + 2εt)",
    source="COL778, CS224R, CS285",
    kind="exact",
)
def brackets(problem: Problem) -> Finding:
    """A sum sign reaches to the next +. As printed, Σ_t log π(a_t|s_t) + log p(s_{t+1}|s_t, a_t), the transition stands
    outside, once, with a t that nobody gives; T is what is left of it. Two steps, each with two actions and two next
    states equally likely: log p(τ) = 4 log ½, printed 3 log ½. In CS285's bound on cloning, Σ_t ε + 2εt at T = 2, ε =
    .1: Σ_t (ε + 2εt) = εT + εT(T + 1) = .8, printed .6.

    Everybody reads it rightly, and what follows is right: in ∇log p(τ) the transitions are gone, and O(εT²) is.

    Measured: the logarithm of the oracle's p(τ) against the sum of rows, on all trajectories; the two examples.
    """
    even = TabularMDP(np.eye(2)[0], np.full((2, 2, 2), 0.5), np.zeros((2, 2)), horizon=2)
    residuals = []
    for mdp, policy, theta in both_cases(problem, of_table(even)):
        t = trajectories(mdp, policy, theta)
        in_log = np.log(mdp.P[t.states, t.batch.act, t.next_states])
        first = np.log(mdp.start[t.states[t.batch.offsets[:-1]]])
        residuals.append(difference(first + t.sum(t.batch.logp + in_log), np.log(t.prob)))
    printed = first + t.sum(t.batch.logp) + in_log[t.batch.offsets[1:] - 1]

    eps, T = 0.1, 2
    steps = np.arange(1, T + 1)
    bound, bound_printed = float((eps + 2 * eps * steps).sum()), T * eps + 2 * eps * T
    residuals.append(difference(bound, eps * T + eps * T * (T + 1)))
    return Finding(
        worst(*residuals),
        printed=min(difference(printed, np.log(t.prob)), difference(bound_printed, bound)),
        numbers={
            "log p(τ)": float(np.log(t.prob[0])),
            "log p(τ) as printed": float(printed[0]),
            "the bound": bound,
            "the bound as printed": bound_printed,
        },
    )


def _path_gradients(mdp: TabularMDP, t: Trajectories, policy: ComposedPolicy, theta: FloatArray) -> FloatArray:
    """∇p_θ(τ) of every trajectory by complex step, (M, P)."""
    return complex_gradient(lambda x: path_probabilities(mdp, t, probabilities(mdp, policy, x)), theta)


def _product(t: Trajectories, rows: Array) -> Array:
    """Π_t of each trajectory's rows, (T, …) → (M, …)."""
    return np.asarray(np.multiply.reduceat(rows, t.batch.offsets[:-1], axis=0))
