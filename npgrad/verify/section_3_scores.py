"""Section 3, scores of policies (S1 … S6, S11 … S13). Derived in docs/derivations, a page a distribution."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, product

import numpy as np

from ..distributions import (
    Autoregressive,
    Bernoulli,
    Categorical,
    Deterministic,
    DiagonalGaussian,
    FullGaussian,
    GaussianMixture,
    Product,
)
from ..functions import (
    MLP,
    ActionPreferences,
    Concatenated,
    Constant,
    Featured,
    Fixed,
    Function,
    Linear,
    OneHot,
    Polynomial,
    Recurrent,
    Stacked,
)
from ..types import Array
from .catalogue import statement
from .families import squashed_policy
from .measures import complex_gradient, difference, worst
from .problem import Problem
from .score_cases import Case, log_diagonal_normal, log_normal, log_softmax_at, policy_case

OFFSETS = np.array([0, 1, 4, 6])  # three episodes, for policies that look back
OF_A_WINDOW = MLP(4, 3, hidden=(3,))  # of two observations of two numbers


@statement(
    id="S1",
    section=3,
    statement="Softmax over preferences h_θ(s,a): f = ∇h(s,a) − Σ_b π(b|s) ∇h(s,b)",
    source="10-703",
    kind="diff",
)
def softmax_score(problem: Problem) -> float:
    """log π(a|s) = h(s,a) − log Σ_b exp h(s,b), and the gradient of the second term is Σ_b π(b|s) ∇h(s,b).

    Measured: the library's score against that formula, with ∇h by complex step, and against a complex step through
    log π; for h a table, linear in s for each action, linear in φ(s,a), an MLP of s, an MLP of (s, a).
    """
    tabular = Featured(OneHot((3,)), Linear(3, 3, bias=False))
    of_pairs = Featured(Polynomial(3, degree=2), Linear(10, 1, bias=False))
    cases = [
        policy_case(problem, tabular, Categorical(3), obs=np.array([[0.0], [1.0], [2.0], [1.0]])),
        policy_case(problem, Linear(2, 3), Categorical(3), stream=1),
        policy_case(problem, ActionPreferences(of_pairs, 3), Categorical(3), stream=2),
        policy_case(problem, MLP(2, 3, hidden=(4,)), Categorical(3), stream=3),
        policy_case(problem, ActionPreferences(MLP(3, 1, hidden=(4,)), 3), Categorical(3), stream=4),
    ]
    residuals = []
    for case in cases:
        h, grad_h, rows = case.y(case.theta), case.J, np.arange(len(case.act))
        pi = np.exp(h) / np.exp(h).sum(axis=1, keepdims=True)
        formula = grad_h[rows, case.act] - np.einsum("tb,tbp->tp", pi, grad_h)
        residuals += [difference(case.score(), formula), _by_step(case, log_softmax_at)]
    return worst(*residuals)


@statement(
    id="S2",
    section=3,
    statement="Gaussian with fixed σ: f = (a − μ)/σ² ∇μ",
    source="10-703",
    kind="diff",
)
def gaussian_score(problem: Problem) -> float:
    """log N = −(a − μ)²/(2σ²) − log σ − ½ log 2π in each dimension; only the square holds θ.

    Measured: the library's score against the formula and against a complex step through log N, for an MLP μ_θ(s) in two
    dimensions with their own σ.
    """
    std = np.array([0.5, 1.5])
    f = Concatenated((MLP(2, 2, hidden=(4,)), Fixed(2, tuple(np.log(std).tolist()))))
    case = policy_case(problem, f, DiagonalGaussian(2))
    mu, grad_mu = case.y(case.theta)[:, :2], case.J[:, :2]
    formula = np.einsum("tk,tkp->tp", (case.act - mu) / std**2, grad_mu)
    return worst(difference(case.score(), formula), _by_step(case, log_diagonal_normal))


@statement(
    id="S3",
    section=3,
    statement="Gaussian, Σ = LLᵀ: f = (∂μ/∂θ)ᵀ Σ⁻¹(a − μ), and the score in the Cholesky factor L",
    source="COL778, 10-703",
    kind="diff",
)
def full_gaussian_score(problem: Problem) -> float:
    """log N = −½ dᵀΣ⁻¹d − log det L − (k/2) log 2π, d = a − μ. In μ: Σ⁻¹d; there is no ½ (X1).

    With z = L⁻¹d: dL changes z by −L⁻¹ dL z, so −½‖z‖² by zᵀL⁻¹ dL z, and log det L by tr(L⁻¹ dL). The gradient is the
    lower triangle of L⁻ᵀ(zzᵀ − I), of which L⁻ᵀ has only its diagonal there; times L_ii for log L_ii.

    Measured: the library's score against both formulas and against a complex step through log N with Σ solved anew.
    """
    f = Concatenated((Linear(2, 3), Constant(2, 6)))
    case = policy_case(problem, f, FullGaussian(3))
    y, J = case.y(case.theta), case.J
    L, d = _cholesky(y, 3), case.act - y[:, :3]
    in_mu = np.linalg.solve(L @ L.swapaxes(1, 2), d[:, :, None])[:, :, 0]
    z = np.linalg.solve(L, d[:, :, None])
    G = np.linalg.solve(L.swapaxes(1, 2), z @ z.swapaxes(1, 2) - np.eye(3))
    i, below = np.arange(3), np.tril_indices(3, -1)
    in_y = np.concatenate([in_mu, G[:, i, i] * L[:, i, i], G[:, below[0], below[1]]], axis=1)

    def log_p(y: Array, a: Array) -> Array:
        factor = _cholesky(y, 3)
        return log_normal(a, y[:, :3], factor @ factor.swapaxes(1, 2))

    return worst(difference(case.score(), np.einsum("tk,tkp->tp", in_y, J)), _by_step(case, log_p))


@statement(
    id="S4",
    section=3,
    statement="Learned log σ, shared or σ_θ(s): the score in log σ is ((a − μ)/σ)² − 1",
    source="10-703",
    kind="diff",
)
def log_std_score(problem: Problem) -> float:
    """With z = (a − μ)/σ, ∂z/∂log σ = −z: −½z² − log σ has the derivative z² − 1.

    Measured: as S2, for one log σ for all states and for one that is linear in the state.
    """
    shared = Concatenated((Linear(2, 2), Constant(2, 2)))
    residuals = []
    functions: tuple[Function, ...] = (shared, Linear(2, 4))
    for stream, f in enumerate(functions):
        case = policy_case(problem, f, DiagonalGaussian(2), stream=stream)
        y, J = case.y(case.theta), case.J
        z, std = (case.act - y[:, :2]) * np.exp(-y[:, 2:]), np.exp(y[:, 2:])
        formula = np.einsum("tk,tkp->tp", z / std, J[:, :2]) + np.einsum("tk,tkp->tp", z**2 - 1, J[:, 2:])
        residuals += [difference(case.score(), formula), _by_step(case, log_diagonal_normal)]
    return worst(*residuals)


@statement(
    id="S5",
    section=3,
    statement="Bernoulli: a − p; product of softmaxes: side by side; tanh-squashed Gaussian: that of the Gaussian",
    source="beyond",
    kind="diff",
)
def other_scores(problem: Problem) -> float:
    """Bernoulli: log p = Σ_j a_j log p_j + (1 − a_j) log(1 − p_j), p_j = 1/(1 + exp −y_j): ∂/∂y_j = a_j − p_j. A
    product has the sum of the logarithms, each of its own y.

    Squashed: a = g(u) with g free of θ, so log p(a) = log N(u) − log g'(u), and the last term drops out of the score.

    Measured: the library's scores and log p against complex steps through these sums; the slope of the squash by
    complex step through the action map.
    """
    coins = policy_case(problem, Linear(2, 3), Bernoulli(3))
    p = 1 / (1 + np.exp(-coins.y(coins.theta)))
    formula = np.einsum("tk,tkp->tp", coins.act - p, coins.J)
    pair = policy_case(problem, Linear(2, 5), Product((Categorical(2), Categorical(3))), stream=1)

    def log_pair(y: Array, a: Array) -> Array:
        return log_softmax_at(y[:, :2], a[:, 0]) + log_softmax_at(y[:, 2:], a[:, 1])

    policy, theta, _, _ = squashed_policy(problem)
    obs, u = problem.rng(1).normal(size=(5, 1)), problem.rng(2).normal(size=(5, 1))
    slopes = np.stack([complex_gradient(lambda x: policy.action_map(x[None])[0, 0], x) for x in u])[:, 0]

    def log_p_of_squashed(x: Array) -> Array:
        y = policy.function.at(x, obs).y
        return log_diagonal_normal(y, u) - np.log(slopes)

    return worst(
        difference(coins.score(), formula),
        _by_step(coins, lambda y, a: (a * y - np.log1p(np.exp(y))).sum(axis=1)),
        _by_step(pair, log_pair),
        difference(policy.log_prob(theta, obs, u), log_p_of_squashed(theta)),
        difference(policy.score(theta, obs, u), complex_gradient(log_p_of_squashed, theta)),
    )


@statement(
    id="S6",
    section=3,
    statement="Deterministic continuous policy a = μ_θ(s): it has ∂a/∂θ in place of a score",
    source="10-703",
    kind="diff",
)
def deterministic_policy(problem: Problem) -> float:
    """All mass is on one point: there is no density and no score. What moves with θ is the action: ∂a/∂θ = ∂μ/∂θ.

    Measured: Σ_t (∂a_t/∂θ)ᵀ w_t of the library against a complex step through its actions, for an MLP.
    """
    case = policy_case(problem, MLP(2, 2, hidden=(4,)), Deterministic(2))
    w = problem.rng(3).normal(size=case.act.shape)
    by_library = case.policy.at(case.theta, case.obs, case.act).action_vjp(w)
    by_step = complex_gradient(lambda x: (w * case.policy.act(x, case.obs)[0]).sum(), case.theta)
    return difference(by_library, by_step)


@statement(
    id="S11",
    section=3,
    statement="Mixture of Gaussians: f = Σ_m r_m ∇log(w_m N_m), r_m = w_m N_m / Σ w N the responsibilities",
    source="CS285 2.1, 10-703",
    kind="diff",
)
def mixture_score(problem: Problem) -> float:
    """∇log Σ_m w_m N_m = Σ_m ∇(w_m N_m) / p = Σ_m (w_m N_m / p) ∇log(w_m N_m), by L1 in each term.

    Measured: the library's score in two dimensions, three components, against that sum with ∇log(w_m N_m) by complex
    step, and against a complex step through log p.
    """
    M = 3
    case = policy_case(problem, Linear(2, 5 * M), GaussianMixture(2, M))

    def log_joint(x: Array) -> Array:  # log w_m N_m, (T, M)
        y = case.y(x)
        log_w = y[:, :M] - np.log(np.exp(y[:, :M]).sum(axis=1, keepdims=True))
        mu, log_std = y[:, M : 3 * M].reshape(-1, M, 2), y[:, 3 * M :].reshape(-1, M, 2)
        parts = [log_diagonal_normal(np.hstack([mu[:, m], log_std[:, m]]), case.act) for m in range(M)]
        return np.asarray(log_w + np.stack(parts, axis=1))

    joint = np.exp(log_joint(case.theta))
    r = joint / joint.sum(axis=1, keepdims=True)
    formula = np.einsum("tm,tmp->tp", r, complex_gradient(log_joint, case.theta))
    by_step = complex_gradient(lambda x: np.log(np.exp(log_joint(x)).sum(axis=1)), case.theta)
    return worst(difference(case.score(), formula), difference(case.score(), by_step))


@statement(
    id="S12",
    section=3,
    statement="Autoregressive bins: f = Σ_i ∇log π(a_i | s, a_{<i}), and the joint sums to 1",
    source="CS285 2.1",
    kind="diff",
)
def autoregressive_score(problem: Problem) -> float:
    """The chain rule, π(a|s) = Π_i π(a_i|s, a_{<i}), each factor a softmax: the logarithms add, and so do the scores.
    Summed from the last dimension to the first, each sum is 1.

    Here logits_i = Y_i[base] + Σ_{j<i} Y_i[j, a_j], the tables Y_i side by side in y.

    Measured: at all 2·3·2 actions the library's log π and score against the factors written out, with a complex step;
    and the total.
    """
    bins = (2, 3, 2)
    case = policy_case(problem, Linear(2, Autoregressive(bins).n_y), Autoregressive(bins), T=1)
    every = np.array(list(product(*map(range, bins))))
    whole = Case(case.policy, case.theta, np.repeat(case.obs, len(every), axis=0), every)

    def log_p(y: Array, a: Array) -> Array:
        total, first = np.zeros(len(a), y.dtype), 0
        for i, n in enumerate(bins):
            tables = y[:, first : first + n * (1 + sum(bins[:i]))].reshape(len(y), -1, n)
            first += tables[0].size
            logits = tables[:, 0].copy()
            for j in range(i):
                logits += tables[np.arange(len(a)), 1 + sum(bins[:j]) + a[:, j]]
            total += log_softmax_at(logits, a[:, i])
        return total

    log_pi = whole.policy.log_prob(whole.theta, whole.obs, every)
    return worst(
        difference(log_pi, log_p(whole.y(whole.theta), every)),
        difference(np.exp(log_pi).sum(), 1.0),
        _by_step(whole, log_p),
    )


@statement(
    id="S13",
    section=3,
    statement="Policy on a window of observations, and a recurrent one: scores through the window and through time",
    source="CS285 2.1, 3.5.3",
    kind="diff",
)
def policies_with_memory(problem: Problem) -> float:
    """A window of k observations is a function of a longer input: nothing new but the zeros before the first row.

    h_t = tanh([x_t, h_{t−1}]W + b), y_t = h_tU + c: θ enters log π(a_t|o_0 … o_t) at every step up to t. With D_t =
    ∂/∂z_t, z_t = [x_t, h_{t−1}]W + b, backpropagation through time is D_{t−1} += D_t W_hᵀ ∘ (1 − h_{t−1}²).

    Measured: the library's scores on three episodes against a complex step through the recursion, or the window,
    written out one step at a time.
    """
    window = policy_case(problem, Stacked(OF_A_WINDOW, 2), Categorical(3), T=6)
    recurrent = policy_case(problem, Recurrent(2, 3, n_hidden=3), Categorical(3), T=6, stream=1)
    return worst(
        difference(window.score(OFFSETS), _through(window, _of_windows)),
        difference(recurrent.score(OFFSETS), _through(recurrent, _step_by_step)),
    )


def _by_step(case: Case, log_p: Callable[[Array, Array], Array]) -> float:
    """The library's score against a complex step through log_p(y_θ, a)."""
    return difference(case.score(), complex_gradient(lambda x: log_p(case.y(x), case.act), case.theta))


def _through(case: Case, forward: Callable[[Case, Array], Array]) -> Array:
    """∇ log softmax of forward(case, θ) at the actions, by complex step."""
    return complex_gradient(lambda x: log_softmax_at(forward(case, x), case.act), case.theta)


def _cholesky(y: Array, k: int) -> Array:
    """L of each row of y = (μ, log diag L, the rest of L), (T, k, k)."""
    L = np.zeros((len(y), k, k), y.dtype)
    i, below = np.arange(k), np.tril_indices(k, -1)
    L[:, i, i], L[:, below[0], below[1]] = np.exp(y[:, k : 2 * k]), y[:, 2 * k :]
    return L


def _of_windows(case: Case, theta: Array) -> Array:
    """y_t = f_θ(o_{t−1}, o_t), with zeros before the first row of an episode."""
    before = np.concatenate([np.vstack([np.zeros((1, 2)), case.obs[a : b - 1]]) for a, b in pairwise(OFFSETS)])
    return OF_A_WINDOW.at(theta, np.hstack([before, case.obs])).y


def _step_by_step(case: Case, theta: Array) -> Array:
    """h_t = tanh([x_t, h_{t−1}]W + b), y_t = h_tU + c from h = 0 at the start of each episode."""
    W, b = theta[:15].reshape(5, 3), theta[15:18]
    U, c = theta[18:27].reshape(3, 3), theta[27:]
    rows = []
    for first, last in pairwise(OFFSETS):
        h = np.zeros(3, theta.dtype)
        for x in case.obs[first:last]:
            h = np.tanh(np.concatenate([x, h]) @ W + b)
            rows.append(h @ U + c)
    return np.array(rows)
