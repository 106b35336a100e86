"""What the checks of misprints share: the two coins on which most of them show, and means with any weights."""

from __future__ import annotations

import numpy as np

from ..baselines import no_baseline
from ..estimators import PolicyGradient, ScoreFunction
from ..estimators.psi import Psi
from ..oracle import TabularMDP
from ..policies import ComposedPolicy, Policy
from ..types import Array, FloatArray
from .on_tables import mean_of
from .problem import Problem
from .smallest import bandit
from .tabular_cases import table_policy

__all__ = ["TO_GO", "WHOLE", "Case", "both_cases", "even_coin", "mean_with", "of_table", "uneven_coin"]

Case = tuple[TabularMDP, ComposedPolicy, FloatArray]

WHOLE = PolicyGradient(causality=False, baseline=no_baseline, keep_per_episode=True)  # P1
TO_GO = PolicyGradient(baseline=no_baseline, keep_per_episode=True)  # P3; P4 with a γ


def of_table(mdp: TabularMDP, pi: Array | None = None) -> Case:
    """A problem with the softmax of a table, at the θ of π(a|s), (S, A) or (A,); uniform if not given."""
    policy = table_policy(mdp)
    shape = (mdp.n_obs, mdp.n_actions)
    theta = np.zeros(shape) if pi is None else np.broadcast_to(np.log(pi), shape)
    return mdp, policy, theta.ravel()


def even_coin() -> Case:
    """One step, actions that pay 1 and 0, π = (½, ½): J = ½, ∇J = (¼, −¼)."""
    return of_table(bandit([1.0, 0.0]))


def uneven_coin() -> Case:
    """The same with π = (.9, .1): J = .9, ∇J = (.09, −.09)."""
    return of_table(bandit([1.0, 0.0]), np.array([0.9, 0.1]))


def mean_with(psi: Psi, mdp: TabularMDP, policy: Policy, theta: FloatArray) -> FloatArray:
    """E Σ_t Ψ_t f_t, over all trajectories."""
    return mean_of(ScoreFunction(psi, keep_per_episode=True), mdp, policy, theta)


def both_cases(problem: Problem, smallest: Case, *, discounted: bool = False) -> tuple[Case, Case]:
    """The problem of the seed, then the smallest, so that what a loop has last is of the smallest.

    Discounted, γ = ½ in the latter.
    """
    mdp = problem.discounted if discounted else problem.mdp
    if discounted:
        smallest = (smallest[0].replace(gamma=0.5), *smallest[1:])
    return (mdp, *problem.policy(mdp)), smallest
