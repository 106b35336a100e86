"""One action of Stable-Baselines3, and CartPole-v1 from the start of a process until it is solved and saved.

    python with_sb3.py ppo|ars SEED FILE

Solved: the mean greedy return over 100 episodes is at least 475. Settings are those of the RL zoo, but for two
directions an iteration in ARS, which is faster here. Prints the seconds that evaluation took, in Gymnasium's vectorised
CartPole, which the measurement takes off.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import stable_baselines3

Case = tuple[Callable[[], object], list[float] | None]


def about() -> str:
    return f"stable-baselines3 {stable_baselines3.__version__}"


def act(d: int, k: int, hidden: list[int]) -> Case:
    import torch
    from gymnasium.spaces import Box, Discrete
    from stable_baselines3.common.policies import ActorCriticPolicy

    torch.set_num_threads(1)
    policy = ActorCriticPolicy(Box(-9, 9, (d,)), Discrete(k), lambda _: 1e-3, net_arch=list(hidden))
    obs = np.linspace(-1, 1, d, dtype=np.float32)
    return lambda: policy.predict(obs, deterministic=True), None


CASES: dict[str, Callable[..., Case]] = {"act": act}


def solve(algorithm: str, seed: int, path: str) -> float:
    """Train until solved and save; seconds of evaluation."""
    import gymnasium
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_vec_env

    torch.set_num_threads(1)
    if algorithm == "ppo":
        model: Any = PPO(
            "MlpPolicy", make_vec_env("CartPole-v1", 8, seed), n_steps=32, batch_size=256, gae_lambda=0.8, gamma=0.98,
            n_epochs=20, ent_coef=0.0, learning_rate=lambda left: 1e-3 * left, clip_range=lambda left: 0.2 * left,
            seed=seed, device="cpu",
        )  # fmt: skip
        every, longest = 2048, 100_000
    else:
        from sb3_contrib import ARS

        model = ARS("LinearPolicy", make_vec_env("CartPole-v1", 1, seed), n_delta=2, seed=seed, device="cpu")
        every, longest = 1, 100_000
    judges = gymnasium.make_vec("CartPole-v1", num_envs=100, vectorization_mode="vector_entry_point")

    class Judge(BaseCallback):
        spent, last, solved = 0.0, 0, False

        def _on_step(self) -> bool:
            return not self.solved

        def _on_rollout_start(self) -> None:
            self.judge()

        def judge(self) -> None:
            if self.model.num_timesteps - self.last < every:
                return
            began, self.last = time.perf_counter(), self.model.num_timesteps
            obs, _ = judges.reset(seed=10_000 + seed)
            total, alive = np.zeros(100), np.ones(100, bool)
            while alive.any():
                obs, _, terminated, truncated, _ = judges.step(model.predict(obs, deterministic=True)[0])
                total += alive
                alive &= ~(terminated | truncated)
            self.solved = bool(total.mean() >= 475)
            self.spent += time.perf_counter() - began
            if self.solved:
                raise StopIteration

    judge = Judge()
    try:
        model.learn(longest, callback=judge)
        judge.last = -every
        judge.judge()
    except StopIteration:
        pass
    if not judge.solved:
        print(f"{algorithm} with seed {seed} has not solved it in {longest} steps", file=sys.stderr)
    model.save(path)
    return judge.spent


if __name__ == "__main__":
    print(solve(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
