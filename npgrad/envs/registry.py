"""The list of compiled environments, and their names in Gymnasium."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from ..errors import InvalidInput, UnknownName
from .base import CompiledEnv

__all__ = ["COMPILED", "compiled_twin", "find", "register", "register_all"]

PREFIX = "npgrad/"  # Gymnasium's namespace of the twins
FACE = "npgrad.envs.gymnasium"

# id → where it is, so that listing them imports nothing; a function is called, once, for what must be computed first
COMPILED: dict[str, str | CompiledEnv] = {
    "CartPole-v0": "npgrad.envs.cartpole:CARTPOLE_V0",
    "CartPole-v1": "npgrad.envs.cartpole:CARTPOLE_V1",
    "Acrobot-v1": "npgrad.envs.acrobot:ACROBOT_V1",
    "MountainCar-v0": "npgrad.envs.mountain_car:MOUNTAIN_CAR_V0",
    "MountainCarContinuous-v0": "npgrad.envs.mountain_car_continuous:MOUNTAIN_CAR_CONTINUOUS_V0",
    "Pendulum-v1": "npgrad.envs.pendulum:PENDULUM_V1",
    "FrozenLake-v1": "npgrad.envs.toy_text:frozen_lake",
    "FrozenLake8x8-v1": "npgrad.envs.toy_text:frozen_lake_8x8",
    "CliffWalking-v1": "npgrad.envs.toy_text:cliff_walking",
    "CliffWalkingSlippery-v1": "npgrad.envs.toy_text:cliff_walking_slippery",
    "Taxi-v4": "npgrad.envs.toy_text:taxi",
    "npgrad/LQR-v0": "npgrad.envs.lqr:DOUBLE_INTEGRATOR",
    "npgrad/GaussianBandit-v0": "npgrad.envs.bandit:GAUSSIAN_BANDIT",
    "npgrad/BernoulliBandit-v0": "npgrad.envs.bandit:BERNOULLI_BANDIT",
    "npgrad/PointMass-v0": "npgrad.envs.point_mass:POINT_MASS",
    "npgrad/PointMassGoals-v0": "npgrad.envs.point_mass:POINT_MASS_GOALS",
    "npgrad/GridGoals-v0": "npgrad.envs.grid_goals:grid_goals",
    "npgrad/LaneKeeping-v0": "npgrad.envs.lane_keeping:LANE_KEEPING",
}


def register(env: CompiledEnv) -> None:
    """Make `env` the compiled environment of its id, in this process, and Gymnasium's if that is imported.

    Raises
    ------
    InvalidInput
        If the id is taken.
    """
    if not isinstance(env, CompiledEnv):
        raise InvalidInput(f"env is a {type(env).__name__}, expected a CompiledEnv")
    if env.id in COMPILED:
        raise InvalidInput(f"'{env.id}' is already a compiled environment; give yours another id")
    COMPILED[env.id] = env
    if hasattr(sys.modules.get("gymnasium"), "register"):
        register_all()


def compiled_twin(env_id: str) -> CompiledEnv | None:
    """The compiled environment of that id, with or without Gymnasium's prefix ``npgrad/``, or None.

    As in Gymnasium, ``module:id`` imports the module first, which registers its environments.

    Examples
    --------
    >>> compiled_twin("CartPole-v1").max_episode_steps
    500
    >>> compiled_twin("npgrad/CartPole-v1") is compiled_twin("CartPole-v1")
    True
    >>> compiled_twin("Humanoid-v5") is None
    True
    """
    module, _, name = env_id.rpartition(":")
    if module:
        try:
            import_module(module)
        except ModuleNotFoundError:
            return None
    name = name if name in COMPILED else name.removeprefix(PREFIX)
    entry = COMPILED.get(name)
    if isinstance(entry, str):
        module, attribute = entry.split(":")
        found: Any = getattr(import_module(module), attribute)
        entry = COMPILED[name] = found if isinstance(found, CompiledEnv) else found()
    return entry


def find(env_id: str) -> CompiledEnv:
    """As `compiled_twin`, but an unknown id is an error.

    Raises
    ------
    UnknownName
        With the nearest ids there are.
    """
    env = compiled_twin(env_id)
    if env is None:
        raise UnknownName("compiled environment", env_id, COMPILED)
    return env


def register_all() -> None:
    """Register all compiled environments with Gymnasium; those that are there already stay as they are.

    A twin of one of Gymnasium's own environments becomes ``npgrad/<its id>``, others keep their id. Importing
    `npgrad.envs` after Gymnasium does this, so ``gymnasium.make("npgrad.envs:npgrad/Acrobot-v1")`` needs no call.

    Examples
    --------
    >>> import gymnasium
    >>> register_all()
    >>> env = gymnasium.make("npgrad/Acrobot-v1")
    >>> obs, info = env.reset(seed=0)
    >>> obs.shape, obs.dtype.name
    ((6,), 'float32')
    """
    import gymnasium

    for env_id in COMPILED:
        original = gymnasium.registry.get(env_id)
        if original is not None and str(original.entry_point).startswith(FACE):
            continue
        name = env_id if original is None else PREFIX + env_id
        if name in gymnasium.registry:
            continue
        twin = original if original is not None else find(env_id)
        gymnasium.register(
            id=name,
            entry_point=f"{FACE}:CompiledEnvironment",
            vector_entry_point=f"{FACE}:CompiledVectorEnvironment",
            max_episode_steps=twin.max_episode_steps,
            reward_threshold=getattr(original, "reward_threshold", None),
            kwargs={"env": env_id},
        )
