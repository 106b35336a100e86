# %% [markdown]
# # Cloning's drift, and DAgger
#
# An expert keeps its lane in a side wind. A clone that has seen the expert's episodes does the same, until a small
# mistake takes it where the expert never was; there it has learned nothing, and the wind does the rest. DAgger asks the
# expert about the states that the learner itself comes to. How the cost, the steps on which the learner does not do
# as the expert would, grows with the horizon: quadratically, and linearly (CS285, section 2.1; I2, I4).

# %%
import argparse
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

from npgrad.data import record
from npgrad.deploy import Agent
from npgrad.distributions import DiagonalGaussian
from npgrad.envs import compiled_twin, register
from npgrad.envs.lane_keeping import lane_keeping_env
from npgrad.functions import Concatenated, Featured, Fixed, Linear, TileCoding
from npgrad.imitation import CloningSettings, DaggerSettings, chain_costs, clone, dagger
from npgrad.policies import Clip, ComposedPolicy, make_policy
from npgrad.rollouts import make_rollout
from npgrad.training.plots import COLOURS, STYLE

parser = argparse.ArgumentParser(description="How the cost of cloning and of DAgger grows with the horizon.")
parser.add_argument("--quick", action="store_true", help="one seed, a short road")
parser.add_argument("--out", default="13_cloning_drifts.png", help="the picture")
args = parser.parse_known_args()[0]
n_seeds, n_iterations, horizon = (1, 2, 80) if args.quick else (5, 6, 320)

# %% [markdown]
# ## Exactly: a chain on which a mistake is for good
#
# On the track the learner errs with probability ε. Off it the clone errs always, and whoever was asked there in ε of
# the steps.

# %%
T = np.unique(np.geomspace(4, 400, 30).astype(int))
chain = chain_costs(1e-4, T)
for name in ("clone", "dagger"):
    print(f"chain, {name:7}exponent of T {np.polyfit(np.log(T), np.log(getattr(chain, name)), 1)[0]:.2f}")

# %% [markdown]
# ## Measured: a car in a side wind
#
# The road is the compiled lane keeping, with a wind of 0.1 m/s and every start in the middle of the lane: an
# environment of one's own is two functions. The expert steers towards the angle ψ that leads back within a second; the
# learner's steering is a table over tiles of what it sees, zero where nothing was shown.


# %%
def reset(params, lanes, noise, state, obs):
    for k in range(lanes.shape[0]):
        i = lanes[k]
        state[0, i] = state[1, i] = obs[0, i] = obs[1, i] = 0.0
        state[2, i] = min(max(params[6] * noise[2, k], -params[8]), params[8])
        obs[2, i] = np.float32(state[2, i] / params[8])


if compiled_twin("Windy-v0") is None:
    register(replace(lane_keeping_env(drift=0.1, max_episode_steps=horizon, id="Windy-v0"), reset=reset))
road = make_rollout("Windy-v0")
policy = make_policy(road, "linear", std="fixed", log_std_init=-2.0)
expert = Agent(policy, np.array([-6 * 1.8 / 15, -6.0, 0.27, -6 * 0.1 / 15]))  # a = 6 (−(y + wind)/v − ψ) + 0.27 κ/κ_max
tiles = TileCoding(low=(-1, -0.15, -1), high=(1, 0.15, 1), tiles=(8, 8, 3), tilings=4)
table = Concatenated((Featured(tiles, Linear(tiles.n_out, 1, bias=False)), Fixed(3, (-1.5,))))
learner = ComposedPolicy(table, DiagonalGaussian(1), road.observation_space, road.action_space, Clip((-1,), (1,)))
fit = CloningSettings(epochs=15, learning_rate=0.05, held_out=0, normalize_observations=False)


def cost(agent, n=500):
    """Σ_{t<T} c_t for every T: steering off the expert's by more than 0.1, or no longer in the lane."""
    batch = road.episodes(agent.policy, agent.theta, seed=10**6, first=0, count=n, deterministic=True)
    c = np.ones((n, horizon))
    c[batch.segment, batch.time] = np.abs(agent.act_batch(batch.obs) - expert.act_batch(batch.obs))[:, 0] > 0.1
    return c.mean(axis=0).cumsum()


costs = {"cloning": [], "cloning, as many labels": [], "DAgger": []}
for seed in range(n_seeds):
    shown = record(expert, "Windy-v0", 3, seed=seed)
    asked = dagger("Windy-v0", expert, learner, DaggerSettings(n_iterations, 3), fit, demonstrations=shown, seed=seed)
    more = record(expert, "Windy-v0", -(-asked.demonstrations.n_steps // horizon), seed=seed)
    agents = clone(shown, learner, fit, seed=seed).agent, clone(more, learner, fit, seed=seed).agent, asked.agent
    for curves, agent in zip(costs.values(), agents, strict=True):
        curves.append(cost(agent))
    lanes = ", ".join(f"{row['eval/mean_reward']:.0f}" for row in asked.log)
    print(f"seed {seed}: return of DAgger's fits {lanes}; of the expert at most {horizon}")
steps = np.arange(1, horizon + 1)
early = (steps >= 10) & (steps <= 60)  # before clones have left the lane for good
for name, curves in costs.items():
    mean = np.mean(curves, axis=0)
    exponent = np.polyfit(np.log(steps[early]), np.log(mean[early] + 1e-12), 1)[0]
    print(f"car, {name}: cost {mean[-1]:.1f} of {horizon} steps, exponent of T up to 60 {exponent:.2f}")

# %%
with plt.rc_context(STYLE):
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4), layout="constrained")
    left.loglog(T, chain.clone, color=COLOURS[0], lw=2, label="cloning, exact")
    left.loglog(T, chain.clone_bound, "--", color="k", lw=1, label="εT(T+1)/2")
    left.loglog(T, chain.loose_bound, ":", color=COLOURS[0], lw=1.5, label="T²ε")
    left.loglog(T, chain.dagger, color=COLOURS[1], lw=2, label="DAgger, exact = εT")
    left.set(xlabel="horizon T", ylabel="expected cost", title="A mistake is for good, ε = 10⁻⁴")
    for (name, curves), colour in zip(costs.items(), (COLOURS[0], COLOURS[2], COLOURS[1]), strict=True):
        right.loglog(steps[4:], np.mean(curves, axis=0)[4:], color=colour, lw=2, label=name)
    right.loglog(steps[4:], steps[4:] ** 2 / 200, ":", color="k", lw=1, label="∝ T², ∝ T")
    right.loglog(steps[4:], steps[4:] / 200, ":", color="k", lw=1)
    right.set(xlabel="horizon T, steps of 0.1 s", title=f"A car in a side wind, {n_seeds} seeds", ylim=(2e-3, horizon))
    for axes in (left, right):
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(args.out, dpi=130)
