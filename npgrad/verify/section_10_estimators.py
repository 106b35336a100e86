"""Section 10, misprints in what a score is weighted with (X4, X10, X11, X18, X23). Told in docs/errata.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..baselines import ConstantBaseline
from ..critics import reward_to_go, total_return
from ..estimators import Psi, RewardsTimesPastScores
from ..oracle import TabularMDP, marginals, probabilities, scores, trajectories, values
from ..policies import ComposedPolicy
from ..types import Array, Batch, FloatArray
from .catalogue import Finding, statement
from .measures import complex_gradient, difference, worst
from .misprints import TO_GO, WHOLE, both_cases, even_coin, mean_with, of_table
from .on_tables import field, mean_of
from .paths import gradient_by_step
from .problem import Problem
from .smallest import gate, repeated


@statement(
    id="X4",
    section=10,
    statement="E[Σ_t f_t Σ_{t'<t} r_{t'}] = 0: the rewards before t, without the printed r_t",
    source="CS285 4.3.1",
    kind="exact",
)
def rewards_of_the_past(problem: Problem) -> Finding:
    """Given s_0, a_0, …, s_t the rewards before t are numbers, and f_t has mean 0 (L4). r_t is no number yet, as it
    depends on a_t. Printed, with t' = 1 … t, the sum is

        E Σ_t f_t r_t = Σ_t Σ_s d_t(s) Σ_a ∇π(a|s) r(s,a)

    the gradient of a greedy player who sees one step ahead. One step: all of ∇J; fair coin, (¼, −¼).

    The sentence behind it ("t < t'") and the reward-to-go that follows, with r_t in it, are right; only the bound of
    this sum is not.

    Measured: both means over all trajectories with the library's scores; the printed one against the sum over states,
    by the oracle's d_t, and that against a complex step with d_t held fixed.
    """
    residuals = []
    for mdp, policy, theta in both_cases(problem, even_coin()):
        past = mean_with(lambda batch: total_return(batch) - reward_to_go(batch), mdp, policy, theta)
        printed = mean_with(lambda batch: total_return(batch) - reward_to_go(batch) + batch.rew, mdp, policy, theta)
        d, pi = marginals(mdp, policy, theta)[:-1], probabilities(mdp, policy, theta)
        now = field(mdp, scores(mdp, policy, theta), d, pi, np.broadcast_to(mdp.r, (len(d), *mdp.r.shape)))
        myopic = complex_gradient(_reward_at(mdp, policy, d), theta)
        residuals += [difference(past, 0 * past), difference(printed, now), difference(now, myopic)]
    return Finding(worst(*residuals), printed=difference(printed, 0 * past), numbers={"fair coin, printed": printed[0]})


@statement(
    id="X10",
    section=10,
    statement="ĝ = 1/N Σ_i Σ_{t=0}^T f_t R: summed from t = 1, while τ and R begin at 0, it lacks the first action",
    source="10-703",
    kind="exact",
)
def first_action(problem: Problem) -> Finding:
    """∇log P(τ) = Σ_{t=0}^T f_t (L3), as the slide says one line above. From t = 1 the mean is ∇J − E[f_0 R]. One step:
    nothing is left, E ĝ = 0.

    With times counted from 1 throughout, as COL778, CS224R and CS285 do, the sum would be right; two countings met.

    Measured: means over all trajectories of both sums, with R and with G_t; what is missing, against Σ_s p(s) Σ_a ∇π
    Q_0.
    """
    residuals = []
    for mdp, policy, theta in both_cases(problem, even_coin()):
        truth, Q = gradient_by_step(mdp, policy, theta), values(mdp, policy, theta).Q
        first = field(mdp, scores(mdp, policy, theta), mdp.start[None], probabilities(mdp, policy, theta), Q[:1])
        for whole, of_return in ((WHOLE, total_return), (TO_GO, reward_to_go)):
            printed = mean_with(_from_one(of_return), mdp, policy, theta)
            residuals += [difference(mean_of(whole, mdp, policy, theta), truth), difference(truth - printed, first)]
    return Finding(worst(*residuals), printed=difference(printed, truth), numbers={"fair coin, printed": printed[0]})


@statement(
    id="X11",
    section=10,
    statement="Σ_t f_t (Σ_{t'≥t} r_{t'} − b), one sum over t; in (Σ_t f_t)((Σ_{t'≥t} r_{t'}) − b) the second t is free",
    source="CS224R",
    kind="exact",
)
def a_free_index(problem: Problem) -> Finding:
    """In (Σ_t f_t)((Σ_{t'=t}^T r_{t'}) − b) the first bracket has used up its t, and the second has none. If it is
    summed over t as well, Σ_t Σ_{t'≥t} r_{t'} = Σ_{t'} (t' + 1) r_{t'} (times from 0), and by P1 the mean is

        ∇E Σ_t (t + 1) r_t

    which pays late rewards more. Two tosses of a fair coin, 1 for heads: ∂J/∂θ = ½, printed ¾. With t one and the same
    number, t = 0 is P1, correct and without causality; t = T keeps the last reward alone.

    The slide on causality has the brackets right; here they went the way of the formula without causality, in which two
    separate sums are meant. It stands on four slides, the surrogate among them.

    Measured: means over all trajectories, of the library's estimator with b against ∇J, of the product of sums against
    a complex step through E Σ(t + 1)r_t.
    """
    b, residuals = float(problem.table(1)[0]), []
    for mdp, policy, theta in both_cases(problem, of_table(repeated([1.0, 0.0], steps=2))):
        truth = gradient_by_step(mdp, policy, theta)
        right = mean_of(replace(TO_GO, baseline=ConstantBaseline(b)), mdp, policy, theta)
        printed = mean_with(lambda batch: _sums_of_returns(batch) - b, mdp, policy, theta)
        of_late = complex_gradient(_late_rewards(mdp, policy), theta)
        residuals += [difference(right, truth), difference(printed, of_late)]
    return Finding(
        worst(*residuals),
        printed=difference(printed, truth),
        numbers={"two tosses: ∂J/∂θ": float(truth[0]), "as printed": float(printed[0])},
    )


@statement(
    id="X18",
    section=10,
    statement="α G_t f_t without discount, αγ^t G_t^γ f_t with it: γ^t before an undiscounted G_t is neither",
    source="10-703",
    kind="exact",
)
def a_power_from_nowhere(problem: Problem) -> Finding:
    """f_t = ∇π/π is all that "rewriting" α G_t ∇log π can change. The γ^t belongs to another objective: ∇J_γ = E Σ_t
    γ^t f_t G_t^γ, with G_t^γ = Σ_{k≥t} γ^{k−t} r_k (P4). The slides before define G_t without γ, and with that one

        E Σ_t γ^t f_t G_t = Σ_t γ^t Σ_s d_t(s) Σ_a ∇π(a|s) Q_t(s,a)

    Behind a gate (π uniform, γ = ½; action 1 goes on to a choice that pays 0 or 1) ∇J has ⅛ for both choices, ∇J_γ 1/16
    for both, the printed form ⅛ and 1/16: another direction.

    The line is Sutton and Barto's, for whom G_t is discounted throughout; it came without its G_t.

    Measured: means of the three over all trajectories, against ∇J, ∇J_γ and the sum above.
    """
    residuals = []
    for mdp, policy, theta in both_cases(problem, of_table(gate()), discounted=True):
        gamma, plain = mdp.gamma, mdp.replace(gamma=1.0)
        truth, discounted = (gradient_by_step(m, policy, theta) for m in (plain, mdp))
        printed = mean_with(_with_power(gamma), plain, policy, theta)
        d, Q = marginals(mdp, policy, theta)[:-1], values(plain, policy, theta).Q
        powers = gamma ** np.arange(len(Q))[:, None]
        as_sum = field(mdp, scores(mdp, policy, theta), powers * d, probabilities(mdp, policy, theta), Q)
        residuals += [
            difference(mean_of(TO_GO, plain, policy, theta), truth),
            difference(mean_of(replace(TO_GO, gamma=gamma), mdp, policy, theta), discounted),
            difference(printed, as_sum),
        ]
    return Finding(
        worst(*residuals),
        printed=min(difference(printed, truth), difference(printed, discounted)),
        numbers={
            name: f"{g[1]:.4g} before the gate, {g[3]:.4g} behind"
            for name, g in (("∇J", truth), ("∇J_γ", discounted), ("as printed", printed))
        },
    )


@statement(
    id="X23",
    section=10,
    statement="∇E_{(s_0 … s_T)}[r_{t'}] = ∇E_{(s_0, a_0 … s_{t'}, a_{t'})}[r_{t'}]: through a_{t'}, not s_{t'}",
    source="Seita",
    kind="exact",
)
def through_the_action(problem: Problem) -> Finding:
    """r_{t'} is a function of s_{t'} and a_{t'} (and of s_{t'+1}, where rewards depend on it). Over (s_0, …, s_{t'}) it
    has no expectation, and the scores of what has been drawn are f_0 … f_{t'−1}. With these alone

        E[r_{t'} Σ_{t<t'} f_t] = ∇E[r_{t'}] − E[r_{t'} f_{t'}]

    One step: 0, for all of ∇J.

    The formula that the sentence explains has Σ_{t=0}^{t'}, f_{t'} included, and is right; a_{t'} was lost in the
    subscript.

    Measured: for each t', means over all trajectories of r_{t'} times both sums of scores, against a complex step
    through E r_{t'}.
    """
    residuals, printed = [], 0.0
    for mdp, policy, theta in both_cases(problem, even_coin()):
        t, T = trajectories(mdp, policy, theta), mdp.horizon or 0
        f = policy.score(theta, t.batch.obs, t.batch.act)
        for k in range(T):
            alone = replace(t.batch, rew=np.where(t.batch.time == k, t.batch.rew, 0.0))
            through = t.expect(
                np.asarray(RewardsTimesPastScores(keep_per_episode=True)(policy, theta, alone).per_episode)
            )
            before = t.expect(t.sum(f * (reward_to_go(alone) - alone.rew)[:, None]))
            last = t.expect(t.sum(f * alone.rew[:, None]))
            truth = complex_gradient(_reward_at(mdp, policy, None, k), theta)
            residuals += [difference(through, truth), difference(truth - before, last)]
            printed = difference(before, truth)
    return Finding(worst(*residuals), printed=printed, numbers={"fair coin: ∂J/∂θ": truth[0], "as printed": before[0]})


def _reward_at(
    mdp: TabularMDP, policy: ComposedPolicy, d: FloatArray | None, k: int | None = None
) -> Callable[[Array], Array]:
    """θ ↦ Σ_t d_t·r_π, or its term of time k; with a d it is held fixed."""

    def mean(x: Array) -> Array:
        pi = probabilities(mdp, policy, x)
        visits = (marginals(mdp, pi)[:-1] if d is None else d) * ~mdp.terminal
        return np.asarray((visits.sum(axis=0) if k is None else visits[k]) @ (pi * mdp.r).sum(axis=1))

    return mean


def _from_one(of_return: Psi) -> Psi:
    """The weights without those of t = 0."""
    return lambda batch: of_return(batch) * (batch.time > 0)


def _sums_of_returns(batch: Batch) -> FloatArray:
    """Σ_t Σ_{t'≥t} r_{t'} of each row's episode."""
    return np.repeat(np.add.reduceat(reward_to_go(batch), batch.offsets[:-1]), batch.lengths)


def _late_rewards(mdp: TabularMDP, policy: ComposedPolicy) -> Callable[[Array], Array]:
    """θ ↦ E Σ_t (t + 1) r_t."""

    def mean(x: Array) -> Array:
        pi = probabilities(mdp, policy, x)
        d = marginals(mdp, pi)[:-1] * ~mdp.terminal
        return np.asarray(np.arange(1, len(d) + 1) @ d @ (pi * mdp.r).sum(axis=1))

    return mean


def _with_power(gamma: float) -> Psi:
    """γ^t G_t, G_t without discount."""
    return lambda batch: gamma**batch.time * reward_to_go(batch)
