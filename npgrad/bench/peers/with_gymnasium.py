"""Rollouts in Gymnasium's own vectorised CartPole, by a linear softmax in NumPy; nothing is stored."""

from __future__ import annotations

from collections.abc import Callable

import gymnasium
import numpy as np
from problems import CARTPOLE

Case = tuple[Callable[[], object], list[float] | None]


def about() -> str:
    return f"gymnasium {gymnasium.__version__}"


def cartpole(n_envs: int, steps: int) -> Case:
    envs = gymnasium.make_vec("CartPole-v1", num_envs=n_envs, vectorization_mode="vector_entry_point")
    first, _ = envs.reset(seed=0)
    rng = np.random.default_rng(0)
    W = np.array(CARTPOLE, np.float32)

    def run() -> None:
        obs = first
        for _ in range(steps):
            z = obs @ W
            act = (rng.random(n_envs) * (1 + np.exp(z[:, 0] - z[:, 1])) < 1).astype(np.int64)
            obs = envs.step(act)[0]

    return run, None


CASES: dict[str, Callable[..., Case]] = {"cartpole": cartpole}
