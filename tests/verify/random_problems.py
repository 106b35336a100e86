"""Problems of other sizes than those of a seed, for rows that must hold on every one."""

from dataclasses import dataclass
from functools import cached_property

from hypothesis import strategies as st

from npgrad.verify import Problem


@dataclass(frozen=True)
class Sized(Problem):
    """A `Problem` whose decision problems have other numbers of states, actions and steps."""

    n_states: int = 4
    n_actions: int = 2
    horizon: int = 3
    n_terminal: int = 1

    @cached_property
    def mdp(self):
        return self.random_mdp(
            self.n_states, self.n_actions, self.horizon, n_terminal=self.n_terminal, n_next=2, n_start=2
        )

    @cached_property
    def endless(self):
        gamma = float(self.rng(4).uniform(0.1, 0.95))
        return self.random_mdp(self.n_states, self.n_actions, None, stream=2, gamma=gamma)


problems = st.builds(
    Sized,
    seed=st.integers(0, 2**32),
    n_states=st.integers(3, 4),
    n_actions=st.integers(2, 3),
    horizon=st.integers(2, 3),
    n_terminal=st.integers(0, 1),
)
