"""Section 8: steps, and how their length is measured (N3, N4, N6). Derived in docs/derivations/natural_gradient.md."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..distributions import Categorical
from ..estimators import LocalGeometry
from ..functions import Concatenated, Fixed, Linear
from ..optimizers import SGD, backtrack, conjugate_gradient, kl_step_length, solve_direct
from ..oracle import TabularMDP, fisher, occupancy, probabilities, surrogate, trajectories, values
from ..policies import ComposedPolicy
from ..types import Array, FloatArray
from .catalogue import Finding, statement
from .measures import difference, must, slope, worst
from .paths import gradient_by_step
from .problem import Problem
from .tabular_cases import all_transitions, row_weights, visits


@statement(
    id="N3",
    section=8,
    statement="θ = Bη: the undamped natural step moves π as in θ, also by F⁺; the plain and the damped one do not",
    source='CS285 4.5 ("covariant")',
    kind="exact",
)
def covariant_steps(problem: Problem) -> Finding:
    """By the chain rule g_η = Bᵀg and F_η = BᵀFB. The plain step in η moves θ by BBᵀg, not g. The natural one:

        B (BᵀFB)⁻¹ Bᵀg = F⁻¹g

    the same θ, for a step of any length. Let F be singular. ∇J = E_W[f A] and F = E_W[f fᵀ] in the same weights W: g is
    in the range of F, Fn = 0 means fᵀn = 0 for all (s,a) that are met. (BᵀFB)⁺Bᵀg solves BᵀFBx = Bᵀg, so FBx = g, and
    Bx = F⁺g + n: log π moves by fᵀF⁺g in either case, to first order. Where log π is linear in θ but for its
    normaliser, fᵀn = 0 leaves π as it is at any distance, and so the steps agree, however long. In an MLP they agree to
    first order: π may move along n to second.

    Damping is a length in the parameters' own coordinates: B(BᵀFB + λ)⁻¹Bᵀ = (F + λ(BBᵀ)⁻¹)⁻¹, which is not (F + λ)⁻¹.

    Measured: F of the library and its solves in θ and η, a random B. Regular: softmax with one preference fixed.
    Singular: weights and a bias, in the states that are met. The plain step and the damped one, by how much they
    differ; an MLP, the slope of the difference in the length of the step.
    """
    rng, damping = problem.rng(), 0.1
    endless = problem.endless
    A = endless.n_actions
    f = Concatenated((Linear(endless.n_obs, A - 1, bias=False), Fixed(endless.n_obs, (0.0,))))
    regular = ComposedPolicy(f, Categorical(A), endless.observation_space, endless.action_space)
    cases = {
        "regular": (endless, regular, 0.5 * problem.theta(regular)),
        "singular": (problem.mdp, *problem.policy(problem.mdp)),
        "mlp": (problem.mdp, *problem.policy(problem.mdp, "mlp")),
    }
    residuals = []
    numbers: dict[str, float] = {}
    moved: dict[str, tuple[float, float]] = {}
    for name, (mdp, policy, theta) in cases.items():
        F, g, met = _curvature(mdp, policy, theta)
        B = _changed_parameters(rng, len(theta))
        natural, other = solve_direct(F, g), B @ solve_direct(B.T @ F @ B, B.T @ g)
        damped, other_damped = solve_direct(F, g, damping), B @ solve_direct(B.T @ F @ B, B.T @ g, damping)
        differs = partial(_apart, mdp, policy, theta, met)
        length = 0.5 / np.abs(natural).max()
        if name == "regular":
            residuals.append(difference(other, natural))
        if name != "mlp":
            residuals.append(differs(length * natural, length * other))
        metric = np.linalg.inv(B @ B.T)
        residuals.append(difference(other_damped, np.linalg.solve(F + damping * metric, g)))
        moved[name] = differs(length * g, length * B @ B.T @ g), differs(length * damped, length * other_damped)
        numbers |= {f"π apart, {name}: plain": moved[name][0], f"{name}: λ = {damping}": moved[name][1]}
        if name == "mlp":
            steps = length * np.array([0.01, 0.02, 0.04])
            second = slope(steps, [differs(x * natural, x * other) for x in steps])
    numbers["slope of an MLP's difference"] = second
    return Finding(
        worst(*residuals, must(min(min(pair) for pair in moved.values()) > 1e-9), must(second > 1.8)), numbers=numbers
    )


@statement(
    id="N4",
    section=8,
    statement="Step √(2δ/gᵀF⁻¹g) F⁻¹g, F of the solve; then halved until the true KL ≤ δ and the surrogate improves",
    source="CS285 4.5",
    kind="identity",
)
def trust_region_steps(problem: Problem) -> Finding:
    """max gᵀd under ½dᵀFd ≤ δ: at the maximum g = μFd, d = F⁻¹g/μ, and ½dᵀFd = δ gives μ = √(gᵀF⁻¹g/2δ). For any other
    d by Cauchy and Schwarz in the metric F, gᵀd = (F⁻¹g)ᵀFd ≤ √(gᵀF⁻¹g) √(dᵀFd) ≤ √(2δ gᵀF⁻¹g). With damping the F of
    the constraint is F + λI, that of the solve, or the length is wrong.

    The constraint is a model (N1). The true KL at the full step has a term of third order, and L is no linear function:
    the step is multiplied by ½ until KL ≤ δ and L_β(θ') > L_β(θ). Lectures write KL(new‖old), the TRPO paper has
    KL(old‖new); they agree to second order, and one may accept what the other refuses.

    Measured: ½dᵀ(F + λ)d of the library's step, F of the oracle, over δ; gᵀd against its value and against other d on
    the ellipsoid. Then the library's backtracking from a step four times too long: the fraction it takes against the
    first one allowed by sums over the oracle's tables, in both directions of KL.
    """
    mdp, delta = problem.mdp, 0.02
    policy, theta = problem.policy(mdp)
    old, pi = (policy, theta), probabilities(mdp, policy, theta)
    t, d_t = trajectories(mdp, *old), visits(mdp, pi)
    d = d_t.sum(axis=0) / d_t.sum()
    near = LocalGeometry(policy, theta, t.batch, weights=row_weights(t) / d_t.sum())
    g, F, rng = gradient_by_step(mdp, policy, theta), fisher(mdp, policy, theta, d), problem.rng()
    residuals = []
    for damping in (0.0, 0.05):
        M = F + damping * np.eye(len(g))
        directly = solve_direct(near.fisher(), g, damping)
        iterated = conjugate_gradient(near.fisher_vp, g, damping=damping, max_iterations=100, tolerance=1e-13).x
        eigenvalues = np.linalg.eigvalsh(M)
        condition = eigenvalues[-1] / eigenvalues[eigenvalues > 1e-10 * eigenvalues[-1]][0]
        for x in (directly, iterated):
            step = kl_step_length(g, x, delta) * x
            best = np.sqrt(2 * delta * (g @ np.linalg.pinv(M, rcond=1e-10) @ g))
            others = rng.normal(size=(50, len(g)))
            others *= np.sqrt(2 * delta / np.einsum("np,pq,nq->n", others, M, others))[:, None]
            residuals += [
                difference(step @ M @ step / (2 * delta), 1.0) / condition,
                difference(g @ step / best, 1.0) / condition,
                max(0.0, float((others @ g).max() / best - 1)) / condition,
            ]
    A = values(mdp, *old).A[t.batch.time, t.states, t.batch.act]

    def kl(x: FloatArray, *, new_first: bool) -> float:
        p, q = (probabilities(mdp, policy, x), pi) if new_first else (pi, probabilities(mdp, policy, x))
        return float(d @ (p * np.log(p / q)).sum(axis=1))

    fractions = {}
    for name, of_library, new_first in (("new‖old", near.kl_new_old, True), ("old‖new", near.kl_old_new, False)):
        found = backtrack(theta, 4 * step, gain=lambda x: near.gain(x, A), kl=of_library, delta=delta)
        allowed = [
            c
            for c in 0.5 ** np.arange(10)
            if kl(theta + c * 4 * step, new_first=new_first) <= delta
            and surrogate(mdp, (policy, theta + c * 4 * step), old) > 0
        ]
        residuals += [
            difference(found.fraction, allowed[0]),
            difference(found.kl, kl(found.theta, new_first=new_first)),
            max(0.0, found.kl - delta),
            difference(found.gain * d_t.sum(), surrogate(mdp, (policy, found.theta), old)),
            must(0 < found.fraction < 1),
        ]
        fractions[f"fraction taken under KL({name})"] = found.fraction * 4
        fractions[f"KL({name}) at the model's step"] = kl(theta + step, new_first=new_first)
    return Finding(worst(*residuals), numbers={"δ": delta, **fractions})


@statement(
    id="N6",
    section=8,
    statement="Plain ascent αg = argmax gᵀd − ‖d‖²/2α = argmax gᵀd under ‖d‖ ≤ α‖g‖",
    source="CS285 4.5",
    kind="identity",
)
def plain_ascent(problem: Problem) -> float:
    """Complete the square: gᵀd − ‖d‖²/2α = α‖g‖²/2 − ‖d − αg‖²/2α, largest at d = αg. On the ball gᵀd ≤ ‖g‖‖d‖ ≤ α‖g‖²
    by Cauchy and Schwarz, attained there; for ‖d‖ = α‖g‖ the gap is, again by the square, ‖d − αg‖²/2α. With dᵀFd in
    the place of ‖d‖² it is the natural step (N4): plain ascent is steepest in the parameters' own coordinates.

    Measured: the step of the library's SGD up ∇J, in both identities at random d, and no d of the ball above it.
    """
    mdp, alpha, rng = problem.mdp, float(problem.rng().uniform(0.01, 1.0)), problem.rng(1)
    policy, theta = problem.policy(mdp)
    g, sgd = gradient_by_step(mdp, policy, theta), SGD(alpha)
    after, _ = sgd.step(theta, g, sgd.init(theta))
    step = after - theta
    d = rng.normal(size=(100, len(g)))
    gaps = (g @ step - step @ step / (2 * alpha)) - (d @ g - (d**2).sum(axis=1) / (2 * alpha))
    on_sphere = alpha * np.linalg.norm(g) * d / np.linalg.norm(d, axis=1, keepdims=True)
    inside = rng.random((100, 1)) * on_sphere
    return worst(
        difference(gaps, ((d - step) ** 2).sum(axis=1) / (2 * alpha)),
        difference(g @ step - on_sphere @ g, ((on_sphere - step) ** 2).sum(axis=1) / (2 * alpha)),
        difference(np.linalg.norm(step), alpha * np.linalg.norm(g)),
        max(0.0, float((inside @ g).max() - g @ step)),
    )


def _curvature(mdp: TabularMDP, policy: ComposedPolicy, theta: FloatArray) -> tuple[FloatArray, FloatArray, Array]:
    """F of the library in the gradient's weights, ∇J, and which states are met."""
    pi = probabilities(mdp, policy, theta)
    d = occupancy(mdp, pi)
    t, weight = all_transitions(mdp, pi, d)
    return LocalGeometry(policy, theta, t.batch, weights=weight).fisher(), gradient_by_step(mdp, policy, theta), d > 0


def _changed_parameters(rng: np.random.Generator, P: int) -> FloatArray:
    """A random B with singular values between ½ and 2."""
    left, right = (np.linalg.qr(rng.normal(size=(P, P)))[0] for _ in range(2))
    return np.asarray(left * rng.uniform(0.5, 2.0, size=P) @ right)


def _apart(
    mdp: TabularMDP, policy: ComposedPolicy, theta: FloatArray, met: Array, one: FloatArray, other: FloatArray
) -> float:
    """max |π − π'| after two steps, over the states that are met."""
    both = (probabilities(mdp, policy, theta + step)[met] for step in (one, other))
    return float(np.abs(np.subtract(*both)).max())
