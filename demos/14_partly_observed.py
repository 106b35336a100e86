# %% [markdown]
# # What cannot be seen can be remembered
#
# CartPole with its velocities hidden. The policy gradient needs no change: it never used the state, only what was
# observed (L5). But the policy needs memory, as one picture of a pole does not tell where it is falling. A window of
# the last four observations holds the velocities; a recurrent cell must find them by itself. The step is the natural
# gradient's, for which it does not matter that four such observations are nearly the same.

# %%
import argparse

import gymnasium
import matplotlib.pyplot as plt
import numpy as np

from npgrad.algorithms.natural import NPG
from npgrad.training.plots import COLOURS, STYLE

parser = argparse.ArgumentParser(description="CartPole without velocities: no memory, a window, a recurrent cell.")
parser.add_argument("--quick", action="store_true", help="a short training, one seed")
parser.add_argument("--out", default="14_partly_observed.png", help="the picture")
args = parser.parse_known_args()[0]
n_steps, n_seeds = (2_000, 1) if args.quick else (150_000, 3)


# %%
class PositionsOnly(gymnasium.ObservationWrapper):
    """Position and angle alone."""

    def __init__(self):
        super().__init__(gymnasium.make("CartPole-v1"))
        low, high = self.env.observation_space.low[[0, 2]], self.env.observation_space.high[[0, 2]]
        self.observation_space = gymnasium.spaces.Box(low, high, dtype=np.float32)

    def observation(self, observation):
        return observation[[0, 2]]


# %% [markdown]
# ## Three policies, one estimator

# %%
kinds = {
    "no memory": {"policy": "linear"},
    "window of four": {"policy": "linear", "policy_kwargs": {"window": 4}},
    "recurrent, 8 units": {"policy": "recurrent", "policy_kwargs": {"hidden": (8,)}},
}


def learn(kind, seed):
    curve = []
    model = NPG(PositionsOnly, seed=seed, normalize_observations=True, **kinds[kind])
    model.learn(n_steps, callback=lambda seen: curve.append((seen.state.timesteps, seen.row["rollout/ep_rew_mean"])))
    return np.array(curve).T


curves = {kind: [learn(kind, seed) for seed in range(n_seeds)] for kind in kinds}
for kind, runs in curves.items():
    print(f"{kind:20} return of the last 100 episodes:", *(f"{returns[-1]:.0f}" for _, returns in runs))

# %%
with plt.rc_context(STYLE):
    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for (kind, runs), colour in zip(curves.items(), COLOURS, strict=False):
        for k, (steps, returns) in enumerate(runs):
            axes.plot(steps, returns, color=colour, alpha=0.8, label=kind if k == 0 else None)
    axes.set(xlabel="steps in the environment", ylabel="return, mean of 100 episodes", ylim=(0, 515))
    axes.set_title(f"CartPole-v1, velocities hidden, {n_seeds} seeds", loc="left")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(args.out, dpi=130)
