"""Experts to ask, and policies of which a share of the steps is theirs."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

import numpy as np

from ..data import Actor, FunctionPolicy
from ..data.acting import flat_actions
from ..deploy import Agent
from ..errors import ExpertFailure, InvalidInput
from ..policies import Policy, PolicyLinearisation
from ..policies.action_maps import ActionMap, Identity
from ..policies.normaliser import Normaliser
from ..spaces import Space
from ..types import Array, IntArray

__all__ = ["Expert", "Mixture"]


@dataclass(eq=False)
class Expert:
    """An agent or a function that is asked what it would do, once for each state, and remembered.

    Parameters
    ----------
    actor : Agent or function
        An agent answers with its mode. A function takes an observation as the environment gives it.
    observation_space, action_space : Space
        Of the environment.
    n_masked : int, optional
        Columns of a mask behind the observation.

    Attributes
    ----------
    queries : int
        How often it was asked.

    Raises
    ------
    InvalidInput
        If an agent lives in other spaces, or has a memory: what it would do in a state depends on how it came there.

    Examples
    --------
    >>> from npgrad.spaces import Box, Discrete
    >>> expert = Expert(lambda obs: int(obs[0] > 0), Box(-1.0, 1.0, (1,)), Discrete(2))
    >>> expert.label(np.array([[0.5], [-0.5], [0.5]])), expert.queries
    (array([1, 0, 1]), 2)
    """

    actor: Actor
    observation_space: Space
    action_space: Space
    n_masked: int = 0
    queries: int = 0
    _said: dict[bytes, Array] = field(default_factory=dict, repr=False)  # flat observation → flat action
    _failure: ExpertFailure | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.actor, Agent):
            for name in ("observation_space", "action_space", "n_masked"):
                theirs, ours = getattr(self.actor.policy, name), getattr(self, name)
                if theirs != ours:
                    raise InvalidInput(
                        f"the expert's {name.replace('_', ' ')} is {theirs}, but the environment's {ours}; take an "
                        "expert of this environment"
                    )
            if self.actor.policy.n_memory:
                raise InvalidInput("the expert has a memory, and cannot be asked about a state by itself; record it")
        else:
            self._function = FunctionPolicy(self.actor, self.observation_space, self.action_space, self.n_masked)

    def label(self, obs: Array) -> Array:
        """What it would do at each row, flat and as the environment takes it: (B,) or (B, k).

        Raises
        ------
        ExpertFailure
            If it raises; what it said before is remembered, and `n_known` counts it.
        """
        if self._failure is not None:
            raise self._failure
        first: dict[bytes, int] = {}
        for i, row in enumerate(obs):
            if (key := row.tobytes()) not in self._said:
                first.setdefault(key, i)
        self._ask(obs, first)
        return self.known(obs)

    def _ask(self, obs: Array, first: dict[bytes, int]) -> None:
        """Ask about the rows `first`, which no answer is known for."""
        if not first:
            return
        if isinstance(self.actor, Agent):
            policy = self.actor.policy
            latent, _, _ = policy.act(self.actor.theta, obs[list(first.values())])
            actions = flat_actions(policy.action_space, policy.action_map(latent))
            self._said.update(zip(first, actions, strict=True))
            self.queries += len(first)
            return
        for key, i in first.items():
            self.queries += 1
            try:
                self._said[key] = self._function.ask(self._function.inputs(obs[i : i + 1])[0])
            except ExpertFailure as failure:
                self._failure = failure
                raise

    def known(self, obs: Array) -> Array:
        """What it has said about each row."""
        return np.stack([self._said[row.tobytes()] for row in obs])

    def n_known(self, obs: Array) -> int:
        """How many rows there are before the first that it has not answered."""
        return next((i for i, row in enumerate(obs) if row.tobytes() not in self._said), len(obs))


@dataclass(frozen=True, eq=False)
class Mixture:
    """β π* + (1 − β) π_θ: each step is the expert's with probability β (Ross, Gordon and Bagnell 2011).

    Actions are those of the environment. Once the expert has failed, the learner goes on alone, so that the episode
    ends; `Expert.label` raises afterwards.

    Parameters
    ----------
    policy : Policy
        The learner.
    expert : Expert
    beta : float
        β.
    greedy : bool, optional
        The learner takes its mode.
    """

    policy: Policy
    expert: Expert
    beta: float
    greedy: bool = True
    action_map: ActionMap = field(default_factory=Identity)

    @property
    def observation_space(self) -> Space:
        """The learner's."""
        return self.policy.observation_space

    @property
    def action_space(self) -> Space:
        """The learner's."""
        return self.policy.action_space

    @property
    def n_obs(self) -> int:
        """The learner's."""
        return self.policy.n_obs

    @property
    def n_masked(self) -> int:
        """The learner's."""
        return self.policy.n_masked

    @property
    def n_params(self) -> int:
        """The learner's."""
        return self.policy.n_params

    @property
    def n_memory(self) -> int:
        """The learner's."""
        return self.policy.n_memory

    @property
    def draws(self) -> tuple[str, ...]:
        """The learner's, and a uniform number that says who acts."""
        return (*self.policy.draws, "uniform")

    def init(self, rng: np.random.Generator) -> Array:
        """The learner's."""
        return self.policy.init(rng)

    def inputs(self, obs: Array) -> Array:
        """The learner's."""
        return self.policy.inputs(obs)

    def with_normaliser(self, normaliser: Normaliser | None) -> Policy:
        """The same mixture with the learner behind another affine layer."""
        return Mixture(self.policy.with_normaliser(normaliser), self.expert, self.beta, self.greedy)

    def at(self, theta: Array, obs: Array, act: Array, offsets: IntArray | None = None) -> PolicyLinearisation:
        """The learner's own: who acted is not part of the score."""
        return self.policy.at(theta, obs, act, offsets)

    def act(
        self, theta: Array, obs: Array, noise: Array | None = None, memory: Array | None = None
    ) -> tuple[Array, Array, Array]:
        """The learner's actions, and the expert's in their place where the last noise number is below β."""
        own = None if noise is None or self.greedy else noise[:, :-1]
        latent, logp, memory = self.policy.act(theta, obs, own, memory)
        act = flat_actions(self.action_space, self.policy.action_map(latent))
        if noise is not None:
            theirs = np.flatnonzero(noise[:, -1] < self.beta)
            if len(theirs):
                with contextlib.suppress(ExpertFailure):  # told when labels are asked for
                    act[theirs] = self.expert.label(obs[theirs])
        return act, logp, memory
