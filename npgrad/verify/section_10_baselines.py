"""Section 10, misprints in what is subtracted (X2, X3, X19, X25, X26, X32). Told in docs/errata.md."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..baselines import (
    ConstantBaseline,
    biased_batch_mean,
    biased_batch_mean_return,
    leave_one_out,
    leave_one_out_return,
)
from ..critics import reward_to_go
from ..oracle import (
    TabularMDP,
    exact_moments,
    trajectories,
    values,
    whole_return_moments,
)
from ..policies import ComposedPolicy, Policy
from ..types import Array, Batch, FloatArray
from .catalogue import Finding, statement
from .measures import difference, must, worst
from .misprints import TO_GO, WHOLE, both_cases, even_coin, mean_with, of_table
from .on_tables import mean_of, state_baseline
from .paths import gradient_by_step
from .problem import Problem
from .smallest import gate, wait


@statement(
    id="X2",
    section=10,
    statement="b_t = 1/(N−1) Σ_{j≠i} G_t^(j): with the sum over all i E ĝ = 0, with their mean it is (N−1)/N ∇J",
    source="10-703",
    kind="exact",
)
def sum_for_a_baseline(problem: Problem) -> Finding:
    """Episodes are independent, and scores have mean 0: E[f_t^(i) G_t^(j)] = 0 for j ≠ i, so that of b_t = Σ_j c_j
    G_t^(j) only the episode's own c_i counts, and

        E ĝ = (1 − c_i) ∇J

    Printed: c_i = 1, the gradient is gone. The mean, which is meant, has c_i = 1/N; the mean of the others c_i = 0
    (B3). A fair coin, N = 2: 0, ⅛ and ¼.

    A lost 1/N, and then something that the slide does not discuss: b_t is E[G_t] only in the limit.

    Measured: the exact means of the three over all batches of two, the last two by the library's baselines.
    """
    residuals = []
    for mdp, policy, theta in ((problem.tiny, *problem.policy(problem.tiny)), even_coin()):
        truth = gradient_by_step(mdp, policy, theta)
        printed, mean, others = (
            exact_moments(replace(TO_GO, baseline=b), mdp, policy, theta, n=2, symmetric=True).mean
            for b in (_sum_at_each_time, biased_batch_mean, leave_one_out)
        )
        residuals += [difference(printed, 0 * truth), difference(mean, truth / 2), difference(others, truth)]
    return Finding(
        worst(*residuals),
        printed=difference(printed, truth),
        numbers={"N = 2: with the sum": abs(printed[0]), "with the mean": mean[0], "with the other's": others[0]},
    )


@statement(
    id="X3",
    section=10,
    statement="b = 1/N Σ_i R(τ_i) is not unbiased: E ĝ = (N−1)/N ∇J; the mean of the others is",
    source="COL778, CS224R, CS285",
    kind="exact",
)
def mean_of_the_batch(problem: Problem) -> Finding:
    """The proof on the slides takes b out of ∫ ∇p_θ(τ) b dτ as a constant. The mean return of the batch has R(τ) in it:

        E[∇log p(τ_i) b] = 1/N Σ_j E[∇log p(τ_i) R(τ_j)] = 1/N ∇J,   E ĝ = ∇J − 1/N ∇J

    A fair coin, N = 2: ⅛ for ¼. With the mean of the other episodes no term has j = i, and the proof holds.

    It is a factor, the direction stays; with N = 1 nothing stays. A constant that was fixed before, which the proof is
    about, is unbiased. Baselines for each time or state, fitted on the same batch, bend the direction too (B3).

    Measured, twice: by the library's estimators over all batches of two (a tiny problem) and of three (the gate); and
    by the double sum Σ_ij p_i p_j F_i (R_i − ½(R_i + R_j)), from listed trajectories.
    """
    residuals = []
    tiny = (problem.tiny, *problem.policy(problem.tiny))
    for n, (mdp, policy, theta) in ((2, tiny), (3, of_table(gate(), np.array([0.3, 0.7]))), (2, even_coin())):
        truth = gradient_by_step(mdp, policy, theta)
        printed, others = (
            exact_moments(replace(WHOLE, baseline=b), mdp, policy, theta, n=n).mean
            for b in (biased_batch_mean_return, leave_one_out_return)
        )
        residuals += [difference(printed, (n - 1) / n * truth), difference(others, truth)]
        if n == 2:
            residuals.append(difference(printed, _pairs_by_hand(mdp, policy, theta)))
    numbers = {"fair coin, N = 2": printed[0], "∂J/∂θ": truth[0]}
    return Finding(worst(*residuals), printed=difference(printed, truth), numbers=numbers)


@statement(
    id="X19",
    section=10,
    statement="G_t − V(s_t): with V(s_k), k > t, the mean lacks E[f_t V(s_k)]; k ≤ t would do no harm",
    source="10-703",
    kind="exact",
)
def value_of_another_time(problem: Problem) -> Finding:
    """k is the index of the sum inside G_t, and free outside. What is known before a_t may be subtracted (B1), so any k
    ≤ t is unbiased. V(s_{t+1}) knows of a_t, and takes with it what a_t does for the future:

        E[f_t (G_t − V(s_{t+1}))] = E[f_t r_t]

    Behind a gate (π uniform; to go on pays nothing now, ½ on average later) the gradient of the gate's own choice, ⅛,
    is gone.

    The next slide has s_t.

    Measured: means over all trajectories with the oracle's V_t, for k = t, k = 0 and k = t + 1; the last against E Σ
    f_t r_t.
    """
    residuals = []
    for mdp, policy, theta in both_cases(problem, of_table(gate())):
        t, V, truth = (
            trajectories(mdp, policy, theta),
            values(mdp, policy, theta).V,
            gradient_by_step(mdp, policy, theta),
        )
        f, G, time = policy.score(theta, t.batch.obs, t.batch.act), reward_to_go(t.batch), t.batch.time
        first = np.repeat(V[0, t.states[t.batch.offsets[:-1]]], t.batch.lengths)
        now, begin, printed, reward = (
            t.expect(t.sum(f * psi[:, None]))
            for psi in (G - V[time, t.states], G - first, G - V[time + 1, t.next_states], t.batch.rew)
        )
        with_library = mean_of(replace(TO_GO, baseline=state_baseline(V[:-1])), mdp, policy, theta)
        residuals += [difference(x, truth) for x in (now, begin, with_library)]
        residuals.append(difference(printed, reward))
    return Finding(
        worst(*residuals),
        printed=difference(printed, truth),
        numbers={"at the gate: ∂J/∂θ": truth[1], "with V(s_{t+1})": abs(printed[1])},
    )


@statement(
    id="X25",
    section=10,
    statement="Unbiased, E ĝ = ∇J, is not near ∇J for large N, E‖ĝ − ∇J‖² = ‖bias‖² + Var → 0; neither gives the other",
    source="10-703",
    kind="exact",
)
def unbiased_and_consistent(problem: Problem) -> Finding:
    """The mean of the batch as baseline is biased for every N, by −∇J/N, and consistent: both −∇J/N and its variance
    tend to 0. The gradient of the first episode alone, however many there are, is unbiased, and its variance stays.

    The slide's own ĝ is a mean of independent unbiased terms, and so has both: "unbiased, i.e., with large N …" is true
    of it, only the "i.e." is not.

    Measured: on a fair coin both estimators over all batches of N = 1 to 3: bias, and variance against its closed form;
    that, for N up to 10⁶.
    """
    mdp, policy, theta = even_coin()
    truth, m = gradient_by_step(mdp, policy, theta), whole_return_moments(mdp, policy, theta)
    biased, residuals, numbers = replace(WHOLE, baseline=biased_batch_mean_return), [], {}
    for n in (2, 3):
        found, first = (exact_moments(g, mdp, policy, theta, n=n) for g in (biased, _first_episode))
        residuals += [
            difference(found.mean, (n - 1) / n * truth),
            difference(found.variance, m.batch_mean_variances(n).sum()),
            difference(first.mean, truth),
            difference(first.variance, m.variance()),
        ]
        numbers[f"N = {n}: bias of the batch mean"] = float(np.linalg.norm(found.mean - truth))
        numbers[f"N = {n}: Var of the first episode"] = first.variance
    for n in (10**3, 10**6):
        error = float((truth**2).sum()) / n**2 + float(m.batch_mean_variances(n).sum())
        numbers[f"N = {n}: E‖ĝ − ∇J‖² of the batch mean"] = error
        residuals.append(must(error < 1 / n))
    small = exact_moments(biased, mdp, policy, theta, n=2).mean
    return Finding(worst(*residuals), printed=difference(small, truth), numbers=numbers)


@statement(
    id="X26",
    section=10,
    statement="A baseline is subtracted from the return; from each reward it adds −b ∇E[T] if T is random",
    source="10-703",
    kind="exact",
)
def from_each_reward(problem: Problem) -> Finding:
    """Σ_t (r_t − b) = R − bT, and T is no constant: its part of the gradient is −b E[T Σ_t f_t] = −b ∇E[T], as if each
    step cost b (B9). One state, two steps at most: action 0 ends and pays 1, action 1 waits. ∇E[T] = ∇π(1), and with b
    = 1 and π uniform the printed mean of ∂J/∂θ_0 is ½, with b from the return ¼.

    Where all episodes have T steps it is the same as bT from the return, and unbiased. The formula below has R(τ) − b
    and is right; the word "rewards" there means R(τ).

    Measured: means over all trajectories; ∇E[T] by complex step through the J of a problem that pays 1 a step.
    """
    b, residuals = 1.0, []
    for mdp, policy, theta in both_cases(problem, of_table(wait())):
        truth = gradient_by_step(mdp, policy, theta)
        length = gradient_by_step(mdp.replace(R=np.ones_like(mdp.R)), policy, theta)  # ∇E[T]
        right = mean_of(replace(WHOLE, baseline=ConstantBaseline(b)), mdp, policy, theta)
        printed = mean_with(lambda batch: reward_to_go(replace(batch, rew=batch.rew - b)), mdp, policy, theta)
        residuals += [difference(right, truth), difference(printed, truth - b * length)]
    return Finding(
        worst(*residuals),
        printed=difference(printed, truth),
        numbers={"waiting: ∂J/∂θ_0": truth[0], "b = 1 from each reward": printed[0], "∂E[T]/∂θ_0": length[0]},
    )


@statement(
    id="X32",
    section=10,
    statement="b = 1/N Σ_i R(τ_i): as 1/N Σ_i r(τ), without the index, b is the episode's own return and ĝ = 0",
    source="COL778, CS224R, CS285",
    kind="exact",
)
def the_same_trajectory(problem: Problem) -> Finding:
    """1/N Σ_{i=1}^N r(τ) adds N times the same number: r(τ). Beside ∇log p_θ(τ) [r(τ) − b], which has no index either,
    it is that episode's own return, and every term is 0.

    An index saved on a slide; the sum over i says what is meant. What is meant is X3, and biased. All three print it
    alike, so that it is hardly lost in copying.

    Measured: means over all batches of two with the episode's own return, the mean of the batch and that of the others.
    """
    residuals = []
    for mdp, policy, theta in ((problem.tiny, *problem.policy(problem.tiny)), even_coin()):
        truth = gradient_by_step(mdp, policy, theta)
        printed, meant, others = (
            exact_moments(replace(WHOLE, baseline=b), mdp, policy, theta, n=2, symmetric=True).mean
            for b in (_own_return, biased_batch_mean_return, leave_one_out_return)
        )
        residuals += [difference(printed, 0 * truth), difference(meant, truth / 2), difference(others, truth)]
    return Finding(worst(*residuals), printed=difference(printed, truth), numbers={"fair coin: ∂J/∂θ": truth[0]})


def _sum_at_each_time(psi: FloatArray, batch: Batch) -> FloatArray:
    """Σ_j G_t^(j)."""
    return np.asarray(np.bincount(batch.time, psi)[batch.time])


def _own_return(psi: FloatArray, batch: Batch) -> FloatArray:
    """1/N Σ_i R(τ)."""
    return psi


def _first_episode(policy: Policy, theta: Array, batch: Batch) -> FloatArray:
    """The gradient of the first episode alone."""
    return WHOLE(policy, theta, batch.select([0])).gradient


def _pairs_by_hand(mdp: TabularMDP, policy: ComposedPolicy, theta: FloatArray) -> FloatArray:
    """Σ_ij p_i p_j F_i (R_i − ½(R_i + R_j))."""
    t = trajectories(mdp, policy, theta)
    F, R = t.sum(policy.score(theta, t.batch.obs, t.batch.act)), t.sum(t.batch.rew)
    return np.asarray(np.einsum("i,j,ip,ij->p", t.prob, t.prob, F, (R[:, None] - R[None, :]) / 2))
