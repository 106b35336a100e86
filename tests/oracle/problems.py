"""Small problems and policies that the oracle's tests share."""

import numpy as np
from hypothesis import strategies as st

from npgrad.oracle import random_mdp
from npgrad.policies import make_policy

MIXED = {
    "finite": dict(n_states=3, n_actions=2, horizon=3),
    "finite, discounted": dict(n_states=3, n_actions=2, horizon=3, gamma=0.7),
    "terminal": dict(n_states=4, n_actions=2, horizon=4, n_terminal=1, n_next=2),
    "discounted": dict(n_states=4, n_actions=3, horizon=None, gamma=0.9, n_terminal=1),
    "episodic": dict(n_states=4, n_actions=3, horizon=None, n_terminal=1),
}


def linear_policy(mdp, seed=0):
    """A softmax policy with a θ that is nothing special."""
    policy = make_policy(mdp, "linear")
    return policy, np.random.default_rng(seed).normal(size=policy.n_params)


def random_table(shape, seed=0):
    """π(a|s) at random."""
    return np.random.default_rng(seed).dirichlet(np.ones(shape[-1]), size=shape[:-1])


def in_time(mdp, pi):
    """π as (T, S, A)."""
    return np.broadcast_to(pi, (mdp.horizon, mdp.n_states, mdp.n_actions))


def brute_force(naive, mdp, pi):
    """All trajectories, by recursion: probabilities, and (states, actions) of each."""
    found = naive.all_trajectories(mdp.start, mdp.P, mdp.terminal, in_time(mdp, pi), mdp.horizon)
    return np.array([p for p, _, _ in found]), [(s, a) for _, s, a in found]


def complex_step(f, theta, h=1e-30):
    """∇f by the imaginary parts of f(θ + ih e_k); without subtraction, so exact to rounding."""
    steps = 1j * h * np.eye(len(theta))
    return np.array([np.imag(f(theta + step)) / h for step in steps])


def assert_close(got, expected, tol=1e-12):
    """max |got − expected| ≤ tol · max(1, |expected|)."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max(initial=0) <= tol * max(1.0, np.abs(expected).max(initial=0))


@st.composite
def small_mdps(draw):
    """Problems with few enough trajectories to list."""
    n_states = draw(st.integers(1, 3))
    return random_mdp(
        n_states,
        draw(st.integers(1, 3)),
        draw(st.integers(1, 3)),
        draw(st.integers(0, 10**6)),
        gamma=draw(st.sampled_from([1.0, 0.9, 0.5])),
        n_terminal=draw(st.integers(0, n_states - 1)),
        n_next=draw(st.integers(1, min(2, n_states))),
    )
