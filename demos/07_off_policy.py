# %% [markdown]
# # How far may old data be used?
#
# A batch was played by an old policy, and θ has moved since. Importance ratios correct for that, at a price: as the
# policies part, a few trajectories carry all the weight. The price of a trajectory's ratio grows exponentially with its
# length; that of a single step's does not, but it is biased. A bound on the KL keeps both in hand.

# %%
import argparse

import matplotlib.pyplot as plt
import numpy as np

from npgrad.baselines import no_baseline
from npgrad.estimators import (
    OffPolicyGradient,
    PolicyGradient,
    causal_ratio,
    effective_sample_size,
    log_ratios,
    step_ratio,
    trajectory_ratio,
)
from npgrad.optimizers import SGD
from npgrad.oracle import gradient, random_mdp, ratio_second_moments, separable_moments
from npgrad.policies import make_policy
from npgrad.rollouts import make_rollout
from npgrad.training.plots import COLOURS, SOFT, STYLE

parser = argparse.ArgumentParser(description="Ratios, effective sample size and the KL as policies part.")
parser.add_argument("--quick", action="store_true", help="fewer points")
parser.add_argument("--out", default="07_off_policy.png", help="the picture")
args = parser.parse_known_args()[0]
n_points = 6 if args.quick else 15

# %% [markdown]
# ## Bias and variance, exactly
#
# A random problem of five steps, the batch from β, the gradient wanted at $\theta = \beta + x\,v$. The whole ratio is
# unbiased whatever $x$ (W2); the single step's is not (W4), and is the least noisy.

# %%
mdp = random_mdp(3, 2, horizon=5, seed=1, n_next=2)
policy = make_policy(mdp, "linear")
rng = np.random.default_rng(0)
beta, v = rng.normal(size=(2, policy.n_params)) / 2
v /= np.linalg.norm(v)
psi = PolicyGradient(baseline=no_baseline).weights
ratios = {"whole trajectory": trajectory_ratio, "steps so far": causal_ratio, "single step": step_ratio}
shifts = np.linspace(0, 4, n_points)
bias, noise = {name: [] for name in ratios}, {name: [] for name in ratios}
for x in shifts:
    theta = beta + x * v
    exact = gradient(mdp, policy, theta)
    for name, ratio in ratios.items():
        estimator = OffPolicyGradient(psi, ratio=ratio, keep_per_episode=True)
        moments = separable_moments(estimator, mdp, policy, theta, behaviour=(policy, beta))
        bias[name].append(np.linalg.norm(moments.mean - exact))
        noise[name].append(np.sqrt(moments.variance))
growth = ratio_second_moments(mdp, (policy, beta + 2 * v), (policy, beta))
print("E ρ² of the first t steps:", growth.round(2))

# %% [markdown]
# ## On CartPole: one batch, many steps
#
# Gradient steps on one batch of 64 episodes. The effective sample size of whole trajectories collapses long before the
# single steps' does; a KL of 0.01 is where a trust region would have stopped.

# %%
rollout = make_rollout("CartPole-v1")
cart = make_policy(rollout, "linear")
old = np.zeros(cart.n_params)
batch = rollout.episodes(cart, old, seed=0, first=0, count=64)
advantage, sgd = PolicyGradient().weights, SGD(learning_rate=0.002)
theta, kl, whole, single = old, [], [], []
for _ in range(60):
    x = log_ratios(cart, theta, batch)  # log ρ_t
    kl.append(np.mean(np.expm1(x) - x))
    whole.append(effective_sample_size(np.add.reduceat(x, batch.offsets[:-1])) / batch.n_episodes)
    single.append(effective_sample_size(x) / batch.n_steps)
    g = OffPolicyGradient(advantage, ratio=step_ratio)(cart, theta, batch).gradient
    theta, _ = sgd.step(theta, g, sgd.init(theta))
bound = int(np.argmax(np.array(kl) > 0.01))
print(f"at step {bound} the KL is 0.01: {whole[bound]:.0%} of trajectories count, {single[bound]:.0%} of single steps")

# %%
with plt.rc_context(STYLE):
    figure, panels = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    for name, colour in zip(ratios, COLOURS, strict=False):
        panels[0].plot(shifts, bias[name], color=colour, label=name)
        panels[1].plot(shifts, noise[name], color=colour, label=name)
    panels[0].set(xlabel="distance of θ from β", ylabel="‖bias‖")
    panels[1].set(xlabel="distance of θ from β", ylabel="noise of an episode, √tr Cov")
    panels[2].plot(whole, color=COLOURS[0], label="whole trajectory")
    panels[2].plot(single, color=COLOURS[2], label="single step")
    panels[2].axvline(bound, color=SOFT, ls="--", lw=1)
    panels[2].text(bound + 1, 0.04, "KL = 0.01", color=SOFT)
    panels[2].set(xlabel="gradient steps on one batch", ylabel="effective sample size, share", ylim=(0, 1.02))
    for axes, title in zip(panels, ("Bias", "Noise", "CartPole-v1, 64 episodes"), strict=True):
        axes.set_title(title, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].legend(frameon=False)
    figure.savefig(args.out, dpi=130)
