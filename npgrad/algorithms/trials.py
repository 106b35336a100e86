"""Judging many θ by their returns: what all algorithms that perturb θ stand on."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .. import noise
from ..deploy import Agent
from ..policies import Policy
from ..policies.normaliser import Moments
from ..pool import map_ordered
from ..rollouts import Rollout
from ..training import Metrics
from ..types import Array, FloatArray, IntArray, State
from .base import unmasked

__all__ = ["Judged", "Outcome", "Trials"]

Outcome = tuple[FloatArray, IntArray, Moments]  # of one θ: returns and lengths of its episodes, observations seen


@dataclass
class Judged:
    """What an iteration's trials came to, gathered call by call.

    Parameters
    ----------
    policy : Policy
        Behind the normaliser of the iteration.
    seen : Moments
        Of all observations so far.
    """

    policy: Policy
    seen: Moments
    returns: list[FloatArray] = field(default_factory=list)
    lengths: list[IntArray] = field(default_factory=list)


@dataclass(frozen=True)
class Trials:
    """J(θ) estimated by a few episodes each; within an iteration all θ see the same episodes (common random numbers).

    Parameters
    ----------
    rollout : Rollout
    policy : Policy
    n_episodes : int
        Episodes a θ.
    deterministic : bool
        Judge the mode.
    normalize_observations : bool
    executor : concurrent.futures.Executor, optional
        Who judges which θ.
    """

    rollout: Rollout
    policy: Policy
    n_episodes: int
    deterministic: bool = True
    normalize_observations: bool = False
    executor: Executor | None = None

    def begin(self, seed: int, theta: Array, **groups: dict[str, Array]) -> State:
        """The state before the first iteration."""
        moments = Moments.of(unmasked(self.policy, np.empty((0, self.policy.n_obs)))).as_arrays()
        return State(seed, 0, 0, 0, theta).with_groups(normaliser=moments, **groups)

    def policy_at(self, state: State) -> Policy:
        """The policy behind the normaliser of this iteration."""
        if not self.normalize_observations:
            return self.policy
        return self.policy.with_normaliser(Moments.from_arrays(state.group("normaliser")).normaliser())

    def open(self, state: State) -> Judged:
        """The trials of an iteration, none yet."""
        return Judged(self.policy_at(state), Moments.from_arrays(state.group("normaliser")))

    def __call__(self, judged: Judged, state: State, thetas: Array, first: int | None = None) -> FloatArray:
        """Mean return of each θ, (n,); thetas (n, P). All see the episodes from `first`, by default the iteration's."""
        results = self.judge(judged, state, thetas, state.iteration * self.n_episodes if first is None else first)
        for returns, lengths, seen in results:
            judged.returns.append(returns)
            judged.lengths.append(lengths)
            judged.seen = judged.seen.merge(seen)
        return np.array([returns.mean() for returns, _, _ in results])

    def belong_to(self, recipe: Any) -> None:
        """Told by the recipe that stands on these trials."""

    def judge(self, judged: Judged, state: State, thetas: Array, first: int) -> list[Outcome]:
        """The episodes from `first` with each θ."""

        def one(theta: Array) -> Outcome:
            batch = self.rollout.episodes(
                judged.policy,
                theta,
                seed=state.seed,
                first=first,
                count=self.n_episodes,
                deterministic=self.deterministic,
            )
            obs = unmasked(judged.policy, batch.obs)
            seen = Moments.of(obs if self.normalize_observations else obs[:0])
            return batch.returns(), batch.lengths, seen

        return map_ordered(one, list(thetas), self.executor)

    def directions(self, state: State, n: int) -> FloatArray:
        """ε_1 … ε_n of an iteration, each N(0, I), (n, P)."""
        return noise.normal(len(state.theta), state.seed, noise.PERTURBATION, np.arange(n), state.iteration)

    def close(
        self, judged: Judged, state: State, theta: Array, figures: dict[str, float], **groups: dict[str, Array]
    ) -> tuple[State, Metrics]:
        """The state after an iteration that ends at θ, and what it reports."""
        returns, lengths = np.concatenate(judged.returns), np.concatenate(judged.lengths)
        after = replace(
            state,
            iteration=state.iteration + 1,
            timesteps=state.timesteps + int(lengths.sum()),
            episodes=state.episodes + len(returns),
            theta=theta,
        ).with_groups(normaliser=judged.seen.as_arrays(), **groups)
        return after, Metrics(figures, returns, lengths)

    def agent(self, state: State, name: str) -> Agent:
        """What is saved and deployed."""
        info = {"env_id": self.rollout.env_id, "algo": name, "timesteps": state.timesteps}
        return Agent(self.policy_at(state), state.theta, info=info)
