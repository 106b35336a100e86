"""Surrogates and their gradients: complex step, kinks apart (P9, W4, N5)."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad.errors import InvalidInput
from npgrad.estimators import (
    ClippedSurrogate,
    OffPolicyGradient,
    ScoreFunction,
    approximate_kl,
    clip_fraction,
    clipped_surrogate,
    local_surrogate,
    log_surrogate,
    log_surrogate_gradient,
    score_function_estimate,
    step_ratio,
)
from npgrad.policies import make_policy
from npgrad.pool import single_blas_thread
from tests import naive
from tests.estimators.test_base import OBS, SPACES, case
from tests.estimators.test_off_policy import random_ratios
from tests.estimators.worlds import close, complex_gradient

lengths = st.lists(st.integers(1, 5), min_size=1, max_size=6)
seeds = st.integers(0, 10_000)


@pytest.mark.parametrize("kind", ["softmax", "gaussian"])
@given(lengths=lengths, seed=seeds)
def test_the_log_surrogate_has_the_estimate_for_its_gradient(kind, lengths, seed):
    policy, theta, batch, psi = case(kind, lengths, seed)
    expected = complex_gradient(lambda th: log_surrogate(policy, th, batch, psi), theta)
    close(score_function_estimate(policy, theta, batch, psi).gradient, expected, 1e-12)
    value, gradient = log_surrogate_gradient(policy, theta, batch, psi)
    close(np.array([value]), np.array([log_surrogate(policy, theta, batch, psi)]), 1e-12)
    close(gradient, expected, 1e-12)


def test_a_gaussian_of_fixed_deviation_has_squared_errors():
    policy, theta, batch, _ = case("gaussian", [2, 3], 0)
    theta[-2:] = np.log(0.7)  # log σ
    mu = policy.at(theta, batch.obs, batch.act).y[:, :2]
    squares = -((batch.act - mu) ** 2).sum() / (2 * 0.7**2) / 2
    constant = -5 * 2 * (np.log(0.7) + 0.5 * np.log(2 * np.pi)) / 2
    assert log_surrogate(policy, theta, batch, np.ones(5)) == pytest.approx(squares + constant, rel=1e-12)


@given(lengths=lengths, seed=seeds)
def test_the_local_surrogate_has_the_per_step_form_for_its_gradient(lengths, seed):
    policy, theta, batch, rng = random_ratios(lengths, seed)
    psi = rng.normal(size=batch.n_steps)
    expected = complex_gradient(lambda th: local_surrogate(policy, th, batch, psi), theta)
    close(OffPolicyGradient(lambda b: psi, step_ratio)(policy, theta, batch).gradient, expected, 1e-12)


@given(lengths=lengths, seed=seeds, clip_range=st.sampled_from([0.05, 0.2, 0.9]))
def test_the_clipped_surrogate_is_differentiated_piece_by_piece(lengths, seed, clip_range):
    policy, theta, batch, rng = random_ratios(lengths, seed)
    psi = rng.normal(size=batch.n_steps)

    def value(th):
        log_ratio = policy.at(th, batch.obs, batch.act).log_prob - batch.logp
        return clipped_surrogate(log_ratio, psi, clip_range)[0].sum() / batch.n_episodes

    estimate = ClippedSurrogate(lambda b: psi, clip_range)(policy, theta, batch)
    close(estimate.gradient, complex_gradient(value, theta), 1e-12)
    rho = np.exp(policy.at(theta, batch.obs, batch.act).log_prob - batch.logp)
    expected = naive.clipped_surrogate(rho, psi, clip_range)
    assert value(theta) == pytest.approx(sum(expected) / batch.n_episodes, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("adv", [1.0, -1.0, 0.0])
def test_the_weight_is_the_slope_on_either_side_of_the_kinks(adv):
    log_ratio, h = np.linspace(-1, 1, 41) + 0.003, 1e-6
    value = lambda x: clipped_surrogate(x, np.full(41, adv), 0.2)[0]  # noqa: E731
    slope = (value(log_ratio + h) - value(log_ratio - h)) / (2 * h)
    np.testing.assert_allclose(clipped_surrogate(log_ratio, np.full(41, adv), 0.2)[1], slope, atol=1e-7)


def test_at_the_kink_the_inner_slope_is_taken():
    for log_ratio, adv in ((np.array([0.2]), np.ones(1)), (np.array([-0.2]), -np.ones(1))):
        rho = np.exp(log_ratio)
        clip_range = float(abs(rho[0] - 1))  # 1 ± clip_range is ρ to the bit
        np.testing.assert_array_equal(clipped_surrogate(log_ratio, adv, clip_range)[1], rho * adv)
        np.testing.assert_array_equal(clipped_surrogate(log_ratio, adv, clip_range * 0.999)[1], 0)


@given(lengths=lengths, seed=seeds)
def test_on_policy_nothing_is_clipped(lengths, seed):
    policy, theta, batch, psi = case("softmax", lengths, seed)
    log_prob = policy.at(theta, batch.obs, batch.act).log_prob
    batch = type(batch)(
        batch.obs,
        batch.act,
        batch.rew,
        log_prob,
        batch.offsets,
        batch.terminated,
        batch.truncated,
        batch.final_obs,
    )
    clipped = ClippedSurrogate(lambda b: psi, keep_per_episode=True)(policy, theta, batch)
    plain = ScoreFunction(lambda b: psi, keep_per_episode=True)(policy, theta, batch)
    close(clipped.per_episode, plain.per_episode, 1e-12)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=9))
def test_diagnostics(log_ratio):
    x = np.array(log_ratio)
    assert approximate_kl(x) == pytest.approx(np.mean(np.exp(x) - 1 - x), abs=1e-12)
    assert approximate_kl(x) >= 0
    assert clip_fraction(x, 0.2) == np.mean((np.exp(x) > 1.2) | (np.exp(x) < 0.8))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: clipped_surrogate(np.zeros(2), np.zeros(3), 0.2), "adv has shape"),
        (lambda: clipped_surrogate(np.zeros(2), np.zeros(2), 0.0), "clip_range is 0"),
        (lambda: ClippedSurrogate(len, clip_range=-1.0), "clip_range is -1"),
        (lambda: log_surrogate(*case("softmax", [2], 0)[:3], np.zeros(3)), "psi has shape"),
    ],
)
def test_errors_name_what_is_wrong(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()


ELSEWHERE = """
from tests.estimators.test_surrogate import hashed_gradients
print(hashed_gradients())
"""


def hashed_gradients():
    """A hash of the gradients of a linear policy and of a perceptron."""
    found = hashlib.sha256()
    for function in ("linear", "mlp"):
        for kind in ("softmax", "gaussian"):
            _, _, batch, psi = case(kind, [30] * 40, 5)
            policy = make_policy((OBS, SPACES[kind]), function)
            theta = np.random.default_rng(6).normal(size=policy.n_params) / 4
            with single_blas_thread():
                found.update(log_surrogate_gradient(policy, theta, batch, psi)[1].tobytes())
                found.update(score_function_estimate(policy, theta, batch, psi).gradient.tobytes())
    return found.hexdigest()


def test_another_process_finds_the_same_bits():
    root = Path(__file__).parents[2]
    told = subprocess.run([sys.executable, "-c", ELSEWHERE], cwd=root, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == hashed_gradients()
