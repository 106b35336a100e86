"""The rollout loop over a block of slots: any policy, any environment."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .. import noise
from ..policies import Policy
from ..types import Array, BoolArray, IntArray
from .base import Live, Record, Segments

__all__ = ["Slots", "roll"]


class Slots(Protocol):
    """B environments side by side."""

    n_slots: int

    def reset(self, lanes: IntArray, episodes: IntArray, obs: Array) -> None:
        """Begin `episodes` in the slots `lanes`; write obs[lanes]."""

    def step(self, live: Live, act: Array, rew: Array, terminated: BoolArray, truncated: BoolArray) -> None:
        """Act in the running slots; write their live.obs, rew, terminated, truncated."""


def roll(
    slots: Slots, policy: Policy, theta: Array, live: Live, *, seed: int, n_steps: int | None, deterministic: bool
) -> Record:
    """Step a block until all slots idle, or for `n_steps`; advances `live`."""
    b = slots.n_slots
    segments = Segments()
    current = np.full(b, -1, dtype=np.int64)  # the segment each slot is in

    def begin(lanes: IntArray) -> None:
        begun = live.take(lanes)
        current[lanes] = -1
        if len(begun):
            slots.reset(begun, live.episode[begun], live.obs)
        for lane in begun:
            current[lane] = segments.open(live.episode[lane], 0, live.obs[lane].copy())

    for lane in np.flatnonzero(live.running):
        current[lane] = segments.open(live.episode[lane], live.t[lane], live.obs[lane].copy())
    begin(np.flatnonzero(~live.running))

    recorded: list[tuple[Array, ...]] = []
    rew, terminated, truncated = np.zeros(b), np.zeros(b, dtype=np.bool_), np.zeros(b, dtype=np.bool_)
    while live.running.any() and (n_steps is None or len(recorded) < n_steps):
        u = None if deterministic else noise.draw(policy.draws, seed, noise.ACTION, np.maximum(live.episode, 0), live.t)
        act, logp, live.memory = policy.act(theta, live.obs, u, live.memory)
        obs = live.obs.copy()
        slots.step(live, policy.action_map(act), rew, terminated, truncated)
        recorded.append((current.copy(), obs, act, rew.copy(), logp))
        running = live.running
        live.t[running] += 1
        ended = np.flatnonzero(running & (terminated | truncated))
        for lane in ended:
            segments.end(current[lane], terminated[lane], truncated[lane], live.obs[lane].copy())
        if len(ended):
            begin(ended)
    for lane in np.flatnonzero(live.running):  # cut
        segments.end(current[lane], False, False, live.obs[lane].copy())
    segment, obs, act, rewards, logp = (np.stack(rows) for rows in zip(*recorded, strict=True))
    return Record(segment, obs, act, rewards, logp, segments)
