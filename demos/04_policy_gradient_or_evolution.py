# %% [markdown]
# # Action space or parameter space?
#
# A policy gradient explores by its actions, an evolution strategy by its parameters. Both estimate the same gradient,
# up to smoothing; which is less noisy at equal episodes? Every parameter that is shaken adds noise to the second, while
# longer episodes add signal alone; the first gains nothing from long episodes, but it minds parameters much less.

# %%
import argparse

import matplotlib.pyplot as plt
import numpy as np

from npgrad.estimators import EvolutionStrategy, PolicyGradient
from npgrad.optimizers import Adam
from npgrad.oracle import causal_moments, gradient, objective, random_mdp, return_variance, values
from npgrad.policies import make_policy
from npgrad.rollouts import make_rollout
from npgrad.training.plots import COLOURS, STYLE

parser = argparse.ArgumentParser(description="Policy gradient against evolution strategy at equal episodes.")
parser.add_argument("--quick", action="store_true", help="fewer problems, seeds and iterations")
parser.add_argument("--out", default="04_policy_gradient_or_evolution.png", help="the picture")
args = parser.parse_known_args()[0]
n_problems, n_directions, n_seeds, n_iterations = (2, 10, 2, 10) if args.quick else (8, 40, 10, 150)
sigma = 0.3  # of the evolution strategy, in both halves of the story

# %% [markdown]
# ## The noise of one estimate
#
# Random problems with an exact gradient, a table as policy. The noise is $\operatorname{tr}\operatorname{Cov}\hat g$ of
# one episode over $\lVert\nabla J\rVert^2$: how many episodes until signal and noise are equal. For the policy gradient
# it is exact, with $V$ as baseline. The evolution strategy plays one episode at each of $\theta \pm \sigma\varepsilon$,
# and with the exact mean $J$ and variance $v$ of its two returns only the directions need sampling:
# $E\lVert g \rVert^2 = E[((J_+ - J_-)^2 + v_+ + v_-)\,\lVert\varepsilon\rVert^2]/4\sigma^2$.


# %%
def noises(n_states, horizon, seed):
    rng = np.random.default_rng(seed)
    mdp = random_mdp(n_states, 2, horizon, seed, n_next=2)
    policy = make_policy(mdp, "linear", bias=False)
    theta = rng.normal(size=policy.n_params) / 2
    signal = np.sum(gradient(mdp, policy, theta) ** 2)
    V = values(mdp, policy, theta).V[:-1]
    second = []
    for epsilon in rng.normal(size=(n_directions, policy.n_params)):
        J, v = ([f(mdp, policy, theta + s * epsilon) for s in (sigma, -sigma)] for f in (objective, return_variance))
        second.append(((J[0] - J[1]) ** 2 + sum(v)) * epsilon @ epsilon / (4 * sigma**2))
    pair = np.mean(second) - signal  # two episodes
    return causal_moments(mdp, policy, theta, baseline=V).variance / signal, 2 * pair / signal


def typical(n_states, horizon):  # geometric mean over problems
    return np.exp(np.mean(np.log([noises(n_states, horizon, seed) for seed in range(n_problems)]), axis=0))


horizons, sizes = np.array([2, 8, 32, 128] if args.quick else [2, 8, 32, 128, 512]), np.array([2, 4, 8, 16, 32])
by_horizon = np.array([typical(4, T) for T in horizons]).T
by_size = np.array([typical(S, 8) for S in sizes]).T
for name, x, noise in (("steps", horizons, by_horizon), ("parameters", 2 * sizes, by_size)):
    for n, pg, es in zip(x, *noise, strict=True):
        print(f"{n:3} {name}: noise {pg:7.1f} by actions, {es:7.1f} by parameters")
    pg, es = (np.polyfit(np.log(x), np.log(y), 1)[0] for y in noise)
    print(f"noise grows as {name} to the power {pg:.1f} by actions, {es:.1f} by parameters")

# %% [markdown]
# ## And what it means for learning
#
# CartPole-v1 has ten parameters, and its episodes grow to 500 actions: the strategy's best case.

# %%
rollout = make_rollout("CartPole-v1")
policy = make_policy(rollout, "linear")
N, adam = 16, Adam(learning_rate=0.1)


def learn(kind, seed):
    rng, theta, curve = np.random.default_rng(seed), np.zeros(policy.n_params), []
    moments = adam.init(theta)
    for k in range(n_iterations):
        if kind == "actions":
            batch = rollout.episodes(policy, theta, seed=seed, first=k * N, count=N)
            g, R = PolicyGradient()(policy, theta, batch).gradient, batch.returns()
        else:
            R = []

            def play(theta, pair, k=k, R=R):  # the same start for θ + σε and θ − σε
                one = rollout.episodes(policy, theta, seed=seed, first=k * N + pair, count=1, deterministic=True)
                R.extend(one.returns())
                return one.returns()

            g = EvolutionStrategy(sigma)(play, theta, rng.normal(size=(N // 2, policy.n_params))).gradient
        curve.append(np.mean(R))
        theta, moments = adam.step(theta, g, moments)
    return curve


curves = {kind: np.array([learn(kind, seed) for seed in range(n_seeds)]) for kind in ("actions", "parameters")}

# %%
with plt.rc_context(STYLE):
    figure, panels = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    names = ("exploring by actions", "by parameters")
    drawn = (horizons, by_horizon, "steps of an episode"), (2 * sizes, by_size, "parameters")
    for axes, (x, noise, label) in zip(panels, drawn, strict=False):
        for y, name, colour in zip(noise, names, COLOURS, strict=False):
            axes.loglog(x, y, "o-", color=colour, label=name)
        axes.set_xticks(x, x)
        axes.minorticks_off()
        axes.set(xlabel=label, ylabel="noise of an episode, over signal")
    for (_, curve), colour in zip(curves.items(), COLOURS, strict=False):
        episodes = N * np.arange(1, n_iterations + 1)
        panels[2].plot(episodes, curve.mean(axis=0), color=colour)
        panels[2].fill_between(episodes, curve.min(axis=0), curve.max(axis=0), color=colour, alpha=0.15, lw=0)
    panels[2].set(xlabel="episodes", ylabel="return", ylim=(0, 515))
    panels[1].legend(frameon=False, fontsize=9)
    for axes, title in zip(panels, ("8 parameters", "8 steps", f"CartPole-v1, {n_seeds} seeds"), strict=True):
        axes.set_title(title, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(args.out, dpi=130)
