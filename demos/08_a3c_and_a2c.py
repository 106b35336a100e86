# %% [markdown]
# # Together or each for itself
#
# A2C waits until all its workers have played five steps, then takes one step for all. In A3C every worker steps when it
# likes, on parameters that others are changing, without a lock. Both learn CartPole here with the same networks and
# optimiser; A3C's workers run in compiled code without Python's global lock, so a second thread is a second core.

# %%
import argparse
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np

from npgrad.algorithms.a2c import A2C
from npgrad.algorithms.a3c import A3C
from npgrad.training.plots import COLOURS, STYLE

parser = argparse.ArgumentParser(description="A3C against A2C: learning curves, threads, speed-up.")
parser.add_argument("--quick", action="store_true", help="a short training, one seed")
parser.add_argument("--out", default="08_a3c_and_a2c.png", help="the picture")
args = parser.parse_known_args()[0]
n_steps, n_seeds = (20_000, 1) if args.quick else (200_000, 3)
warnings.filterwarnings("ignore", message="a3c on .* threads")  # it is lock-free, and that is the story

# %% [markdown]
# ## Learning, and how fast
#
# The same number of workers and of steps an update; A3C on one thread takes turns, and gives the same bits each time.

# %%
shared = {"n_envs": 8, "n_steps": 5, "gamma": 0.99, "ent_coef": 0.01}
runs = {
    "A2C": (A2C, {"policy": "mlp", "learning_rate": 2e-3, **shared}),
    "A3C, 1 thread": (A3C, {"policy": "mlp", "threads": 1, **shared}),
    "A3C, 2 threads": (A3C, {"policy": "mlp", "threads": 2, **shared}),
}
runs = {name: (kind, settings | {"policy_kwargs": {"hidden": (32,)}}) for name, (kind, settings) in runs.items()}


def learn(kind, settings, seed):
    curve = []

    def note(seen):
        curve.append((seen.state.timesteps, seen.row.get("rollout/ep_rew_mean", np.nan)))

    model = kind("CartPole-v1", seed=seed, **settings)
    model.learn(5 * model.rollout.n_envs)  # kernels load
    start = time.perf_counter()
    model.learn(
        n_steps, callback=lambda seen: curve.append((seen.state.timesteps, seen.row.get("rollout/ep_rew_mean", np.nan)))
    )
    return np.array(curve).T, n_steps / (time.perf_counter() - start)


curves, speeds = {name: [] for name in runs}, {name: [] for name in runs}
for seed in range(n_seeds):  # in turn, so that a busy machine is busy for all
    for name, (kind, settings) in runs.items():
        curve, speed = learn(kind, settings, seed)
        curves[name].append(curve)
        speeds[name].append(speed)
for name in runs:
    last = ", ".join(f"{returns[-1]:.0f}" for _, returns in curves[name])
    print(f"{name:15} {np.median(speeds[name]):9,.0f} steps/s   return of the last 100 episodes: {last}")

# %%
with plt.rc_context(STYLE):
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained", width_ratios=[2.2, 1])
    grid = np.linspace(n_steps / 50, n_steps, 100)
    for name, colour in zip(runs, COLOURS, strict=False):
        values = np.array([np.interp(grid, *curve) for curve in curves[name]])
        left.plot(grid / 1e3, values.mean(axis=0), color=colour, label=name)
        left.fill_between(grid / 1e3, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, lw=0)
    left.set(xlabel="thousand steps in the environment", ylabel="return, mean of 100 episodes", ylim=(0, 515))
    left.set_title(f"CartPole-v1, 32 tanh units, {n_seeds} seeds", loc="left")
    left.legend(frameon=False)
    right.bar(
        [name.replace(", ", "\n") for name in runs], [np.median(speeds[name]) / 1e3 for name in runs], color=COLOURS[:3]
    )
    right.set(ylabel="thousand steps a second")
    right.set_title("Speed, learning included", loc="left")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(args.out, dpi=130)
