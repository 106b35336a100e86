"""Goal-conditioned cloning: act for random goals, take what was reached for what was wanted, clone, again (I3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import noise
from ..data import Demonstrations, GoalColumns, demonstrations_of, goal_columns, relabel
from ..data.demonstrations import joined
from ..deploy import Agent
from ..policies import Policy, make_policy
from ..rollouts import make_rollout
from ..types import Batch, FloatArray
from .cloning import Progress, clone
from .settings import CloningSettings, GoalSettings

__all__ = ["Reached", "final_distances", "reach_goals"]


@dataclass(frozen=True, eq=False)
class Reached:
    """What iterated goal-conditioned cloning came to.

    Parameters
    ----------
    agent : Agent
        Of the last iteration.
    demonstrations : Demonstrations
        All episodes, with the goals that were wanted.
    log : tuple of dict
        A row an iteration: ``time/iterations``, ``time/episodes``, ``train/loss``, ``eval/median_distance``.
    """

    agent: Agent
    demonstrations: Demonstrations
    log: tuple[Mapping[str, float], ...]


def reach_goals(
    env: Any,
    policy: str | Policy = "mlp",
    settings: GoalSettings | None = None,
    cloning: CloningSettings | None = None,
    *,
    columns: GoalColumns | None = None,
    policy_kwargs: Mapping[str, Any] | None = None,
    seed: int = 0,
    eval_episodes: int = 100,
    engine: str = "auto",
    progress: Progress | None = None,
) -> Reached:
    """Learn to reach goals without rewards, and without a demonstrator but oneself.

    Each iteration draws episodes from π_θ(a|s, g), which begins at random, relabels all episodes so far with goals that
    they reached, and clones: π(a|s, g) becomes an estimate of p(a_t = a | s_t = s, g reached later).

    Parameters
    ----------
    env : str, function, environment or CompiledEnv
        With Gymnasium's goal interface, or any with `columns`.
    policy : str or Policy, optional
    settings : GoalSettings, optional
    cloning : CloningSettings, optional
        Of every fit; without it 20 epochs of minibatches of 256 at step size 0.003, nothing held out.
    columns : GoalColumns, optional
        Where goals stand in flat observations; by default those of Gymnasium's interface.
    policy_kwargs : dict, optional
        Passed to `make_policy`.
    seed : int, optional
        Key of all noise.
    eval_episodes : int, optional
        Greedy episodes for the log.
    engine : {"auto", "gymnasium", "compiled"}, optional
    progress : function, optional
        Called with each row of the log.

    Raises
    ------
    InvalidInput
        If nobody says where the goals are.

    References
    ----------
    Ghosh et al. 2021, "Learning to reach goals via iterated supervised learning".

    Examples
    --------
    >>> few = GoalSettings(n_iterations=1, n_episodes=4)
    >>> [round(row["time/episodes"]) for row in reach_goals("npgrad/PointMassGoals-v0", settings=few).log]
    [4]
    """
    settings = settings or GoalSettings()
    cloning = cloning or CloningSettings(epochs=20, learning_rate=3e-3, held_out=0.0)
    rollout = make_rollout(env, engine)
    columns = columns or goal_columns(rollout.observation_space)
    if isinstance(policy, str):
        info = {"policy": policy, "policy_options": dict(policy_kwargs or {})}
        policy = make_policy(rollout, policy, **(policy_kwargs or {}))
    else:
        info = {}
    agent = Agent(policy, policy.init(np.random.default_rng(noise.derive_seed(seed, noise.INIT, 0))))
    parts: list[Demonstrations] = []
    log: list[Mapping[str, float]] = []
    for i in range(settings.n_iterations):
        key = noise.derive_seed(seed, noise.ACTION, i)
        batch = rollout.episodes(agent.policy, agent.theta, seed=key, first=0, count=settings.n_episodes)
        parts.append(demonstrations_of(batch, agent.policy, {"env_id": rollout.env_id}))
        data = joined(parts)
        hindsight = relabel(data.batch, columns, which=settings.goals, copies=settings.copies, seed=key)
        cloned = clone(replace(data, batch=hindsight), policy, cloning, seed=key, theta=agent.theta)
        agent = replace(cloned.agent, info={**cloned.agent.info, **info, "algo": "goals", "seed": seed})
        judged = rollout.episodes(
            agent.policy,
            agent.theta,
            seed=noise.derive_seed(seed, noise.EVALUATION, 0),
            first=0,
            count=eval_episodes,
            deterministic=True,
        )
        row = {
            "time/iterations": float(i + 1),
            "time/episodes": float(data.n_episodes),
            "train/loss": cloned.best["train/loss"],
            "eval/median_distance": float(np.median(final_distances(judged, columns))),
        }
        log.append(row)
        if progress is not None:
            progress(row)
    return Reached(agent, joined(parts), tuple(log))


def final_distances(batch: Batch, columns: GoalColumns) -> FloatArray:
    """‖achieved − desired‖ at the end of each segment, shape (N,).

    Examples
    --------
    >>> batch = Batch(obs=np.zeros((1, 2)), act=np.array([0]), rew=np.zeros(1), logp=np.zeros(1),
    ...               offsets=np.array([0, 1]), terminated=np.array([True]), truncated=np.array([False]),
    ...               final_obs=np.array([[1.0, 4.0]]))
    >>> final_distances(batch, GoalColumns(desired=(1,), achieved=(0,)))
    array([3.])
    """
    apart = batch.final_obs[:, list(columns.achieved)] - batch.final_obs[:, list(columns.desired)]
    return np.asarray(np.linalg.norm(apart.astype(np.float64), axis=1))
