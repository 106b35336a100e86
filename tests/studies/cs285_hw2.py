"""The eight CartPole-v0 experiments of CS285's homework 2, ten seeds each: 100 iterations, no baseline.

    python tests/studies/cs285_hw2.py [--seeds N] [--first SEED] [--workers N]

It prints the section of docs/results.md. A run ends at 200 if the agent of its last iteration has a mean return of 200
over 100 greedy episodes.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context

import numpy as np

TEXT = """\
## CartPole-v0, homework 2 of CS285

The eight experiments of the homework's first part, small or large batch, whole return or reward-to-go (`rtg`), Ψ as it
is or standardised (`na`): {iterations} iterations of REINFORCE without a baseline, Adam at {rate}, γ = 1, seeds
{first} to {last}, chosen before looking; the step size was chosen on seeds from 100 on. A batch is {small} or {large}
episodes, with which a run has about the homework's 100,000 or 400,000 timesteps. The policy is the linear softmax; the
homework's is a network of 2 × 64 units. To reach: every run with reward-to-go ends at 200, that is, its last agent has
a mean return of 200 over 100 greedy episodes; all in at most 25 s together.

    python tests/studies/cs285_hw2.py

{table}

{n} runs in {seconds:.1f} s, {workers} processes.

The homework's flags, and ours (`npgrad train CartPole-v0 …`):

| homework | npgrad | |
|---|---|---|
| `--env_name`, `--seed`, `--exp_name` | `ENV`, `--seed`, `--out` | |
| `-n`, `--n_iter` | `--steps` | timesteps of the run, not iterations |
| `-b`, `--batch_size` | `--n-episodes` | episodes, not timesteps: how many there are then does not depend on them |
| `-eb`, `--eval_batch_size` | `--eval-episodes` | greedy episodes |
| `-lr`, `--learning_rate` | `--learning-rate` | |
| `--discount` | `--gamma`, `--no-discount-states` | the homework leaves γ^t out; with γ = 1 it makes no difference |
| `-l`, `--n_layers`; `-s`, `--size` | `--policy mlp --hidden 64,64` | |
| `--ep_len` | `--env-kwargs max_episode_steps=200` | |
| without `-rtg` | `--no-causality` | the reward-to-go is the default |
| `-na`, `--normalize_advantages` | `--normalize-advantage` | in older years the default, and `-dsa` against it |
| without `--use_baseline` | `--baseline none` | the default is the mean of the other episodes |
| `--use_baseline` | `--baseline value` | a perceptron of `--critic-hidden` units, fitted to G_t |
| `-blr`, `--baseline_learning_rate` | `--critic-learning-rate` | |
| `-bgs`, `--baseline_gradient_steps` | `--critic-epochs` | passes in minibatches, not steps on the whole batch |
| `--gae_lambda` | `--gae-lambda` | |
"""
ITERATIONS, LEARNING_RATE = 100, 0.02
BATCHES = {"small": 15, "large": 50}  # episodes, so that a run has about the homework's 100,000 or 400,000 timesteps
SETTINGS = list(product(BATCHES, (False, True), (False, True)))  # batch, reward-to-go, standardised
Setting = tuple[str, bool, bool]


def run(job: tuple[Setting, int]) -> tuple[float, float, int]:
    """Greedy mean return at the end, mean of the sampled returns of the last five iterations, timesteps."""
    from npgrad import REINFORCE

    (batch, rtg, na), seed = job
    model = REINFORCE(
        "CartPole-v0",
        seed=seed,
        n_episodes=BATCHES[batch],
        learning_rate=LEARNING_RATE,
        baseline="none",
        causality=rtg,
        normalize_advantage=na,
    )
    state, sampled = model.recipe.init(seed), []
    for _ in range(ITERATIONS):
        state, metrics = model.recipe.step(state)
        sampled.append(metrics.returns.mean())
    greedy = model.evaluate(model.recipe.agent(state), 100).mean_return
    return greedy, float(np.mean(sampled[-5:])), state.timesteps


def name_of(setting: Setting) -> str:
    """As the homework calls it."""
    batch, rtg, na = setting
    return "cartpole" + "_lb" * (batch == "large") + "_rtg" * rtg + "_na" * na


def table(results: dict[Setting, list[tuple[float, float, int]]]) -> str:
    """Markdown, a row a setting."""
    lines = [
        "| experiment | episodes an iteration | end at 200 | least | mean | mean of the last 5 batches | timesteps |",
        "|---|---|---|---|---|---|---|",
    ]
    for setting, runs in results.items():
        greedy, sampled, steps = (np.array(column) for column in zip(*runs, strict=True))
        lines.append(
            f"| `{name_of(setting)}` | {BATCHES[setting[0]]} | {(greedy >= 200).sum()} of {len(runs)} | "
            f"{greedy.min():.1f} | {greedy.mean():.1f} | {sampled.mean():.1f} | {steps.mean():,.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run all, print the section."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    began = time.monotonic()
    jobs = [(setting, seed) for setting in SETTINGS for seed in range(options.first, options.first + options.seeds)]
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(run, jobs, chunksize=1))
    results = {s: [r for (other, _), r in zip(jobs, found, strict=True) if other == s] for s in SETTINGS}
    known = {"first": options.first, "last": options.first + options.seeds - 1, "workers": options.workers}
    counted = {"table": table(results), "n": len(jobs), "seconds": time.monotonic() - began}
    print(TEXT.format(iterations=ITERATIONS, rate=LEARNING_RATE, **BATCHES, **known, **counted))


if __name__ == "__main__":
    main()
