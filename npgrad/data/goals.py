"""Hindsight: what was reached counts as what was wanted (I3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .. import noise
from ..errors import InvalidInput
from ..spaces import Dict, Space, flat_dim
from ..types import Batch, IntArray, concatenate
from ..validation import require_in, require_positive

__all__ = ["GoalColumns", "goal_columns", "relabel"]

WHICH = ("final", "future")
KEYS = ("observation", "desired_goal", "achieved_goal")


@dataclass(frozen=True)
class GoalColumns:
    """Where the goals stand in a flat observation.

    Parameters
    ----------
    desired, achieved : tuple of int, shape (m,)
        Columns of the goal that is wanted, and of what the state has reached, in the same order.

    Raises
    ------
    InvalidInput
        If there are not as many of one as of the other, or a column is named twice.

    Examples
    --------
    >>> GoalColumns(desired=(2, 3), achieved=(0, 1)).desired  # npgrad/PointMass-v0 sees (p, g)
    (2, 3)
    """

    desired: tuple[int, ...]
    achieved: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.desired) != len(self.achieved) or not self.desired:
            raise InvalidInput(
                f"desired has {len(self.desired)} columns and achieved {len(self.achieved)}; expected as many, one at "
                "least"
            )
        if len({*self.desired}) < len(self.desired) or {*self.desired} & {*self.achieved}:
            raise InvalidInput(f"columns {self.desired} and {self.achieved}: expected each once")


def goal_columns(space: Space) -> GoalColumns:
    """The columns of Gymnasium's goal interface: a Dict with observation, desired_goal and achieved_goal.

    Raises
    ------
    InvalidInput
        If the space is another one, or its two goals are of different spaces.

    Examples
    --------
    >>> from npgrad.spaces import Box
    >>> goal, seen = Box(-1.0, 1.0, (2,)), Box(-1.0, 1.0, (3,))
    >>> goal_columns(Dict({"achieved_goal": goal, "desired_goal": goal, "observation": seen}))
    GoalColumns(desired=(2, 3), achieved=(0, 1))
    """
    if not isinstance(space, Dict) or set(space.names) != set(KEYS):
        raise InvalidInput(
            f"observations {space}: expected a Dict with the keys {', '.join(KEYS)}; for others give GoalColumns"
        )
    start, at = 0, {}
    for name, part in space.spaces:
        at[name] = tuple(range(start, start + flat_dim(part)))
        start += flat_dim(part)
    parts = dict(space.spaces)
    if parts["desired_goal"] != parts["achieved_goal"]:
        raise InvalidInput(
            f"desired_goal is {parts['desired_goal']}, but achieved_goal {parts['achieved_goal']}; expected one space"
        )
    return GoalColumns(at["desired_goal"], at["achieved_goal"])


def relabel(batch: Batch, columns: GoalColumns, *, which: str = "future", copies: int = 1, seed: int = 0) -> Batch:
    """Episodes as demonstrations of the goals that they reached (I3).

    Row t gets as its desired goal what was achieved at time h of the same segment: at its end, h = T ("final"), or at h
    uniform in t + 1 … T, for each row by itself ("future"). Rewards stay those of the goals that were wanted.

    Parameters
    ----------
    batch : Batch
    columns : GoalColumns
    which : {"future", "final"}, optional
    copies : int, optional
        How often each row comes, each time with a goal of its own.
    seed : int, optional
        Key of the noise that draws h.

    Returns
    -------
    Batch
        Of `copies` times as many segments.

    Raises
    ------
    InvalidInput
        If a column is none of obs, or `which` is unknown.

    References
    ----------
    Andrychowicz et al. 2017, "Hindsight experience replay"; Ghosh et al. 2021, "Learning to reach goals via iterated
    supervised learning".

    Examples
    --------
    >>> batch = Batch(obs=np.array([[0.0, 9.0], [1.0, 9.0]]), act=np.array([1, 1]), rew=np.zeros(2), logp=np.zeros(2),
    ...               offsets=np.array([0, 2]), terminated=np.array([True]), truncated=np.array([False]),
    ...               final_obs=np.array([[2.0, 9.0]]))
    >>> relabel(batch, GoalColumns(desired=(1,), achieved=(0,)), which="final").obs
    array([[0., 2.],
           [1., 2.]])
    """
    require_in("which", which, WHICH)
    require_positive("copies", copies)
    desired, achieved = list(columns.desired), list(columns.achieved)
    if max(*desired, *achieved) >= batch.obs.shape[1]:
        raise InvalidInput(f"columns {columns} are too many for observations of {batch.obs.shape[1]} numbers")
    ends = np.repeat(batch.offsets[1:], batch.lengths)  # (T,): the row behind the segment's last
    rows = np.arange(batch.n_steps)
    draws: list[IntArray] = [ends] * copies
    if which == "future":
        u = noise.uniform(copies, seed, noise.SHUFFLE, np.arange(batch.n_steps), 0)  # (T, copies)
        draws = [rows + 1 + np.floor(u[:, c] * (ends - rows)).astype(np.int64) for c in range(copies)]
    segment, labelled = batch.segment, []
    for h in draws:
        goal = np.where(
            (h < ends)[:, None], batch.obs[np.minimum(h, ends - 1)][:, achieved], batch.final_obs[segment][:, achieved]
        )
        obs, final_obs = batch.obs.copy(), batch.final_obs.copy()
        obs[:, desired], final_obs[:, desired] = goal, goal[batch.offsets[1:] - 1]
        labelled.append(replace(batch, obs=obs, final_obs=final_obs))
    return concatenate(labelled)
