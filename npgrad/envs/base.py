"""What a compiled environment is, and the list of those there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import cast

import numpy as np

from ..errors import InvalidInput
from ..spaces import Space
from ..types import FloatArray

__all__ = ["COMPILED", "CompiledEnv", "compiled_twin", "register"]


@dataclass(frozen=True)
class CompiledEnv:
    """An environment as two module-level functions on a block of B environments, struct of arrays.

    ``reset(params, lanes, noise, state, obs)`` starts the environments `lanes` anew, taking column k of `noise` for
    ``lanes[k]``; ``step(params, act, noise, state, obs, rew, terminated)`` moves all B. All arrays are float64 (`lanes`
    int64, `terminated` bool): act (k, B), state (S, B), obs (d, B), noise (number of noise kinds, B or len(lanes)).
    Neither function truncates: the time limit is the rollout's.

    Parameters
    ----------
    id : str
        The Gymnasium id of the original, or a name of one's own.
    reset, step : function
        As above; plain Python that numba compiles at first use.
    params : tuple of float
        Physical constants, passed to both.
    n_state : int
        S.
    observation_space, action_space : Space
        As of the original.
    reset_noise, step_noise : tuple of {"uniform", "normal"}
        The kind of each noise number that an environment takes at reset and at a step.
    max_episode_steps : int or None
        The time limit.
    """

    id: str
    reset: Callable[..., None]
    step: Callable[..., None]
    params: tuple[float, ...]
    n_state: int
    observation_space: Space
    action_space: Space
    reset_noise: tuple[str, ...]
    step_noise: tuple[str, ...] = ()
    max_episode_steps: int | None = None

    @property
    def params_array(self) -> FloatArray:
        """`params` as the array the two functions take."""
        return np.array(self.params, dtype=np.float64)


# id → where it is, so that listing them imports nothing
COMPILED: dict[str, str | CompiledEnv] = {
    "CartPole-v1": "npgrad.envs.cartpole:CARTPOLE_V1",
}


def register(env: CompiledEnv) -> None:
    """Make `env` the compiled twin of its id, in this process.

    Raises
    ------
    InvalidInput
        If the id is taken.
    """
    if env.id in COMPILED:
        raise InvalidInput(f"'{env.id}' is already a compiled environment; give yours another id")
    COMPILED[env.id] = env


def compiled_twin(env_id: str) -> CompiledEnv | None:
    """The compiled environment of that id, or None.

    Examples
    --------
    >>> compiled_twin("CartPole-v1").max_episode_steps
    500
    >>> compiled_twin("Humanoid-v5") is None
    True
    """
    entry = COMPILED.get(env_id)
    if isinstance(entry, str):
        module, name = entry.split(":")
        entry = cast(CompiledEnv, getattr(import_module(module), name))
    return entry
