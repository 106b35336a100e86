"""REINFORCE's estimator: its expectation by enumeration (P1, P3, P4, P5, B1, B3), its options one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.baselines import BASELINES, RETURN_BASELINES, no_baseline
from npgrad.errors import InvalidInput
from npgrad.estimators import PolicyGradient, reward_to_go, total_return
from npgrad.types import Batch
from tests import naive
from tests.estimators.worlds import World, close

seeds = st.integers(0, 10_000)
few = settings(max_examples=8)


def world_and_theta(seed, **shape):
    world = World.random(seed, **shape)
    return world, np.random.default_rng(seed + 1).normal(size=world.S * world.A)


def alone(**options):
    return PolicyGradient(baseline=no_baseline, keep_per_episode=True, **options)


@few
@given(seed=seeds, causality=st.booleans(), discount=st.booleans())
def test_undiscounted_is_unbiased(seed, causality, discount):
    world, theta = world_and_theta(seed, S=3, T=2, terminal=(2,))
    close(world.expectation(alone(causality=causality, discount_states=discount), theta), world.gradient(theta))


@few
@given(seed=seeds, causality=st.booleans(), gamma=st.floats(0, 1))
def test_discounted_is_unbiased_for_the_discounted_objective(seed, causality, gamma):
    world, theta = world_and_theta(seed)
    close(world.expectation(alone(causality=causality, gamma=gamma), theta), world.gradient(theta, gamma))


@few
@given(seed=seeds)
def test_without_the_discounted_states_it_is_neither_gradient(seed):
    world, theta = world_and_theta(seed)
    mean = world.expectation(alone(gamma=0.5, discount_states=False), theta)
    for gradient in (world.gradient(theta), world.gradient(theta, 0.5)):
        assert np.linalg.norm(mean - gradient) > 1e-4 * np.linalg.norm(gradient)


def bandit():
    """One state, one step, three arms that pay 2, 1 and −9."""
    return World(np.ones(1), np.ones((1, 3, 1)), np.array([[[2.0], [1.0], [-9.0]]]), T=1)


def test_a_bandit():
    world, theta = bandit(), np.log([0.3, 0.4, 0.3])
    expected = np.array([0.3, 0.4, 0.3]) * (np.array([2, 1, -9]) - (-1.7))  # ∂J/∂θ_a = π(a) (r_a − J)
    close(world.expectation(alone(), theta), expected, 1e-14)


@settings(max_examples=3)
@given(seed=seeds, causality=st.booleans())
def test_leave_one_out_is_unbiased_and_the_batch_mean_shrinks(seed, causality):
    world, theta = world_and_theta(seed, T=2, terminal=(1,))
    gradient = world.gradient(theta)
    forms = BASELINES if causality else RETURN_BASELINES
    for name, factor in (("leave-one-out", 1.0), ("batch-mean-biased", 0.5)):  # (N − 1)/N at N = 2
        mean = world.expectation_of_pairs(PolicyGradient(causality=causality, baseline=forms[name]), theta)
        close(mean, factor * gradient)


@pytest.mark.parametrize("causality", [True, False])
def test_the_default_baseline_is_leave_one_out_in_the_form_that_fits(causality):
    batch = batch_of([[1.0, 2.0], [5.0], [0.5, 1.0, 4.0]])
    named = (BASELINES if causality else RETURN_BASELINES)["leave-one-out"]
    psi = PolicyGradient(causality=causality).weights(batch)
    np.testing.assert_array_equal(psi, PolicyGradient(causality=causality, baseline=named).weights(batch))
    if not causality:
        np.testing.assert_allclose(psi, np.repeat([3 - 5.25, 5 - 4.25, 5.5 - 4], [2, 1, 3]), rtol=1e-14)


def batch_of(lists, **changes):
    t, n = sum(map(len, lists)), len(lists)
    fields = dict(
        obs=np.zeros((t, 1)),
        act=np.zeros(t, dtype=np.int64),
        rew=np.array([r for rs in lists for r in rs], dtype=float),
        logp=np.zeros(t),
        offsets=np.concatenate([[0], np.cumsum([len(rs) for rs in lists])]),
        terminated=np.ones(n, bool),
        truncated=np.zeros(n, bool),
        final_obs=np.zeros((n, 1)),
    )
    return Batch(**(fields | changes))


reward_lists = st.lists(st.lists(st.floats(-9, 9), min_size=1, max_size=5), min_size=1, max_size=4)


@given(lists=reward_lists, gamma=st.floats(0, 1))
def test_weights_are_those_written_out(lists, gamma):
    batch = batch_of(lists)
    to_go = [naive.reward_to_go(r, gamma) for r in lists]
    for options, expected in [
        (dict(causality=False), [np.full(len(g), g[0]) for g in to_go]),
        (dict(discount_states=False), to_go),
        (dict(), [gamma ** np.arange(len(g)) * g for g in to_go]),
    ]:
        psi = alone(gamma=gamma, **options).weights(batch)
        np.testing.assert_allclose(psi, np.concatenate(expected), rtol=1e-12, atol=1e-12)


def test_returns_are_new_arrays():
    batch = batch_of([[1.0, 2.0]])
    for f in (total_return, reward_to_go):
        assert f(batch).flags.owndata
        np.testing.assert_array_equal(batch.rew, [1.0, 2.0])


@pytest.mark.parametrize("changes", [dict(terminated=[False]), dict(start=[3])])
def test_incomplete_episodes_are_refused(changes):
    batch = batch_of([[1.0, 2.0]], **changes)
    for f in (total_return, reward_to_go):
        with pytest.raises(InvalidInput, match="not a complete episode"):
            f(batch)


def test_a_time_limit_completes_an_episode():
    batch = batch_of([[1.0, 2.0]], terminated=[False], truncated=[True])
    np.testing.assert_array_equal(reward_to_go(batch), [3.0, 2.0])


def test_gamma_outside_the_unit_interval_is_refused():
    with pytest.raises(InvalidInput, match=r"gamma is 1\.5"):
        reward_to_go(batch_of([[1.0]]), gamma=1.5)
