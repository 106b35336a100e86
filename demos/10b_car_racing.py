# %% [markdown]
# # Steering by pixels
#
# The lane again, now as it is seen: `CarRacing-v3`, a new track in every episode. Of a screen of 96 × 96 pixels the
# policy gets what is road on 14 × 16 squares, and the speed, wheel and spin that the dashboard shows: 227 numbers. A
# perceptron of 32 units turns the wheel and works the pedal, once in eight frames, and is paid as ever: 1000 shared out
# over the track, −0.1 a frame.
#
# An agent of 60,416 decisions, eight minutes of one core, is here already. Over 30 new tracks it comes to 760 ± 72;
# drawing actions at random to −64, doing nothing to −93. (One run, seed 1, with settings that were tried on two other
# seeds.) `--train` trains another.

# %%
import argparse
import time
from pathlib import Path

import gymnasium
import matplotlib.pyplot as plt
import numpy as np
from gymnasium.envs.box2d.car_racing import CarRacing
from PIL import Image

from npgrad import Agent, load_agent
from npgrad.algorithms.ppo import PPO
from npgrad.training.plots import COLOURS, SOFT, STYLE

parser = argparse.ArgumentParser(description="CarRacing from few pixels: watch the trained agent, or train one.")
parser.add_argument("--quick", action="store_true", help="train for two small batches, one episode of each driver")
parser.add_argument("--train", action="store_true", help="train, and write the agent to 10b_car_racing_SEED.npz")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", default="10b_car_racing.gif", help="a drive; the curve goes beside it as PNG")
args = parser.parse_known_args()[0]
SHIPPED = Path(__file__ if "__file__" in globals() else "demos/10b_car_racing").with_name("10b_car_racing.npz")
n_steps, n_tracks, FRAMES = (128, 1, 8) if args.quick else (60_000, 30, 8)

# %% [markdown]
# ## A small view
#
# Drawing takes the environment a hundred times as long as driving, so only the frame that is looked at gets drawn. A
# wrapper says the rest: what is seen, what is done, for how long.


# %%
class SeldomDrawn(CarRacing):
    looked_at = True

    def _render(self, mode):
        return super()._render(mode) if self.looked_at else None


class SmallView(gymnasium.Wrapper):
    def __init__(self, render_mode=None):
        super().__init__(SeldomDrawn(render_mode=render_mode))
        self.observation_space = gymnasium.spaces.Box(-10.0, 10.0, (14 * 16 + 3,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)  # wheel; pedal: gas, or below 0 the brake

    def see(self, screen):
        red, green, blue = np.moveaxis(screen / 255.0, 2, 0)
        road = (green - np.maximum(red, blue))[:84] < 0.15  # not grass
        bars, left_right = green[84:], (green - red)[84:]  # white; and green or red, to the left or right of its middle
        speed, green, red = bars[:, 12:15].sum() / 12, left_right.clip(0), (-left_right).clip(0)
        wheel = (green[:, 48:66].sum() - green[:, 30:48].sum()) / 20
        spin = (red[:, 72:].sum() - red[:, 60:72].sum()) / 20
        self.seen = np.float32([*road.reshape(14, 6, 16, 6).mean(axis=(1, 3)).ravel(), speed, wheel, spin])
        return self.seen

    def reset(self, **kwargs):
        self.env.looked_at = True
        screen, info = self.env.reset(**kwargs)
        return self.see(screen), info

    def step(self, action):
        (wheel, pedal), total, over = action, 0.0, False
        for k in range(FRAMES):
            self.env.looked_at = k == FRAMES - 1
            screen, reward, over, _, info = self.env.step(np.array([wheel, max(pedal, 0.0), max(-pedal, 0.0)]))
            total += reward
            if over:  # the lap is done, or the car has left the field
                break
        return self.seen if over else self.see(screen), float(total), over, False, info


def make(render_mode=None):
    return gymnasium.wrappers.TimeLimit(SmallView(render_mode), 1000 // FRAMES)


# %% [markdown]
# ## Learning


# %%
def train(seed):
    """PPO, and its learning curve: decisions, seconds, mean return of the last episodes."""
    settings = {"learning_rate": 1e-3, "n_epochs": 10, "target_kl": 0.02, "gamma": 0.97, "critic_hidden": (32, 32)}
    settings |= dict(
        zip(("n_envs", "n_steps", "batch_size"), (2, 32, 32) if args.quick else (8, 128, 128), strict=True)
    )
    model = PPO(make, seed=seed, policy="mlp", policy_kwargs={"hidden": (32,), "log_std_init": -1.5}, **settings)
    curve, start = [], time.process_time()

    def note(seen):
        mean = seen.row.get("rollout/ep_rew_mean", np.nan)
        curve.append((seen.state.timesteps, time.process_time() - start, mean))
        print("decisions {:,}, {:.0f} s, return {:.0f}".format(*curve[-1]), flush=True)

    model.learn(n_steps, callback=note)
    return model.agent, np.array(curve)


def score(driver, seed=10**6):
    """The returns of `n_tracks` episodes."""
    env, rng, returns = make(), np.random.default_rng(0), []
    for k in range(n_tracks):
        (obs, _), total, over = env.reset(seed=seed + k), 0.0, False
        while not over:
            obs, reward, terminated, truncated, _ = env.step(driver(obs, rng))
            total, over = total + reward, terminated or truncated
        returns.append(total)
    return returns


if args.train or args.quick:
    agent, curve = train(args.seed)
    agent = Agent(agent.policy, agent.theta.astype(np.float32), {"seed": args.seed, "curve": curve.round(2).tolist()})
    drivers = {"agent": lambda obs, rng: agent.act(obs), "random": lambda obs, rng: rng.uniform(-1, 1, 2)}
    drivers["nothing"] = lambda obs, rng: np.zeros(2)
    agent.info["scores"] = {name: score(driver) for name, driver in drivers.items()}
    agent.save(f"10b_car_racing_{args.seed}.npz")
else:
    agent = load_agent(SHIPPED)
scores, curve = agent.info["scores"], np.array(agent.info["curve"])
for name, found in scores.items():
    error = 1.96 * np.std(found) / len(found) ** 0.5
    print(f"{name:8} {np.mean(found):6.1f} ± {error:.1f} over {len(found)} tracks")

# %% [markdown]
# ## The learning curve, and a drive

# %%
steps, seconds, returns = curve.T
with plt.rc_context(STYLE):
    figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
    axes.plot(steps / 1e3, returns, color=COLOURS[0])
    for name, colour, side in (("agent", COLOURS[1], "bottom"), ("random", SOFT, "bottom"), ("nothing", SOFT, "top")):
        mean, label = np.mean(scores[name]), "the agent, not exploring" if name == "agent" else name
        axes.axhline(mean, color=colour, lw=1, ls="--")
        axes.text(0.99, mean, label, color=colour, ha="right", va=side, transform=axes.get_yaxis_transform())
    axes.set(xlabel="thousand decisions of eight frames", ylabel="return, mean of 100 episodes", ylim=(-180, 850))
    axes.set_title(f"CarRacing-v3, {seconds[-1] / 60:.0f} minutes of one core", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(args.out.removesuffix(".gif") + ".png", dpi=130)

env = make("rgb_array")
(obs, _), shots, over = env.reset(seed=3), [], False
while not over and len(shots) < (10 if args.quick else 125):
    env.unwrapped.looked_at = True
    screen = Image.fromarray(env.render()).resize((300, 200))
    squares = Image.fromarray(np.uint8(255 * obs[:224].reshape(14, 16))).resize((200, 175), Image.Resampling.NEAREST)
    shot = Image.new("RGB", (508, 200), "white")
    shot.paste(screen, (0, 0)), shot.paste(squares, (308, 0))
    shots.append(shot.quantize(16, dither=Image.Dither.NONE))
    obs, _, terminated, truncated, _ = env.step(agent.act(obs))
    over = terminated or truncated
shots[0].save(args.out, save_all=True, append_images=shots[1:], duration=120, loop=0, optimize=True)
