"""Fisher products and KLs of a batch: against outer products of scores, and one against the other (S10, N1, N2)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.errors import InvalidInput
from npgrad.estimators import LocalGeometry, local_surrogate, score_function_estimate
from npgrad.kernels import ragged
from npgrad.optimizers import backtrack, conjugate_gradient, kl_step_length, solve_direct, solve_in_sample_space
from npgrad.pool import thread_pool
from tests import naive
from tests.estimators.test_base import case
from tests.estimators.test_off_policy import random_ratios
from tests.estimators.worlds import close

lengths = st.lists(st.integers(1, 4), min_size=1, max_size=5)
seeds = st.integers(0, 10_000)
few = settings(max_examples=10)


@few
@given(lengths=lengths, seed=seeds)
def test_fisher_is_the_mean_outer_product_of_scores(lengths, seed):
    policy, theta, batch, psi = case("softmax", lengths, seed)
    near = LocalGeometry(policy, theta, batch, weights=psi**2)
    expected = naive.softmax_fisher(policy, theta, batch.obs, psi**2, 3)
    v = np.random.default_rng(seed).normal(size=len(theta))
    close(near.fisher_vp(v), expected @ v, 1e-12)
    close(near.fisher(), expected, 1e-12)


@few
@given(lengths=lengths, seed=seeds)
@pytest.mark.parametrize("kind", ["softmax", "gaussian"])
def test_sample_fisher_is_the_sum_of_outer_products(kind, lengths, seed):
    policy, theta, batch, psi = case(kind, lengths, seed)
    near = LocalGeometry(policy, theta, batch, weights=psi**2)
    f, v = policy.score(theta, batch.obs, batch.act), np.random.default_rng(seed).normal(size=len(theta))
    expected = sum(w * np.outer(row, row) for w, row in zip(psi**2, f, strict=True))
    close(near.sample_fisher_vp(v), expected @ v, 1e-12)
    close(near.sample_rows().T @ near.sample_rows(), expected, 1e-12)


@pytest.mark.parametrize("kind", ["softmax", "gaussian"])
@pytest.mark.parametrize("direction", ["kl_new_old", "kl_old_new"])
def test_either_kl_is_half_the_quadratic_form_to_third_order(kind, direction):
    policy, theta, batch, _ = case(kind, [3, 4], 1)
    near = LocalGeometry(policy, theta, batch)
    d = np.random.default_rng(0).normal(size=len(theta))
    sizes = np.array([0.004, 0.002])
    errors = [abs(getattr(near, direction)(theta + s * d) - 0.5 * s * s * d @ near.fisher_vp(d)) for s in sizes]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(3, abs=0.15)
    assert getattr(near, direction)(theta) == pytest.approx(0, abs=1e-14)


def test_the_directions_differ_and_are_what_they_say():
    policy, theta, batch, psi = case("gaussian", [3, 4], 1)
    near, other = LocalGeometry(policy, theta, batch, weights=psi**2), theta + 0.2
    new, old = (policy.at(th, batch.obs, batch.act) for th in (other, theta))
    assert near.kl_new_old(other) == pytest.approx(psi**2 @ new.kl_to(old), rel=1e-12)
    assert near.kl_old_new(other) == pytest.approx(psi**2 @ old.kl_to(new), rel=1e-12)
    assert near.kl_new_old(other) != pytest.approx(near.kl_old_new(other), rel=1e-3)


@few
@given(lengths=lengths, seed=seeds)
def test_gain_is_the_difference_of_surrogates(lengths, seed):
    policy, theta, batch, rng = random_ratios(lengths, seed)
    psi, other = rng.normal(size=batch.n_steps), theta + 0.1 * rng.normal(size=len(theta))
    near = LocalGeometry(policy, theta, batch)
    new, old = (local_surrogate(policy, th, batch, psi) for th in (other, theta))
    assert near.gain(other, psi) == pytest.approx(new - old, rel=1e-9, abs=1e-12)


def test_a_trust_region_step_from_the_parts():
    policy, theta, batch, psi = case("softmax", [6] * 20, 3)
    logp = policy.at(theta, batch.obs, batch.act).log_prob
    batch = type(batch)(
        batch.obs, batch.act, batch.rew, logp, batch.offsets, batch.terminated, batch.truncated, batch.final_obs
    )
    near = LocalGeometry(policy, theta, batch, weights=np.full(120, 1 / 120))
    g = score_function_estimate(policy, theta, batch, psi).gradient
    x = conjugate_gradient(near.fisher_vp, g, damping=1e-2, max_iterations=100, tolerance=1e-12).x
    np.testing.assert_allclose(x, solve_direct(near.fisher(), g, 1e-2), rtol=1e-7, atol=1e-9)
    rows = near.sample_rows()
    sampled = conjugate_gradient(near.sample_fisher_vp, g, damping=1e-2, max_iterations=100, tolerance=1e-12).x
    np.testing.assert_allclose(solve_in_sample_space(rows, g, 1e-2), sampled, rtol=1e-7, atol=1e-9)
    step = kl_step_length(g, x, 0.01) * x
    found = backtrack(theta, step, gain=lambda th: near.gain(th, psi), kl=near.kl_old_new, delta=0.01)
    assert found.fraction > 0
    assert found.kl <= 0.01
    assert found.gain > 0


def test_chunks_are_summed_in_order_whoever_computes_them(monkeypatch):
    policy, theta, batch, psi = case("gaussian", [5, 3] * 8, 2)
    v, other = np.random.default_rng(0).normal(size=len(theta)), theta + 0.1
    whole = LocalGeometry(policy, theta, batch)
    monkeypatch.setattr(ragged, "CHUNK_ROWS", 10)
    alone = LocalGeometry(policy, theta, batch)
    with thread_pool(2) as executor:
        shared = LocalGeometry(policy, theta, batch, executor=executor)
        for f in (
            lambda near: near.fisher_vp(v),
            lambda near: near.sample_fisher_vp(v),
            lambda near: near.kl_new_old(other),
            lambda near: near.gain(other, psi),
        ):
            np.testing.assert_array_equal(f(shared), f(alone))
            close(f(alone), f(whole), 1e-12)


def test_errors_name_what_is_wrong():
    policy, theta, batch, _ = case("softmax", [2], 0)
    with pytest.raises(InvalidInput, match="weights has shape"):
        LocalGeometry(policy, theta, batch, weights=np.ones(3))
    with pytest.raises(InvalidInput, match="expected none below 0"):
        LocalGeometry(policy, theta, batch, weights=[1.0, -1.0])
    with pytest.raises(InvalidInput, match="psi has shape"):
        LocalGeometry(policy, theta, batch).gain(theta, np.ones(3))
