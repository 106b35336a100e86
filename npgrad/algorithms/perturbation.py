"""Ascent by trials of perturbed θ: random search, evolution strategies, finite differences, PGPE (P10, P11)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..deploy import Agent
from ..estimators import EvolutionStrategy, FiniteDifferences, centred_ranks
from ..optimizers import OPTIMIZERS, Optimizer
from ..policies import Policy
from ..rollouts import RemoteRollout
from ..training import Metrics
from ..types import Array, FloatArray, State
from .base import Algorithm, initial_theta
from .perturbation_settings import ARSSettings, ESSettings, FDSettings, PerturbationSettings, PGPESettings
from .remote_trials import RemoteTrials
from .trials import Trials

__all__ = ["ARS", "ES", "FD", "PGPE", "trials_of"]


@dataclass(frozen=True)
class FromTrials:
    """What the recipes here share: a policy, and agents."""

    trials: Trials

    def __post_init__(self) -> None:
        self.trials.belong_to(self)

    @property
    def policy(self) -> Policy:
        """π."""
        return self.trials.policy

    def agent(self, state: State) -> Agent:
        """What is saved and deployed."""
        return self.trials.agent(state, self.name)

    name = ""


@dataclass(frozen=True)
class RandomSearch(FromTrials):
    """ARS (Mania, Guy and Recht 2018, algorithms 1 and 2).

    θ ← θ + α/(b σ_R) Σ_{best b} (r(θ + νδ_k) − r(θ − νδ_k)) δ_k,    σ_R the deviation of those 2b returns
    """

    n_delta: int
    n_top: int
    delta_std: float
    learning_rate: float
    name = "ars"

    def init(self, seed: int) -> State:
        """θ_0."""
        return self.trials.begin(seed, initial_theta(self.policy, seed))

    def step(self, state: State) -> tuple[State, Metrics]:
        """One iteration."""
        judged, delta = self.trials.open(state), self.trials.directions(state, self.n_delta)
        steps = self.delta_std * delta
        r = self.trials(judged, state, np.concatenate([state.theta + steps, state.theta - steps]))
        plus, minus = r[: self.n_delta], r[self.n_delta :]
        best = np.argsort(-np.maximum(plus, minus), kind="stable")[: self.n_top]
        sigma = float(np.std([plus[best], minus[best]]))  # σ_R
        g: FloatArray = (plus[best] - minus[best]) @ delta[best] / (self.n_top * max(sigma, 1e-8))
        figures = {"train/return_std": sigma, "train/gradient_norm": float(np.linalg.norm(g))}
        return self.trials.close(judged, state, state.theta + self.learning_rate * g, figures)


@dataclass(frozen=True)
class Strategy(FromTrials):
    """Evolution strategies (Salimans et al. 2017): θ ← θ + α ĝ with P11's antithetic ĝ of shaped returns."""

    n_pairs: int
    sigma: float
    shaping: Callable[[FloatArray], FloatArray] | None
    optimizer: Optimizer
    name = "es"

    def init(self, seed: int) -> State:
        """θ_0 and the optimiser's moments."""
        theta = initial_theta(self.policy, seed)
        return self.trials.begin(seed, theta, optimizer=self.optimizer.init(theta))

    def step(self, state: State) -> tuple[State, Metrics]:
        """One iteration."""
        judged, directions = self.trials.open(state), self.trials.directions(state, self.n_pairs)
        steps = self.sigma * directions
        r = self.trials(judged, state, np.concatenate([state.theta + steps, state.theta - steps]))
        known = iter(r)  # in the order in which the estimator asks
        estimator = EvolutionStrategy(self.sigma, common_random_numbers=True, shaping=self.shaping)
        estimate = estimator(lambda theta, i: np.array([next(known)]), state.theta, directions)
        theta, moments = self.optimizer.step(state.theta, estimate.gradient, state.group("optimizer"))
        figures = {
            "train/gradient_norm": float(np.linalg.norm(estimate.gradient)),
            "train/signal_to_noise": estimate.signal_to_noise,
        }
        return self.trials.close(judged, state, theta, figures, optimizer=moments)


@dataclass(frozen=True)
class Differences(FromTrials):
    """Finite-difference policy gradient (Kohl and Stone 2004): θ ← θ + α ĝ with P10's ĝ, common random numbers."""

    estimator: FiniteDifferences
    optimizer: Optimizer
    name = "fd"

    def init(self, seed: int) -> State:
        """θ_0 and the optimiser's moments."""
        theta = initial_theta(self.policy, seed)
        return self.trials.begin(seed, theta, optimizer=self.optimizer.init(theta))

    def step(self, state: State) -> tuple[State, Metrics]:
        """One iteration."""
        judged = self.trials.open(state)

        asked: list[Array] = []

        def ask(theta: Array, i: int) -> FloatArray:
            asked.append(theta)
            return np.zeros(1)

        self.estimator(ask, state.theta)
        known = iter(self.trials(judged, state, np.stack(asked)))  # all at once, so that they are shared out
        estimate = self.estimator(lambda theta, i: np.array([next(known)]), state.theta)
        theta, moments = self.optimizer.step(state.theta, estimate.gradient, state.group("optimizer"))
        figures = {"train/gradient_norm": float(np.linalg.norm(estimate.gradient))}
        return self.trials.close(judged, state, theta, figures, optimizer=moments)


@dataclass(frozen=True)
class ParameterExploration(FromTrials):
    """PGPE with symmetric sampling (Sehnke et al. 2010): policy gradient over θ ~ N(μ, diag σ²).

    μ ← μ + α Σ ε (r₊ − r₋)/2 / (n s),    σ ← σ + α_σ Σ (ε² − σ²)/σ ((r₊ + r₋)/2 − b) / (n s)

    with b the mean and s the deviation of the returns; σ² ∇_μ log N = ε and σ² ∇_σ log N = (ε² − σ²)/σ.
    """

    n_pairs: int
    sigma: float
    learning_rate: float
    sigma_learning_rate: float
    name = "pgpe"

    def init(self, seed: int) -> State:
        """μ_0 (as θ) and σ_0."""
        theta = initial_theta(self.policy, seed)
        return self.trials.begin(seed, theta, search={"sigma": np.full(len(theta), self.sigma)})

    def step(self, state: State) -> tuple[State, Metrics]:
        """One iteration."""
        judged, sigma = self.trials.open(state), state.group("search")["sigma"]
        epsilon = sigma * self.trials.directions(state, self.n_pairs)
        r = self.trials(judged, state, np.concatenate([state.theta + epsilon, state.theta - epsilon]))
        plus, minus = r[: self.n_pairs], r[self.n_pairs :]
        scale = self.n_pairs * max(float(r.std()), 1e-8)
        theta = state.theta + self.learning_rate * ((plus - minus) / 2) @ epsilon / scale
        up = ((plus + minus) / 2 - r.mean()) @ ((epsilon**2 - sigma**2) / sigma) / scale
        new_sigma = np.clip(sigma + self.sigma_learning_rate * up, 0.5 * sigma, 2 * sigma)  # it must stay above 0
        figures = {"train/sigma": float(new_sigma.mean())}
        return self.trials.close(judged, state, theta, figures, search={"sigma": new_sigma})


def trials_of(algorithm: Algorithm, settings: PerturbationSettings) -> Trials:
    """The trials that settings ask for, in an algorithm's environment."""
    rollout = algorithm.rollout
    trials = Trials(
        rollout=rollout,
        policy=algorithm.policy,
        n_episodes=settings.n_episodes,
        deterministic=settings.deterministic,
        normalize_observations=settings.normalize_observations,
        executor=algorithm.executor,
    )
    if isinstance(rollout, RemoteRollout):
        return RemoteTrials(**vars(trials), workers=rollout.workers, source=rollout.source)
    return trials


def standardised(returns: FloatArray) -> FloatArray:
    """Returns less their mean, over their deviation.

    Examples
    --------
    >>> standardised(np.array([1.0, 3.0]))
    array([-1.,  1.])
    """
    out: FloatArray = (returns - returns.mean()) / max(float(returns.std()), 1e-8)
    return out


SHAPING: dict[str, Callable[[FloatArray], FloatArray] | None] = {
    "ranks": centred_ranks,
    "standard": standardised,
    "none": None,
}


class ARS(Algorithm):
    """Augmented random search: V1, V1-t (`n_top`), V2 (`normalize_observations`), V2-t (both).

    Parameters
    ----------
    env, policy, seed, engine, threads, n_envs
        As for every algorithm.
    **settings
        The fields of `ARSSettings`.

    Examples
    --------
    >>> model = ARS("CartPole-v1", seed=0, n_delta=2, delta_std=0.2).learn(2_000)
    >>> model.state.episodes % 4
    0
    """

    name = "ars"
    Settings = ARSSettings

    def make_recipe(self, settings: ARSSettings) -> RandomSearch:
        """The recipe with these settings."""
        n_top = settings.n_top if settings.n_top is not None else settings.n_delta
        trials = trials_of(self, settings)
        return RandomSearch(trials, settings.n_delta, n_top, settings.delta_std, settings.learning_rate)


class ES(Algorithm):
    """Evolution strategies with antithetic pairs.

    Parameters
    ----------
    env, policy, seed, engine, threads, n_envs
        As for every algorithm.
    **settings
        The fields of `ESSettings`.

    Examples
    --------
    >>> ES("CartPole-v1", seed=0, n_pairs=4).learn(1_000).state.episodes % 8
    0
    """

    name = "es"
    Settings = ESSettings

    def make_recipe(self, settings: ESSettings) -> Strategy:
        """The recipe with these settings."""
        optimizer = OPTIMIZERS[settings.optimizer](settings.learning_rate)
        s = settings
        return Strategy(trials_of(self, s), s.n_pairs, s.sigma, SHAPING[s.shaping], optimizer)


class FD(Algorithm):
    """Finite-difference policy gradient.

    Parameters
    ----------
    env, policy, seed, engine, threads, n_envs
        As for every algorithm.
    **settings
        The fields of `FDSettings`.

    Examples
    --------
    >>> FD("CartPole-v1", seed=0, n_episodes=1).learn(500).state.episodes % 20  # 2 P an iteration
    0
    """

    name = "fd"
    Settings = FDSettings

    def make_recipe(self, settings: FDSettings) -> Differences:
        """The recipe with these settings."""
        estimator = FiniteDifferences(settings.epsilon, settings.central)
        return Differences(trials_of(self, settings), estimator, OPTIMIZERS[settings.optimizer](settings.learning_rate))


class PGPE(Algorithm):
    """Policy gradient with parameter exploration.

    Parameters
    ----------
    env, policy, seed, engine, threads, n_envs
        As for every algorithm.
    **settings
        The fields of `PGPESettings`.

    Examples
    --------
    >>> PGPE("CartPole-v1", seed=0, n_pairs=4).learn(1_000).state.episodes % 8
    0
    """

    name = "pgpe"
    Settings = PGPESettings

    def make_recipe(self, settings: PGPESettings) -> ParameterExploration:
        """The recipe with these settings."""
        return ParameterExploration(
            trials_of(self, settings),
            settings.n_pairs,
            settings.sigma,
            settings.learning_rate,
            settings.sigma_learning_rate,
        )
