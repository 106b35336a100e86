# %% [markdown]
# # Pong from pixels
#
# Karpathy's example: 200 hidden units look at what changed between two screens and learn to beat Atari's own player,
# from nothing but the points. His agent took 8,000 games and three nights to draw level. Here are the same 1,280,401
# parameters and a gradient derived by hand, with what was learned since: a learned value as baseline, generalised
# advantages, and several steps a batch that the clipped ratio holds close (PPO).
#
# `ALE/Pong-v5` shows every 4th frame and repeats the last action with probability ¼ in each; two actions, up and down.
# An agent is here already, of 573,440 decisions in three minutes of one core, in half precision: it wins by 2.9 ± 1.3
# points over 100 games. `npgrad watch demos/12_pong.npz` shows it. `--minutes 60` trains another; stopped, the same
# line goes on: a second run, killed and resumed, made one of 1,077,248 decisions in five minutes of a core that wins
# by 3.7 ± 1.3.

# %%
import argparse
import time
from pathlib import Path

import gymnasium
import matplotlib.pyplot as plt
import numpy as np
from ale_py.vector_env import AtariVectorEnv
from PIL import Image

from npgrad import Agent, jit, load_agent
from npgrad.distributions import Bernoulli
from npgrad.envs.pong import DOWN, ENV_ID, UP, court
from npgrad.estimators import approximate_kl, clipped_surrogate
from npgrad.files import write_atomically
from npgrad.functions import MLP
from npgrad.kernels import gae
from npgrad.policies import ComposedPolicy
from npgrad.spaces import Box, MultiBinary
from npgrad.training.plots import COLOURS, SOFT, STYLE

parser = argparse.ArgumentParser(description="Pong from pixels: watch the trained agent, or train one.")
parser.add_argument("--quick", action="store_true", help="train for two small batches, play a few points")
parser.add_argument("--out", default="12_pong.gif", help="a game as an animation; the curve goes beside it as PNG")
parser.add_argument("--minutes", type=float, default=0.0, help="train for that long, in all")
parser.add_argument("--run", default="pong_run.npz", help="the checkpoint to begin or to go on from")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--threads", type=int, default=2, help="of the emulator")
args = parser.parse_known_args()[0]
SHIPPED = Path(__file__ if "__file__" in globals() else "demos/12_pong").with_name("12_pong.npz")
N_ENVS, N_STEPS, N_EPOCHS, N_ROWS = (4, 64, 2, 64) if args.quick else (16, 256, 10, 1024)
GAMMA, LAMBDA, CLIP, ENTROPY, RATE, MAX_KL = 0.99, 0.95, 0.2, 0.01, 1e-3, 0.03

# %% [markdown]
# ## A perceptron on frames that are almost empty
#
# Of the 6,400 numbers of a difference frame some 15 are not 0. So $z_0 = x W_0 + b_0$ is a sum of a few rows of $W_0$,
# and $\partial L/\partial W_0 = x^\top D_0$ is $D_0$ added to these rows: a hundredth of the dense products. A batch
# is (index, value, offsets): row t has the entries offsets[t] to offsets[t+1].

# %%
ENTRIES = "const(int16[::1]), const(float32[::1]), const(int64[::1]), const(int64[::1])"


@jit.kernel(f"void(const(float32[:, ::1]), {ENTRIES}, float32[:, ::1])")
def gather(W, index, value, offsets, rows, z):  # z += x W
    for k in range(rows.shape[0]):
        for e in range(offsets[rows[k]], offsets[rows[k] + 1]):
            i, x = index[e], value[e]
            for j in range(W.shape[1]):
                z[k, j] += x * W[i, j]


@jit.kernel(f"void(const(float32[:, ::1]), {ENTRIES}, float32[:, ::1])")
def scatter(D, index, value, offsets, rows, dW):  # dW += xᵀ D
    for k in range(rows.shape[0]):
        for e in range(offsets[rows[k]], offsets[rows[k] + 1]):
            i, x = index[e], value[e]
            for j in range(D.shape[1]):
                dW[i, j] += x * D[k, j]


@jit.kernel("void(float32[::1], float32[::1], float32[::1], float32[::1], float32, float32, float32)")
def adam(theta, g, m, v, rate, m_scale, v_scale):  # npgrad.optimizers.Adam in one pass; g is 0 afterwards
    for i in range(theta.shape[0]):
        m[i] += np.float32(0.1) * (g[i] - m[i])
        v[i] += np.float32(0.001) * (g[i] * g[i] - v[i])
        theta[i] += rate * (m_scale * m[i]) / (np.sqrt(v_scale * v[i]) + np.float32(1e-6))
        g[i] = np.float32(0)


mlp = MLP(6400, 1, hidden=(200,), activation="relu")  # the logit of "up"; another one is the critic
chance = Bernoulli(1)


class Network:
    """The perceptron of 200 units on sparse rows, float32, with its gradient and moments; θ is laid out as `MLP`'s."""

    def __init__(self, theta, k=0, **arrays):
        self.theta, self.k = theta.astype(np.float32), int(k)
        self.g, self.m, self.v = (arrays.get(name, np.zeros_like(self.theta)) for name in "gmv")

    def layers(self, vector):
        return [layer.split(vector[part]) for layer, part in zip(mlp.layers, mlp.parts, strict=True)]

    def __call__(self, x, rows):
        (W0, b0), (W1, b1) = self.layers(self.theta)
        h = np.tile(b0, (len(rows), 1))
        gather(W0, *x, rows, h)
        np.maximum(h, 0, out=h)  # (T, 200)
        return h @ W1 + b1, h  # y (T, 1)

    def vjp(self, x, rows, h, w):
        (_, _), (W1, _) = self.layers(self.theta)
        (dW0, db0), (dW1, db1) = self.layers(self.g)
        D = w @ W1.T * (h > 0)  # D_0 = (w W_1ᵀ) ∘ φ'
        scatter(D, *x, rows, dW0)
        db0 += D.sum(axis=0)
        dW1 += h.T @ w
        db1 += w.sum()

    def step(self, rate):
        self.k += 1
        adam(self.theta, self.g, self.m, self.v, rate, 1 / (1 - 0.9**self.k), 1 / (1 - 0.999**self.k))


def entries(x):
    """Rows (B, 6400) of −1, 0, 1 as (index, value, offsets)."""
    row, column = np.nonzero(x)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(x)))])
    return column.astype(np.int16), x[row, column].astype(np.float32), offsets


def joined(parts):
    index, value, offsets = zip(*parts, strict=True)
    return np.concatenate(index), np.concatenate(value), np.cumsum([0, *np.concatenate([np.diff(o) for o in offsets])])


# %% [markdown]
# The two lines of $J^\top w$ above, against the library's dense one in double precision:

# %%
rng = np.random.default_rng(args.seed)
obs, w = rng.choice([-1.0, 0.0, 1.0], p=[0.001, 0.998, 0.001], size=(32, 6400)), rng.normal(size=(32, 1))
checked = Network(mlp.init(rng))
y, h = checked(entries(obs), np.arange(32))
checked.vjp(entries(obs), np.arange(32), h, w.astype(np.float32))
dense = mlp.at(checked.theta.astype(float), obs)
error = max(np.abs(dense.vjp(w) - checked.g).max(), np.abs(dense.y - y).max())
print(f"{mlp.n_params:,} parameters; sparse rows less dense ones: {error:.1e}")
assert error < 1e-5

# %% [markdown]
# ## Playing
#
# Games side by side. A point ends a segment: what comes after it is another story, and discounts nothing before.


# %%
class Games:
    """Pong, `n` times: `look` is what changed, sparse."""

    def __init__(self, n, seed):
        raw = {"img_height": 210, "img_width": 160, "stack_num": 1, "maxpool": False, "reward_clipping": False}
        raw |= {"noop_max": 0, "use_fire_reset": False, "frameskip": 4, "repeat_action_probability": 0.25}
        self.envs = AtariVectorEnv("pong", num_envs=n, num_threads=args.threads, **raw)
        self.seen = court(self.envs.reset(seed=seed)[0][:, 0])
        self.look, self.over = entries(np.zeros((n, 6400))), np.zeros(n, dtype=bool)
        self.total, self.finished = np.zeros(n), []  # points of the running games; (lane, points) of those that ended

    def step(self, up):
        screens, rew, terminated, truncated, _ = self.envs.step(np.where(up, UP, DOWN))
        before, self.seen = self.seen, court(screens[:, 0])
        self.look = entries((self.seen - before) * ~self.over[:, None])  # a game has just begun where one was over
        self.over, self.total = terminated | truncated, self.total + rew
        for i in np.flatnonzero(self.over):
            self.finished.append((int(i), float(self.total[i])))
            self.total[i] = 0
        return rew


def collect(games, actor, critic, rng):
    """N_STEPS of all games: entries, actions, log-probabilities, advantages, targets of the critic; time by time."""
    lanes, looks, ups, logps, rews = np.arange(N_ENVS), [], [], [], []
    for _ in range(N_STEPS):
        y, _ = actor(games.look, lanes)
        up = chance.draw(y, rng.random((N_ENVS, 1)))
        (
            looks.append(games.look),
            ups.append(up),
            logps.append(chance.log_prob(y, up)),
            rews.append(games.step(up[:, 0])),
        )
    x = joined(looks)
    V = critic(x, np.arange(N_STEPS * N_ENVS))[0].reshape(N_STEPS, N_ENVS)
    rew, values = np.ravel(np.transpose(rews)).astype(float), V.T.ravel().astype(float)  # lane by lane, as gae wants it
    ends = np.flatnonzero((rew != 0) | (np.arange(rew.size) % N_STEPS == N_STEPS - 1))
    last = critic(games.look, lanes)[0][:, 0].astype(float)
    bootstrap = np.where(rew[ends] != 0, 0.0, last[ends // N_STEPS])
    adv = np.empty_like(rew)
    gae(rew, values, bootstrap, np.append(0, ends + 1), GAMMA, LAMBDA, adv)
    adv, target = (z.reshape(N_ENVS, N_STEPS).T.ravel() for z in (adv, adv + values))
    return x, np.concatenate(ups), np.concatenate(logps), adv, target, rew[rew != 0]


# %% [markdown]
# ## Learning
#
# Ascent of $\min(\rho A, \operatorname{clip}(\rho, 1 \pm \epsilon) A) + c H$ with the ratio
# $\rho = \pi_\theta / \pi_{\theta_k}$: the rows of the Bernoulli distribution in the logit, then $J^\top w$.


# %%
def improve(actor, critic, batch, rng):
    """N_EPOCHS over the batch; the actor stops where its KL is MAX_KL."""
    x, up, logp, adv, target, _ = batch
    adv, kl = (adv - adv.mean()) / (adv.std() + 1e-8), 0.0
    for epoch in range(N_EPOCHS):
        for rows in np.array_split(rng.permutation(len(up)), max(1, len(up) // N_ROWS)):
            V, h = critic(x, rows)
            critic.vjp(x, rows, h, ((target[rows, None] - V) / len(rows)).astype(np.float32))  # up −½(G − V)²
            critic.step(RATE)
            if epoch and kl > MAX_KL:
                continue
            y, h = actor(x, rows)
            log_ratio = chance.log_prob(y, up[rows]) - logp[rows]
            kl = approximate_kl(log_ratio)
            if epoch and kl > MAX_KL:
                continue
            _, weight = clipped_surrogate(log_ratio, adv[rows], CLIP)
            w = weight[:, None] * chance.score(y, up[rows]) + ENTROPY * chance.entropy_grad(y)
            actor.vjp(x, rows, h, (w / len(rows)).astype(np.float32))
            actor.step(RATE)
    return kl


COLUMNS = ("iteration", "decisions", "mean of 100 games", "points won", "minutes", "minutes of CPU", "KL")


def save(path, actor, critic, curve, scores):
    networks = {f"{name}.{key}": z for name, n in (("actor", actor), ("critic", critic)) for key, z in vars(n).items()}
    write_atomically(Path(path), lambda file: np.savez(file, **networks, curve=np.array(curve), scores=scores))


def begin_or_resume(path):
    if not Path(path).exists():
        return *(Network(mlp.init(np.random.default_rng([args.seed, i]))) for i in (0, 1)), [], []
    with np.load(path) as file:
        parts = ({k: file[f"{name}.{k}"] for k in ("theta", "k", "g", "m", "v")} for name in ("actor", "critic"))
        return *(Network(**arrays) for arrays in parts), file["curve"].tolist(), file["scores"].tolist()


def train(minutes, path, n_iterations=10**9):
    """Go on until `minutes` have gone into the run; a row of the curve each batch, a checkpoint every twenty."""
    actor, critic, curve, scores = begin_or_resume(path)
    iteration, decisions, _, _, spent, cpu, _ = curve[-1] if curve else [0.0] * len(COLUMNS)
    games = Games(N_ENVS, seed=10_000 * args.seed + int(iteration))
    while spent < minutes and iteration < n_iterations:
        start, cpu_start = time.perf_counter(), time.process_time()
        rng = np.random.default_rng([args.seed, 2, int(iteration)])
        batch = collect(games, actor, critic, rng)
        kl = improve(actor, critic, batch, rng)
        scores += [score for _, score in games.finished]
        games.finished.clear()
        iteration, decisions = iteration + 1, decisions + N_STEPS * N_ENVS
        spent, cpu = spent + (time.perf_counter() - start) / 60, cpu + (time.process_time() - cpu_start) / 60
        won = np.mean(batch[-1] > 0) if batch[-1].size else np.nan
        curve.append([iteration, decisions, np.mean(scores[-100:]) if scores else np.nan, won, spent, cpu, kl])
        if iteration % 20 == 0 or spent >= minutes or iteration == n_iterations:
            save(path, actor, critic, curve, scores)
            print("  ".join(f"{name} {x:.4g}" for name, x in zip(COLUMNS, curve[-1], strict=True)), flush=True)
    return actor, curve


def play(theta, seed, n_lanes=4 if args.quick else 20, n_each=1 if args.quick else 5):
    """Points of n_each games in each lane, the likelier action each time."""
    network, games, lanes = Network(theta), Games(n_lanes, seed), np.arange(n_lanes)
    scores = [[] for _ in lanes]
    while min(map(len, scores)) < n_each:
        games.step(network(games.look, lanes)[0][:, 0] > 0)
        for lane, score in games.finished:
            scores[lane].append(score)
        games.finished.clear()
    return np.array([own[:n_each] for own in scores]).ravel()


# %%
def finished(actor, curve, path):
    """The agent in half precision, with its score over 100 games and its curve, in npgrad's format."""
    theta = actor.theta.astype(np.float16)
    scores = play(theta, seed=77)
    # of long curves some 200 rows, from the last one back
    info = {"env_id": ENV_ID, "scores": scores.tolist(), "columns": COLUMNS, "curve": curve[:: -1 - len(curve) // 200]}
    policy = ComposedPolicy(mlp, chance, Box(-1.0, 1.0, (6400,)), MultiBinary(1))
    agent = Agent(policy, theta, info)
    agent.save(path)
    return agent


if args.quick:  # stopped after one batch, and gone on with
    args.run = "pong_quick.npz"
    Path(args.run).unlink(missing_ok=True)
    train(1.0, args.run, n_iterations=1)
if args.minutes or args.quick:
    actor, curve = train(args.minutes or 1.0, args.run, n_iterations=2 if args.quick else 10**9)
    agent = finished(actor, curve, args.run.removesuffix(".npz") + "_agent.npz")
else:
    agent = load_agent(SHIPPED)
scores, curve = np.array(agent.info["scores"]), np.array(agent.info["curve"])[::-1].T
error = 1.96 * scores.std(ddof=1) / len(scores) ** 0.5
print(f"{scores.mean():.1f} ± {error:.1f} points over {len(scores)} games, {np.mean(scores > 0):.0%} of them won")
print(f"after {curve[1, -1] / 1e6:.2f} million decisions, {curve[5, -1]:.0f} minutes of one core")

# %% [markdown]
# ## What it learned, and what it sees

# %%
with plt.rc_context(STYLE):
    figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
    axes.axhline(0, color=SOFT, lw=0.8)
    axes.plot(curve[1] / 1e6, curve[2], color=COLOURS[0], label="last 100 games, exploring")
    axes.errorbar(curve[1, -1] / 1e6, scores.mean(), error, fmt="o", color=COLOURS[1], label="100 games, no exploring")
    axes.set(xlabel="million decisions", ylabel="points of a game", ylim=(-21.5, 21.5))
    axes.set_title(f"{curve[1, -1] / 1e6:.1f} million decisions in {curve[5, -1]:.0f} minutes of one core", loc="left")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(args.out.removesuffix(".gif") + ".png", dpi=130)

env = gymnasium.make(ENV_ID, render_mode="rgb_array")
(obs, _), shots = env.reset(seed=0), []
for t in range(120 if args.quick else 420):
    obs, *_ = env.step(agent.act(obs))
    if t >= 60:  # the game begins slowly
        change = np.uint8(127 + 120 * obs.reshape(80, 80)).repeat(2, axis=0).repeat(2, axis=1)
        shot = np.full((210, 330, 3), 255, dtype=np.uint8)
        shot[:, :160], shot[34:194, 170:] = env.render(), change[:, :, None]
        shots.append(Image.fromarray(shot).quantize(16, dither=Image.Dither.NONE))
shots[0].save(args.out, save_all=True, append_images=shots[1:], duration=67, loop=0, optimize=True)
