"""A small real algorithm for the training loop: noisy ascent of J(θ) = −|θ − θ*|²/2 with momentum."""

from dataclasses import dataclass, replace

import numpy as np

from npgrad import noise
from npgrad.deploy import Agent
from npgrad.distributions import Categorical
from npgrad.functions import Linear
from npgrad.policies import ComposedPolicy
from npgrad.spaces import Box, Discrete
from npgrad.training import EvaluationResult, Metrics
from npgrad.types import State

TARGET = np.linspace(-1.0, 1.0, 6)
POLICY = ComposedPolicy(Linear(2, 2), Categorical(2), Box(-1.0, 1.0, (2,)), Discrete(2))


def objective(theta):
    return -0.5 * float(np.sum((theta - TARGET) ** 2))


@dataclass(frozen=True)
class Quadratic:
    """Three episodes an iteration, of lengths that differ."""

    learning_rate: float = 0.1
    episodes: int = 3
    name: str = "quadratic"

    def init(self, seed):
        return State(seed, 0, 0, 0, np.zeros(6), {"momentum/m": np.zeros(6)})

    def step(self, state):
        draws = noise.normal(6, state.seed, noise.PERTURBATION, 0, state.iteration)
        gradient = (TARGET - state.theta) + 0.1 * draws
        momentum = 0.5 * state.group("momentum")["m"] + gradient
        returns = objective(state.theta) + np.arange(self.episodes) * 0.01
        lengths = np.arange(self.episodes) + 3 + state.iteration % 4
        new = replace(
            state,
            iteration=state.iteration + 1,
            timesteps=state.timesteps + int(lengths.sum()) + (0 if self.episodes else 5),
            episodes=state.episodes + self.episodes,
            theta=state.theta + self.learning_rate * momentum,
        ).with_groups(momentum={"m": momentum})
        values = {"train/gradient_norm": float(np.linalg.norm(gradient))}
        if state.iteration >= 3:
            values["train/late"] = float(state.iteration)  # a key that comes later
        return new, Metrics(values, returns, lengths)

    def agent(self, state):
        return Agent(POLICY, state.theta)


def evaluate(agent, n_episodes):
    """Depends on θ alone, and not monotonically, so that the best is not the last."""
    value = objective(agent.theta) + 0.3 * np.sin(40 * agent.theta[0])
    return EvaluationResult(np.full(n_episodes, value), np.full(n_episodes, 7))
