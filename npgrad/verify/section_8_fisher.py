"""Section 8: the Fisher matrix as curvature, and solves with it (N1, N2, N9).

Derived in docs/derivations/natural_gradient.md.
"""

from __future__ import annotations

import numpy as np

from ..estimators import LocalGeometry, episode_scores
from ..optimizers import conjugate_gradient, solve_direct, solve_in_sample_space
from ..oracle import fisher, gradient, scores, trajectories
from .catalogue import Finding, statement
from .measures import complex_gradient, difference, slope, worst
from .paths import gradient_by_step
from .problem import Problem
from .tabular_cases import row_weights


@statement(
    id="N1",
    section=8,
    statement="Σ_t E_{d_t} KL(π_{θ+d}‖π_θ) = ½ dᵀFd + O(‖d‖³), F with the same weights; so for KL(π_θ‖π_{θ+d})",
    source="CS285 4.5",
    kind="order",
)
def curvature_of_the_divergence(problem: Problem) -> Finding:
    """At d = 0 either KL is 0, and so is its gradient: −E[∇log π] = 0 (L4), and E[f (log π_{θ+d} − log π)] = 0. For the
    second derivatives, KL(π_θ‖π_{θ+d}) = −E_θ[log π_{θ+d} − log π_θ] has −E[∇²log π] = E[f fᵀ] (S10). In the other
    direction, with u = log π_{θ+d} − log π_θ, KL = E_θ[eᵘ u] = E_θ[u + u² + …], u = fᵀd + ½dᵀ∇²log π d + …, where
    E[fᵀd] = 0 and the rest is

        ½ dᵀE[∇²log π]d + dᵀE[f fᵀ]d = −½ dᵀFd + dᵀFd = ½ dᵀFd

    Summed over states with weights d_t on both sides. The two directions part at the third order.

    Measured: the slope of the library's KL of either direction less ½dᵀFd, F of the oracle, over four sizes of step and
    summed over eight directions; softmax policies linear and MLP. F with other weights, or without the ½, leaves the
    slope at 2.
    """
    mdp, sizes, found = problem.mdp, np.array([1.0, 2.0, 4.0, 8.0]) * 5e-4, {}
    for kind in ("linear", "mlp"):
        policy, theta = problem.policy(mdp, kind)
        t, F = trajectories(mdp, policy, theta), fisher(mdp, policy, theta)
        near = LocalGeometry(policy, theta, t.batch, weights=row_weights(t))
        directions = problem.rng(1).normal(size=(8, len(theta)))
        for name, kl in (("new‖old", near.kl_new_old), ("old‖new", near.kl_old_new)):
            errors = [sum(abs(kl(theta + x * d) - x * x * d @ F @ d / 2) for d in directions) for x in sizes]
            found[f"slope, {kind}, {name}"] = slope(sizes, errors)
    return Finding(worst(*(abs(p - 3) for p in found.values())), numbers=found)


@statement(
    id="N2",
    section=8,
    statement="(F + λI)⁻¹g: directly, in sample space (Woodbury), by conjugate gradients on Fv",
    source="CS285 4.5",
    kind="identity",
)
def three_solves(problem: Problem) -> Finding:
    """With F = RᵀR, rows √w_t f_t of R, RᵀRx + λx = g gives x = (g − Rᵀy)/λ with y = Rx, and R from the left

        RRᵀy + λy = Rg,   x = (g − Rᵀ (RRᵀ + λI)⁻¹ R g)/λ

    which is a system as large as the sample. Conjugate gradients minimise ½xᵀ(F + λ)x − gᵀx over g, Fg, F²g, …: without
    rounding they are done after as many products as F + λI has different eigenvalues.

    Measured: the three, F never formed for the third, against the spectral decomposition of the oracle's F, divided by
    its condition number; all trajectories with their probabilities as weights, so that RᵀR is F. Without damping, the
    direct solve against the pseudo-inverse by spectrum.
    """
    mdp, damping = problem.mdp, 0.05
    policy, theta = problem.policy(mdp, "mlp")
    t, g = trajectories(mdp, policy, theta), gradient(mdp, policy, theta)
    near = LocalGeometry(policy, theta, t.batch, weights=row_weights(t))
    eigenvalues, U = np.linalg.eigh(fisher(mdp, policy, theta))
    x = U @ ((U.T @ g) / (eigenvalues + damping))
    condition = (eigenvalues[-1] + damping) / damping
    found = conjugate_gradient(near.fisher_vp, g, damping=damping, max_iterations=4 * len(g), tolerance=1e-15)
    solves = {
        "direct": solve_direct(near.fisher(), g, damping),
        "in sample space": solve_in_sample_space(near.sample_rows(), g, damping),
        "by conjugate gradients": found.x,
    }
    kept = eigenvalues > 1e-10 * eigenvalues[-1]
    by_spectrum = U[:, kept] @ ((U[:, kept].T @ g) / eigenvalues[kept])
    singular = eigenvalues[-1] / eigenvalues[kept][0]
    return Finding(
        worst(
            *(difference(y, x) / condition for y in solves.values()),
            difference(solve_direct(near.fisher(), g), by_spectrum) / singular,
        ),
        numbers={
            "parameters, rows, rank of F": f"{len(g)}, {t.batch.n_steps}, {int(kept.sum())}",
            "condition number": float(condition),
            "products with F": found.n_iterations,
            **{f"off by, {name}": difference(y, x) for name, y in solves.items()},
        },
    )


@statement(
    id="N9",
    section=8,
    statement="E[SSᵀ] = Σ_t E[f fᵀ] = −E[∇²log p] with S = Σ_t f_t; ∇²J = E[R(SSᵀ + ∇²log p)]",
    source="beyond",
    kind="exact",
)
def second_derivatives(problem: Problem) -> Finding:
    """For k > t, E[f_t f_kᵀ] = E[f_t E[f_k|past, s_k]ᵀ] = 0: the mixed terms of SSᵀ vanish. As S = ∇log p_θ(τ) (L3),
    the second equation is S10 for trajectories. Differentiate ∇p = p∇log p once more:

        ∇²p = p (∇log p ∇log pᵀ + ∇²log p)

    and ∇²J = Σ_τ ∇²p R. With R = 1 it is 0, which is the second equation again.

    Measured: S of all trajectories by the library, ∇²log p = Σ_t ∇f_t by complex step through its scores; against the
    oracle's F, and ∇²J by complex step through the oracle's ∇J, with and without discounting; linear and MLP.
    """
    residuals = []
    for mdp, kind in ((problem.mdp, "linear"), (problem.discounted, "mlp")):
        policy, theta = problem.policy(mdp, kind)
        t, P = trajectories(mdp, policy, theta), len(theta)
        S = episode_scores(policy, theta, t.batch, np.ones(t.batch.n_steps))
        outer = S[:, :, None] * S[:, None, :]
        of_pairs = complex_gradient(lambda x: scores(mdp, policy, x), theta)  # noqa: B023
        hessians = t.sum(of_pairs[t.states, t.batch.act])  # ∇²log p(τ)
        R = t.sum(t.batch.rew * mdp.gamma**t.batch.time)[:, None, None]
        F = fisher(mdp.replace(gamma=1.0), policy, theta)
        of_J = complex_gradient(lambda x: gradient(mdp, policy, x), theta)  # noqa: B023
        residuals += [
            difference(t.expect(outer), F),
            difference(t.expect(hessians), -F),
            difference(t.expect(R * (outer + hessians)), of_J),
            difference(t.expect(outer + hessians), np.zeros((P, P))),
            difference(of_J, of_J.T),
            difference(gradient(mdp, policy, theta), gradient_by_step(mdp, policy, theta)),
        ]
    eigenvalues = np.linalg.eigvalsh(of_J)
    return Finding(worst(*residuals), numbers={"eigenvalues of ∇²J": f"{eigenvalues[0]:.3g} … {eigenvalues[-1]:.3g}"})
