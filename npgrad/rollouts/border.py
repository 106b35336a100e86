"""The border to Gymnasium: what goes in and out of an environment, checked, with errors that say where."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import noise, spaces
from ..errors import EnvironmentFailure, InvalidInput, NonFinite, NpgradError
from ..policies import Policy
from ..spaces import Space
from ..types import Array

__all__ = ["Border", "episode_seed"]

MASK_31 = (1 << 31) - 1  # environments take seeds of 31 bits
GIVES = {"reset": ("observation", "info"), "step": ("observation", "reward", "terminated", "truncated", "info")}


def episode_seed(seed: int, episode: int) -> int:
    """What an episode's environment is reset with."""
    return noise.derive_seed(seed, noise.RESET, episode) & MASK_31


class Border:
    """Observations as rows, with their mask where the policy takes one; actions as the environment takes them.

    Parameters
    ----------
    rollout : object
        With env_id, observation_space and action_space.
    policy : Policy
        Whose `n_obs` says whether a mask is wanted.
    """

    def __init__(self, rollout: Any, policy: Policy) -> None:
        self.env_id: str = rollout.env_id
        self.observation_space: Space = rollout.observation_space
        self.action_space: Space = rollout.action_space
        self.n_masked = policy.n_obs - spaces.flat_dim(self.observation_space)
        self.discrete = isinstance(self.action_space, spaces.Discrete)
        self.integral = np.dtype(getattr(self.action_space, "dtype", float)).kind in "iu"
        kept = isinstance(self.observation_space, spaces.Box)
        self.obs_dtype = np.dtype(self.observation_space.dtype if kept else np.float64)

    def actions(self, act: Array) -> list[Any]:
        """One action a slot."""
        if act.dtype.kind == "f" and self.integral:
            raise InvalidInput(
                f"the policy gave actions of dtype {act.dtype}, but {self.env_id} takes {self.action_space}; "
                "let it draw integers"
            )
        rows = spaces.as_actions(self.action_space, act)
        return rows.tolist() if self.discrete else list(rows)

    def parts(self, given: Any, call: str, seed: int, episode: int, t: int) -> Any:
        """What a call gave, if it is as many things as it should be."""
        expected = GIVES[call]
        if isinstance(given, (tuple, list)) and len(given) == len(expected):
            return given
        got = f"{len(given)} values" if isinstance(given, (tuple, list)) else f"one {type(given).__name__}"
        what = (
            f"gave {got} in {call}, expected {len(expected)}: {', '.join(expected)}; one made for the older Gym needs "
            "a wrapper, such as shimmy's"
        )
        raise self.failure(what, seed, episode, t)

    def observation(self, obs: Any, info: Any, seed: int, episode: int, t: int) -> Array:
        """A row: the flat observation, and the mask behind it."""
        try:
            flat = spaces.flatten(self.observation_space, obs)
        except NpgradError as error:
            what = (
                f"gave an observation outside its space ({error}); let observation_space say what reset and step give"
            )
            raise self.failure(what, seed, episode, t) from error
        if not np.isfinite(flat).all():
            at = int(np.flatnonzero(~np.isfinite(flat))[0])
            what = f"{spaces.entry(self.observation_space, at)} is {flat[at]}"
            raise NonFinite(f"{self.where(seed, episode, t)}: {what}; mend the environment or mask the entry")
        if not self.n_masked:
            return flat
        mask = info.get("action_mask")
        if np.shape(mask) != (self.n_masked,) or not np.any(mask):
            what = (
                f"gave the action mask {mask!r}, expected {self.n_masked} flags, at least one set; where no action is "
                "left, let step say terminated"
            )
            raise self.failure(what, seed, episode, t)
        return np.concatenate([flat, np.asarray(mask, dtype=flat.dtype)])

    def reward(self, rew: Any, seed: int, episode: int, t: int) -> float:
        """The reward as a number."""
        try:
            if np.ndim(rew):
                raise TypeError("an array is no number")
            number = float(rew)
        except (TypeError, ValueError) as error:
            what = f"gave the reward {rew!r}, expected one number; let step return float(…) of it, or of its sum"
            raise self.failure(what, seed, episode, t) from error
        if not math.isfinite(number):
            where = self.where(seed, episode, t)
            raise NonFinite(f"{where}: reward is {rew}; mend the environment or bound its reward")
        return number

    def require_spaces(self, env: Any, seed: int, episode: int) -> None:
        """Raise if an environment's spaces are no longer those it began with."""
        for name in ("observation_space", "action_space"):
            now, before = spaces.from_gymnasium(getattr(env, name)), getattr(self, name)
            if now != before:
                what = f"has changed its {name.replace('_', ' ')} from {before} to {now}"
                raise self.failure(f"{what}; a policy has one size: keep the spaces", seed, episode, 0)

    @contextmanager
    def at(self, seed: int, episode: int, t: int, call: str) -> Iterator[None]:
        """Whatever the environment raises inside becomes one error that says where."""
        try:
            yield
        except Exception as error:
            what = f"raised {type(error).__name__}: {error} in {call}"
            raise self.failure(what, seed, episode, t) from error

    def failure(self, what: str, seed: int, episode: int, t: int) -> EnvironmentFailure:
        """The error: where, and what the environment did."""
        return EnvironmentFailure(f"{self.where(seed, episode, t)}: the environment {what}")

    def where(self, seed: int, episode: int, t: int) -> str:
        """Environment, episode, the seed that repeats it, and step."""
        return f"{self.env_id}, episode {episode} (reset seed {episode_seed(seed, episode)}), step {t}"
