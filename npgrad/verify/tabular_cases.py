"""What checks on tables share: the softmax of a table, visits, and every transition with its weight."""

from __future__ import annotations

import numpy as np

from ..critics import ValueCritic
from ..distributions import Categorical
from ..functions import MLP, Linear
from ..oracle import TabularMDP, Trajectories, marginals, trajectories
from ..policies import ComposedPolicy
from ..types import Array, FloatArray
from .problem import Problem

__all__ = ["all_transitions", "perceptron_critic", "row_weights", "table_policy", "visits"]


def table_policy(mdp: TabularMDP) -> ComposedPolicy:
    """The softmax of a table: θ_{sa} is the preference of a in s, and there are no other parameters."""
    f = Linear(mdp.n_obs, mdp.n_actions, bias=False)
    return ComposedPolicy(f, Categorical(mdp.n_actions), mdp.observation_space, mdp.action_space)


def row_weights(t: Trajectories) -> FloatArray:
    """p(τ) at each row: Σ over rows of p x is E Σ_t x_t."""
    return t.prob[t.batch.segment]


def visits(mdp: TabularMDP, pi: Array) -> Array:
    """d_t(s), shape (T, S), zero where the episode is over."""
    return np.asarray(marginals(mdp, pi)[:-1] * ~mdp.terminal)


def all_transitions(mdp: TabularMDP, pi: Array, d: FloatArray) -> tuple[Trajectories, FloatArray]:
    """Every (s, a, s') as a segment of one row, and its weight d(s) π(a|s) p(s'|s,a); d need not sum to 1."""
    t = trajectories(mdp.replace(start=d / d.sum()), pi, length=1, cut=True)
    return t, t.prob * d.sum()


def perceptron_critic(problem: Problem, mdp: TabularMDP) -> ValueCritic:
    """V of 3 tanh units, at random weights."""
    f = MLP(mdp.n_obs, 1, hidden=(3,))
    return ValueCritic(f, problem.rng(7).normal(size=f.n_params))
