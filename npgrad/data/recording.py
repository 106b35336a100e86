"""Recording demonstrations from agents and functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from .. import noise
from ..deploy import Agent
from ..errors import ExpertFailure, InvalidInput
from ..policies import Policy
from ..rollouts import Rollout, make_rollout
from ..types import Batch
from ..validation import require_positive
from .acting import Actor, FunctionPolicy, flat_actions
from .demonstrations import Demonstrations, joined

__all__ = ["demonstrations_of", "record", "require_agent_fits"]

RECORDING = 2  # which of the seeds derived for evaluation; 0 is training's own, 1 that of `evaluate_policy`


def record(
    actor: Actor,
    env: str | Callable[[], Any] | Any | None = None,
    n_episodes: int = 25,
    *,
    seed: int = 0,
    deterministic: bool = True,
    engine: str = "auto",
    env_kwargs: Mapping[str, Any] | None = None,
) -> Demonstrations:
    """Let an agent or a function act, and write down what it sees and does.

    Parameters
    ----------
    actor : Agent or function
        A function takes one observation and gives one action, as the environment has them.
    env : str, function or environment, optional
        A Gymnasium id, a function that makes the environment, or one environment; by default where the agent comes
        from.
    n_episodes : int, optional
        Complete episodes.
    seed : int, optional
        Of noise that neither training nor evaluations see.
    deterministic : bool, optional
        An agent takes its mode; else it draws.
    engine : {"auto", "gymnasium", "compiled"}, optional
    env_kwargs : dict, optional
        Passed to `gymnasium.make`.

    Raises
    ------
    InvalidInput
        If nobody says which environment, or its spaces are not the agent's.
    ExpertFailure
        If the function raises or gives no action; ``error.kept`` holds the episodes that were complete.

    Examples
    --------
    >>> record(lambda obs: int(obs[2] > 0), "CartPole-v1", 3).batch.act.dtype.name
    'int64'
    """
    require_positive("n_episodes", n_episodes)
    if env is None:
        env = actor.info.get("env_id") if isinstance(actor, Agent) else None
        if not env:
            raise InvalidInput("env is not given, and whoever acts does not say where; name an environment")
        env_kwargs = dict(actor.info.get("env_kwargs") or {}) if isinstance(actor, Agent) else None
    n_envs = None if isinstance(actor, Agent) else 1  # a function is asked in the order of time
    rollout = make_rollout(env, engine, n_envs, **(env_kwargs or {}))
    key = noise.derive_seed(seed, noise.EVALUATION, RECORDING)
    info = {"env_id": rollout.env_id, "env_kwargs": dict(env_kwargs or {}), "seed": seed}
    if isinstance(actor, Agent):
        require_agent_fits(actor, rollout)
        batch = rollout.episodes(
            actor.policy, actor.theta, seed=key, first=0, count=n_episodes, deterministic=deterministic
        )
        info |= {"deterministic": deterministic, "actor": {k: actor.info[k] for k in ("algo",) if k in actor.info}}
        return demonstrations_of(batch, actor.policy, info)
    policy = FunctionPolicy(actor, rollout.observation_space, rollout.action_space, rollout.n_masked)
    info["actor"] = f"{getattr(actor, '__module__', '')}:{getattr(actor, '__qualname__', type(actor).__name__)}"
    parts: list[Demonstrations] = []
    for episode in range(n_episodes):
        try:
            batch = rollout.episodes(policy, np.zeros(0), seed=key, first=episode, count=1)
        except ExpertFailure as error:
            kept = joined(parts) if parts else None
            raise ExpertFailure(f"in episode {episode}, {error}", kept) from error
        parts.append(demonstrations_of(batch, policy, info))
    return joined(parts)


def demonstrations_of(batch: Batch, policy: Policy, info: Mapping[str, Any]) -> Demonstrations:
    """A policy's rollout as demonstrations: latent actions become those that the environment got.

    Parameters
    ----------
    batch : Batch
        Of a rollout.
    policy : Policy
        That acted.
    info : mapping
        Where they come from.
    """
    act = flat_actions(policy.action_space, policy.action_map(batch.act))
    return Demonstrations(
        replace(batch, act=act), policy.observation_space, policy.action_space, info, n_masked=policy.n_masked
    )


def require_agent_fits(agent: Agent, rollout: Rollout) -> None:
    """Raise unless an agent lives in the spaces of an environment."""
    for name in ("observation_space", "action_space"):
        theirs, ours = getattr(rollout, name), getattr(agent.policy, name)
        if theirs != ours:
            raise InvalidInput(
                f"{name} of {rollout.env_id} is {theirs}, but the agent's is {ours}; name the environment it comes from"
            )
