"""How an iteration's data is collected: episodes or steps, rewards scaled, observations normalised, returns kept.

And what all recipes that learn from such batches share.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from ..deploy import Agent
from ..policies import Policy
from ..policies.normaliser import Moments
from ..rollouts import Rollout
from ..training import Metrics, RewardScaling
from ..types import Array, Batch, FloatArray, IntArray, State
from .ahead import Ahead, digest
from .base import Algorithm, initial_theta, unmasked

__all__ = ["Collected", "Experience", "FromExperience", "experience_of"]


@dataclass(frozen=True)
class Collected:
    """A batch, and what it leaves behind.

    Parameters
    ----------
    policy : Policy
        As it acted, behind the normaliser of the iteration.
    batch, scaled : Batch
        With the environment's rewards, and with those that are learned from.
    groups : dict
        Groups of arrays for the next `State`.
    returns, lengths : array, shape (n,)
        Of the episodes that ended.
    """

    policy: Policy
    batch: Batch
    scaled: Batch
    groups: dict[str, dict[str, Array]]
    returns: FloatArray
    lengths: IntArray


@dataclass(frozen=True)
class Experience:
    """Where a recipe's data comes from.

    Parameters
    ----------
    rollout : Rollout
    policy : Policy
    n_steps, n_episodes : int or None
        One of them: timesteps of every slot, across iterations, or complete episodes.
    rewards : RewardScaling, optional
    normalize_observations : bool, optional
    executor : concurrent.futures.Executor, optional
    overlap : bool, optional
        Collect a batch while the one before it is learned from: it is then from the θ of one update earlier.
    """

    rollout: Rollout
    policy: Policy
    n_steps: int | None = None
    n_episodes: int | None = None
    rewards: RewardScaling = field(default_factory=RewardScaling)
    normalize_observations: bool = False
    executor: Executor | None = None
    overlap: bool = False
    ahead: Ahead = field(default_factory=Ahead, repr=False, compare=False)

    @property
    def n_slots(self) -> int:
        """Environments that `n_steps` moves, all blocks together."""
        return self.rollout.n_envs * int(getattr(self.rollout, "n_blocks", 1))

    def init(self, theta: Array) -> dict[str, dict[str, Array]]:
        """Groups of arrays before the first iteration."""
        groups = {"rewards": self.rewards.init()}
        if self.normalize_observations:
            groups["normaliser"] = Moments.of(unmasked(self.policy, np.empty((0, self.policy.n_obs)))).as_arrays()
        if self.overlap:
            groups["acting"] = {"theta": theta} | groups.get("normaliser", {})
        if self.n_steps is not None:
            groups["rollout"] = self.rollout.start(self.policy, theta)
            none = np.zeros(0, dtype=np.int64)
            groups["running"] = {"episode": none, "return": np.zeros(0), "length": none}
        return groups

    def policy_at(self, state: State) -> Policy:
        """The policy behind the normaliser of this iteration."""
        return self._policy_with(state.group("normaliser"))

    def _policy_with(self, moments: dict[str, Array]) -> Policy:
        if not self.normalize_observations:
            return self.policy
        return self.policy.with_normaliser(Moments.from_arrays(moments).normaliser())

    def _roll(
        self, acting: dict[str, Array], seed: int, first: int, slots: dict[str, Array]
    ) -> tuple[Batch, dict[str, Array]]:
        """A batch of the acting θ, and where the slots are after it."""
        policy, theta = self._policy_with(acting), acting["theta"]
        if self.n_episodes is not None:
            count = self.n_episodes
            return self.rollout.episodes(policy, theta, seed=seed, first=first, count=count, executor=self.executor), {}
        n_steps = self.n_steps or 1
        return self.rollout.steps(policy, theta, seed=seed, n_steps=n_steps, state=slots, executor=self.executor)

    def collect(self, state: State) -> Collected:
        """The data of one iteration."""
        now = {"theta": state.theta} | state.group("normaliser")
        acting, slots = state.group("acting") if self.overlap else now, state.group("rollout")
        groups: dict[str, dict[str, Array]] = {}
        asked = acting, state.seed, state.episodes, slots
        if self.overlap:
            batch, slots = self.ahead.take(self._key(*asked), partial(self._roll, *asked))
            groups["acting"] = now
        else:
            batch, slots = self._roll(*asked)
        if self.n_episodes is not None:
            returns, lengths = batch.returns(), batch.lengths
        else:
            groups["rollout"] = slots
            returns, lengths, groups["running"] = ended_episodes(batch, state.group("running"))
        if self.overlap:
            following = now, state.seed, state.episodes + len(returns), slots
            self.ahead.begin(self._key(*following), partial(self._roll, *following))
        policy = self._policy_with(acting)
        scaled, groups["rewards"] = self.rewards(batch, state.group("rewards"))
        if self.normalize_observations:
            seen = Moments.of(unmasked(policy, batch.obs))
            groups["normaliser"] = Moments.from_arrays(state.group("normaliser")).merge(seen).as_arrays()
        return Collected(policy, batch, scaled, groups, returns, lengths)

    @staticmethod
    def _key(acting: dict[str, Array], seed: int, first: int, slots: dict[str, Array]) -> bytes:
        return digest(acting | {f"slots/{name}": array for name, array in slots.items()}, seed, first)


@dataclass(frozen=True)
class FromExperience:
    """What recipes that learn from batches share: a policy, how an iteration ends, and agents."""

    experience: Experience

    name = ""

    @property
    def policy(self) -> Policy:
        """π."""
        return self.experience.policy

    def begin(self, seed: int, theta: Array | None = None, **groups: dict[str, Array]) -> State:
        """The state before the first iteration: θ_0, all slots before their first episode, and groups of one's own."""
        theta = initial_theta(self.policy, seed) if theta is None else theta
        return State(seed, 0, 0, 0, theta).with_groups(**groups, **self.experience.init(theta))

    def close(
        self, data: Collected, state: State, theta: Array, figures: dict[str, float], **groups: dict[str, Array]
    ) -> tuple[State, Metrics]:
        """The state after an iteration that ends at θ, and what it reports."""
        after = replace(
            state,
            iteration=state.iteration + 1,
            timesteps=state.timesteps + data.batch.n_steps,
            episodes=state.episodes + len(data.returns),
            theta=theta,
        ).with_groups(**groups, **data.groups)
        return after, Metrics(figures, data.returns, data.lengths)

    def agent(self, state: State) -> Agent:
        """What is saved and deployed."""
        info = {"env_id": self.experience.rollout.env_id, "algo": self.name, "timesteps": state.timesteps}
        return Agent(self.experience.policy_at(state), state.theta, info=info)


def experience_of(algorithm: Algorithm, settings: Any, **others: Any) -> Experience:
    """The experience that settings ask for, in an algorithm's environment; `others` are fields set otherwise."""
    fields = {
        "rollout": algorithm.rollout,
        "policy": algorithm.policy,
        "n_steps": getattr(settings, "n_steps", None),
        "n_episodes": getattr(settings, "n_episodes", None),
        "rewards": RewardScaling(settings.reward_scale, settings.normalize_rewards, settings.gamma),
        "normalize_observations": settings.normalize_observations,
        "executor": algorithm.executor,
        "overlap": algorithm.overlap,
    }
    return Experience(**fields | others)


def ended_episodes(batch: Batch, running: dict[str, Array]) -> tuple[FloatArray, IntArray, dict[str, Array]]:
    """Return and length of the episodes that ended, earlier segments counted, and the sums of those that go on."""
    sums = zip(running["episode"].tolist(), running["return"].tolist(), running["length"].tolist(), strict=True)
    before = {episode: (total, length) for episode, total, length in sums}
    segments = zip(batch.episode.tolist(), batch.start.tolist(), strict=True)
    earlier = [before[episode] if start else (0.0, 0) for episode, start in segments]
    returns = batch.returns() + np.array([r for r, _ in earlier])
    lengths = batch.lengths + np.array([n for _, n in earlier], dtype=np.int64)
    ended = batch.terminated | batch.truncated
    goes_on = {"episode": batch.episode[~ended], "return": returns[~ended], "length": lengths[~ended]}
    return returns[ended], lengths[ended], goes_on
