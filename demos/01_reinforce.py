# %% [markdown]
# # REINFORCE in thirty lines
#
# The policy gradient from its parts, on CartPole-v1: play episodes, weight each score with the rewards that followed,
# take a step uphill. Nothing is hidden; the loop below is the whole algorithm.

# %%
import argparse

import matplotlib.pyplot as plt
import numpy as np

from npgrad.baselines import leave_one_out
from npgrad.critics import reward_to_go
from npgrad.optimizers import Adam
from npgrad.policies import make_policy
from npgrad.rollouts import make_rollout
from npgrad.training.plots import COLOURS, STYLE

parser = argparse.ArgumentParser(description="REINFORCE from its parts, on CartPole-v1.")
parser.add_argument("--quick", action="store_true", help="one seed, few iterations")
parser.add_argument("--out", default="01_reinforce.png", help="the picture")
args = parser.parse_known_args()[0]
n_seeds, n_iterations = (1, 10) if args.quick else (10, 120)

# %% [markdown]
# ## The algorithm
#
# $$\hat g = \frac1N \sum_i \sum_t \nabla\log\pi_\theta(a_{i,t} \mid s_{i,t})\,(G_{i,t} - b_{i,t}),$$
# with the reward-to-go $G_{i,t} = \sum_{k \ge t} r_{i,k}$ and as baseline $b_{i,t}$ its mean over the *other* episodes.

# %%
rollout = make_rollout("CartPole-v1")
policy = make_policy(rollout, "linear")  # softmax(s W + b): 10 parameters
N = 16  # episodes an iteration


def train(seed):
    theta, optimizer, curve = np.zeros(policy.n_params), Adam(learning_rate=0.1), []
    moments = optimizer.init(theta)
    steps = 0
    for iteration in range(n_iterations):
        batch = rollout.episodes(policy, theta, seed=seed, first=iteration * N, count=N)
        psi = reward_to_go(batch)  # Ψ_t = Σ_{k≥t} r_k
        psi -= leave_one_out(psi, batch)  # … − b_t
        gradient = policy.at(theta, batch.obs, batch.act).vjp(psi) / N  # ĝ
        steps += batch.n_steps
        curve.append((steps, batch.returns().mean()))
        theta, moments = optimizer.step(theta, gradient, moments)
    return theta, np.array(curve).T


# %% [markdown]
# ## What it learns

# %%
results = [train(seed) for seed in range(n_seeds)]
judged = [rollout.episodes(policy, theta, seed=10**6, first=0, count=100, deterministic=True) for theta, _ in results]
for seed, ((_, (steps, _)), batch) in enumerate(zip(results, judged, strict=True)):
    R = batch.returns()
    print(f"seed {seed}: {steps[-1]:9,.0f} steps, then 100 greedy episodes: mean {R.mean():.1f}, least {R.min():.0f}")
print("the last one's weights, of position, velocity, angle and angular velocity, for pushing to the right:")
W = results[-1][0][:8].reshape(4, 2)
print(np.round(W[:, 1] - W[:, 0], 2))

# %%
with plt.rc_context(STYLE):
    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for _, (steps, returns) in results:
        axes.plot(steps, returns, color=COLOURS[0], alpha=0.5, lw=1.2)
    axes.set(xlabel="steps in the environment", ylabel=f"return, mean of {N} episodes", ylim=(0, 515))
    axes.set_xscale("log")
    axes.set_title(f"CartPole-v1: REINFORCE from its parts, {n_seeds} seeds", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(args.out, dpi=130)
