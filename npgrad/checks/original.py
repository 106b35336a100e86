"""A compiled environment against the Gymnasium environment it is the twin of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import spaces
from ..types import Array, BoolArray, FloatArray
from .block import Block
from .diagnosis import Suspect
from .report import Recorder

__all__ = ["SetState", "Transitions", "check_against_original"]

SetState = Callable[[Any, FloatArray], None]

RESETS = 400
STANDARD_ERRORS = 5.0


@dataclass(frozen=True)
class Transitions:
    """A random rollout, n steps of B lanes; a lane whose episode has ended starts anew.

    Parameters
    ----------
    state, state_after : array, shape (n, S, B)
        Before and after each step.
    obs_before, obs : array, shape (n, d, B)
    act : array, shape (n, k, B)
    rew, terminated, first : array, shape (n, B)
        `first` tells the steps at which an episode begins.
    starts : array, shape (m, d)
        Observations at reset.
    """

    state: FloatArray
    state_after: FloatArray
    obs_before: FloatArray
    obs: FloatArray
    act: FloatArray
    rew: FloatArray
    terminated: BoolArray
    first: BoolArray
    starts: FloatArray

    @classmethod
    def roll(cls, block: Block, rng: np.random.Generator, n_steps: int) -> Transitions:
        """Roll out `block` with random actions."""
        limit = block.env.max_episode_steps or n_steps
        starts: list[Array] = []
        steps: list[tuple[Array, ...]] = []
        age = np.full(block.n, limit)
        done = np.ones(block.n, dtype=np.bool_)
        with np.errstate(all="ignore"):
            while len(starts) * block.n < RESETS:
                block.reset(block.all_lanes(), block.reset_noise(rng, block.n))
                starts.append(block.obs.T.copy())
            for _ in range(n_steps):
                lanes = np.flatnonzero(done)
                if len(lanes):
                    block.reset(lanes, block.reset_noise(rng, len(lanes)))
                    age[lanes] = 0
                act, before = block.actions(rng), (block.state.copy(), block.obs.copy())
                block.step(act, block.step_noise(rng))
                after = block.state.copy(), block.obs.copy(), block.rew.copy(), block.terminated.copy()
                steps.append((before[0], after[0], before[1], after[1], act, after[2], after[3], age == 0))
                age += 1
                done = block.terminated | (age >= limit)
        columns = [np.stack(part) for part in zip(*steps, strict=True)]
        columns.append(np.concatenate(starts))
        return cls(*columns)


def check_against_original(
    record: Recorder, env: Any, transitions: Transitions, original: Any, set_state: SetState | None
) -> None:
    """Spaces and limits, starts, and every step of `transitions` from the same state."""
    record.none("spaces and time limit are the original's", lambda: _field_violations(env, original))
    record.value(
        "obs at reset has the original's mean and spread (sampled, in standard errors)",
        lambda: _starts_apart(env, transitions.starts, original),
        STANDARD_ERRORS,
        "episodes start elsewhere than the original's",
    )
    if env.step_noise:
        record.skip("steps against the original: both have noise of their own")
        return
    if set_state is None and np.shape(getattr(original.unwrapped, "state", ())) != (env.n_state,):
        record.skip(f"steps against the original: it has no state of shape ({env.n_state},); pass set_state")
        return
    theirs = _steps_of_original(env, transitions, original, set_state)
    t = transitions
    if set_state is None:
        record.equal(
            "a step leads to the original's state",
            lambda: _by_entry(t.state_after),
            lambda: _by_entry(theirs["state"]),
            1e-10,
        )
    earlier = np.where(t.first[:, None], t.obs_before, np.roll(theirs["obs"], 1, axis=0))
    before: Suspect = (
        "obs is that of the state before the step: it is not written after moving",
        lambda: _by_entry(earlier),
    )
    record.equal(
        "a step gives the original's obs",
        lambda: _by_entry(t.obs),
        lambda: _by_entry(theirs["obs"]),
        1e-6,
        [before],
    )
    record.equal(
        "a step gives the original's rew",
        lambda: t.rew.ravel(),
        lambda: theirs["rew"].ravel(),
        1e-9,
        _suspects_of_rew(t, theirs["rew"]),
        rows=True,
    )
    record.equal(
        "a step gives the original's terminated",
        lambda: t.terminated.ravel().astype(np.float64),
        lambda: theirs["terminated"].ravel(),
        0.0,
        [("it is the opposite", lambda: 1 - theirs["terminated"].ravel())],
        rows=True,
    )


def _by_entry(array: FloatArray) -> FloatArray:
    """(n, S, B) as (n·B, S): a column for each entry."""
    return array.swapaxes(1, 2).reshape(-1, array.shape[1])


def _suspects_of_rew(t: Transitions, rew: FloatArray) -> Iterator[Suspect]:
    late = np.where(t.first, t.rew, np.roll(rew, 1, axis=0))
    yield "off by one: rew is that of the step before", late.ravel
    yield "no reward at the step that terminates", np.where(t.terminated, 0, rew).ravel


def _field_violations(env: Any, original: Any) -> Iterator[str]:
    for name in ("observation_space", "action_space"):
        theirs = spaces.from_gymnasium(getattr(original, name))
        if theirs != getattr(env, name):
            yield f"{name} is {getattr(env, name)}, the original's {theirs}"
    limit = original.spec.max_episode_steps if original.spec is not None else env.max_episode_steps
    if limit != env.max_episode_steps:
        yield f"max_episode_steps is {env.max_episode_steps}, the original's {limit}"


def _starts_apart(env: Any, ours: FloatArray, original: Any) -> float:
    """The largest difference of first and second moments, in standard errors."""
    original.reset(seed=0)
    flat = [spaces.flatten(env.observation_space, original.reset()[0]) for _ in range(RESETS)]
    theirs = np.stack(flat).astype(np.float64)
    worst = 0.0
    for power in (1, 2):
        a, b = ours**power, theirs**power
        error = np.sqrt(a.var(axis=0) / len(a) + b.var(axis=0) / len(b)) + 1e-9
        worst = max(worst, float((np.abs(a.mean(axis=0) - b.mean(axis=0)) / error).max()))
    return worst


def _steps_of_original(env: Any, t: Transitions, original: Any, set_state: SetState | None) -> dict[str, FloatArray]:
    """What the original makes of every step, in arrays of the same shapes."""
    inner = original.unwrapped
    found = {name: np.zeros_like(array) for name, array in (("state", t.state), ("obs", t.obs), ("rew", t.rew))}
    found["terminated"] = np.zeros(t.rew.shape)
    for step, lane in np.ndindex(t.rew.shape):
        inner.reset(seed=0)
        state = t.state[step, :, lane].copy()
        if set_state is None:
            inner.state = state
        else:
            set_state(inner, state)
        obs, rew, terminated, _, _ = inner.step(_action(env, inner, t.act[step, :, lane]))
        found["obs"][step, :, lane] = spaces.flatten(env.observation_space, obs)
        found["rew"][step, lane], found["terminated"][step, lane] = rew, terminated
        if set_state is None:
            found["state"][step, :, lane] = inner.state
    return found


def _action(env: Any, inner: Any, act: FloatArray) -> Any:
    """An action as the original takes it."""
    if isinstance(env.action_space, spaces.Discrete):
        return int(inner.action_space.start + act[0] - env.action_space.start)
    return spaces.as_actions(env.action_space, act[None])[0]
