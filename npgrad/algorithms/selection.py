"""Ascent by selection alone: hill climbing and a genetic algorithm (10-703)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import noise
from ..training import Metrics
from ..types import State
from .base import Algorithm, initial_theta
from .perturbation import FromTrials, trials_of
from .perturbation_settings import GeneticSettings, HillClimbingSettings

__all__ = ["Genetic", "HillClimbing"]


@dataclass(frozen=True)
class Climb(FromTrials):
    """Hill climbing: θ ← θ + σε if that is no worse on the same episodes; σ shrinks after success, else grows."""

    sigma: float
    grow: float
    least_sigma: float
    greatest_sigma: float
    name = "hill"

    def init(self, seed: int) -> State:
        """θ_0 and σ_0."""
        return self.trials.begin(seed, initial_theta(self.policy, seed), search={"sigma": np.asarray(self.sigma)})

    def step(self, state: State) -> tuple[State, Metrics]:
        """One move."""
        judged, sigma = self.trials.open(state), float(state.group("search")["sigma"])
        moved = state.theta + sigma * self.trials.directions(state, 1)[0]
        here, there = self.trials(judged, state, np.stack([state.theta, moved]))
        better = bool(there >= here)
        sigma = sigma / self.grow if better else sigma * self.grow
        sigma = min(max(sigma, self.least_sigma), self.greatest_sigma)
        theta = moved if better else state.theta
        return self.trials.close(judged, state, theta, {"train/sigma": sigma}, search={"sigma": np.asarray(sigma)})


@dataclass(frozen=True)
class Generations(FromTrials):
    """A genetic algorithm without crossover (Such et al. 2017): the best live on, their children are mutated by σε.

    θ is the best individual of the last generation.
    """

    n_population: int
    n_parents: int
    sigma: float
    name = "ga"

    def init(self, seed: int) -> State:
        """A first generation around θ_0."""
        theta = initial_theta(self.policy, seed)
        state = self.trials.begin(seed, theta)
        population = theta + self.sigma * self.trials.directions(state, self.n_population)
        return state.with_groups(search={"population": population})

    def step(self, state: State) -> tuple[State, Metrics]:
        """One generation."""
        judged, population = self.trials.open(state), state.group("search")["population"]
        r = self.trials(judged, state, population)
        parents = population[np.argsort(-r, kind="stable")[: self.n_parents]]
        n_children = self.n_population - 1
        u = noise.uniform(1, state.seed, noise.SHUFFLE, np.arange(n_children), state.iteration)[:, 0]
        mutation = self.sigma * self.trials.directions(state, self.n_population)[1:]
        children = parents[(u * self.n_parents).astype(np.int64)] + mutation
        figures = {"train/best_return": float(r.max()), "train/return_std": float(r.std())}
        following = {"population": np.concatenate([parents[:1], children])}
        return self.trials.close(judged, state, parents[0], figures, search=following)


class HillClimbing(Algorithm):
    """Hill climbing with adaptive moves.

    Parameters
    ----------
    env, policy, seed, engine, threads, n_envs
        As for every algorithm.
    **settings
        The fields of `HillClimbingSettings`.

    Examples
    --------
    >>> HillClimbing("CartPole-v1", seed=0).learn(500).state.episodes % 8
    0
    """

    name = "hill"
    Settings = HillClimbingSettings

    def make_recipe(self, settings: HillClimbingSettings) -> Climb:
        """The recipe with these settings."""
        s = settings
        return Climb(trials_of(self, s), s.sigma, s.grow, s.least_sigma, s.greatest_sigma)


class Genetic(Algorithm):
    """A genetic algorithm: truncation selection, mutation, an elite of one.

    Parameters
    ----------
    env, policy, seed, engine, threads, n_envs
        As for every algorithm.
    **settings
        The fields of `GeneticSettings`.

    Examples
    --------
    >>> Genetic("CartPole-v1", seed=0, n_population=8, n_parents=2).learn(500).state.episodes % 8
    0
    """

    name = "ga"
    Settings = GeneticSettings

    def make_recipe(self, settings: GeneticSettings) -> Generations:
        """The recipe with these settings."""
        return Generations(trials_of(self, settings), settings.n_population, settings.n_parents, settings.sigma)
