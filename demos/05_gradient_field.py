# %% [markdown]
# # The plain and the natural gradient
#
# A small decision problem whose gradient is known exactly, drawn as a field over two parameters. Two students climb the
# same hill: one along the gradient, one along the natural gradient $F^{-1}\nabla J$. Then one parameter is measured in
# other units. The plain path changes, as if the problem had; the natural one does not.

# %%
import argparse

import matplotlib.pyplot as plt
import numpy as np

from npgrad.optimizers import solve_direct
from npgrad.oracle import TabularMDP, fisher, gradient, objective, optimal_values
from npgrad.policies import make_policy
from npgrad.training.plots import COLOURS, INK, STYLE

parser = argparse.ArgumentParser(description="Gradient fields of a three-state problem, plain and natural ascent.")
parser.add_argument("--quick", action="store_true", help="a coarser field")
parser.add_argument("--out", default="05_gradient_field.png", help="the picture")
args = parser.parse_known_args()[0]
n_grid = 9 if args.quick else 17

# %% [markdown]
# ## Three states, two parameters
#
# From state 0, action 1 leads to state 1, where action 1 leads on to the prize in state 2; action 0 takes a small
# reward and ends. The logit of action 1 in state $s$ is $\theta_s$: two states to act in, two parameters.

# %%
end, P = 3, np.zeros((4, 2, 4))
P[0, 0, end] = P[1, 0, end] = 1.0
P[0, 1, 1] = P[1, 1, 2] = 1.0
P[2, :, end] = 1.0
R = np.zeros((4, 2))
R[0, 0], R[1, 0], R[2, :] = 0.3, 0.1, 1.0
mdp = TabularMDP([1.0, 0.0, 0.0, 0.0], P, R, horizon=3, terminal=[False, False, False, True])
table = make_policy(mdp, "linear")  # logits of both actions in all four states, and a bias
lift = np.zeros((table.n_params, 2))  # θ ↦ its logits: that of action 1 in states 0 and 1 alone
lift[1, 0] = lift[3, 1] = 1.0


def J(theta):
    return objective(mdp, table, lift @ theta)


def dJ(theta):
    return lift.T @ gradient(mdp, table, lift @ theta)  # ∇J


def F(theta):
    return lift.T @ fisher(mdp, table, lift @ theta) @ lift


def climb(direction, units, length=0.1, n=120):
    """θ at each of n steps of one length (in KL), θ = units · what the student's knobs say."""
    theta, path = np.array([-2.0, -2.0]), []
    while len(path) < n and J(theta) < 0.97:
        path.append(theta)
        g = units * dJ(theta)  # ∂J/∂knob
        metric = units[:, None] * F(theta) * units
        step = g if direction == "plain" else solve_direct(metric, g)
        step *= length / np.sqrt(step @ metric @ step)  # ½ stepᵀF step = length²/2
        theta = theta + units * step
    return np.array(path).T


# %% [markdown]
# ## The climb

# %%
scales = {"the same units": np.array([1.0, 1.0]), "θ₁ in units of 10": np.array([1.0, 10.0])}
paths = {(d, name): climb(d, units) for d in ("plain", "natural") for name, units in scales.items()}
best = optimal_values(mdp).V[0, 0]
print(f"J at the start {J(np.array([-2.0, -2.0])):.3f}, the best policy's {best:.3f}")
for (direction, name), path in paths.items():
    values = [J(theta) for theta in path.T]
    first = next((k for k, v in enumerate(values) if v > 0.95 * best), None)
    print(f"{direction:8} ascent, {name}: " + ("95 % never" if first is None else f"95 % of it after {first} steps"))
gap = np.abs(paths["natural", "the same units"] - paths["natural", "θ₁ in units of 10"]).max()
print(f"largest difference of the two natural paths: {gap:.0e}")

# %%
axis = np.linspace(-3, 6, n_grid)
X, Y = np.meshgrid(axis, axis)
grid = np.stack([X.ravel(), Y.ravel()], axis=1)
fine = np.linspace(-3, 6, 41)
heights = np.array([[J(np.array([x, y])) for x in fine] for y in fine])
fields = {"plain": [dJ(t) for t in grid], "natural": [solve_direct(F(t), dJ(t)) for t in grid]}
with plt.rc_context(STYLE):
    figure, panels = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained", sharey=True)
    for axes, (direction, field) in zip(panels, fields.items(), strict=True):
        arrows = np.array(field) / np.linalg.norm(field, axis=1, keepdims=True)
        filled = axes.contourf(fine, fine, heights, levels=20, cmap="Blues")
        axes.quiver(X, Y, *arrows.T, color=INK, alpha=0.45, scale=32, width=0.003)
        for j, (name, style) in enumerate(zip(scales, ("-", "--"), strict=True)):
            axes.plot(*paths[direction, name], style, lw=2.2, color=COLOURS[1 + 2 * j], label=name)
        axes.plot(-2, -2, "o", color=INK)
        axes.set(xlabel="θ₀: go on from state 0", xlim=(-3, 6), ylim=(-3, 6))
        axes.set_title("∇J" if direction == "plain" else "F⁻¹∇J, the natural gradient", loc="left")
    panels[0].set_ylabel("θ₁: go on from state 1")
    panels[0].legend(frameon=True, loc="lower right")
    figure.colorbar(filled, ax=panels, label="J")
    figure.savefig(args.out, dpi=130)
