"""Past data, as arrays of a `State`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..critics import visited
from ..estimators import Behaviour
from ..policies import ComposedPolicy, Policy
from ..policies.normaliser import Normaliser
from ..types import Array, Batch, IntArray, concatenate

__all__ = ["BatchReplay", "TransitionReplay"]

PER_STEP = ("obs", "act", "rew", "logp")
PER_EPISODE = ("terminated", "truncated", "final_obs", "episode", "start")


@dataclass(frozen=True)
class BatchReplay:
    """The last batches of episodes, and the policies that made them.

    Parameters
    ----------
    n_batches : int
        How many are kept.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.rollouts import make_rollout
    >>> rollout = make_rollout("CartPole-v1")
    >>> policy, replay, group = make_policy(rollout, "linear"), BatchReplay(2), {}
    >>> for i in range(3):
    ...     theta = np.full(10, 0.1 * i)
    ...     batch = rollout.episodes(policy, theta, seed=0, first=4 * i, count=4)
    ...     group = replay.add(group, batch, policy, theta)
    >>> kept, behaviours = replay.read(group, policy)
    >>> kept.episode, [(b.count, float(b.theta[0])) for b in behaviours]
    (array([ 4,  5,  6,  7,  8,  9, 10, 11]), [(4, 0.1), (4, 0.2)])
    """

    n_batches: int

    def add(self, group: dict[str, Array], batch: Batch, policy: Policy, theta: Array) -> dict[str, Array]:
        """The group with a batch more, the oldest left out where there are too many."""
        made_by = {"count": np.asarray(batch.n_episodes), "theta": theta} | _layer(policy)
        if not group:
            return _arrays(batch) | {name: np.array(value)[None] for name, value in made_by.items()}
        kept = {name: np.concatenate([group[name], [v]])[-self.n_batches :] for name, v in made_by.items()}
        whole = concatenate([_batch(group), batch]).select(slice(-int(kept["count"].sum()), None))
        return _arrays(whole) | kept

    def read(self, group: dict[str, Array], policy: Policy) -> tuple[Batch, list[Behaviour]]:
        """All episodes, the oldest first, and who made them."""
        behaviours = []
        for m, count in enumerate(group["count"].tolist()):
            layer = Normaliser(group["mean"][m], group["std"][m]) if "mean" in group else None
            behaviours.append(Behaviour(policy.with_normaliser(layer) if layer else policy, group["theta"][m], count))
        return _batch(group), behaviours


@dataclass(frozen=True)
class TransitionReplay:
    """The last transitions (o, a, r, o'), whoever made them.

    Parameters
    ----------
    size : int
        How many are kept.

    Examples
    --------
    >>> batch = Batch(obs=np.array([[0.0], [1.0], [5.0]]), act=np.zeros((3, 1)), rew=np.array([1.0, 2.0, 3.0]),
    ...               logp=np.zeros(3), offsets=[0, 2, 3], terminated=[True, False], truncated=[False, True],
    ...               final_obs=np.array([[2.0], [6.0]]))
    >>> group = TransitionReplay(2).add({}, batch)
    >>> drawn = TransitionReplay.read(group, np.array([1, 0, 1]))
    >>> drawn.obs[:, 0], drawn.final_obs[:, 0], drawn.terminated
    (array([5., 1., 5.]), array([6., 2., 6.]), array([False,  True, False]))
    """

    size: int

    def add(self, group: dict[str, Array], batch: Batch) -> dict[str, Array]:
        """The group with the transitions of a batch more, the oldest left out where there are too many."""
        states, _, edges = visited(batch)
        ended = np.zeros(batch.n_steps, dtype=np.bool_)
        ended[batch.offsets[1:] - 1] = batch.terminated
        new = {"obs": batch.obs, "act": batch.act, "rew": batch.rew, "terminated": ended}
        new["final_obs"] = np.delete(states, edges[:-1], axis=0)  # s_{t+1} of every row
        old = group or {name: array[:0] for name, array in new.items()}
        return {name: np.concatenate([old[name], array])[-self.size :] for name, array in new.items()}

    @staticmethod
    def read(group: dict[str, Array], rows: IntArray) -> Batch:
        """Some of the transitions, each as a segment of one step."""
        drawn = {name: array[rows] for name, array in group.items()}
        n = len(rows)
        return Batch(**drawn, logp=np.zeros(n), offsets=np.arange(n + 1), truncated=~drawn["terminated"])


def _layer(policy: Policy) -> dict[str, Array]:
    """The normaliser that the policy acted behind, if there is one."""
    layer = policy.normaliser if isinstance(policy, ComposedPolicy) else None
    return {} if layer is None else {"mean": layer.mean, "std": layer.std}


def _arrays(batch: Batch) -> dict[str, Array]:
    return {name: np.array(getattr(batch, name)) for name in (*PER_STEP, *PER_EPISODE, "offsets")}


def _batch(group: dict[str, Array]) -> Batch:
    return Batch(**{name: group[name] for name in (*PER_STEP, *PER_EPISODE, "offsets")})
