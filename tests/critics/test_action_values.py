"""Bootstrapped fits of Q: targets by hand, LSTD on an enumerated problem ends at the true Q (V3)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.critics import ActionValueCritic, action_features, action_targets, fitted_iteration, lstd, visited
from npgrad.errors import InvalidInput
from npgrad.functions import MLP, Featured, Linear, OneHot
from tests.critics.batches import by_segment, random_batch
from tests.estimators.worlds import World, close, enumerated, states

seeds = st.integers(0, 10_000)


def case(lengths, seed):
    batch, function, rng = random_batch(lengths, seed), MLP(2, 3, hidden=(3,)), np.random.default_rng(seed)
    critic = ActionValueCritic(function, rng.normal(size=function.n_params))
    return batch, critic, rng.dirichlet(np.ones(3), size=batch.n_steps + batch.n_episodes)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), seeds, st.floats(0, 1))
def test_targets_look_one_step_ahead(lengths, seed, gamma):
    batch, critic, probabilities = case(lengths, seed)
    got = action_targets(critic, batch, probabilities, gamma)
    for rows, i in by_segment(batch):
        after = np.vstack([batch.obs[rows], batch.final_obs[i]])[1:]
        q = critic.function.at(critic.w, after).y
        pi = probabilities[rows.start + i + 1 : rows.stop + i + 1]
        v = (pi * q).sum(axis=1)
        v[-1] = 0 if batch.terminated[i] else v[-1]
        np.testing.assert_allclose(got[rows], batch.rew[rows] + gamma * v, rtol=1e-12, atol=1e-12)


@settings(max_examples=5)
@given(seeds, st.floats(0.1, 1))
def test_lstd_on_a_table_of_time_state_and_action_is_the_true_q(seed, gamma):
    world = World.random(seed, S=2, T=3, terminal=(1,))
    theta = np.random.default_rng(seed).normal(size=4)
    batch, p = enumerated(world, theta)
    cells = world.T * world.S + world.S
    critic = ActionValueCritic(
        Featured(OneHot((cells,)), Linear(cells, 2, bias=False)),
        np.zeros(2 * cells),
        inputs=lambda obs, t: obs + world.S * t[:, None],
    )
    pi = world.probabilities(theta)[visited(batch)[0][:, 0].astype(int)]
    phi, phi_next = action_features(critic, batch, pi)
    weights = np.repeat(p, batch.lengths)
    Q = world.Q(theta, gamma)[batch.time, states(batch), batch.act]
    close(phi @ lstd(phi, phi_next, batch.rew, gamma=gamma, weights=weights), Q, 1e-9)
    iterated = fitted_iteration(
        phi, phi_next, batch.rew, gamma=gamma, w=np.zeros(2 * cells), weights=weights, n_iterations=world.T
    )
    close(phi @ iterated, Q, 1e-9)


def test_one_at_the_action_taken_is_sarsa():
    batch, critic, _ = case([4], 7)
    taken = np.eye(3)[np.append(batch.act, 0)]
    targets = action_targets(critic, batch, taken, 0.9)
    np.testing.assert_allclose(targets[:-1], batch.rew[:-1] + 0.9 * critic(batch)[1:], rtol=1e-13)


def test_errors_name_what_is_wrong():
    batch, critic, probabilities = case([2, 1], 0)
    with pytest.raises(InvalidInput, match=r"probabilities has shape \(3, 3\), expected \(5, 3\)"):
        action_targets(critic, batch, probabilities[:3])
    with pytest.raises(InvalidInput, match="gamma"):
        action_targets(critic, batch, probabilities, 2.0)
    with pytest.raises(InvalidInput, match="not linear in its weights"):
        action_features(critic, batch, probabilities)
