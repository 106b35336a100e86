"""A million steps of each classic environment against its compiled twin, and what a step of each twin costs.

    python tests/studies/environments.py [--steps N] [--only ENV]

From the same states and actions: half of the steps in whole episodes under policies from sensible to random.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from npgrad.envs import COMPILED, compiled_twin
from npgrad.envs.block import Block
from npgrad.spaces import Discrete
from tests.envs.originals import CLASSIC, differences, episodes

CHUNK = 50_000


def compare(env_id: str, n_steps: int) -> str:
    """The largest differences over `n_steps` of the original, and how many episodes ended."""
    worst, ends = {"state": 0.0, "obs": 0.0, "rew": 0.0, "terminated": 0}, 0
    for k in range(n_steps // CHUNK):
        steps = episodes(env_id, CHUNK, seed=1000 + k)
        ends += int(steps.columns()[5].sum())
        for name, value in differences(steps).items():
            worst[name] = max(worst[name], value)
    return (
        f"{env_id:<26}{n_steps:>9,} steps, {ends:>6,} ends: largest difference of state {worst['state']:.1e}, "
        f"obs {worst['obs']:.1e}, rew {worst['rew']:.1e}; ends that differ {worst['terminated']}"
    )


def nanoseconds(env_id: str, n: int) -> float:
    """Best time of one environment's step in a block of `n`, without noise and policy."""
    env, rng = compiled_twin(env_id), np.random.default_rng(0)
    block = Block(env, n)
    block.begin(np.arange(n), np.zeros(n), np.arange(n))
    if isinstance(env.action_space, Discrete):
        act = rng.integers(env.action_space.n, size=(1, n)).astype(np.float64)
    else:
        act = rng.uniform(-0.1, 0.1, size=(env.n_act, n))
    u = np.stack([rng.random(n) if kind == "uniform" else rng.normal(size=n) for kind in env.step_noise] or [act[0]])
    arrays = env.params_array, act, u[: len(env.step_noise)], block.state, block.obs, block.rew, block.terminated
    best = np.inf
    for _ in range(100):
        began = time.perf_counter()
        for _ in range(20):
            block._step(*arrays)
        best = min(best, (time.perf_counter() - began) / 20 / n * 1e9)
    return best


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--only")
    options = parser.parse_args()
    for env_id in COMPILED:
        if options.only in (None, env_id):
            print(
                f"{env_id:<26}ns a step: " + ", ".join(f"{nanoseconds(env_id, n):.1f} of {n}" for n in (64, 256, 1024))
            )
    for env_id in CLASSIC:
        if options.only in (None, env_id):
            print(compare(env_id, options.steps), flush=True)


if __name__ == "__main__":
    main()
