"""The rollout loop over a block of slots: any policy, any environment."""

from __future__ import annotations

import warnings
from typing import Protocol

import numpy as np

from .. import noise
from ..compiled import compiled_policy
from ..errors import EnvironmentFailure
from ..noise.compiled import fill
from ..policies import Policy
from ..types import Array, BoolArray, FloatArray, IntArray
from .base import Live, Record, Segments

__all__ = ["Slots", "roll"]

LONG = 50_000  # steps of an episode that is spoken of
LONGEST = 1_000_000  # steps of an episode that is waited for
MOST = 2**31  # bytes of the observations of a block, the same
LOOK_EVERY = 1000  # steps


class Slots(Protocol):
    """B environments side by side."""

    n_slots: int

    def ready(self) -> BoolArray:
        """Which slots can begin an episode now."""

    def reset(self, lanes: IntArray, episodes: IntArray, obs: Array) -> None:
        """Begin `episodes` in the slots `lanes`; write obs[lanes]."""

    def step(self, live: Live, act: Array, rew: FloatArray, terminated: BoolArray, truncated: BoolArray) -> None:
        """Act in the running slots; write their live.obs, rew, terminated, truncated."""


def roll(
    slots: Slots, policy: Policy, theta: Array, live: Live, *, seed: int, n_steps: int | None, deterministic: bool
) -> Record:
    """Step a block until all slots idle, or for `n_steps`; advances `live`."""
    b, policy = slots.n_slots, compiled_policy(policy)
    segments = Segments()
    current = np.full(b, -1, dtype=np.int64)  # the segment each slot is in

    def begin() -> None:
        waiting = live.waiting
        if not waiting.any():
            return
        lanes = np.flatnonzero(waiting & slots.ready())
        if len(lanes):
            begun = live.take(lanes)
            slots.reset(begun, live.episode[begun], live.obs)
            for lane in begun:
                current[lane] = segments.open(live.episode[lane], 0)

    for lane in np.flatnonzero(live.running):
        current[lane] = segments.open(live.episode[lane], live.t[lane])
    begin()

    kinds = noise.kind_codes(policy.draws)
    recorded: list[tuple[Array, ...]] = []
    rew, terminated, truncated = np.zeros(b), np.zeros(b, dtype=np.bool_), np.zeros(b, dtype=np.bool_)
    while (live.running | live.waiting).any() and (n_steps is None or len(recorded) < n_steps):
        u = None if deterministic else draw(kinds, seed, np.maximum(live.episode, 0), live.t)
        act, logp, live.memory = policy.act(theta, live.obs, u, live.memory)
        obs = live.obs.copy()
        slots.step(live, policy.action_map(act), rew, terminated, truncated)
        recorded.append((current.copy(), obs, act, rew.copy(), logp))
        running = live.running
        live.t[running] += 1
        for lane in np.flatnonzero(running & (terminated | truncated)):
            segments.end(current[lane], terminated[lane], truncated[lane], live.obs[lane].copy())
            live.episode[lane] = current[lane] = -1
        begin()
        if n_steps is None and len(recorded) % LOOK_EVERY == 0:
            require_end(live)
    for lane in np.flatnonzero(live.running & (live.t > 0)):  # cut
        segments.end(current[lane], False, False, live.obs[lane].copy())
    segment, obs, act, rewards, logp = (np.stack(rows) for rows in zip(*recorded, strict=True))
    return Record(segment, obs, act, rewards, logp, segments)


def require_end(live: Live) -> None:
    """Warn, later raise, if an episode that is to be complete shows no sign of ending."""
    lane = int(np.argmax(np.where(live.running, live.t, -1)))
    if not live.running[lane]:
        return
    what = (
        f"episode {live.episode[lane]} has not ended after {live.t[lane]:,} steps, and only complete episodes are "
        "used; give the environment a time limit, as in env_kwargs={'max_episode_steps': 1000}, or on the command line "
        "--env-kwargs max_episode_steps=1000"
    )
    if live.t[lane] >= min(LONGEST, MOST // live.obs.nbytes):
        raise EnvironmentFailure(what)
    if LONG <= live.t[lane] < LONG + LOOK_EVERY:  # once an episode
        warnings.warn(what, stacklevel=3)


def draw(kinds: IntArray, seed: int, episode: IntArray, t: IntArray) -> FloatArray:
    """The noise of one action for each slot, (B, J): `noise.draw` compiled, a hundred times faster for few slots."""
    out = np.empty((len(kinds), len(t)))
    fill(kinds, seed, noise.ACTION, episode, t, out)
    return out.T
