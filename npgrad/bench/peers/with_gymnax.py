"""Rollouts in gymnax's CartPole, compiled by JAX, by a linear softmax; nothing is stored."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import gymnax
import jax
import jax.numpy as jnp
from problems import CARTPOLE

Case = tuple[Callable[[], object], list[float] | None]


def about() -> str:
    return f"gymnax {version('gymnax')}"


def cartpole(n_envs: int, steps: int) -> Case:
    env, params = gymnax.make("CartPole-v1")
    W = jnp.asarray(CARTPOLE)

    @jax.jit
    def roll(key: Any) -> Any:
        first, key = jax.random.split(key)
        obs, state = jax.vmap(env.reset, (0, None))(jax.random.split(first, n_envs), params)

        def step(carry: Any, _: Any) -> Any:
            obs, state, key = carry
            key, for_act, for_step = jax.random.split(key, 3)
            act = jax.random.categorical(for_act, obs @ W)
            obs, state, *_ = jax.vmap(env.step, (0, 0, 0, None))(jax.random.split(for_step, n_envs), state, act, params)
            return (obs, state, key), None

        return jax.lax.scan(step, (obs, state, key), None, steps)[0][0]

    key = jax.random.key(0)
    return lambda: jax.block_until_ready(roll(key)), None


CASES: dict[str, Callable[..., Case]] = {"cartpole": cartpole}
