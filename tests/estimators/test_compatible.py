"""Compatible critics leave the gradient as it is, and their weights are the natural gradient (V3, N7)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.errors import InvalidInput
from npgrad.estimators import CompatibleCritic, LocalGeometry, ScoreFunction, fit_compatible, score_function_estimate
from npgrad.optimizers import solve_direct
from tests.estimators.test_base import case
from tests.estimators.test_score_function import action_table
from tests.estimators.worlds import close, enumerated, random_case, states

few = settings(max_examples=6)
seeds = st.integers(0, 10_000)


@few
@given(seed=seeds, gamma=st.floats(0.3, 1), with_states=st.booleans())
def test_it_leaves_the_gradient_as_it_is(seed, gamma, with_states):
    world, theta = random_case(seed, S=3, T=2, terminal=(2,))
    batch, p = enumerated(world, theta)
    c = np.repeat(p, batch.lengths) * gamma**batch.time  # the gradient's own weights
    q = action_table(world.Q(theta, gamma))(batch)
    phi = np.eye(3)[states(batch)] if with_states else None
    critic, v = fit_compatible(world.policy(), theta, batch, q, weights=c, state_features=phi)
    gradient = world.gradient(theta, gamma)
    close(world.expectation(ScoreFunction(critic, discount=gamma, keep_per_episode=True), theta), gradient)
    near = LocalGeometry(world.policy(), theta, batch, weights=c)
    close(near.fisher_vp(critic.w), gradient)  # F w = ∇J
    assert v.shape == ((3,) if with_states else (0,))


def test_in_one_state_the_natural_gradient_is_the_advantage_but_for_a_constant():
    world, theta = random_case(0, S=1, T=1, A=4)
    batch, p = enumerated(world, theta)
    F = LocalGeometry(world.policy(), theta, batch, weights=p).fisher()
    natural = solve_direct(F, world.gradient(theta))
    Q = world.Q(theta)[0, 0]
    close(natural - natural.mean(), Q - Q.mean(), 1e-9)


@given(lengths=st.lists(st.integers(1, 4), min_size=1, max_size=5), seed=seeds)
def test_on_the_data_themselves_the_sample_fisher_times_w_is_the_estimate(lengths, seed):
    policy, theta, batch, y = case("softmax", lengths, seed)
    critic, _ = fit_compatible(policy, theta, batch, y)
    near = LocalGeometry(policy, theta, batch)
    close(near.sample_fisher_vp(critic.w), score_function_estimate(policy, theta, batch, y).gradient, 1e-9)
    close(critic(batch), policy.score(theta, batch.obs, batch.act) @ critic.w, 1e-11)


def test_its_mean_over_actions_is_zero():
    policy, theta, batch, _ = case("softmax", [3], 0)
    critic = CompatibleCritic(policy, theta, np.random.default_rng(0).normal(size=len(theta)))
    total = 0.0
    for a in range(3):
        act = np.full(3, a)
        changed = type(batch)(
            batch.obs, act, batch.rew, batch.logp, batch.offsets, batch.terminated, batch.truncated, batch.final_obs
        )
        total = total + np.exp(policy.at(theta, batch.obs, act).log_prob) * critic(changed)
    np.testing.assert_allclose(total, 0, atol=1e-13)


def test_features_of_another_shape_are_refused():
    policy, theta, batch, y = case("softmax", [3], 0)
    with pytest.raises(InvalidInput, match="state_features has shape"):
        fit_compatible(policy, theta, batch, y, state_features=np.ones((2, 1)))
