"""Known mistakes in what comes after the return: baselines, scores, entropy, ratios, averages."""

from __future__ import annotations

from functools import partial

from . import diagnose_stages as wrong
from .diagnose_forms import causal_ratios, episode_ratios, step_ratios, unit
from .diagnose_mistakes import MC, TIMED, TO_GO, WHOLE, Mistake, Variant, in_ratios, put

__all__ = ["IN_WEIGHTS"]

CLIPS = (1.0, 1.2, 1.5, 2.0, 5.0)
EPSILONS = (1e-8, 1e-6, 1e-5)

BASELINES = (
    Mistake(
        "mean of the batch",
        "B3",
        "the baseline is the batch's own mean, the episode itself among it: E ĝ = (N−1)/N ∇J",
        "leave-one-out: the mean of the other episodes",
        (*put("baseline", wrong.less_mean_in_time), *put("baseline", wrong.less_mean_return)),
    ),
    Mistake(
        "mean of those alive",
        "B3",
        "the baseline is the mean of the episodes that still run at t, the episode itself among them",
        "leave-one-out over all other episodes, zero where they have ended",
        put("baseline", wrong.less_mean_of_alive),
    ),
    Mistake(
        "mean of all rows",
        "B3",
        "the baseline is the mean of Ψ over the rows of the batch, the row itself among them",
        "leave-one-out: the mean over other episodes",
        put("baseline", wrong.less_mean_row),
    ),
    Mistake(
        "V fitted on the batch",
        "B3",
        "the state baseline was fitted on the batch it is used on",
        "cross-fit it, or fit it on earlier data",
        put("baseline", wrong.less_state_mean, kinds=MC),
    ),
    Mistake(
        "best constant of the batch",
        "B3",
        "the best constant baseline (B5) was computed on the batch it is used on",
        "compute it on the other episodes, or on earlier data",
        put("baseline", wrong.less_best_constant, kinds=WHOLE),
    ),
    Mistake(
        "sum for a mean in the baseline",
        "X2",
        "the baseline is the sum over the batch, b_t = Σ_i G_t^(i): the episode cancels, and E ĝ = 0",
        "the mean of the other episodes",
        put("baseline", wrong.less_sum),
    ),
    Mistake(
        "mean of the own episode",
        "B1",
        "the baseline is the mean of the episode's own returns over time, which depends on the action",
        "a baseline may look at s_t, the past and other episodes alone",
        put("baseline", wrong.less_own_mean, kinds=TIMED),
    ),
    Mistake(
        "baseline that knows the action",
        "B1",
        "the baseline depends on a_t, as Q(s,a) does: it takes the gradient with it",
        "subtract V(s_t), or add back E_a[f Q] (P13)",
        put("baseline", wrong.less_Q, kinds=MC),
    ),
    Mistake(
        "standardised",
        "B3",
        "Ψ is standardised over the batch: the mean taken from it biases, the deviation changes the length",
        "know it: the direction is biased too; leave-one-out is not",
        tuple(
            v
            for ddof in (0, 1)
            for eps in EPSILONS
            for v in (
                *put("baseline", partial(wrong.standardised, eps=eps, ddof=ddof)),
                *put("baseline", partial(wrong.standardised, eps=eps, ddof=ddof, centred=False)),
            )
        ),
    ),
    Mistake(
        "standardised within the episode",
        "B1",
        "Ψ is standardised over the episode's own steps, and so depends on the action",
        "take mean and deviation from other episodes",
        tuple(
            v
            for ddof in (0, 1)
            for eps in EPSILONS
            for v in put("baseline", partial(wrong.own_standardised, eps=eps, ddof=ddof), kinds=TIMED)
        ),
    ),
)

SCORES = (
    Mistake(
        "first step missing",
        "X10",
        "the score of the first step is missing: the sum starts at t = 1",
        "Σ_t from t = 0",
        (
            *put("weights", wrong.from_the_second, kinds=TIMED),
            *put("weights", wrong.from_the_second_of_whole, kinds=WHOLE),
        ),
    ),
    Mistake(
        "last step missing",
        "X10",
        "the score of the last step is missing",
        "Σ_t up to T − 1, the last action",
        (
            *put("weights", wrong.but_the_last, kinds=TIMED),
            *put("weights", wrong.but_the_last_of_whole, kinds=WHOLE),
        ),
    ),
    Mistake(
        "∇π for ∇log π",
        "P13",
        "scores lack the 1/π: ∇π instead of ∇log π = ∇π/π",
        "differentiate log π",
        (*put("weights", wrong.times_pi, kinds=TIMED), *put("weights", wrong.times_pi_of_whole, kinds=WHOLE)),
    ),
)

ENTROPY = (
    Mistake(
        "sign of the entropy",
        "P12",
        "the entropy has the wrong sign: it is lowered instead of raised",
        "add β ∇H; a loss has −β H",
        put("rewards", wrong.flipped_entropy),
        ("entropy",),
    ),
    Mistake(
        "entropy of the step alone",
        "P12",
        "β ∇H_t of the present step alone, as in A3C: it leaves out that actions lead to states of other entropy",
        "add β Σ_{k>t} H_k to the return, or know it",
        (
            Variant({"rewards": wrong.bare_rewards, "baseline": wrong.bonus_now}, TO_GO),
            Variant({"rewards": wrong.bare_rewards, "baseline": wrong.discounted_bonus_now}, WHOLE),
        ),
        ("entropy",),
    ),
    Mistake(
        "no entropy",
        "P12",
        "the entropy bonus is missing",
        "add it",
        put("rewards", wrong.bare_rewards),
        ("entropy",),
    ),
    Mistake(
        "entropy that the target lacks",
        "P12",
        "it has an entropy bonus, and the target has none",
        "certify it with its ent_coef",
        (*put("rewards", wrong.with_entropy, free=True), *put("baseline", wrong.bonus_of, kinds=TIMED, free=True)),
        ("no entropy", "on-policy"),
    ),
)

RATIOS = (
    Mistake(
        "no ratios",
        "W10",
        "data of another policy are used without ratios",
        "weigh each episode by Π_k ρ_k, or per decision (W2, W3)",
        (in_ratios(unit),),
        ("off-policy",),
    ),
    Mistake(
        "ratio of the step alone",
        "W4",
        "only ρ_t of the step itself counts: that is the gradient of the surrogate L_β",
        'weigh by Π_k ρ_k of the episode; or certify it for target="surrogate"',
        (in_ratios(step_ratios),),
        ("off-policy", "∇J"),
    ),
    Mistake(
        "ratio of the episode",
        "W4",
        "the ratios of the whole episode count: that is right for ∇J, and not for the surrogate L_β",
        "weigh by ρ_t alone, or certify it for ∇J",
        (in_ratios(episode_ratios), in_ratios(unit, causal_ratios)),
        ("off-policy", "∇L"),
    ),
    Mistake(
        "future ratios missing",
        "W4",
        "Π_{k≤t} ρ_k is there, but the ratios of later steps are missing (X12)",
        "weigh each later reward by the ratios up to it (W3)",
        (in_ratios(causal_ratios),),
        ("off-policy",),
    ),
    Mistake(
        "past ratios missing",
        "W8",
        "the ratios of earlier steps are missing: the states are those of the other policy",
        "begin the products at k = 0",
        (in_ratios(wrong.future_ratios), in_ratios(wrong.inverse_past_ratios, causal_ratios)),
        ("off-policy",),
    ),
    Mistake(
        "ρ_t missing",
        "W3",
        "the products stop at t − 1: the ratio of the action itself is missing",
        "Π_{k≤t} ρ_k, with k = t",
        (in_ratios(wrong.past_ratios),),
        ("off-policy",),
    ),
    Mistake(
        "ρ_t twice",
        "X7",
        "ρ_t is counted twice: in the product up to t, and in that from t on",
        "begin the second product at t + 1",
        (in_ratios(step_ratios, causal_ratios), in_ratios(wrong.twice)),
        ("off-policy",),
    ),
    Mistake(
        "ratio upside down",
        "X6",
        "the ratio is upside down: β/π instead of π/β",
        "ρ = exp(log π − log β)",
        (in_ratios(wrong.inverse), in_ratios(wrong.inverse_step), in_ratios(unit, wrong.inverse_causal)),
        ("off-policy",),
    ),
    Mistake(
        "weights normalised",
        "W5",
        "the weights are divided by their sum over the batch: consistent, but biased",
        "divide by N; or keep it, and know its bias",
        (in_ratios(wrong.normalised),),
        ("off-policy",),
    ),
    Mistake(
        "weights clipped",
        "W5",
        "the weights are clipped: bias E[(min(w, c) − w) h]",
        "leave them, or know the bias",
        (
            *(in_ratios(partial(wrong.clipped, c=c)) for c in CLIPS),
            *(in_ratios(partial(wrong.clipped_step, c=c)) for c in CLIPS if c <= 1.5),
        ),
        ("off-policy",),
    ),
)

AVERAGES = (
    Mistake(
        "sign",
        "X29",
        "the sign is wrong: it descends",
        "ascend along +ĝ; a loss to be minimised has −Ψ log π",
        put("average", wrong.constant(-1.0)),
    ),
    Mistake(
        "sum over episodes",
        "X17",
        "episodes are summed, not averaged: the step grows with N",
        "divide by N, the number of episodes",
        put("average", wrong.summed),
    ),
    Mistake(
        "mean over all steps",
        "X28",
        "it divides by the number of steps instead of the number of episodes: with random lengths another direction",
        "divide the sum over all rows by N",
        put("average", wrong.over_rows, wrong.over_padded),
    ),
    Mistake(
        "mean over an episode's steps",
        "X28",
        "each episode is divided by its own length: long ones count too little",
        "Σ_t, not a mean over t",
        put("average", wrong.over_own_length),
    ),
    Mistake(
        "half",
        "X1",
        "a factor ½ is left over, as from differentiating −½‖·‖² without the 2",
        "∇log N = Σ⁻¹(a − μ) ∇μ, without ½",
        put("average", wrong.constant(0.5)),
    ),
    Mistake(
        "twice",
        "",
        "everything counts twice",
        "look for a sum that is taken twice, or a square without ½",
        put("average", wrong.constant(2.0)),
    ),
    Mistake(
        "divided by N − 1",
        "",
        "it divides by N − 1: that belongs to a baseline that leaves one out, or to a variance",
        "divide by N",
        put("average", wrong.over_fewer),
    ),
    Mistake(
        "nothing left",
        "B1",
        "the mean is zero: what is subtracted from Ψ is Ψ itself, or nothing weighs the scores",
        "a baseline depends neither on a_t nor on what follows it",
        put("average", wrong.constant(0.0)),
    ),
    Mistake(
        "another length",
        "X28",
        "the direction is right on every problem, the length is not",
        "look for a constant factor",
        put("average", wrong.times, free=True),
    ),
)

IN_WEIGHTS = (*BASELINES, *SCORES, *ENTROPY, *RATIOS, *AVERAGES)
