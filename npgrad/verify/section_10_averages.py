"""Section 10, misprints in what is averaged over what (X17, X28, X36, X39). Told in docs/errata.md."""

from __future__ import annotations

import numpy as np

from ..critics import reward_to_go, total_return
from ..estimators import log_surrogate
from ..oracle import exact_moments, marginals, trajectories, values
from ..policies import Policy
from ..types import Array, Batch, FloatArray
from .catalogue import Finding, statement
from .measures import complex_gradient, difference, worst
from .misprints import TO_GO, WHOLE, both_cases, even_coin, mean_with, of_table
from .on_tables import action_critic
from .paths import gradient_by_step
from .problem import Problem
from .smallest import gate, repeated


@statement(
    id="X17",
    section=10,
    statement="REINFORCE, step 2: ∇J ≈ 1/N Σ_i …; without 1/N the mean is N ∇J",
    source="COL778, CS224R",
    kind="exact",
)
def forgotten_mean(problem: Problem) -> Finding:
    """N terms of mean ∇J have the sum N∇J. On two tosses of a fair coin (N = 2) the mean is (½, −½) for (¼, −¼).

    The same slides have 1/N two lines above. A constant factor goes into the step length α, as long as N stays the
    same; with other N, other α.

    Measured: the library's estimator and N times it over all batches of two.
    """
    residuals = []
    for mdp, policy, theta in ((problem.tiny, *problem.policy(problem.tiny)), even_coin()):
        truth = gradient_by_step(mdp, policy, theta)
        right = exact_moments(WHOLE, mdp, policy, theta, n=2, symmetric=True).mean
        printed = exact_moments(_sum_over_episodes, mdp, policy, theta, n=2, symmetric=True).mean
        residuals += [difference(right, truth), difference(printed, 2 * truth)]
    return Finding(
        worst(*residuals), printed=difference(printed, truth), numbers={"fair coin, N = 2, printed": printed[0]}
    )


@statement(
    id="X28",
    section=10,
    statement="1/N Σ_i Σ_t: reduce_mean over all N·T rows is ∇J/T if T is fixed, and another direction if it is not",
    source="COL778 (pseudo-code)",
    kind="exact",
)
def mean_over_rows(problem: Problem) -> Finding:
    """The mean over rows divides by the number of steps in the batch. If all episodes have T, that is NT: ∇J/T, another
    step length. If not, the divisor depends on the episodes that it divides, and weighs short ones more: at N = 1 the
    mean is E[1/T Σ_t f_t G_t], which is parallel to nothing in particular. Behind a gate, action 0 ends and pays 1,
    action 1 goes on to a choice that pays 0 or 1, π uniform: ∇J has ⅛ for both choices; printed (N = 1), 3/16 and 1/16.

    For supervised learning, from where the code is taken, rows are independent and the mean over them is right; the
    slides' own formula has 1/N. Libraries do the same to this day, and for fixed T it is harmless.

    Measured: means over all batches of N = 1 and 2, against ∇J/T for two tosses of a coin and, as directions, against
    ∇J behind the gate; the library's estimator against ∇J.
    """
    fixed, varying = of_table(repeated([1.0, 0.0], steps=2)), of_table(gate(stop=1.0))
    residuals, apart = [], []
    numbers: dict[str, object] = {}
    for n in (1, 2):
        truth = gradient_by_step(*fixed)
        residuals.append(difference(exact_moments(_mean_over_rows, *fixed, n=n).mean, truth / 2))
        for case in (fixed, varying):
            residuals.append(difference(exact_moments(TO_GO, *case, n=n).mean, gradient_by_step(*case)))
        truth, printed = gradient_by_step(*varying), exact_moments(_mean_over_rows, *varying, n=n).mean
        apart.append(difference(_unit(printed), _unit(truth)))
        numbers[f"N = {n}: cosine with ∇J"] = float(_unit(printed) @ _unit(truth))
        numbers[f"N = {n}: before and behind the gate"] = f"{printed[0]:.4g}, {-printed[2]:.4g}"
    return Finding(worst(*residuals), printed=min(apart), numbers=numbers)


@statement(
    id="X36",
    section=10,
    statement="∇U = E Σ_t f_t Ψ_t for Ψ = G, Q, A: as E_{π_θ}[f Ψ] of one pair (s, a), without the sum, it is ∇U/E[T]",
    source="10-703",
    kind="exact",
)
def the_sum_over_time(problem: Problem) -> Finding:
    """Let (s, a) be a row drawn from those of many episodes. Its distribution is Σ_t d_t(s) π(a|s)/E[T], and

        E_{π_θ}[f Ψ] = 1/E[T] · E Σ_t f_t Ψ_t = ∇U/E[T]

    Two tosses of a fair coin: ¼ for ½. It is a gradient up to a factor, which itself depends on θ where the length
    does.

    "Equivalent forms" holds among the three; "=" ∇U would be ∝. In the average-reward problem, where E_{π_θ} is over
    the stationary distribution, there is no sum and the = is right (P14).

    Measured: means over all trajectories with the library's returns and the oracle's Q and A, against ∇J; the same per
    row.
    """
    residuals = []
    for mdp, policy, theta in both_cases(problem, of_table(repeated([1.0, 0.0], steps=2))):
        v, truth = values(mdp, policy, theta), gradient_by_step(mdp, policy, theta)
        length = float((marginals(mdp, policy, theta)[:-1] * ~mdp.terminal).sum())
        for psi in (reward_to_go, action_critic(v.Q), action_critic(v.A)):
            mean = mean_with(psi, mdp, policy, theta)
            t = trajectories(mdp, policy, theta)
            weights = t.prob[t.batch.segment] / (t.prob @ t.batch.lengths)  # of the rows, summing to 1
            printed = (weights * psi(t.batch)) @ policy.score(theta, t.batch.obs, t.batch.act)
            residuals += [difference(mean, truth), difference(printed, truth / length)]
    return Finding(
        worst(*residuals),
        printed=difference(printed, truth),
        numbers={"two tosses: ∂U/∂θ": float(truth[0]), "of one pair": float(printed[0]), "E[T]": length},
    )


@statement(
    id="X39",
    section=10,
    statement="∇ of a mean of sampled returns is 0; it is Ê[R Σ_t log π_θ] whose gradient is Ê[R Σ_t f_t]",
    source="Seita",
    kind="exact",
)
def gradient_of_numbers(problem: Problem) -> Finding:
    """Printed: θ ← θ + α∇_θ E_{τ∈τ̂}[R(τ)] "using the empirical expectation". Once drawn, the R(τ_i) are numbers; θ was
    in the probabilities of drawing them, and the empirical mean has forgotten it. ∇ of it is 0. The empirical mean
    belongs into the formula behind the gradient, E[R Σ f_t], whose terms still have θ; as something to differentiate it
    is the surrogate (P9).

    The author means just that: "the naive way" is the formula that he has derived a paragraph before. Those who hand
    the mean return to a machine for derivatives find out.

    Measured: complex steps through both, all trajectories with their probabilities as the sample.
    """
    residuals = []
    for mdp, policy, theta in both_cases(problem, even_coin()):
        t, truth = trajectories(mdp, policy, theta), gradient_by_step(mdp, policy, theta)
        weights = len(t) * t.prob[t.batch.segment]  # the surrogate is a mean over episodes

        def mean_return(x: Array) -> Array:
            return np.asarray(t.expect(t.batch.returns()) + 0 * x[0])  # noqa: B023

        def surrogate(x: Array) -> Array:
            return np.asarray(log_surrogate(policy, x, t.batch, weights * total_return(t.batch)))  # noqa: B023

        printed = complex_gradient(mean_return, theta)
        residuals.append(difference(complex_gradient(surrogate, theta), truth))
    return Finding(worst(*residuals), printed=difference(printed, truth), numbers={"fair coin: ∂J/∂θ": truth[0]})


def _sum_over_episodes(policy: Policy, theta: Array, batch: Batch) -> FloatArray:
    """Σ_i Σ_t f_t R."""
    return batch.n_episodes * WHOLE(policy, theta, batch).gradient


def _mean_over_rows(policy: Policy, theta: Array, batch: Batch) -> FloatArray:
    """1/(Σ_i T_i) Σ_i Σ_t f_t G_t."""
    return batch.n_episodes / batch.n_steps * TO_GO(policy, theta, batch).gradient


def _unit(x: FloatArray) -> FloatArray:
    return np.asarray(x / np.linalg.norm(x))
