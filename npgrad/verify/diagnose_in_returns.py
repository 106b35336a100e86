"""Known mistakes in what a score is weighted with: rewards, returns, discounts, bootstraps."""

from __future__ import annotations

from functools import partial

from . import diagnose_stages as wrong
from .diagnose_forms import gamma_t, unit
from .diagnose_mistakes import TIMED, TO_GO, VALUES, WHOLE, Mistake, Variant, put

__all__ = ["IN_RETURNS"]

DISCOUNTS = (0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)  # tried where there should be none

REWARDS = (
    Mistake(
        "rewards late",
        "",
        "rewards are shifted by one: r_{t+1} stands where r_t should",
        "r_t is the reward that follows a_t, and lies in the same row as a_t",
        put("rewards", wrong.later),
    ),
    Mistake(
        "rewards early",
        "",
        "rewards are shifted by one: r_{t−1} stands where r_t should",
        "r_t is the reward that follows a_t, and lies in the same row as a_t",
        put("rewards", wrong.earlier),
    ),
    Mistake(
        "rewards clipped",
        "",
        "rewards are clipped to [−1, 1] or replaced by their signs: that is another problem's gradient",
        "take rewards as they are; scale the step instead",
        put("rewards", wrong.clipped_rewards, wrong.signs),
    ),
    Mistake(
        "baseline per reward",
        "X26",
        "a baseline is subtracted from each reward; with episodes of random length that adds −b∇E[T]",
        "subtract the baseline from the return, G_t − b",
        (*put("rewards", wrong.less_mean_reward), *put("rewards", wrong.less_constant, free=True)),
        ("no entropy",),
    ),
)

RETURNS = (
    Mistake(
        "causality backwards",
        "X4",
        "Ψ_t sums the rewards up to t, instead of those from t on",
        "accumulate from the end: G_t = r_t + γ G_{t+1}",
        put("returns", wrong.so_far, wrong.forwards, kinds=TO_GO),
    ),
    Mistake(
        "own reward left out",
        "",
        "the return starts one step late: Ψ_t lacks r_t, the reward of the action itself",
        "G_t = Σ_{k≥t}, with r_t",
        put("returns", wrong.without_own, kinds=TO_GO),
    ),
    Mistake(
        "own reward alone",
        "",
        "Ψ_t is r_t alone: what the action brings later is missing",
        "use the return G_t = Σ_{k≥t} γ^{k−t} r_k, or bootstrap with V",
        put("returns", wrong.own_reward, kinds=TO_GO),
    ),
    Mistake(
        "rewards missing",
        "P9",
        "Ψ is the same whatever the rewards: that is maximum likelihood of the actions taken, and E ĝ = 0",
        "weigh each score with its return",
        put("returns", wrong.ones, kinds=TO_GO),
        ("no values",),
    ),
    Mistake(
        "product of sums",
        "X11",
        "the sums over t are taken apart, (Σ_t f_t)(Σ_t G_t): that is ∇E Σ (t+1) r_t",
        "multiply within the sum, Σ_t f_t (G_t − b)",
        put("returns", wrong.product_of_sums, kinds=TO_GO),
    ),
    Mistake(
        "Q of the whole horizon",
        "P6",
        "the Q of t = 0 stands at every t, but Q depends on the steps that are left",
        "index Q by time where the horizon is finite",
        put("returns", wrong.whole_horizon, kinds=TO_GO),
        ("no values",),
    ),
    Mistake(
        "mean for a sum",
        "",
        "the rewards of the return are averaged instead of summed",
        "sum them: the lengths depend on the actions",
        (*put("returns", wrong.mean_to_go, kinds=TO_GO), *put("returns", wrong.mean_reward, kinds=WHOLE)),
    ),
    Mistake(
        "across episodes",
        "",
        "returns run on into the next episode of the batch",
        "start anew at every end of an episode (batch.offsets)",
        put("returns", wrong.across_episodes, kinds=TO_GO),
    ),
    Mistake(
        "V of the next state as baseline",
        "B1",
        "the baseline depends on the action: V(s_{t+1}) is subtracted instead of V(s_t)",
        "a baseline may look at s_t and the past alone",
        put("returns", wrong.values_at_next, kinds=VALUES),
        ("values",),
    ),
)

DISCOUNTING = (
    Mistake(
        "another objective",
        "P4",
        "it is right for ∇J_γ, but the target is ∇J",
        'certify it for target="discounted", or set γ = 1',
        (Variant({}),),
        ("γ", "target without γ"),
    ),
    Mistake(
        "γ^t dropped",
        "P5",
        "the factor γ^t is missing: with γ < 1 that is the gradient of nothing in general",
        "Ψ_t = γ^t (G_t − b_t), or know that most libraries leave it out on purpose",
        put("weights", unit, kinds=TIMED),
        ("γ",),
    ),
    Mistake(
        "γ^t twice",
        "P4",
        "rewards are discounted from t = 0 and once more by γ^t",
        "γ^t G_t with G_t = Σ γ^{k−t} r_k, or Σ_{k≥t} γ^k r_k without another factor",
        put("weights", wrong.gamma_2t, kinds=TIMED),
        ("γ",),
    ),
    Mistake(
        "γ^t on the whole return",
        "X18",
        "the factor γ^t belongs to the reward-to-go; the whole return R = Σ γ^k r_k is discounted already",
        "leave γ^t out, or use G_t",
        put("weights", gamma_t, kinds=WHOLE),
        ("γ",),
    ),
    Mistake(
        "γ once too often",
        "X10",
        "all is multiplied by one γ too many, as if t began at 1",
        "the first reward is not discounted: t = 0",
        put("weights", wrong.gamma_next),
        ("γ",),
    ),
    Mistake(
        "no γ in the return",
        "X18",
        "γ^t is there, but the return itself is not discounted",
        "G_t = r_t + γ G_{t+1}",
        put("returns", wrong.undiscounted_sum, kinds=TO_GO),
        ("γ",),
    ),
    Mistake(
        "no γ at all",
        "O4",
        "nothing is discounted: it is right for ∇J, but the target is ∇J_γ",
        "discount, or certify it for the undiscounted target",
        (
            Variant({"returns": wrong.undiscounted_sum, "weights": unit}, TO_GO),
            Variant({"returns": wrong.undiscounted_return}, WHOLE),
        ),
        ("γ", "target with γ"),
    ),
    Mistake(
        "a γ of its own",
        "O4",
        "it discounts, but the target has no γ",
        "certify it with its γ, or leave discounting out",
        tuple(
            variant
            for g in DISCOUNTS
            for variant in (
                Variant({"returns": partial(wrong.discounted_by, gamma=g)}, TO_GO),
                Variant({"returns": partial(wrong.discounted_by, gamma=g), "weights": wrong.powers(g)}, TO_GO),
                Variant({"returns": partial(wrong.return_discounted_by, gamma=g)}, WHOLE),
            )
        ),
        ("no γ",),
    ),
)

BOOTSTRAPS = (
    Mistake(
        "bootstrapped on termination",
        "V4",
        "V of the last state counts although the episode terminated there",
        "np.where(terminated, 0, V(final_obs))",
        put("next_values", wrong.behind_termination),
        ("values",),
    ),
    Mistake(
        "not bootstrapped on truncation",
        "V4",
        "truncation counts as termination: V of the last state is missing where a time limit stopped the episode",
        "np.where(terminated, 0, V(final_obs)), and not terminated | truncated",
        put("next_values", partial(wrong.not_at, truncated=True, cut=False)),
        ("values",),
    ),
    Mistake(
        "not bootstrapped on a cut",
        "V4",
        "V of the last state is missing where the segment was cut, though its episode goes on",
        "np.where(terminated, 0, V(final_obs))",
        put("next_values", partial(wrong.not_at, truncated=False, cut=True)),
        ("values",),
    ),
    Mistake(
        "never bootstrapped",
        "V4",
        "V of the last state is missing wherever the episode did not terminate",
        "np.where(terminated, 0, V(final_obs))",
        put("next_values", partial(wrong.not_at, truncated=True, cut=True)),
        ("values",),
    ),
    Mistake(
        "V(s_{t+1}) without γ",
        "P7",
        "the value of the next state is not discounted",
        "δ_t = r_t + γ V(s_{t+1}) − V(s_t)",
        put("next_values", wrong.without_gamma),
        ("values", "γ"),
    ),
    Mistake(
        "V(s_t) for V(s_{t+1})",
        "P7",
        "the value of the same state stands for that of the next one",
        "δ_t = r_t + γ V(s_{t+1}) − V(s_t)",
        put("next_values", wrong.same_state),
        ("values",),
    ),
)

IN_RETURNS = (*REWARDS, *RETURNS, *DISCOUNTING, *BOOTSTRAPS)
