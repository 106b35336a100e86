# %% [markdown]
# # Crossing a frozen lake
#
# FrozenLake-v1 slips: an action goes where it should one time in three. Before learning, the policy is blind; after
# some thousand episodes it knows where to lean away from the holes. The picture shows both, with the exact value of
# every square, and how far this is from the best that can be done.

# %%
import argparse

import matplotlib.pyplot as plt
import numpy as np

from npgrad import REINFORCE
from npgrad.oracle import from_gymnasium, objective, optimal_values, probabilities, values
from npgrad.training.plots import INK, STYLE

parser = argparse.ArgumentParser(description="FrozenLake before and after learning: values and policy.")
parser.add_argument("--quick", action="store_true", help="a short training")
parser.add_argument("--out", default="15_frozen_lake.png", help="the picture")
args = parser.parse_known_args()[0]

# %%
lake = from_gymnasium("FrozenLake-v1")  # all probabilities known; 100 steps
model = REINFORCE("FrozenLake-v1", seed=0, n_episodes=200, learning_rate=0.03, ent_coef=0.01)
policy = model.policy
model.learn(total_timesteps=20_000 if args.quick else 1_000_000)
thetas = {"before": np.zeros(policy.n_params), "after": model.state.theta}
best = lake.start @ optimal_values(lake).V[0]
for name, theta in thetas.items():
    print(f"{name:6} learning: the goal is reached with probability {objective(lake, policy, theta):.3f}")
print(f"the best possible: {best:.3f}")

# %% [markdown]
# ## Values and actions
#
# The colour is $V_0(s)$, the probability to reach the goal from $s$; arrows are as long as actions are probable.

# %%
ways = np.array([[-1, 0], [0, -1], [1, 0], [0, 1]])  # left, down, right, up
letters = "SFFFFHFHFFFHHFFG"
with plt.rc_context(STYLE):
    figure, panels = plt.subplots(1, 2, figsize=(8, 4.2), layout="constrained")
    for axes, (name, theta) in zip(panels, thetas.items(), strict=True):
        V = values(lake, policy, theta).V[0][:16].reshape(4, 4)
        pi = probabilities(lake, policy, theta)
        pi = (pi if pi.ndim == 2 else pi[0])[:16]
        image = axes.imshow(V, cmap="Blues", vmin=0, vmax=1)
        for s, letter in enumerate(letters):
            x, y = s % 4, s // 4
            if letter in "HG":
                axes.text(x, y, {"H": "hole", "G": "goal"}[letter], ha="center", va="center", color=INK)
                continue
            axes.text(x - 0.46, y - 0.36, f"{V[y, x]:.2f}", fontsize=7.5, color=INK if V[y, x] < 0.5 else "white")
            for p, (dx, dy) in zip(pi[s], ways, strict=True):
                if p > 0.02:
                    axes.arrow(x, y, 0.33 * p * dx, -0.33 * p * dy, width=0.03, head_width=0.11, color="#d9480f", lw=0)
        axes.set(xticks=[], yticks=[])
        axes.set_title(f"{name}: {objective(lake, policy, theta):.3f} of {best:.3f}", loc="left")
    figure.colorbar(image, ax=panels, label="probability to reach the goal")
    figure.savefig(args.out, dpi=130)
