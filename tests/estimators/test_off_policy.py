"""Off-policy estimators: their means by enumeration under β, their limits, their weights (W1 … W10, V7)."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.baselines import ConstantBaseline, no_baseline
from npgrad.critics import Values
from npgrad.errors import InvalidInput, NonFinite
from npgrad.estimators import (
    GAE,
    BalanceHeuristic,
    Behaviour,
    Clipped,
    OffPolicyGradient,
    PerDecisionGradient,
    PolicyGradient,
    RewardsTimesPastScores,
    ScoreFunction,
    VTraceGradient,
    balance_log_weights,
    causal_ratio,
    effective_sample_size,
    log_ratios,
    per_decision_returns,
    self_normalised,
    step_ratio,
    trajectory_ratio,
    trajectory_returns,
)
from npgrad.types import concatenate
from tests import naive
from tests.estimators.test_base import case
from tests.estimators.worlds import close, complex_gradient, random_case, states

few = settings(max_examples=6)
seeds = st.integers(0, 10_000)
gammas = st.floats(0.1, 1)
lengths = st.lists(st.integers(1, 5), min_size=1, max_size=6)
KEEP = dict(keep_per_episode=True)


def on(gamma=1.0, **options):
    return PolicyGradient(gamma, baseline=options.pop("baseline", no_baseline), **options).weights


def off_case(seed, **shape):
    """A world, θ, and the table of another policy β."""
    world, theta = random_case(seed, **shape)
    other = np.random.default_rng(seed + 2).normal(size=len(theta))
    return world, theta, other, world.probabilities(other)


def random_ratios(lengths, seed):
    policy, theta, batch, _ = case("softmax", lengths, seed)
    rng = np.random.default_rng(seed)
    return policy, theta, type(batch)(**{**fields(batch), "logp": rng.normal(size=batch.n_steps)}), rng


def fields(batch):
    names = ("obs", "act", "rew", "logp", "offsets", "terminated", "truncated", "final_obs")
    return {name: getattr(batch, name) for name in names}


@few
@given(seed=seeds, gamma=gammas)
@pytest.mark.parametrize("causality", [True, False])
def test_ratios_of_trajectories_are_unbiased(causality, seed, gamma):
    world, theta, _, beta = off_case(seed, S=3, T=2, terminal=(2,))
    psi = on(gamma, causality=causality, baseline=ConstantBaseline(0.7))
    close(world.expectation(OffPolicyGradient(psi, **KEEP), theta, beta), world.gradient(theta, gamma))


@few
@given(seed=seeds, gamma=gammas)
def test_ratios_per_decision_are_unbiased(seed, gamma):
    world, theta, _, beta = off_case(seed, S=3, T=2, terminal=(2,))
    for baseline in (no_baseline, ConstantBaseline(0.7)):
        estimator = PerDecisionGradient(gamma, baseline, **KEEP)
        close(world.expectation(estimator, theta, beta), world.gradient(theta, gamma))


@given(lengths=lengths, seed=seeds, gamma=st.floats(0, 1))
def test_per_decision_is_the_product_written_out(lengths, seed, gamma):
    policy, theta, batch, _ = random_ratios(lengths, seed)
    estimate = PerDecisionGradient(gamma, **KEEP)(policy, theta, batch)
    scores, rho = policy.score(theta, batch.obs, batch.act), np.exp(log_ratios(policy, theta, batch))
    expected = naive.per_decision(scores, batch.rew, rho, batch.offsets, gamma)
    np.testing.assert_allclose(estimate.per_episode, expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())


@few
@given(seed=seeds)
def test_without_the_future_ratios_the_mean_has_the_q_of_the_behaviour(seed):
    world, theta, other, beta = off_case(seed, S=3, T=2, terminal=(2,))
    got = world.expectation(OffPolicyGradient(on(), causal_ratio, **KEEP), theta, beta)
    Q = world.Q(other)
    expected = world.expectation(ScoreFunction(lambda b: Q[b.time, states(b), b.act], **KEEP), theta)
    close(got, expected)


@few
@given(seed=seeds)
def test_the_per_step_form_is_the_gradient_of_the_local_objective(seed):
    world, theta, other, beta = off_case(seed)
    A = world.Q(other) - world.V(other)[:-1, :, None]
    d = visits(world, beta)

    def local(th):  # L_β = J(β) + Σ_t E_{d_t^β, π_θ}[A_t^β]
        return np.einsum("ts,sa,tsa->", d, world.probabilities(th), A)

    got = world.expectation(OffPolicyGradient(on(), step_ratio, **KEEP), theta, beta)
    close(got, complex_gradient(local, theta))


@few
@given(seed=seeds)
def test_the_true_ratio_of_states_and_q_are_exact(seed):
    world, theta, _, beta = off_case(seed)
    ratio = visits(world, world.probabilities(theta)) / visits(world, beta)
    Q = world.Q(theta)
    psi = lambda b: ratio[b.time, states(b)] * Q[b.time, states(b), b.act]  # noqa: E731
    close(world.expectation(OffPolicyGradient(psi, step_ratio, **KEEP), theta, beta), world.gradient(theta))


def visits(world, pi):
    """d_t(s), (T, S)."""
    d = [world.p0]
    for _ in range(world.T - 1):
        d.append(np.einsum("s,sa,sap->p", d[-1], pi, world.P))
    return np.array(d)


@pytest.mark.parametrize("ratio", [trajectory_ratio, causal_ratio, step_ratio])
@given(lengths=lengths, seed=seeds)
def test_on_policy_every_ratio_is_one(ratio, lengths, seed):
    policy, theta, batch, _ = case("gaussian", lengths, seed)
    batch = type(batch)(**{**fields(batch), "logp": policy.at(theta, batch.obs, batch.act).log_prob})
    plain = PolicyGradient(baseline=no_baseline, **KEEP)(policy, theta, batch).per_episode
    for weighting in (None, Clipped(1.0), self_normalised):
        options = {} if weighting is None else dict(weighting=weighting)
        close(OffPolicyGradient(on(), ratio, **options, **KEEP)(policy, theta, batch).per_episode, plain, 1e-12)
    close(PerDecisionGradient(**KEEP)(policy, theta, batch).per_episode, plain, 1e-12)


@few
@given(seed=seeds, c=st.floats(0.3, 2))
def test_clipping_costs_the_part_that_is_cut_off(seed, c):
    world, theta, _, beta = off_case(seed)
    got = world.expectation(OffPolicyGradient(on(), weighting=Clipped(c), **KEEP), theta, beta)
    paths, pi = world.paths(), world.probabilities(theta)
    p, q = (np.array([world.probability(path, table) for path in paths]) for table in (pi, beta))
    h = PolicyGradient(baseline=no_baseline, **KEEP)(world.policy(), theta, world.batch(paths)).per_episode
    cut_off = (q * (np.minimum(p / q, c) - p / q)) @ h  # E_β[(min(w, c) − w) h]
    close(got, world.gradient(theta) + cut_off)


@given(lengths=lengths, seed=seeds)
def test_self_normalised_weights_have_mean_one_at_every_t(lengths, seed):
    policy, theta, batch, _ = random_ratios(lengths, seed)
    log_rho = log_ratios(policy, theta, batch)
    for ratio in (trajectory_ratio, causal_ratio):
        log_w = ratio(log_rho, batch)
        np.testing.assert_allclose(
            self_normalised(log_w, batch), naive.self_normalised(np.exp(log_w), batch.offsets), rtol=1e-11
        )
    np.testing.assert_allclose(
        self_normalised(log_w - 5000.0, batch), self_normalised(log_w, batch), rtol=1e-9
    )  # underflow of every weight


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=9))
def test_effective_sample_size_lies_between_one_and_n(log_w):
    ess = effective_sample_size(np.array(log_w))
    assert 1 - 1e-12 <= ess <= len(log_w) + 1e-9
    assert ess == pytest.approx(effective_sample_size(np.array(log_w) + 3.0), rel=1e-12)


@few
@given(seed=seeds, gamma=gammas)
def test_returns_of_another_policy_are_unbiased(seed, gamma):
    world, theta, _, beta = off_case(seed, S=3, T=2, terminal=(2,))
    paths = world.paths()
    q = np.array([world.probability(path, beta) for path in paths])
    batch = world.batch(paths, beta)
    for returns in (trajectory_returns, per_decision_returns):
        close(q @ returns(world.policy(), theta, batch, gamma=gamma), world.J(theta, gamma))


@given(lengths=lengths, seed=seeds)
def test_gradients_of_the_returns_are_the_gradient_estimators(lengths, seed):
    policy, theta, batch, rng = random_ratios(lengths, seed)
    v, h = rng.normal(size=len(theta)), 1e-5

    def slope(returns):
        up, down = (returns(policy, theta + s * h * v, batch, gamma=0.9).mean() for s in (1, -1))
        return (up - down) / (2 * h)

    pairs = [
        (trajectory_returns, OffPolicyGradient(on(0.9, causality=False))),
        (per_decision_returns, PerDecisionGradient(0.9)),
    ]
    for returns, estimator in pairs:
        expected = estimator(policy, theta, batch).gradient @ v
        assert slope(returns) == pytest.approx(expected, rel=1e-5, abs=1e-6 * max(1, abs(expected)))


@settings(max_examples=2)
@given(seed=seeds)
def test_data_of_two_behaviours(seed):
    world, theta, other, beta = off_case(seed, T=2, terminal=(1,))
    policy, paths, uniform = world.policy(), world.paths(), np.full((2, 2), 0.5)
    behaviours = [Behaviour(policy, other, 1), Behaviour(policy, np.zeros(4), 1)]
    p, q = (np.array([world.probability(path, table) for path in paths]) for table in (beta, uniform))
    estimators = {
        "balance": BalanceHeuristic(on(), behaviours),
        "own ratios": OffPolicyGradient(on()),
        "no ratios": PolicyGradient(baseline=no_baseline),
    }
    means = dict.fromkeys(estimators, 0.0)
    from_beta, from_uniform = world.batch(paths, beta), world.batch(paths, uniform)
    for i, j in itertools.product(range(len(paths)), repeat=2):
        batch = concatenate([from_beta.select([i]), from_uniform.select([j])])
        for name, estimator in estimators.items():
            means[name] = means[name] + p[i] * q[j] * estimator(policy, theta, batch).gradient
    gradient = world.gradient(theta)
    for name in ("balance", "own ratios"):
        close(means[name], gradient)
    assert np.linalg.norm(means["no ratios"] - gradient) > 1e-3 * np.linalg.norm(gradient)


def test_balance_with_one_behaviour_is_its_own_ratio():
    policy, theta, batch, _ = case("gaussian", [2, 3], 3)
    other = theta + 0.1
    batch = type(batch)(**{**fields(batch), "logp": policy.at(other, batch.obs, batch.act).log_prob})
    for ratio in (trajectory_ratio, causal_ratio):
        log_w = balance_log_weights(policy, theta, batch, [Behaviour(policy, other, 2)], ratio=ratio)
        close(log_w, ratio(log_ratios(policy, theta, batch), batch), 1e-12)


@given(lengths=lengths, seed=seeds, lam=st.floats(0, 1))
def test_vtrace_on_policy_is_one_step_towards_the_lambda_return(lengths, seed, lam):
    policy, theta, batch, rng = random_ratios(lengths, seed)
    batch = type(batch)(**{**fields(batch), "logp": policy.at(theta, batch.obs, batch.act).log_prob})
    values = Values(rng.normal(size=batch.n_steps), rng.normal(size=batch.n_episodes))
    got = VTraceGradient(lambda b: values, gamma=0.9, gae_lambda=lam, **KEEP)(policy, theta, batch)
    targets = GAE(lambda b: values, 0.9, lam)(batch) + values.rows
    following = np.zeros(batch.n_steps)  # every segment of `case` has terminated
    following[:-1] = targets[1:]
    following[batch.offsets[1:] - 1] = 0
    psi = batch.rew + 0.9 * following - values.rows
    close(got.per_episode, ScoreFunction(lambda b: psi, **KEEP)(policy, theta, batch).per_episode, 1e-12)


def test_weights_that_overflow_are_named():
    policy, theta, batch, _ = case("softmax", [2], 0)
    batch = type(batch)(**{**fields(batch), "logp": np.full(2, -1e3)})
    with pytest.raises(NonFinite, match="psi"):
        OffPolicyGradient(on())(policy, theta, batch)
    OffPolicyGradient(on(), weighting=Clipped(10.0))(policy, theta, batch)


@pytest.mark.parametrize("counts", [[], [1], [3, -1], [1, 2]])
def test_counts_of_behaviours_must_add_up(counts):
    policy, theta, batch, _ = case("softmax", [2, 2], 0)
    with pytest.raises(InvalidInput, match="expected counts above 0 with sum 2"):
        balance_log_weights(policy, theta, batch, [Behaviour(policy, theta, n) for n in counts])


def test_clipping_at_zero_is_refused():
    with pytest.raises(InvalidInput, match="c is 0"):
        Clipped(0.0)


def test_the_sum_the_other_way_round_needs_whole_episodes():
    policy, theta, batch, _ = case("softmax", [2], 0)
    cut = type(batch)(**{**fields(batch), "terminated": [False]})
    for estimator in (RewardsTimesPastScores(), PerDecisionGradient()):
        with pytest.raises(InvalidInput, match="not a complete episode"):
            estimator(policy, theta, cut)
