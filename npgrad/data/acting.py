"""Functions of an observation as policies, so that whoever acts can be rolled out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from ..deploy import Agent
from ..errors import ExpertFailure, NotImplementedBy
from ..policies import Policy, PolicyLinearisation
from ..policies.action_maps import ActionMap, Identity
from ..policies.normaliser import Normaliser
from ..spaces import Discrete, Space, as_actions, contains, flat_dim, unflatten
from ..types import Array, IntArray

__all__ = ["Actor", "FunctionPolicy", "flat_actions"]

Actor: TypeAlias = "Agent | Callable[[Any], Any]"


@dataclass(frozen=True, eq=False)
class FunctionPolicy:
    """A function ``observation → action`` in the form of a policy: a heuristic, a person, an optimal controller.

    It has no θ and no score, so nothing learns it; it can be rolled out, recorded and asked.

    Parameters
    ----------
    function : callable
        Takes one observation and gives one action, both as the environment has them.
    observation_space, action_space : Space
    n_masked : int, optional
        Columns of a mask behind the observation, which the function does not see.

    Examples
    --------
    >>> from npgrad.spaces import Box
    >>> lean = FunctionPolicy(lambda obs: int(obs[2] > 0), Box(-1.0, 1.0, (4,)), Discrete(2))
    >>> lean.act(np.zeros(0), np.array([[0.0, 0.0, 0.1, 0.0]]))[0]
    array([1])
    """

    function: Callable[[Any], Any]
    observation_space: Space
    action_space: Space
    n_masked: int = 0
    action_map: ActionMap = field(default_factory=Identity)
    n_params: int = 0
    n_memory: int = 0
    draws: tuple[str, ...] = ()

    @property
    def n_obs(self) -> int:
        """d, columns of obs."""
        return flat_dim(self.observation_space) + self.n_masked

    def init(self, rng: np.random.Generator) -> Array:
        """No parameters."""
        return np.zeros(0)

    def inputs(self, obs: Array) -> Array:
        """Observations without the mask."""
        return obs[:, : self.n_obs - self.n_masked]

    def with_normaliser(self, normaliser: Normaliser | None) -> Policy:
        """Itself: a function sees raw observations."""
        return self

    def at(self, theta: Array, obs: Array, act: Array, offsets: IntArray | None = None) -> PolicyLinearisation:
        """There is none."""
        raise NotImplementedBy("a function has no parameters, and so no score; clone it first")

    def act(
        self, theta: Array, obs: Array, noise: Array | None = None, memory: Array | None = None
    ) -> tuple[Array, Array, Array]:
        """Ask for an action for each row.

        Raises
        ------
        ExpertFailure
            If the function raises, or gives what is no action.
        """
        rows = [self.ask(row) for row in self.inputs(obs)]
        return np.stack(rows), np.zeros(len(obs)), np.zeros((len(obs), 0))

    def ask(self, row: Array) -> Array:
        """The flat action for one flat observation."""
        obs = unflatten(self.observation_space, row)
        try:
            action = self.function(obs)
        except Exception as error:
            raise ExpertFailure(f"the expert raised {type(error).__name__}: {error}, at observation {obs}") from error
        if not contains(self.action_space, action):
            raise ExpertFailure(f"the expert gave {action!r} at observation {obs}, expected one of {self.action_space}")
        flat: Array = flat_actions(self.action_space, np.asarray(action)[None])[0]
        return flat


def flat_actions(space: Space, rows: Array) -> Array:
    """Actions as the environment takes them, cast to its dtype, flat: (B,) of a Discrete space, else (B, k)."""
    act = as_actions(space, rows)
    kind = np.int64 if act.dtype.kind in "iub" else act.dtype
    return act.astype(kind) if isinstance(space, Discrete) else act.reshape(len(act), -1).astype(kind)
