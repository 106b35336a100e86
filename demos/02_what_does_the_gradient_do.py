# %% [markdown]
# # What does the gradient do?
#
# Three examples of CS224R's slides, computed instead of guessed: which actions gain probability, and which lose it?

# %%
import argparse

import matplotlib.pyplot as plt
import numpy as np

from npgrad.baselines import biased_batch_mean_return, leave_one_out_return, no_baseline
from npgrad.estimators import PolicyGradient
from npgrad.policies import make_policy
from npgrad.spaces import Discrete
from npgrad.training.plots import COLOURS, INK, STYLE
from npgrad.types import Batch

parser = argparse.ArgumentParser(description="Which actions a policy gradient makes more probable.")
parser.add_argument("--quick", action="store_true", help="no difference: it is quick")
parser.add_argument("--out", default="02_what_does_the_gradient_do.png", help="the picture")
args = parser.parse_known_args()[0]


def rises(names, trajectories, estimator):
    """(∇ log π(a))ᵀĝ for each action: how fast its log-probability rises along the estimate, all equal at first."""
    policy = make_policy((Discrete(1), Discrete(len(names))), "linear")  # one state: softmax of a constant
    theta = np.zeros(policy.n_params)
    lengths = [len(steps) for steps in trajectories]
    rows = [(names.index(name), reward) for steps in trajectories for name, reward in steps]
    act, rew = np.array([a for a, _ in rows]), np.array([r for _, r in rows])
    T, N = len(rows), len(lengths)
    batch = Batch(np.ones((T, 1)), act, rew, np.full(T, -np.log(len(names))), np.cumsum([0, *lengths]),
                  np.ones(N, bool), np.zeros(N, bool), np.ones((N, 1)))  # fmt: skip
    gradient = estimator(policy, theta, batch).gradient
    every = np.arange(len(names))
    return policy.at(theta, np.ones((len(names), 1)), every).jvp(gradient)


# %% [markdown]
# ## A humanoid learns to walk
#
# The reward is the velocity forwards. Five trajectories: it falls backwards; falls forwards; stands still; takes a
# small step forward, then falls backwards; takes a large step backwards, then a small one forwards. The whole return of
# the last is negative, so the good step at its end is punished too. Causality mends that: its reward-to-go is its own.

# %%
moves = ["fall back", "fall forward", "stand", "small step forward", "large step back"]
walks = [[("fall back", -0.5)], [("fall forward", 0.5)], [("stand", 0.0)],
         [("small step forward", 0.3), ("fall back", -0.5)],
         [("large step back", -1.0), ("small step forward", 0.3)]]  # fmt: skip
humanoid = {
    "whole return": rises(moves, walks, PolicyGradient(causality=False, baseline=no_baseline)),
    "reward-to-go": rises(moves, walks, PolicyGradient(baseline=no_baseline)),
}

# %% [markdown]
# ## All rewards positive
#
# It falls forwards, stumbles, walks, runs: all are "good". Only falling and stumbling were sampled in this batch, and
# without a baseline the gradient encourages both. Less the other's return, falling loses.

# %%
gaits = ["falls forward", "stumbles", "walks", "runs"]
sampled = [[("falls forward", 1.0)], [("stumbles", 2.0)]]
positive = {
    "no baseline": rises(gaits, sampled, PolicyGradient(causality=False, baseline=no_baseline)),
    "less the mean": rises(gaits, sampled, PolicyGradient(causality=False, baseline=biased_batch_mean_return)),
    "less the other's": rises(gaits, sampled, PolicyGradient(causality=False, baseline=leave_one_out_return)),
}

# %% [markdown]
# ## The jacket
#
# Only folding pays. Three of four trajectories are alike to the gradient, though one of them folds the sleeves.

# %%
tries = ["does not touch it", "folds the sleeves", "flattens it", "folds it"]
jackets = [[(name, float(name == "folds it"))] for name in tries]
jacket = {
    "less the mean": rises(tries, jackets, PolicyGradient(causality=False, baseline=biased_batch_mean_return)),
    "less the others'": rises(tries, jackets, PolicyGradient(causality=False, baseline=leave_one_out_return)),
}

# %%
stories = [("Humanoid, five trajectories", moves, humanoid), ("All rewards positive, two sampled", gaits, positive),
           ("A jacket to fold, four trajectories", tries, jacket)]  # fmt: skip
for title, names, bars in stories:
    print(title)
    for i, name in enumerate(names):
        print(f"  {name:20}", *(f"{label}: {rise[i]:+.3f}  " for label, rise in bars.items()))
with plt.rc_context(STYLE):
    figure, panels = plt.subplots(1, 3, figsize=(12, 3.4), layout="constrained")
    for axes, (title, names, bars) in zip(panels, stories, strict=True):
        height = 0.8 / len(bars)
        for j, (label, rise) in enumerate(bars.items()):
            y = np.arange(len(names)) + (j - (len(bars) - 1) / 2) * height
            axes.barh(y, rise, height * 0.9, color=COLOURS[j], label=label)
        axes.set_yticks(np.arange(len(names)), names)
        axes.invert_yaxis()
        axes.axvline(0, color=INK, lw=0.8)
        axes.set_title(title, loc="left")
        axes.set_xlabel("rise of log π(a) along ĝ")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8.5)
    figure.savefig(args.out, dpi=130)
