"""Rows of rollouts, beside Gymnasium's vectorised CartPole and gymnax, and of returns, beside JAX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np

from ..critics import Values, gae, reward_to_go
from ..policies import make_policy
from ..pool import single_blas_thread, thread_pool, usable_cores
from ..rollouts import make_rollout
from ..types import Array, Batch
from .peer import Peers
from .peers.problems import CARTPOLE, digest, returns_problem
from .rows import Goal, Ours, Row
from .timing import Candidate

__all__ = ["collecting_rows", "episodes"]

LINEAR = {"Acrobot-v1": 512, "Pendulum-v1": 2048, "MountainCar-v0": 2048, "npgrad/LaneKeeping-v0": 16384}  # episodes
SIZES = (1024, 4096, 16384)  # of Gymnasium's vectorised CartPole, of which the best counts
GAMMA, LAMBDA = 0.99, 0.95


def episodes(env_id: str, kind: str, count: int, executor: Executor | None) -> Ours:
    """Complete episodes of a compiled environment, as a batch."""
    rollout = make_rollout(env_id)
    policy = make_policy(rollout, kind)
    theta = policy.init(np.random.default_rng(0))
    if env_id == "CartPole-v1" and kind == "linear":
        theta[: np.size(CARTPOLE)] = np.ravel(CARTPOLE)

    def run() -> Batch:
        return rollout.episodes(policy, theta, seed=0, first=0, count=count, executor=executor)

    return Ours(run, units=float(run().n_steps))


def _rollouts(env_id: str, kind: str, count: int, peers: Peers, stack: ExitStack) -> Mapping[str, Candidate | Ours]:
    stack.enter_context(single_blas_thread())
    made: dict[str, Candidate | Ours] = {}
    for n in range(1, min(2, usable_cores()) + 1):
        made[f"npgrad, {n} thread{'s' * (n > 1)}"] = episodes(env_id, kind, count, stack.enter_context(thread_pool(n)))
    if env_id == "CartPole-v1" and kind == "linear":
        for size in SIZES:
            steps = 400_000 // size
            sizes: dict[str, Any] = {"units": float(size * steps), "n_envs": size, "steps": steps}
            made |= peers.start("gymnasium", "cartpole", f"Gymnasium, {size} environments", **sizes)
            made |= peers.start("gymnax", "cartpole", f"gymnax, {size} environments", **sizes)
    return made


def _returns(what: str, peers: Peers, stack: ExitStack) -> Mapping[str, Candidate | Ours]:
    settings: dict[str, Any] = {"episodes": 1000, "mean_length": 200}
    p = returns_problem(**settings)
    n, ends = len(p["rew"]), np.ones(len(p["offsets"]) - 1, bool)
    batch = Batch(
        obs=np.zeros((n, 1)), act=np.zeros(n, int), rew=p["rew"], logp=np.zeros(n), offsets=p["offsets"],
        terminated=ends, truncated=~ends, final_obs=np.zeros((len(ends), 1)),
    )  # fmt: skip
    values = Values(p["values"], np.zeros(len(ends)))

    def run() -> Array:
        return gae(batch, values, GAMMA, LAMBDA) if what == "gae" else reward_to_go(batch, GAMMA)

    ours = {"npgrad, 1 thread": Ours(run, digest(run()), float(n))}
    return ours | dict(peers.start("jax", "returns", "JAX", units=float(n), what=what, **settings))


def collecting_rows() -> Iterator[Row]:
    """The rows of the groups rollouts and returns."""
    written = 8 * 3  # a, r, log π; and o
    beside = Goal(2.5, None, ("Gymnasium",))
    yield Row(
        "rollouts-CartPole-linear",
        "CartPole rollouts, linear softmax, complete batch",
        partial(_rollouts, "CartPole-v1", "linear", 8192),
        (Goal(60e6, 100e6), beside),
        unit="steps",
        bound=lambda limits: limits.by_memory(8 * 4 + written),
    )
    yield Row(
        "rollouts-CartPole-mlp",
        "CartPole rollouts, softmax of a 64×64 tanh MLP",
        partial(_rollouts, "CartPole-v1", "mlp", 8192),
        (Goal(4e6, 6e6),),
        unit="steps",
        bound=lambda limits: limits.by_products(2 * (4 * 64 + 64 * 64 + 64 * 2), "float64"),
    )
    for env_id, count in LINEAR.items():
        name = env_id.removeprefix("npgrad/").partition("-")[0]
        yield Row(
            f"rollouts-{name}",
            f"{name} rollouts, linear",
            partial(_rollouts, env_id, "linear", count),
            (Goal(10e6, 30e6),),
            unit="steps",
        )
    for what, text in (("reward_to_go", "reward-to-go"), ("gae", "GAE")):
        yield Row(
            f"returns-{what}",
            f"{text}, 1,000 episodes of 200 steps on average, a step",
            partial(_returns, what),
            (Goal(1.5, 2.0, ("JAX",)), Goal(3e-9)),
            agreement=1e-9,
            bound=lambda limits: (2 * limits.latency, "latency"),  # x ← r + γ x: a product and a sum that wait
        )
