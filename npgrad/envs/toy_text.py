"""FrozenLake, CliffWalking and Taxi, built from the tables of Gymnasium's own environments when they are asked for."""

from __future__ import annotations

import numpy as np

from .base import CompiledEnv
from .tabular import outcomes_env

__all__ = ["cliff_walking", "cliff_walking_slippery", "frozen_lake", "frozen_lake_8x8", "taxi"]


def _from_table(env_id: str) -> CompiledEnv:
    """The outcomes in ``env.P[s][a]``, in their order, so that equal u draw equal outcomes."""
    import gymnasium

    env = gymnasium.make(env_id)
    limit = env.spec.max_episode_steps if env.spec is not None else None
    table = env.get_wrapper_attr("P")
    S, A = len(table), len(table[0])
    K = max(len(outcomes) for row in table.values() for outcomes in row.values())
    prob, following, rew, ends = np.zeros((4, S, A, K))
    for s, row in table.items():
        for a, outcomes in row.items():
            for k, (p, after, reward, end) in enumerate(outcomes):
                prob[s, a, k], following[s, a, k], rew[s, a, k], ends[s, a, k] = p, after, reward, end
    start = np.asarray(env.get_wrapper_attr("initial_state_distrib"), dtype=np.float64)
    return outcomes_env(start, prob, following, rew, ends, horizon=limit, id=env_id)


def frozen_lake() -> CompiledEnv:
    """The slippery lake of 4 × 4."""
    return _from_table("FrozenLake-v1")


def frozen_lake_8x8() -> CompiledEnv:
    """The slippery lake of 8 × 8."""
    return _from_table("FrozenLake8x8-v1")


def cliff_walking() -> CompiledEnv:
    """The walk along the cliff; without a limit of time."""
    return _from_table("CliffWalking-v1")


def cliff_walking_slippery() -> CompiledEnv:
    """The same on ice."""
    return _from_table("CliffWalkingSlippery-v1")


def taxi() -> CompiledEnv:
    """The taxi, in dry weather."""
    return _from_table("Taxi-v4")
