"""What a compiled environment is."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import noise, spaces
from ..errors import InvalidInput
from ..spaces import Box, Discrete, Space
from ..types import FloatArray
from ..validation import as_float_array, require_finite, require_shape

__all__ = ["CompiledEnv"]

ARGUMENTS = {
    "reset": ("params", "lanes", "noise", "state", "obs"),
    "step": ("params", "act", "noise", "state", "obs", "rew", "terminated"),
}


@dataclass(frozen=True, eq=False)
class CompiledEnv:
    """An environment as two module-level functions on a block of B environments, struct of arrays.

    ``reset(params, lanes, noise, state, obs)`` starts the environments `lanes` anew, taking column k of `noise` for
    ``lanes[k]``; ``step(params, act, noise, state, obs, rew, terminated)`` moves all B. All arrays are float64 (`lanes`
    int64, `terminated` bool): act (k, B), state (S, B), obs (d, B), noise (number of noise kinds, B or len(lanes)).
    Uniform noise lies in the open (0, 1), normal noise is standard. Each function writes all of what it is to fill;
    neither truncates: the time limit is the rollout's. A lane whose episode has ended may be stepped on, and its
    results are not used.

    Parameters
    ----------
    id : str
        The Gymnasium id of the original, or a name of one's own.
    reset, step : function
        As above; plain Python that numba compiles at first use.
    params : tuple of float, or float array, shape (any,)
        Physical constants and tables, passed to both.
    n_state : int
        S.
    observation_space, action_space : Space
        As of the original. An observation is what `spaces.flatten` makes of it; actions are a `Discrete` space from 0
        on, or a flat `Box`.
    reset_noise, step_noise : tuple of {"uniform", "normal"}
        The kind of each noise number that an environment takes at reset and at a step.
    max_episode_steps : int or None
        The time limit.

    Raises
    ------
    InvalidInput
        If a function is no plain one or takes other arguments (it says which), or another field does not fit.

    Examples
    --------
    >>> from npgrad.envs import compiled_twin
    >>> cartpole = compiled_twin("CartPole-v1")
    >>> cartpole.n_state, cartpole.n_obs, cartpole.n_act
    (4, 4, 1)
    >>> CompiledEnv("Mine-v0", cartpole.step, cartpole.step, (), 1, Box(-1.0, 1.0), Discrete(2), ())
    Traceback (most recent call last):
    npgrad.errors.InvalidInput: reset of Mine-v0 is step(params, act, noise, state, obs, rew, terminated), expected ...
    """

    id: str
    reset: Callable[..., None]
    step: Callable[..., None]
    params: tuple[float, ...] | FloatArray
    n_state: int
    observation_space: Space
    action_space: Box | Discrete
    reset_noise: tuple[str, ...]
    step_noise: tuple[str, ...] = ()
    max_episode_steps: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not self.id:
            raise InvalidInput(f"id of a compiled environment is {self.id!r}, expected a name as 'Lane-v0'")
        for kind in ARGUMENTS:
            self._require_function(kind, getattr(self, kind))
        self._require_count("n_state", self.n_state, 0)
        if self.max_episode_steps is not None:
            self._require_count("max_episode_steps", self.max_episode_steps, 1)
        params = np.array(as_float_array(f"params of {self.id}", np.asarray(self.params)), dtype=np.float64)
        require_shape(f"params of {self.id}", params, (None,), "flatten tables: np.concatenate([t.ravel() for t in …])")
        require_finite(f"params of {self.id}", params)
        params.flags.writeable = False
        if not isinstance(self.params, tuple):
            object.__setattr__(self, "params", params)
        for name in ("reset_noise", "step_noise"):
            kinds = tuple(getattr(self, name))
            noise.kind_codes(kinds)
            object.__setattr__(self, name, kinds)
        self._require_spaces()

    def _require_function(self, kind: str, function: Any) -> None:
        expected = f"{kind}({', '.join(ARGUMENTS[kind])})"
        if not isinstance(function, types.FunctionType):
            raise InvalidInput(f"{kind} of {self.id} is {function!r}, expected a plain Python function {expected}")
        code = function.__code__
        names = code.co_varnames[: code.co_argcount]
        variable = code.co_flags & 0x0C  # *args, **kwargs
        if len(names) != len(ARGUMENTS[kind]) or code.co_kwonlyargcount or variable:
            got = f"{function.__name__}({', '.join(names)}{', …' if variable or code.co_kwonlyargcount else ''})"
            raise InvalidInput(
                f"{kind} of {self.id} is {got}, expected {expected}: {len(ARGUMENTS[kind])} arguments in that order"
            )

    def _require_count(self, name: str, value: Any, least: int) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise InvalidInput(f"{name} of {self.id} is {value!r}, expected an integer of {least} or more")

    def _require_spaces(self) -> None:
        act = self.action_space
        flat_box = isinstance(act, Box) and len(act.shape) == 1
        if not flat_box and not (isinstance(act, Discrete) and act.start == 0):
            raise InvalidInput(
                f"action_space of {self.id} is {act!r}, expected Discrete(n) with start 0 or a Box of one axis; "
                "map other actions inside step"
            )
        if not isinstance(self.observation_space, Space):
            raise InvalidInput(f"observation_space of {self.id} is {self.observation_space!r}, expected a space")

    @property
    def params_array(self) -> FloatArray:
        """`params` as a new array, as the two functions take it."""
        return np.array(self.params, dtype=np.float64)

    @property
    def n_obs(self) -> int:
        """d, the length of a flat observation."""
        return spaces.flat_dim(self.observation_space)

    @property
    def n_act(self) -> int:
        """k, the numbers of an action: 1 for a Discrete space."""
        return 1 if isinstance(self.action_space, Discrete) else spaces.flat_dim(self.action_space)
