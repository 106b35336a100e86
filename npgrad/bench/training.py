"""Rows of training: steps of the environment a second, rollouts and updates together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

from ..algorithms.ppo import PPO
from .peer import Peers
from .rows import Goal, Ours, Row
from .timing import Candidate

__all__ = ["training_rows"]

ROWS, ITERATIONS = 8 * 32, 8  # of an iteration, and iterations a measurement
ZOO: dict[str, Any] = {
    "n_steps": 32,
    "batch_size": 256,
    "n_epochs": 20,
    "critic_epochs": 20,
    "gamma": 0.98,
    "gae_lambda": 0.8,
}


def _ppo(precision: str, peers: Peers, stack: ExitStack) -> Mapping[str, Candidate | Ours]:
    model = PPO("CartPole-v1", policy="mlp", seed=0, n_envs=8, precision=precision, **ZOO)
    return {"npgrad": Ours(lambda: model.learn(total_timesteps=ROWS * ITERATIONS), units=float(ROWS * ITERATIONS))}


def training_rows() -> Iterator[Row]:
    """The rows of the group train."""
    for precision, reach in (("float32", 40e3), ("float64", 25e3)):
        yield Row(
            f"train-ppo-{precision}",
            f"PPO on CartPole-v1, two 64×64 perceptrons, 20 epochs, {precision}",
            partial(_ppo, precision),
            (Goal(reach, 60e3),),
            unit="steps",
        )
