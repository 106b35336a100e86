# %% [markdown]
# # Swimming and reaching by a matrix
#
# Two tasks of MuJoCo, each by a linear policy: three links in a thick fluid (`Swimmer-v5`), and an arm of two links
# that should touch a point (`Reacher-v5`). The natural gradient $F^{-1} g$ steps equally far in the distributions of
# the actions, $\mathrm{KL} = \delta$, whatever the units of joints and torques; linear policies then go far (Kakade
# 2002; Rajeswaran et al. 2017).

# %%
import argparse

import gymnasium
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageDraw

from npgrad.algorithms.natural import NPG
from npgrad.training.plots import COLOURS, SOFT, STYLE
from npgrad.training.video import has_display, render_without_display

parser = argparse.ArgumentParser(description="Swimmer and Reacher by linear policies and the natural gradient.")
parser.add_argument("--quick", action="store_true", help="a short training, one seed, no film")
parser.add_argument("--out", default="11_locomotion.gif", help="the film; the curves go beside it as PNG")
args = parser.parse_known_args()[0]
n_seeds = 1 if args.quick else 3

# %% [markdown]
# ## Learning
#
# A stroke of the swimmer pays off later, hence $\gamma = 0.9999$. Advantages are GAE over a critic quadratic in the
# observation. $F$ is never formed: conjugate gradients need only $Fv$, exact from the Gaussian's closed form.

# %%
SHARED = {"policy": "linear", "delta": 0.05, "damping": 0.01}
TASKS = {
    "Swimmer-v5": SHARED | {"n_episodes": 5, "gamma": 0.9999, "gae_lambda": 0.995},
    "Reacher-v5": SHARED | {"n_episodes": 40, "gamma": 0.95, "gae_lambda": 0.97, "normalize_observations": True},
}
n_steps = {"Swimmer-v5": 10_000, "Reacher-v5": 4_000} if args.quick else {"Swimmer-v5": 500_000, "Reacher-v5": 300_000}


def learn(task, seed):
    model, curve = NPG(task, seed=seed, **TASKS[task]), []
    before = model.agent

    def note(seen):
        curve.append((seen.state.timesteps, seen.row["rollout/ep_rew_mean"]))

    model.learn(n_steps[task], callback=note)
    greedy = [model.evaluate(agent, 50).mean_return for agent in (before, model.agent)]
    print(f"{task} seed {seed}: {model.policy.n_params} numbers, greedy return {greedy[0]:.1f} → {greedy[1]:.1f}")
    return before, model.agent, np.array(curve, dtype=float).T


runs = {task: [learn(task, seed) for seed in range(n_seeds)] for task in TASKS}

# %%
with plt.rc_context(STYLE):
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for axes, (task, trained) in zip(panels, runs.items(), strict=True):
        for seed, (*_, (steps, returns)) in enumerate(trained):
            axes.plot(steps / 1e3, returns, color=COLOURS[seed], label=f"seed {seed}")
        axes.set(xlabel="thousand steps in the environment", ylabel="return, mean of 100 episodes")
        axes.set_title(f"{task}, {trained[0][0].policy.n_params} numbers", loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color=SOFT, alpha=0.2)
    panels[0].legend(frameon=False)
    figure.savefig(args.out.removesuffix(".gif") + ".png", dpi=130)

# %% [markdown]
# ## Before and after
#
# The same first states, greedy actions of seed 0. The swimmer in real time; the arm at a quarter of it.


# %%
def pictures(agent, task, count, every):
    env = gymnasium.make(task, render_mode="rgb_array", width=240, height=180)
    shots, over = [], True
    for t in range(count * every):
        if over:
            obs, _ = env.reset(seed=t)
        obs, _, terminated, truncated, _ = env.step(agent.act(obs))
        over = terminated or truncated
        if t % every == 0:
            shots.append(Image.fromarray(env.render()))
    env.close()
    return shots


if not args.quick:
    if not has_display():
        render_without_display()
    parts = {
        (x, y): (f"{task.removesuffix('-v5')}, {('before', 'after')[y]}", pictures(runs[task][0][y], task, 100, every))
        for x, (task, every) in enumerate({"Swimmer-v5": 2, "Reacher-v5": 1}.items())
        for y in (0, 1)
    }
    frames = [Image.new("RGB", (480, 360)) for _ in range(100)]
    for (x, y), (title, shots) in parts.items():
        for frame, shot in zip(frames, shots, strict=True):
            frame.paste(shot, (240 * x, 180 * y))
            ImageDraw.Draw(frame).text(
                (240 * x + 8, 180 * y + 6), title, fill="white", stroke_width=1, stroke_fill="black"
            )
    few = [frame.quantize(48, dither=Image.Dither.NONE) for frame in frames]
    few[0].save(args.out, save_all=True, append_images=few[1:], duration=80, loop=0, optimize=True)
