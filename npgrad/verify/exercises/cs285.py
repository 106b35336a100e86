"""Berkeley CS285, homework 2: the analysis problem, and importance sampling on the same chain."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...oracle import causal_moments, gradient, ratio_second_moments, whole_return_moments
from ...policies import Policy
from ...types import Array, Batch
from .chain import chain, chain_cases, direct_policy
from .task import Exercise, by_certificate, by_numbers

__all__ = ["CS285_EXERCISES"]

CHAIN = """One state, two actions, no discount. Action 0, taken with probability θ, gives the reward 1 and stays; action
1, taken with probability 1 − θ, gives nothing and ends the episode. The parameter is θ itself, so that
∇log π(0) = 1/θ and ∇log π(1) = −1/(1 − θ)."""

THETAS = [(theta,) for theta in (0.1, 0.3, 0.5, 0.75, 0.9)]


def _at(theta: float) -> Array:
    return np.array([theta])


def _gradient(theta: float) -> float:
    return float(gradient(chain(), direct_policy(), _at(theta))[0])


def _whole(theta: float) -> float:
    return whole_return_moments(chain(), direct_policy(), _at(theta)).variance()


def _to_go(theta: float) -> float:
    return causal_moments(chain(), direct_policy(), _at(theta)).variance


def _second_moment(variance: Any) -> Any:
    return lambda theta: variance(theta) + _gradient(theta) ** 2


def _ratios(theta: float, beta: float, horizon: int) -> float:
    coin = chain(horizon)
    tables = [np.array([[p, 1 - p]] * 2) for p in (theta, beta)]
    endless = coin.replace(P=np.eye(2)[:, None].repeat(2, axis=1))  # whatever is done, it goes on
    return float(ratio_second_moments(endless, *tables)[-1])


def gradient_of_chain(theta: float) -> float:
    """∇J = d/dθ θ/(1 − θ)."""
    return 1 / (1 - theta) ** 2


def variance_of_return(theta: float) -> float:
    """With K ~ Geom: E[(K/θ − 1/(1−θ))² K²] − (∇J)²."""
    return (4 * theta**2 + 8 * theta + 1) / (theta * (1 - theta) ** 4)


def variance_to_go(theta: float) -> float:
    """With K ~ Geom: E[(K(K+1)/2θ)²] − (∇J)²."""
    return (theta**2 + 3 * theta + 1) / (theta * (1 - theta) ** 4)


def second_moment_of_ratios(theta: float, beta: float, horizon: int) -> float:
    """(Σ_a π²/β)^H: steps are independent."""
    return (theta**2 / beta + (1 - theta) ** 2 / (1 - beta)) ** horizon


def full_return(policy: Policy, theta: Array, batch: Batch) -> Array:
    """1/N Σ_i (Σ_t f_t) R_i."""
    R = batch.returns()[batch.segment]
    return policy.at(theta, batch.obs, batch.act).vjp(R) / batch.n_episodes


ESTIMATOR = '''import numpy as np

def estimator(policy, theta, batch):
    """batch.rew (T,), batch.offsets (N + 1,): episode i has the rows offsets[i]:offsets[i+1]."""
    psi = ...  # (T,): what each score is weighted with
    return policy.at(theta, batch.obs, batch.act).vjp(psi) / batch.n_episodes
'''

CS285_EXERCISES = [
    Exercise(
        "cs285-gradient",
        "CS285, homework 2",
        "P1",
        "The gradient of the chain",
        f"{CHAIN}\n\nGive ∇J(θ), J = E Σ_t r_t.",
        "def gradient(theta):\n    return ...\n",
        gradient_of_chain,
        by_numbers(_gradient, THETAS, {"that is J itself, θ/(1 − θ)": lambda theta: theta / (1 - theta)}),
    ),
    Exercise(
        "cs285-variance-return",
        "CS285, homework 2",
        "B4",
        "The variance of the full return",
        f"{CHAIN}\n\nGive the variance of ĝ = (Σ_t f_t)(Σ_t r_t) on one episode.",
        "def variance(theta):\n    return ...\n",
        variance_of_return,
        by_numbers(
            _whole,
            THETAS,
            {
                "that is E ĝ²: subtract (E ĝ)²": _second_moment(_whole),
                "that is the variance of the reward-to-go": variance_to_go,
            },
        ),
    ),
    Exercise(
        "cs285-variance-to-go",
        "CS285, homework 2",
        "B4, X13",
        "The variance of the reward-to-go",
        f"{CHAIN}\n\nGive the variance of ĝ = Σ_t f_t Σ_k≥t r_k on one episode. Is it smaller for every θ?",
        "def variance(theta):\n    return ...\n",
        variance_to_go,
        by_numbers(
            _to_go,
            THETAS,
            {
                "that is E ĝ²: subtract (E ĝ)²": _second_moment(_to_go),
                "that is the variance of the full return": variance_of_return,
            },
        ),
    ),
    Exercise(
        "cs285-full-return",
        "CS285, homework 2",
        "P1",
        "REINFORCE on the chain",
        f"{CHAIN}\n\nWrite the estimator with the full return. It is certified on the chain cut off after five steps.",
        ESTIMATOR,
        full_return,
        by_certificate(full_return, cases=chain_cases()),
    ),
    Exercise(
        "cs285-ratios",
        "CS285, homework 2",
        "W9",
        "What importance sampling costs",
        "Data come from a policy that takes action 0 with probability β, the estimate is for one that takes it with "
        "θ; each episode has H steps, whatever is done.\n\nGive E_β[(Π_t ρ_t)²], which grows exponentially in H.",
        "def second_moment(theta, beta, horizon):\n    return ...\n",
        second_moment_of_ratios,
        by_numbers(
            _ratios,
            [(0.5, 0.5, 4), (0.9, 0.5, 1), (0.9, 0.5, 6), (0.3, 0.6, 3)],
            {"that is E_β[Π_t ρ_t], which is 1 for every policy": lambda theta, beta, horizon: 1.0},
        ),
    ),
]
