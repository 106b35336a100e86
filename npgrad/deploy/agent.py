"""What is saved and deployed: a policy, its parameters, and where they come from."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import noise as philox
from ..errors import InvalidInput, NonFinite
from ..policies import Policy
from ..spaces import Discrete, as_actions, contains, entry, flat_dim, flatten, flatten_batch, is_batch
from ..types import Array, BoolArray
from ..validation import require_finite, require_shape, require_theta
from .fast import fast_act

__all__ = ["Agent"]

AHEAD = 64  # calls whose noise is drawn at once


@dataclass(frozen=True, eq=False)
class Agent:
    """A policy that acts: π_θ with its θ, from observations to actions in the environment's own form.

    Parameters
    ----------
    policy : Policy
        With its normaliser and action map.
    theta : array, shape (P,)
        A read-only copy is kept.
    info : dict, optional
        Where it comes from: environment id, settings, scores; plain data. Lists come back from a file as tuples.
    seed : int, optional
        Key of the noise that `predict` draws when it is not deterministic.
    on_nan : "error", or an action, optional
        What follows an observation with a NaN or an infinity: an error, or this action. Such rows of a batch disturb no
        others, and a memory stays as it was. Not saved: whoever loads the agent chooses.

    Raises
    ------
    InvalidInput
        If θ has the wrong length, the policy does not take the observations of its space, or `on_nan` is no action.
    NonFinite
        If θ has a NaN or an infinity.

    Examples
    --------
    >>> from npgrad import functions, distributions, policies, spaces
    >>> policy = policies.ComposedPolicy(
    ...     functions.Linear(2, 2), distributions.Categorical(2), spaces.Box(-1.0, 1.0, (2,)), spaces.Discrete(2))
    >>> agent = Agent(policy, theta=np.array([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]))
    >>> agent.act([0.1, 0.9])
    1
    >>> agent.act_batch([[0.1, 0.9], [0.9, 0.1]])
    array([1, 0])
    >>> Agent(agent.policy, agent.theta, on_nan=0).act([np.nan, 0.9])
    0
    """

    policy: Policy
    theta: Array
    info: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    on_nan: Any = "error"
    _calls: Iterator[int] = field(default_factory=itertools.count, init=False, repr=False)  # next() is atomic
    _ahead: tuple[int, Array] = field(default=(0, np.zeros((0, 0))), init=False, repr=False)  # noise from that call on

    def __post_init__(self) -> None:
        require_theta(self.theta, self.policy.n_params)
        if self.theta.dtype.kind != "f":
            raise InvalidInput(f"theta has dtype {self.theta.dtype}, expected float64 or float32")
        require_finite("theta", self.theta)
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**64:
            raise InvalidInput(f"seed is {self.seed!r}, expected an integer from 0 to 2**64 - 1")
        if not isinstance(self.info, Mapping):
            raise InvalidInput(f"info is a {type(self.info).__name__}, expected a dict of plain data")
        if self.on_nan != "error" if self._raises else not contains(self.policy.action_space, self.on_nan):
            raise InvalidInput(
                f"on_nan is {self.on_nan!r}, expected 'error' or an action of {self.policy.action_space}"
            )
        width = flat_dim(self.policy.observation_space)
        if width != self.policy.n_obs - self.policy.n_masked:
            raise InvalidInput(f"the policy takes {self.policy.n_obs} numbers, but its observation space has {width}")
        theta = np.array(self.theta)
        theta.flags.writeable = False
        object.__setattr__(self, "theta", theta)

    def act(self, obs: Any, noise: npt.ArrayLike | None = None, mask: npt.ArrayLike | None = None) -> Any:
        """The action for one observation.

        Parameters
        ----------
        obs : array, int, dict or tuple
            As the environment gives it.
        noise : array, shape (len(policy.draws),), optional
            Of the kinds that ``policy.draws`` names; without it the mode is taken.
        mask : bool array, shape (policy.n_masked,), optional
            Which actions are allowed; all, if not given.

        Returns
        -------
        int or array
            As the environment takes it: an int for a Discrete space, else an array of the space's shape and dtype.

        Raises
        ------
        InvalidInput
            On a wrong shape or dtype, or if the policy has a memory, which `predict` carries.
        NonFinite
            If the observation has a NaN or an infinity, unless `on_nan` is an action; the message says where.
        """
        if mask is None and (action := self._fast(obs, noise)) is not None:
            return action
        self._require_no_memory()
        if noise is not None:
            noise, draws = np.asarray(noise), self.policy.draws
            require_shape("noise", noise, (len(draws),), f"kinds are {draws}")
        action, _ = self.step(self._flat(obs, 0, mask)[None], None if noise is None else noise[None])
        return self._single(action)

    def act_batch(self, obs: Any, noise: npt.ArrayLike | None = None, mask: npt.ArrayLike | None = None) -> Array:
        """The actions for B observations at once.

        Parameters
        ----------
        obs : array, dict or tuple
            As a vector environment gives them: every leaf has a first axis of length B.
        noise : array, shape (B, len(policy.draws)), optional
            Without it the modes are taken.
        mask : bool array, shape (B, policy.n_masked), optional
            Which actions are allowed; all, if not given.

        Returns
        -------
        array, shape (B, …)
            In the action space's dtype.

        Raises
        ------
        InvalidInput, NonFinite
            As `act`.
        """
        self._require_no_memory()
        action, _ = self.step(self._flat(obs, 1, mask), None if noise is None else np.asarray(noise))
        return action

    def predict(
        self,
        obs: Any,
        state: Array | None = None,
        episode_start: npt.ArrayLike | None = None,
        deterministic: bool = False,
        mask: npt.ArrayLike | None = None,
    ) -> tuple[Any, Array | None]:
        """The action for one observation or a batch of them, and the memory after the step; as in Stable-Baselines3.

        Each call draws noise of its own, numbered by a counter: an agent that is loaded anew repeats its actions.

        Parameters
        ----------
        obs : array, int, dict or tuple
            One observation, or a batch as in `act_batch`.
        state : array, shape (B, M), optional
            The memory that the last call gave; without it episodes begin. B is 1 for one observation.
        episode_start : bool array, shape (B,), optional
            Where episodes begin, and memory with them.
        deterministic : bool
            Take the mode.
        mask : bool array, shape (policy.n_masked,) or (B, policy.n_masked), optional
            Which actions are allowed; all, if not given.

        Returns
        -------
        action : int or array
        state : array, shape (B, M), or None
            None for a policy without memory.

        Raises
        ------
        InvalidInput, NonFinite
            As `act`.
        """
        policy, batched = self.policy, is_batch(self.policy.observation_space, obs)
        noise = None if deterministic or batched else self._draw(1)
        if not (batched or policy.n_memory) and state is None and mask is None:
            action = self._fast(obs, None if noise is None else noise[0])
            if action is not None:
                return action, None
        flat = self._flat(obs, 1, mask) if batched else self._flat(obs, 0, mask)[None]
        memory = np.zeros((len(flat), policy.n_memory), self.theta.dtype) if state is None else np.array(state)
        require_shape("state", memory, (len(flat), policy.n_memory))
        if episode_start is not None:
            starts = np.atleast_1d(np.asarray(episode_start, dtype=bool))
            require_shape("episode_start", starts, (len(flat),))
            memory[starts] = 0
        if batched and not deterministic:
            noise = self._draw(len(flat))
        action, memory = self.step(flat, noise, memory)
        return action if batched else self._single(action), memory if policy.n_memory else None

    def step(self, flat: Array, noise: Array | None, memory: Array | None = None) -> tuple[Array, Array]:
        """One step on observations that are flat, and finite unless `on_nan` is an action.

        Parameters
        ----------
        flat : array, shape (B, d)
        noise : array, shape (B, len(policy.draws)), or None
            None takes the modes.
        memory : array, shape (B, M), optional
            Zeros if not given.

        Returns
        -------
        action : array, shape (B, …)
            As a vector environment takes them.
        memory : array, shape (B, M)
            That after the step.
        """
        policy = self.policy
        if noise is not None:
            require_shape("noise", noise, (len(flat), len(policy.draws)), f"kinds are {policy.draws}")
        finite = None if self._raises else np.isfinite(flat)
        latent, _, after = policy.act(self.theta, flat if finite is None else np.where(finite, flat, 0), noise, memory)
        actions = as_actions(policy.action_space, policy.action_map(latent))
        if finite is not None and not finite.all():
            bad: BoolArray = ~np.all(finite, axis=1)
            actions[bad] = self.on_nan
            after = np.where(bad[:, None], 0 if memory is None else memory, after)
        return actions, after

    @property
    def _raises(self) -> bool:
        """Whether an observation that is not finite is an error."""
        return isinstance(self.on_nan, str)

    @cached_property
    def _fast(self) -> Callable[[Any, Any], Any]:
        return fast_act(self.policy, self.theta)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the agent to a file; see `save_agent`."""
        from .file import save_agent

        save_agent(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str], on_nan: Any = "error") -> Agent:
        """Read an agent from a file; see `load_agent`."""
        from .file import load_agent

        return load_agent(path, on_nan)

    def _flat(self, obs: Any, lead: int, mask: npt.ArrayLike | None) -> Array:
        """Flat observations with their masks, (d,) or (B, d)."""
        space = self.policy.observation_space
        flat = flatten_batch(space, obs) if lead else flatten(space, obs)
        if self._raises and not np.isfinite(flat).all():
            *row, i = (int(n) for n in np.argwhere(~np.isfinite(flat))[0])
            where = entry(space, i) + (f" of observation {row[0]}" if row else "")
            raise NonFinite(f"{where} is {flat[(*row, i)]}, expected a finite number; mend the sensor or environment")
        n = self.policy.n_masked
        if mask is not None and not n:
            raise InvalidInput("mask is given, but the policy takes none; make it with masked=True")
        if not n:
            return flat
        allowed = np.ones((*flat.shape[:-1], n), bool) if mask is None else np.asarray(mask) != 0
        require_shape("mask", allowed, (*flat.shape[:-1], n))
        return np.concatenate([flat, allowed.astype(flat.dtype)], axis=-1)

    def _single(self, actions: Array) -> Any:
        return int(actions[0]) if isinstance(self.policy.action_space, Discrete) else actions[0, ...]

    def _require_no_memory(self) -> None:
        if self.policy.n_memory:
            raise InvalidInput("this policy has a memory, which act does not carry; use predict(obs, state)")

    def __reduce__(self) -> tuple[Any, ...]:
        return Agent, (self.policy, self.theta, self.info, self.seed, self.on_nan)

    def _draw(self, rows: int) -> Array:
        """Fresh noise for each row, (B, len(draws)); the number of the call is the step.

        For one row it is drawn for many calls ahead, which costs little more than for one.
        """
        draws, call = self.policy.draws, next(self._calls)
        if rows != 1:
            numbers = philox.draw(draws, self.seed, philox.ACTION, np.arange(rows), call)
            return numbers.reshape((rows, len(draws)))
        first, ahead = self._ahead
        if not first <= call < first + len(ahead):
            first = call
            ahead = philox.draw(draws, self.seed, philox.ACTION, 0, np.arange(call, call + AHEAD))
            object.__setattr__(self, "_ahead", (first, ahead))
        return ahead[call - first : call - first + 1]
