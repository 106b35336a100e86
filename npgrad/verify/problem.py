"""The small random decision problems of a seed, which every check is given."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..oracle import TabularMDP, random_mdp, with_emissions
from ..policies import ComposedPolicy, make_policy
from ..types import FloatArray, IntArray
from ..validation import require_in

__all__ = ["Problem"]


@dataclass(frozen=True)
class Problem:
    """Random problems, policies and numbers, all of them functions of one seed.

    Everything is made when first looked at and does not depend on what else was: the same seed shows every statement,
    and every misprint, the same problem.

    Parameters
    ----------
    seed : int

    Examples
    --------
    >>> problem = Problem(0)
    >>> problem.mdp.n_states, problem.mdp.horizon, problem.discounted.gamma < 1
    (4, 3, True)
    >>> policy, theta = problem.policy(problem.mdp)
    >>> theta.shape == problem.theta(policy, 1).shape
    True
    """

    seed: int

    def rng(self, stream: int = 0) -> np.random.Generator:
        """A generator; the same at every call with the same stream."""
        return np.random.default_rng([self.seed, 100 + stream])

    def random_mdp(
        self,
        n_states: int,
        n_actions: int,
        horizon: int | None,
        *,
        stream: int = 0,
        gamma: float = 1.0,
        n_terminal: int = 0,
        n_next: int | None = None,
        n_start: int | None = None,
    ) -> TabularMDP:
        """`npgrad.oracle.random_mdp` with a seed of its own; another stream gives another one."""
        seed = int(self.rng(1000 + stream).integers(2**62))
        return random_mdp(
            n_states, n_actions, horizon, seed, gamma=gamma, n_terminal=n_terminal, n_next=n_next, n_start=n_start
        )

    @cached_property
    def mdp(self) -> TabularMDP:
        """Four states, the last terminal, 2 or 3 actions, 3 steps at most: episodes of 1 to 3 steps, r(s,a,s'), γ = 1.

        It has some hundred trajectories.
        """
        n_actions = 2 + int(self.rng(1).integers(2))
        return self.random_mdp(4, n_actions, 3, n_terminal=1, n_next=2, n_start=2)

    @cached_property
    def discounted(self) -> TabularMDP:
        """`mdp` with γ between 0.5 and 0.9."""
        return self.mdp.replace(gamma=float(self.rng(2).uniform(0.5, 0.9)))

    @cached_property
    def tiny(self) -> TabularMDP:
        """Three states, the last terminal, two actions, at most two steps: pairs of its trajectories can be listed."""
        return self.random_mdp(3, 2, 2, stream=1, n_terminal=1, n_next=2, n_start=1)

    @cached_property
    def endless(self) -> TabularMDP:
        """Three states that can all follow one another, 2 or 3 actions, no end, γ between 0.5 and 0.9."""
        n_actions = 2 + int(self.rng(3).integers(2))
        return self.random_mdp(3, n_actions, None, stream=2, gamma=float(self.rng(4).uniform(0.5, 0.9)))

    @cached_property
    def hidden(self) -> tuple[TabularMDP, IntArray]:
        """Three states, the last terminal, two actions, 3 steps at most, of which a policy sees one of two symbols.

        A problem over the pairs (s, o), and these pairs.
        """
        mdp = self.random_mdp(3, 2, 3, stream=3, n_terminal=1, n_start=2)
        emissions = self.rng(5).dirichlet(np.ones(2), size=mdp.n_states)
        return with_emissions(mdp.start, mdp.P, mdp.R, emissions, horizon=mdp.horizon, terminal=mdp.terminal)

    def policy(self, mdp: TabularMDP, kind: str = "linear") -> tuple[ComposedPolicy, FloatArray]:
        """A softmax policy for the problem, linear in its observation or an MLP of 3 tanh units, and a θ."""
        require_in("kind", kind, ("linear", "mlp"))
        policy = make_policy(mdp, kind, hidden=(3,))
        return policy, self.theta(policy)

    def theta(self, policy: ComposedPolicy, which: int = 0) -> FloatArray:
        """A θ of independent normals; 0, 1, … are different ones, for β, π' and others."""
        return self.rng(10 + which).normal(size=policy.n_params)

    def table(self, *shape: int, stream: int = 0) -> FloatArray:
        """Normal numbers: a baseline, a wrong V, an f(s, a) to take means of."""
        return self.rng(50 + stream).normal(size=shape)
