# %% [markdown]
# # Policies and their scores as pictures
#
# A score is the direction in which a sampled action pulls the parameters. For a softmax it is the action's own corner
# less the mean; for a Gaussian the mean is pulled towards the action, and σ grows if the action was far out. Every
# score has mean zero under its own policy: the pulls balance.

# %%
import argparse

import matplotlib.pyplot as plt
import numpy as np

from npgrad.distributions import Categorical, DiagonalGaussian, GaussianMixture
from npgrad.training.plots import COLOURS, INK, SOFT, STYLE

parser = argparse.ArgumentParser(description="Score fields of softmax, Gaussian and mixture policies.")
parser.add_argument("--quick", action="store_true", help="no difference: it is quick")
parser.add_argument("--out", default="06_scores.png", help="the picture")
args = parser.parse_known_args()[0]

# %% [markdown]
# ## Three distributions
#
# Softmax over three actions: $\partial\log\pi(a)/\partial y = e_a - \pi$. Gaussian with $y = (\mu, \log\sigma)$:
# $(a - \mu)/\sigma^2$ and $(a - \mu)^2/\sigma^2 - 1$. A mixture of two Gaussians divides an action's pull among its
# components, as each is responsible for it.

# %%
softmax, gaussian, mixture = Categorical(3), DiagonalGaussian(1), GaussianMixture(1, 2)
y_softmax = np.log([[0.6, 0.3, 0.1]])
pi = np.exp(y_softmax[0])
pulls = softmax.score(np.repeat(y_softmax, 3, axis=0), np.arange(3))  # row a: e_a − π
print("softmax: scores of the three actions\n", pulls.round(2), "\n  their mean under π:", (pi @ pulls).round(12))

a = np.linspace(-4, 4, 801)[:, None]
y_gaussian = np.array([[0.5, np.log(0.8)]])
rows = gaussian.score(np.repeat(y_gaussian, len(a), axis=0), a)  # (n, 2)
density = np.exp(gaussian.log_prob(np.repeat(y_gaussian, len(a), axis=0), a))
mean = (density[:, None] * rows).sum(axis=0) * (a[1] - a[0])
print("Gaussian: mean of the score under π, by the sum over a grid:", mean.round(4) + 0.0)

y_mixture = np.array([[0.0, 0.0, -1.5, 1.5, np.log(0.6), np.log(0.9)]])
rows_mixture = mixture.score(np.repeat(y_mixture, len(a), axis=0), a)
density_mixture = np.exp(mixture.log_prob(np.repeat(y_mixture, len(a), axis=0), a))

# %% [markdown]
# ## A field over mean and spread
#
# One action, $a = 1$, seen by Gaussians of every mean and spread: all are pulled towards it, the sure ones hardest.

# %%
mu, log_std = np.meshgrid(np.linspace(-2, 4, 15), np.linspace(-1.2, 1.2, 11))
Y = np.stack([mu.ravel(), log_std.ravel()], axis=1)
field = gaussian.score(Y, np.full((len(Y), 1), 1.0))

# %%
with plt.rc_context(STYLE):
    figure, panels = plt.subplots(2, 2, figsize=(8.5, 6.4), layout="constrained")
    panels = panels.ravel()
    corners = np.array([[0, 0], [1, 0], [0.5, np.sqrt(0.75)]])
    here = pi @ corners
    panels[0].fill(*corners.T, color="#eef3fa", ec=SOFT)
    for k, corner in enumerate(corners):
        panels[0].annotate(
            "", corner * 0.6 + here * 0.4, here, arrowprops={"color": COLOURS[k], "width": 2, "headwidth": 8}
        )
        panels[0].text(
            *(corner + (corner - corners.mean(axis=0)) * 0.27), f"a = {k}\nπ = {pi[k]:.1f}", ha="center", va="center"
        )
    panels[0].plot(*here, "o", color=INK)
    panels[0].axis("off")
    panels[0].set(aspect="equal", xlim=(-0.35, 1.35), ylim=(-0.25, 1.2))
    for axes, p, scores, labels in (
        (panels[1], density, rows, ("μ", "log σ")),
        (panels[2], density_mixture, rows_mixture[:, 2:4], ("μ₁", "μ₂")),
    ):
        axes.fill_between(a[:, 0], 0, 6 * p, color="#dfe7f2", label="π(a), scaled")
        for k, label in enumerate(labels):
            axes.plot(a[:, 0], scores[:, k], color=COLOURS[k], label=f"score of {label}")
        axes.axhline(0, color=SOFT, lw=0.8)
        axes.set(xlabel="a", ylim=(-5, 6))
        axes.legend(frameon=False, fontsize=8.5, loc="lower right")
        axes.spines[["top", "right"]].set_visible(False)
    length = np.linalg.norm(field, axis=1)
    arrows = field / length[:, None]
    drawn = panels[3].quiver(*Y.T, *arrows.T, np.log10(length), cmap="viridis", scale=24, width=0.006)
    panels[3].axvline(1.0, color=SOFT, lw=0.8, ls="--")
    panels[3].set(xlabel="μ", ylabel="log σ")
    figure.colorbar(drawn, ax=panels[3], label="log₁₀ length")
    titles = ("Softmax: e_a − π", "Gaussian", "Mixture of two Gaussians", "Pulls of a = 1 on (μ, log σ)")
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title, loc="left")
    figure.savefig(args.out, dpi=130)
