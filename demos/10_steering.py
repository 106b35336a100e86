# %% [markdown]
# # Learning to steer
#
# COL778's example: keep a car in its lane. The car is a kinematic bicycle at 15 m/s on a road that winds, pushed by
# gusts. Two policies of four numbers learn it: a Gaussian one, which explores by its own spread and learns from scores,
# and a deterministic one, which follows the slope of a learned action value. The next demo sees the road in pixels.

# %%
import argparse

import matplotlib.pyplot as plt
import numpy as np

from npgrad import REINFORCE
from npgrad.algorithms.dpg import DPG
from npgrad.training.plots import COLOURS, SOFT, STYLE

parser = argparse.ArgumentParser(description="Lane keeping by a stochastic and a deterministic policy.")
parser.add_argument("--quick", action="store_true", help="a short training, one seed")
parser.add_argument("--out", default="10_steering.png", help="the picture")
args = parser.parse_known_args()[0]
ENV, n_seeds = "npgrad/LaneKeeping-v0", 1 if args.quick else 3
n_steps = (
    {"stochastic": 20_000, "deterministic": 2_000} if args.quick else {"stochastic": 200_000, "deterministic": 20_000}
)


# %%
def learn(kind, seed):
    curve = []
    if kind == "stochastic":
        settings = {"n_episodes": 16, "learning_rate": 0.05, "gamma": 0.95, "discount_states": False}
        model = REINFORCE(ENV, seed=seed, policy_kwargs={"log_std_init": -0.5}, **settings)
    else:
        model = DPG(ENV, seed=seed, n_envs=4, sigma=0.2, gamma=0.95, critic_hidden=(32, 32))

    def note(seen):
        greedy = model.rollout.episodes(
            seen.agent.policy, seen.agent.theta, seed=7, first=0, count=10, deterministic=True
        )
        curve.append((seen.state.timesteps, greedy.returns().mean()))

    model.learn(n_steps[kind], callback=note)
    return model, np.array(curve).T


runs = {kind: [learn(kind, seed) for seed in range(n_seeds)] for kind in n_steps}
for kind, trained in runs.items():
    for _, (steps, returns) in trained:
        good = np.flatnonzero(returns > 0.95 * 200)
        first = f"95 % of the best after {steps[good[0]]:,.0f} steps" if len(good) else "below 95 % of the best"
        print(f"{kind:14} {returns[-1]:6.1f} of 200 at the end, {first}")
model = runs["stochastic"][0][0]
theta = model.state.theta
print(
    "steering angle over its maximum:",
    "  ".join(f"{w:+.2f} {x}" for w, x in zip(theta, ("y/w", "ψ", "κ/κmax", "1"), strict=False)),
)

# %% [markdown]
# ## From above
#
# The same road and the same gusts, with the first weights and with the last ones.


# %%
def drive(model, theta):
    """Centre line and car, from the curvature and the offset that an episode observed."""
    batch = model.rollout.episodes(model.agent.policy, theta, seed=3, first=0, count=1, deterministic=True)
    y, psi, kappa = batch.obs.T * np.array([[1.8], [1.0], [0.01]])
    ds = 15.0 * np.cos(psi) / (1 - kappa * y) * 0.1
    heading = np.concatenate([[0.0], np.cumsum(kappa * ds)[:-1]])
    centre = np.cumsum([ds * np.cos(heading), ds * np.sin(heading)], axis=1)
    side = np.array([-np.sin(heading), np.cos(heading)])
    return centre, side, y


# %%
with plt.rc_context(STYLE):
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained", width_ratios=[1.4, 1])
    centre, side, y = drive(model, theta)
    for edge in (-1.8, 1.8):
        left.plot(*(centre + edge * 8 * side), color=SOFT, lw=1)
    left.plot(*centre, color=SOFT, lw=0.8, ls=":")
    left.plot(*(centre + 8 * y * side), color=COLOURS[2], label="after learning")
    centre, side, y = drive(model, np.zeros_like(theta))
    left.plot(*(centre + 8 * y * side), color=COLOURS[1], label="before: straight on")
    left.plot(*(centre + 8 * y * side)[:, -1:], "x", color=COLOURS[1])
    left.set(xlabel="m", ylabel="m", ylim=(-28, 50))
    left.set_title("200 steps on a winding road, offsets drawn eight times", loc="left")
    left.legend(frameon=False, loc="lower right")
    for (kind, trained), colour in zip(runs.items(), COLOURS, strict=False):
        for k, (_, (steps, returns)) in enumerate(trained):
            right.semilogx(steps, returns, color=colour, alpha=0.8, label=kind if k == 0 else None)
    right.set(xlabel="steps in the environment", ylabel="return of greedy episodes", ylim=(0, 203))
    right.set_title(f"Learning, {n_seeds} seeds", loc="left")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(args.out, dpi=130)
