"""Which engine rolls an environment out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..envs import COMPILED, compiled_twin
from ..errors import InvalidInput
from ..validation import require_in
from .compiled import CompiledRollout
from .gymnasium import GymnasiumRollout
from .vector import VectorRollout

__all__ = ["make_rollout"]

LIMIT = "max_episode_steps"
NO_LIMIT = -1  # to Gymnasium


def make_rollout(
    env: str | Callable[[], Any] | Any,
    engine: str = "auto",
    n_envs: int | None = None,
    fresh: bool = False,
    n_blocks: int = 1,
    **kwargs: Any,
) -> CompiledRollout | GymnasiumRollout | VectorRollout:
    """The compiled twin of an environment where there is one, else the Gymnasium original.

    Parameters
    ----------
    env : str, function, environment or vector environment
        A Gymnasium id, a function that makes the environment, one environment, or a vector of them.
    engine : {"auto", "gymnasium", "compiled"}, optional
        ``"auto"`` prefers the compiled twin, unless `kwargs` ask for more than a time limit of one's own.
    n_envs : int, optional
        Environments side by side in a block.
    fresh : bool, optional
        Make a Gymnasium environment anew for each episode, as those need that carry state across resets.
    n_blocks : int, optional
        Blocks of `n_envs` environments that `steps` moves, and that threads and workers share out.
    **kwargs
        Passed to `gymnasium.make`; a twin takes ``max_episode_steps`` alone (−1: none), with the same meaning.

    Raises
    ------
    InvalidInput
        If ``engine="compiled"`` and there is no twin, or it does not take the `kwargs`.
    UnknownName
        If Gymnasium knows no such id.

    Examples
    --------
    >>> type(make_rollout("CartPole-v1")).__name__
    'CompiledRollout'
    """
    require_in("engine", engine, ("auto", "gymnasium", "compiled"))
    sizes: dict[str, Any] = {"n_blocks": n_blocks} | ({} if n_envs is None else {"n_envs": n_envs})
    twin = compiled_twin(env) if isinstance(env, str) else None
    more = sorted(kwargs.keys() - {LIMIT})
    if engine == "compiled" and (twin is None or more):
        why = f"takes no argument but {LIMIT}, got {more}" if twin else "does not exist"
        raise InvalidInput(
            f"the compiled twin of {env} {why}; compiled are {', '.join(COMPILED)}; use engine='gymnasium'"
        )
    if hasattr(env, "num_envs"):
        return VectorRollout(env)
    if twin is not None and engine != "gymnasium" and not more:
        limit = kwargs.get(LIMIT)
        if limit is not None:
            twin = replace(twin, max_episode_steps=None if limit == NO_LIMIT else limit)
        return CompiledRollout(twin, **sizes)
    return GymnasiumRollout(env, fresh=fresh, **sizes, **kwargs)
