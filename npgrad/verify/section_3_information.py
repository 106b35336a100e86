"""Section 3: functions, entropy, KL and Fisher (S7 … S10). Derived in docs/derivations/functions.md and by family."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from ..distributions import provides, require_method, squashed_entropy
from ..functions import MLP, Linear
from ..oracle import fisher, integral, marginals, probabilities, scores, trajectories
from ..types import Array
from .catalogue import Finding, statement
from .families import Family, every_family, panels, squashed_edges, squashed_policy
from .measures import complex_gradient, difference, must, worst
from .problem import Problem
from .score_cases import jacobian

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "identity": lambda z: z,
}


@statement(
    id="S7",
    section=3,
    statement="Linear and MLP (tanh, relu, identity): y, Jᵀw, Jv, JᵀW by rows and segments; wᵀ(Jv) = (Jᵀw)ᵀv",
    source="10-703 (Pong)",
    kind="diff",
)
def products_of_functions(problem: Problem) -> float:
    """x_{l+1} = φ(z_l), z_l = x_l W_l + b_l, y = z_L. With D_l = ∂(wᵀy)/∂z_l: D_L = w, D_{l−1} = D_l W_lᵀ ∘
    φ'(z_{l−1}), and the gradient is x_lᵀD_l in W_l, Σ_t D_l in b_l. Forwards, dz_l = dx_l W_l + x_l dW_l + db_l. One is
    the transpose of the other: wᵀ(Jv) = (Jᵀw)ᵀv.

    Measured: y against the layers written out, and the four products against the whole Jacobian by complex step, which
    the library never forms; for the linear function and MLPs with each activation.
    """
    rng = problem.rng()
    T, offsets = 6, np.array([0, 2, 2, 6])
    obs, residuals = rng.normal(size=(T, 3)), []
    for name, phi in ACTIVATIONS.items():
        for f, sizes in ((Linear(3, 2), (3, 2)), (MLP(3, 2, hidden=(4, 3), activation=name), (3, 4, 3, 2))):
            theta = rng.normal(size=f.n_params)
            lin, J = f.at(theta, obs), jacobian(f, theta, obs)
            w, v = rng.normal(size=(T, 2)), rng.normal(size=f.n_params)
            rows = np.einsum("tk,tkp->tp", w, J)
            segments = np.array([rows[a:b].sum(axis=0) for a, b in pairwise(offsets)])
            residuals += [
                difference(lin.y, _layers(theta, obs, sizes, phi)),
                difference(lin.vjp(w), rows.sum(axis=0)),
                difference(lin.jvp(v), J @ v),
                difference(lin.vjp_rows(w), rows),
                difference(lin.vjp_segments(w, offsets), segments),
                difference((w * lin.jvp(v)).sum(), lin.vjp(w) @ v),
            ]
    return worst(*residuals)


@statement(
    id="S8",
    section=3,
    statement="H = −E log p and ∇H: closed where there is a form, by quadrature for squashed Gaussians and mixtures",
    source="10-703 (A3C)",
    kind="quadrature",
)
def entropies(problem: Problem) -> float:
    """∂H/∂y = −Σ_a ∇p log p − Σ_a p ∇log p = −E[∇log p · log p], as the second sum is zero (L4).

    A map a = g(u), one to one, adds log|g'| to −log p: H(a) = H(u) + E log|g'(u)|. For the tanh that is
    E log(1 − tanh²u), which has no closed form, nor has the logarithm of a sum in a mixture.

    Measured: the library's H against −Σ p log p (sums, Gauss's rules), its ∇H against a complex step through that sum;
    of the squashed Gaussian both against integrals over the bounded action and over ε in u = μ + σε.
    """
    of_families = [_entropy_residual(family) for family in every_family(problem) if provides(family.pi, "entropy")]
    return worst(*of_families, *_squashed_entropies(problem))


@statement(
    id="S9",
    section=3,
    statement="KL(π_θ'‖π_θ) and its gradients in both arguments; one common squash leaves it the Gaussian's",
    source="CS224R, CS285 4.5",
    kind="diff",
)
def divergences(problem: Problem) -> float:
    """KL(p‖q) = E_p[log p − log q]. In p its gradient is Σ ∇p (log p − log q) + Σ p ∇log p, the second sum zero:
    E_p[∇log p (log p − log q)]. In q it is −E_p[∇log q]. A map a = g(u) adds −log|g'| to both logarithms, and the
    difference stays.

    Measured: the library's KL and both gradients against sums or Gauss's rules and complex steps through them; those of
    a policy in θ, weighted over states; and the KL of two squashed Gaussians over the bounded action.
    """
    rng = problem.rng()
    of_families = [_kl_residual(family, rng) for family in every_family(problem) if provides(family.pi, "kl")]
    return worst(*of_families, *_kl_of_policies(problem), _kl_of_squashed(problem))


@statement(
    id="S10",
    section=3,
    statement="Fisher F = E[f fᵀ] = −E[∇² log p]: over actions, by samples, and Fv without forming F",
    source="CS285 4.5",
    kind="exact",
)
def fisher_matrices(problem: Problem) -> Finding:
    """Differentiate E[f] = 0 (L4): Σ ∇p fᵀ + Σ p ∇f = 0, hence E[f fᵀ] = −E[∇²log p].

    With f = Jᵀ ∂log p/∂y the matrix is Σ_t w_t J_tᵀ M_t J_t, M = E[score scoreᵀ] in y: Fv is a Jv, M times that row by
    row, and a Jᵀ. Weights d_t(s) make it the Fisher matrix of trajectories, and 1/N Σ_i Σ_t f_t f_tᵀ estimates that one
    without bias.

    Measured: M v of each distribution against the sum over actions, and against −E of the score's own derivative;
    Fv of a policy over the states of a table against F summed up, and against the oracle; the exact mean of the sample
    estimate.
    """
    rng, residuals = problem.rng(), []
    for family in every_family(problem):
        if not provides(family.pi, "fisher"):
            continue
        v, s = rng.normal(size=len(family.y)), family.score()
        M = family.mean(s[:, :, None] * s[:, None, :])
        curvature = -family.mean(complex_gradient(family.score, family.y))
        Mv = require_method(family.pi, "fisher")(family.y[None], v[None])[0]
        residuals += [difference(Mv, M @ v), difference(curvature, M)]

    mdp = problem.mdp
    policy, theta = problem.policy(mdp, "mlp")
    pi, f = probabilities(mdp, policy, theta), scores(mdp, policy, theta)
    v, d = rng.normal(size=len(theta)), marginals(mdp, policy, theta)[:-1].sum(axis=0) * ~mdp.terminal
    F = np.einsum("s,sa,sap,saq->pq", d, pi, f, f)
    lin = policy.at(theta, mdp.obs, np.zeros(mdp.n_states, int))
    t = trajectories(mdp, policy, theta)
    of_samples = policy.at(theta, t.batch.obs, t.batch.act)
    estimates = of_samples.vjp_segments(of_samples.jvp(v), t.batch.offsets)  # Σ_t f_t (f_tᵀ v) of each trajectory
    eigenvalues = np.linalg.eigvalsh(F)
    return Finding(
        worst(
            *residuals,
            difference(lin.fisher_vp(v, d), F @ v),
            difference(fisher(mdp, policy, theta), F),
            difference(t.expect(estimates), F @ v),
            must(eigenvalues[0] > -1e-12),
        ),
        numbers={"rank of F": int((eigenvalues > 1e-9 * eigenvalues[-1]).sum()), "parameters": len(theta)},
    )


def _layers(theta: Array, x: Array, sizes: tuple[int, ...], phi: Callable[[Array], Array]) -> Array:
    """x W_1 + b_1, φ, …, by the sizes of the layers."""
    first = 0
    for i, (n, m) in enumerate(pairwise(sizes)):
        W, b = theta[first : first + n * m].reshape(n, m), theta[first + n * m : first + n * m + m]
        first += n * m + m
        x = (x if i == 0 else phi(x)) @ W + b
    return x


def _entropy_residual(family: Family) -> float:
    """H and ∇H of the library against −Σ p log p."""

    def entropy(y: Array) -> Array:
        return -np.asarray(family.p(y) @ family.log_p(y))

    h, grad = (require_method(family.pi, name)(family.y[None])[0] for name in ("entropy", "entropy_grad"))
    return worst(difference(h, entropy(family.y)), difference(grad, complex_gradient(entropy, family.y)))


def _kl_residual(family: Family, rng: np.random.Generator) -> float:
    """KL and its gradients of the library against Σ p (log p − log q)."""
    y, other = family.y, family.y + 0.4 * rng.normal(size=len(family.y))

    def kl(y: Array, other: Array) -> Array:
        return np.asarray(family.p(y) @ (family.log_p(y) - family.log_p(other)))

    in_y, in_other = require_method(family.pi, "kl_grad")(y[None], other[None])
    return worst(
        difference(require_method(family.pi, "kl")(y[None], other[None])[0], kl(y, other)),
        difference(in_y[0], complex_gradient(lambda x: kl(x, other), y)),
        difference(in_other[0], complex_gradient(lambda x: kl(y, x), other)),
    )


def _squashed_entropies(problem: Problem) -> tuple[float, float, float]:
    """H of the squashed Gaussian over a, and H with its gradient over ε."""
    policy, theta, low, high = squashed_policy(problem)
    one = np.ones((1, 1))
    y = policy.function.at(theta, one).y[0]

    def integrand(a: Array) -> Array:
        u = np.arctanh(2 * (a - low) / (high - low) - 1)
        log_p = policy.log_prob(theta, np.ones((len(a), 1)), u[:, None])
        return np.asarray(-np.exp(log_p) * log_p)

    e, de = panels(np.zeros(1), np.ones(1))
    phi = de * np.exp(-(e**2) / 2) / np.sqrt(2 * np.pi)

    def by_noise(y: Array) -> Array:  # ½ (1 + log 2π) + log σ + E log |∂a/∂u|
        slope = (1 - np.tanh(y[0] + np.exp(y[1]) * e) ** 2) * (high - low) / 2
        return np.asarray((1 + np.log(2 * np.pi)) / 2 + y[1] + phi @ np.log(slope))

    h, grad = squashed_entropy(y[None], np.array([low]), np.array([high]))
    return (
        difference(policy.entropy(theta, one)[0], integral(integrand, squashed_edges(low, high))),
        difference(h[0], by_noise(y)),
        difference(grad[0], complex_gradient(by_noise, y)),
    )


def _kl_of_policies(problem: Problem) -> tuple[float, float, float]:
    """Σ_s w(s) KL in both directions, and their gradients in θ, for a policy on a table."""
    mdp = problem.mdp
    policy, theta = problem.policy(mdp, "mlp")
    other, w, act = problem.theta(policy, 1), problem.rng(1).random(mdp.n_states), np.zeros(mdp.n_states, int)
    lin, beyond = policy.at(theta, mdp.obs, act), policy.at(other, mdp.obs, act)

    def kl(x: Array, y: Array) -> Array:  # Σ_s w Σ_a π_x (log π_x − log π_y)
        p, q = probabilities(mdp, policy, x), probabilities(mdp, policy, y)
        return np.asarray(w @ (p * (np.log(p) - np.log(q))).sum(axis=1))

    return (
        difference(w @ lin.kl_to(beyond), kl(theta, other)),
        difference(lin.kl_vjp(beyond, w), complex_gradient(lambda x: kl(x, other), theta)),
        difference(lin.kl_from_vjp(beyond, w), complex_gradient(lambda x: kl(other, x), theta)),
    )


def _kl_of_squashed(problem: Problem) -> float:
    """∫ p(a) (log p(a) − log q(a)) da over the bounded action against the Gaussians' KL."""
    policy, theta, low, high = squashed_policy(problem)
    other, one = theta + np.array([0.2, -0.1, 0.2]), np.ones((1, 1))

    def integrand(a: Array) -> Array:
        u, obs = np.arctanh(2 * (a - low) / (high - low) - 1)[:, None], np.ones((len(a), 1))
        log_p = policy.log_prob(theta, obs, u)
        return np.asarray(np.exp(log_p) * (log_p - policy.log_prob(other, obs, u)))

    of_latent = policy.at(theta, one, one).kl_to(policy.at(other, one, one))[0]
    return difference(of_latent, integral(integrand, squashed_edges(low, high)))
