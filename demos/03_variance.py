# %% [markdown]
# # Where the variance goes
#
# One policy, seven estimators of the same gradient: their variance computed exactly, by dynamic programming, and
# measured on sampled batches beside it. Then a baseline that removes almost everything, and one that hurts.

# %%
import argparse

import matplotlib.pyplot as plt
import numpy as np

from npgrad import oracle
from npgrad.baselines import ConstantBaseline, TimeBaseline, no_baseline
from npgrad.estimators import PolicyGradient
from npgrad.oracle import TabularMDP, causal_moments
from npgrad.policies import make_policy
from npgrad.training.plots import COLOURS, SOFT, STYLE

parser = argparse.ArgumentParser(description="The variance of policy gradients, exact and measured.")
parser.add_argument("--quick", action="store_true", help="fewer sampled batches")
parser.add_argument("--out", default="03_variance.png", help="the picture")
args = parser.parse_known_args()[0]
n_batches, N = (200 if args.quick else 5_000), 8

# %% [markdown]
# ## Seven baselines on one policy
#
# A random problem of four states, two actions, five steps, with all rewards raised by 2, as it often is in practice.

# %%
mdp = oracle.random_mdp(4, 2, horizon=5, seed=3, n_next=2)
mdp = TabularMDP(mdp.start, mdp.P, mdp.R + 2.0, mdp.horizon)
policy = make_policy(mdp, "linear", bias=False)  # a table of logits
theta = np.random.default_rng(0).normal(size=policy.n_params) / 2
V = oracle.values(mdp, policy, theta).V[:-1]  # (T, S)
V_t = np.sum(oracle.marginals(mdp, policy, theta)[:-1] * V, axis=1)  # E[G_t], (T,)
best = oracle.state_baselines(mdp, policy, theta).best()  # b*_t(s), (T, S)
whole = oracle.whole_return_moments(mdp, policy, theta)


def of_time_and_state(table):
    return lambda psi, batch: table[batch.time, batch.obs.argmax(axis=1)]


def exact(b):
    return causal_moments(mdp, policy, theta, baseline=b).variance


estimators = {  # with the exact variance on one episode, where the estimator is a mean over episodes
    "whole return": (PolicyGradient(causality=False, baseline=no_baseline), whole.variance()),
    "reward-to-go": (PolicyGradient(baseline=no_baseline), exact(0.0)),
    "b = mean return": (PolicyGradient(baseline=ConstantBaseline(V_t[0])), exact(V_t[0])),
    "b_t = mean of the others": (PolicyGradient(), None),
    "b_t = E G_t": (PolicyGradient(baseline=TimeBaseline(V_t)), exact(V_t[:, None])),
    "b_t(s) = V_t(s)": (PolicyGradient(baseline=of_time_and_state(V)), exact(V)),
    "best b_t(s)": (PolicyGradient(baseline=of_time_and_state(best)), exact(best)),
}
every = oracle.trajectories(mdp, policy, theta)
rng = np.random.default_rng(1)
batches = [every.batch.select(rng.choice(len(every), size=N, p=every.prob)) for _ in range(n_batches)]
measured, errors = [], []
for name, (estimator, variance) in estimators.items():
    g = np.array([estimator(policy, theta, batch).gradient for batch in batches])  # (n_batches, P)
    squares = np.sum((g - g.mean(axis=0)) ** 2, axis=1) * n_batches / (n_batches - 1)
    measured, errors = [*measured, squares.mean()], [*errors, 1.96 * squares.std() / np.sqrt(n_batches)]
    of = "" if variance is None else f"exact {variance / N:7.4f}, "
    print(f"{name:26} {of:15} measured {measured[-1]:7.4f} ± {errors[-1]:.4f}")

# %% [markdown]
# ## 3000 and −4000
#
# CMU 10-703's example: two states whose returns are about 3000 and −4000. Of six million, a baseline of the state
# leaves a quarter of one.

# %%
far = TabularMDP([0.5, 0.5], np.eye(2)[:, None].repeat(2, axis=1), [[3001.0, 2999.0], [-3999.0, -4001.0]], horizon=1)
logits = make_policy(far, "linear", bias=False)
baselines = {"none": 0.0, "E R = −500": -500.0, "V(s)": np.array([3000.0, -4000.0])}
apart = {name: causal_moments(far, logits, np.zeros(4), baseline=b).variance for name, b in baselines.items()}
print("3000 and −4000:", {name: round(v, 2) for name, v in apart.items()})

# %% [markdown]
# ## When the usual remedy hurts (B13)
#
# One step, two actions of probability .9 and .1 that pay 1 and 0: the mean return as a baseline makes the variance 64
# times larger. With the best one, .1, nothing is left of it: it weighs returns by the square of their score.

# %%
bandit = oracle.SoftmaxBandit([1.0, 0.0]).moments(np.log([0.9, 0.1]))
b = np.linspace(-0.2, 1.1, 200)
marks = {"none": 0.0, "b = E R": bandit.R, "b*": bandit.best_constant()}
print("π = (.9, .1), R = (1, 0):", {name: round(abs(bandit.variance(x)), 4) for name, x in marks.items()})

# %%
with plt.rc_context(STYLE):
    widths = [1.7, 1.1, 1.2]
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained", width_ratios=widths)
    y, bar = np.arange(len(estimators)), {"error_kw": {"lw": 1}, "color": COLOURS[1]}
    left.barh(y - 0.2, [(v or 0) / N for _, v in estimators.values()], 0.36, color=COLOURS[0], label="exact")
    left.barh(y + 0.2, measured, 0.36, xerr=errors, label=f"measured, {n_batches:,} batches", **bar)
    left.set_xscale("log")
    left.set(yticks=y, yticklabels=estimators, xlabel=f"variance of ĝ on {N} episodes", xlim=(min(measured) / 2, None))
    left.invert_yaxis()
    left.set_title("One policy, seven estimators", loc="left")
    left.legend(frameon=False, loc="lower right")
    middle.bar(list(apart), list(apart.values()), color=COLOURS[0], log=True)
    middle.set(xlabel="baseline", ylabel="variance", ylim=(0.05, 5e7))
    for i, v in enumerate(apart.values()):
        middle.text(i, v * 1.3, f"{v:,.2f}" if v < 1 else f"{v / 1e6:.2f} M", ha="center", fontsize=9)
    middle.set_title("Returns of 3000 and −4000", loc="left")
    right.plot(b, [bandit.variance(x) for x in b], color=COLOURS[0])
    for (name, x), place in zip(marks.items(), ((-16, -16), (-28, 0), (8, -16)), strict=True):
        right.plot(x, bandit.variance(x), "o", color=COLOURS[1])
        right.annotate(name, (x, bandit.variance(x)), place, textcoords="offset points", color=SOFT, ha="center")
    right.set(xlabel="baseline b", ylabel="variance", ylim=(-0.025, None))
    right.set_title("π = (.9, .1), R = (1, 0)", loc="left")
    for axes in (left, middle, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(args.out, dpi=130)
