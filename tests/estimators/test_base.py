"""The one sum that all score-function estimates are: against row by row, whoever computes the chunks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad import estimators
from npgrad.errors import InvalidInput, NonFinite
from npgrad.estimators import base, score_function_estimate
from npgrad.kernels import ragged
from npgrad.policies import make_policy
from npgrad.pool import thread_pool
from npgrad.spaces import Box, Discrete
from npgrad.types import Batch
from tests import naive

OBS = Box(-np.inf, np.inf, (3,), "float64")
SPACES = {"softmax": Discrete(3), "gaussian": Box(-1.0, 1.0, (2,), "float64")}
lengths = st.lists(st.integers(1, 5), min_size=1, max_size=7)
seeds = st.integers(0, 10_000)


def case(kind, lengths, seed):
    rng = np.random.default_rng(seed)
    policy = make_policy((OBS, SPACES[kind]), "mlp", hidden=(4,))
    theta, t, n = rng.normal(size=policy.n_params), sum(lengths), len(lengths)
    batch = Batch(
        obs=rng.normal(size=(t, 3)),
        act=rng.integers(3, size=t) if kind == "softmax" else rng.normal(size=(t, 2)),
        rew=rng.normal(size=t),
        logp=np.zeros(t),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        terminated=np.ones(n, bool),
        truncated=np.zeros(n, bool),
        final_obs=rng.normal(size=(n, 3)),
    )
    return policy, theta, batch, rng.normal(size=t)


@pytest.mark.parametrize("kind", SPACES)
@given(lengths=lengths, seed=seeds)
def test_estimate_is_the_sum_row_by_row(kind, lengths, seed):
    policy, theta, batch, psi = case(kind, lengths, seed)
    per_episode = naive.score_sums(policy.score(theta, batch.obs, batch.act), psi, batch.offsets)
    estimate = score_function_estimate(policy, theta, batch, psi, keep_per_episode=True)
    scale = max(1, np.abs(per_episode).max())
    np.testing.assert_allclose(estimate.per_episode, per_episode, rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(estimate.gradient, sum(per_episode) / len(lengths), rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(estimate.squared_norms, [g @ g for g in per_episode], rtol=1e-10, atol=1e-10)


@given(lengths=st.lists(st.integers(1, 5), min_size=2, max_size=7), seed=seeds)
def test_variance_is_that_of_the_mean(lengths, seed):
    policy, theta, batch, psi = case("softmax", lengths, seed)
    estimate = score_function_estimate(policy, theta, batch, psi, keep_per_episode=True)
    trace = naive.trace_of_covariance(estimate.per_episode) / len(lengths)
    assert estimate.variance == pytest.approx(trace, rel=1e-9, abs=1e-12)
    assert estimate.signal_to_noise == pytest.approx(estimate.gradient @ estimate.gradient / trace - 1, rel=1e-8)


@pytest.mark.parametrize("rows", [1, 2, 7, 10**6])
def test_chunks_are_whole_episodes_and_cover_all(rows, monkeypatch):
    monkeypatch.setattr(ragged, "CHUNK_ROWS", rows)
    lengths = [3, 1, 9, 2, 2, 4]
    policy, theta, batch, psi = case("gaussian", lengths, 1)
    chunks = list(base.chunks(batch))
    assert [c.segments.start for c in chunks[1:]] == [c.segments.stop for c in chunks[:-1]]
    assert (chunks[0].segments.start, chunks[-1].segments.stop) == (0, len(lengths))
    assert all(c.offsets[-1] == c.rows.stop - c.rows.start for c in chunks)
    whole = score_function_estimate(policy, theta, batch, psi, keep_per_episode=True)
    expected = naive.score_sums(policy.score(theta, batch.obs, batch.act), psi, batch.offsets)
    np.testing.assert_allclose(whole.per_episode, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_no_bit(threads, monkeypatch):
    monkeypatch.setattr(ragged, "CHUNK_ROWS", 16)
    policy, theta, batch, psi = case("gaussian", [5] * 40, 2)
    alone = score_function_estimate(policy, theta, batch, psi, keep_per_episode=True)
    with thread_pool(threads) as executor:
        shared = score_function_estimate(policy, theta, batch, psi, keep_per_episode=True, executor=executor)
    for name in ("gradient", "squared_norms", "per_episode"):
        np.testing.assert_array_equal(getattr(shared, name), getattr(alone, name))


def test_terms_are_kept_only_when_asked():
    assert score_function_estimate(*case("softmax", [2, 3], 0)).per_episode is None


def test_one_episode_has_no_variance():
    estimate = score_function_estimate(*case("softmax", [4], 0))
    assert np.isnan(estimate.variance)
    assert np.isnan(estimate.signal_to_noise)


def test_inputs_are_left_alone():
    policy, theta, batch, psi = case("softmax", [2, 3], 0)
    kept = theta.copy(), psi.copy()
    score_function_estimate(policy, theta, batch, psi)
    np.testing.assert_array_equal(theta, kept[0])
    np.testing.assert_array_equal(psi, kept[1])


def test_psi_of_another_shape_is_refused():
    policy, theta, batch, psi = case("softmax", [2, 3], 0)
    with pytest.raises(InvalidInput, match=r"psi has shape \(4,\), expected \(5,\)"):
        score_function_estimate(policy, theta, batch, psi[:4])


def test_psi_that_is_not_finite_is_named():
    policy, theta, batch, psi = case("softmax", [2, 3], 0)
    psi[3] = np.nan
    with pytest.raises(NonFinite, match=r"psi\[3\] is nan"):
        score_function_estimate(policy, theta, batch, psi)


def test_a_gradient_that_overflows_is_named():
    policy, theta, batch, _ = case("gaussian", [2, 3], 0)
    with np.errstate(all="ignore"), pytest.raises(NonFinite, match="gradient"):
        score_function_estimate(policy, theta, batch, np.full(5, 1.7e308))


ESTIMATORS = {
    "policy gradient": estimators.PolicyGradient(),
    "rewards times past scores": estimators.RewardsTimesPastScores(),
    "optimal baseline": estimators.OptimalBaselineGradient(),
    "entropy": estimators.EntropyRegularised(0.1),
    "sampled entropy": estimators.SampledEntropy(0.1),
    "all actions": estimators.AllActions(lambda b: np.outer(b.rew, [1.0, 2.0, -1.0])),
    "off-policy": estimators.OffPolicyGradient(estimators.PolicyGradient().weights),
    "per decision": estimators.PerDecisionGradient(weighting=estimators.self_normalised),
    "clipped": estimators.ClippedSurrogate(estimators.PolicyGradient().weights),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_theta_in_single_precision_gives_the_same_in_single_precision(name):
    policy, theta, batch, _ = case("softmax", [3, 2, 4], 0)
    double, single = (ESTIMATORS[name](policy, theta.astype(dtype), batch) for dtype in (np.float64, np.float32))
    assert single.gradient.dtype == (np.float64 if name == "optimal baseline" else np.float32)
    np.testing.assert_allclose(single.gradient, double.gradient, rtol=1e-3, atol=1e-4 * np.abs(double.gradient).max())


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_leaves_its_arguments_alone_and_no_thread_changes_a_bit(name, monkeypatch):
    monkeypatch.setattr(ragged, "CHUNK_ROWS", 8)
    policy, theta, batch, _ = case("softmax", [3, 2, 4] * 6, 0)
    kept = theta.copy()
    alone = ESTIMATORS[name](policy, theta, batch)
    with thread_pool(2) as executor:
        shared = replace(ESTIMATORS[name], executor=executor)(policy, theta, batch)
    np.testing.assert_array_equal(shared.gradient, alone.gradient)
    np.testing.assert_array_equal(theta, kept)
