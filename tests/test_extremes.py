"""Numbers at the ends of their range: results are finite, or an error says what is not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad.baselines import BASELINES, RETURN_BASELINES
from npgrad.critics.returns import Values, gae, lambda_return, n_step_return, reward_to_go, td_residual
from npgrad.distributions import Bernoulli, Categorical, DiagonalGaussian, FullGaussian
from npgrad.errors import InvalidInput, NonFinite, NpgradError
from npgrad.estimators import PolicyGradient, approximate_kl, clip_fraction, clipped_surrogate
from npgrad.estimators.psi import Standardised
from npgrad.optimizers.first_order import SGD, Adam
from npgrad.optimizers.natural import conjugate_gradient, kl_step_length, solve_direct
from npgrad.policies import make_policy
from npgrad.spaces import Box, Discrete
from npgrad.types import Batch

TINY = 5e-324  # the smallest denormal
logits = st.floats(-1e6, 1e6)
rewards = st.one_of(
    st.floats(-1e300, 1e300), st.sampled_from([0.0, TINY, -TINY, 2.2e-308, 1e300, -1e300]), st.floats(-1.0, 1.0)
)


def finite(*arrays):
    return all(np.isfinite(a).all() for a in arrays)


def batch_of(episodes, d=2, k=None):
    """Complete episodes with these rewards."""
    rew = np.concatenate([np.asarray(e, dtype=np.float64) for e in episodes])
    n, steps = len(episodes), len(rew)
    return Batch(
        obs=np.linspace(-1, 1, steps * d).reshape(steps, d),
        act=np.arange(steps) % 2 if k is None else np.linspace(-2, 2, steps * k).reshape(steps, k),
        rew=rew,
        logp=np.full(steps, -0.7),
        offsets=np.cumsum([0, *map(len, episodes)]),
        terminated=np.ones(n, bool),
        truncated=np.zeros(n, bool),
        final_obs=np.zeros((n, d)),
    )


episodes = st.lists(st.lists(rewards, min_size=1, max_size=6), min_size=2, max_size=5)


@given(st.lists(logits, min_size=2, max_size=6), st.floats(0.0, 1.0, exclude_min=True, exclude_max=True))
def test_logits_of_a_million(y, u):
    y, noise = np.array([y]), np.array([[u]])
    p = Categorical(len(y[0]))
    act = p.draw(y, noise)
    assert finite(p.log_prob(y, act), p.score(y, act), p.entropy(y), p.entropy_grad(y), p.fisher(y, np.ones_like(y)))
    assert finite(p.log_prob(y, np.array([0])))  # as low as −2e6, but a number
    other = y[:, ::-1].copy()
    assert finite(p.kl(y, other), *p.kl_grad(y, other))
    assert p.kl(y, other)[0] >= 0
    assert 0 <= p.entropy(y)[0] <= np.log(len(y[0])) + 1e-12
    assert np.abs(p.score(y, act)).max() <= 1


@given(logits)
def test_a_coin_of_any_bias(y):
    p, y = Bernoulli(1), np.array([[y]])
    for act in (np.array([[0]]), np.array([[1]])):
        assert finite(p.log_prob(y, act), p.score(y, act), p.entropy(y), p.entropy_grad(y))


@given(st.floats(-3, 3), st.floats(np.log(1e-12), np.log(1e12)), st.floats(-3, 3))
def test_sigma_over_twenty_four_orders(mu, log_std, noise):
    for p, y in (
        (DiagonalGaussian(1), np.array([[mu, log_std]])),
        (FullGaussian(1), np.array([[mu, log_std]])),
    ):
        act = p.draw(y, np.array([[noise]]))
        assert finite(act, p.log_prob(y, act), p.entropy(y), p.entropy_grad(y), p.fisher(y, np.ones_like(y)))
        score = p.score(y, act)
        assert finite(score)
        z = (act[0, 0] - mu) / np.exp(log_std)  # what the sum of μ and σz has kept of z
        assert score[0, 1] == pytest.approx(z * z - 1, rel=1e-6, abs=1e-6)
        assert finite(p.kl(y, y), *p.kl_grad(y, y))
        assert p.kl(y, y)[0] == pytest.approx(0, abs=1e-9)


@given(episodes, st.floats(0, 1))
def test_rewards_of_any_size(rewards, gamma):
    """Kernels add without an error; what cannot be told any more is infinite, and stops before θ."""
    batch = batch_of(rewards)
    policy = make_policy((Box(-1.0, 1.0, (2,)), Discrete(2)), "linear")
    theta = np.zeros(policy.n_params)
    for baselines, causality in ((BASELINES, True), (RETURN_BASELINES, False)):
        for baseline in baselines.values():
            try:
                estimate = PolicyGradient(gamma, causality, False, baseline)(policy, theta, batch)
            except NonFinite as error:
                assert max(abs(batch.rew)) > 1e150
                told = str(error)
                assert "psi" in told or "gradient" in told
            else:
                assert finite(estimate.gradient)


@given(episodes, st.floats(0, 1), st.floats(0, 1))
def test_returns_with_a_critic(rewards, gamma, lam):
    batch = batch_of(rewards)
    values = Values(np.zeros(batch.n_steps), np.zeros(batch.n_episodes))
    for out in (
        reward_to_go(batch, gamma),
        td_residual(batch, values, gamma),
        n_step_return(batch, values, gamma, 2),
        lambda_return(batch, values, gamma, lam),
        gae(batch, values, gamma, lam),
    ):
        assert not np.isnan(out).any() or np.abs(batch.rew).max() > 1e299
        if np.abs(batch.rew).max() < 1e298:
            assert finite(out)


@given(st.integers(2, 30), rewards)
def test_advantages_without_variance(n, value):
    batch = batch_of([[value]] * n)
    psi = Standardised(lambda b: b.rew)
    if abs(value) > 1e150:
        with np.errstate(all="ignore"):
            out = psi(batch)
    else:
        out = psi(batch)
        assert finite(out)
        assert np.abs(out).max() < 1e-3 * max(1.0, abs(value))


@given(st.integers(1, 6), st.integers(0, 5), st.floats(-150, 150), st.integers(0, 2**32 - 1))
def test_singular_fisher_matrices(n, rank, exponent, seed):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(min(rank, n), n)) * 10.0 ** (exponent / 2)
    F, g = rows.T @ rows, rng.normal(size=n)
    x = solve_direct(F, g)
    assert finite(x)
    try:
        solution = conjugate_gradient(lambda v: F @ v, g, damping=1e-2)
    except NpgradError:
        return
    assert finite(solution.x)
    try:
        assert finite(np.asarray(kl_step_length(g, solution.x, 0.01)))
    except InvalidInput:
        assert not g @ solution.x > 0  # no direction of ascent


@given(st.floats(-1e6, 1e6), st.floats(-1e300, 1e300), st.floats(0.01, 0.9))
def test_ratios_far_from_one(log_ratio, advantage, clip_range):
    """ρ = e^709 is the last number there is: a larger one counts as e^700, so that no ∞ · 0 comes about."""
    log_ratio, adv = np.array([log_ratio, 0.0]), np.array([advantage, 1.0])
    with np.errstate(over="ignore"):
        objective, weight = clipped_surrogate(log_ratio, adv, clip_range)
    assert not np.isnan(objective).any()
    assert not np.isnan(weight).any()
    assert approximate_kl(log_ratio) >= 0
    assert 0 <= clip_fraction(log_ratio, clip_range) <= 1
    if abs(log_ratio[0]) < 300 and abs(advantage) < 1e100:
        assert finite(objective, weight, approximate_kl(log_ratio))


@given(st.lists(st.one_of(st.floats(-1e150, 1e150), st.just(TINY), st.just(0.0)), min_size=1, max_size=5))
def test_optimisers_take_any_gradient(gradient):
    g, theta = np.array(gradient), np.zeros(len(gradient))
    for optimizer in (SGD(0.1), Adam(0.1)):
        moments = optimizer.init(theta)
        for _ in range(3):
            theta, moments = optimizer.step(theta, g, moments)
        assert finite(theta, *moments.values())


def test_an_episode_of_a_million_steps_and_a_thousand_of_one():
    steps = 1_000_000
    long = batch_of([np.ones(steps), np.ones(steps // 10)])
    G = reward_to_go(long)
    assert G[0] == steps
    assert G[steps - 1] == 1
    short = batch_of([[1.0]] * 1000)
    assert np.array_equal(reward_to_go(short), np.ones(1000))
    policy = make_policy((Box(-1.0, 1.0, (2,)), Discrete(2)), "linear")
    estimate = PolicyGradient(1.0, True, False, BASELINES["leave-one-out"])(policy, np.zeros(policy.n_params), short)
    assert np.array_equal(estimate.gradient, np.zeros(policy.n_params))  # all returns are the same


def test_empty_batches_are_refused():
    with pytest.raises((InvalidInput, ValueError)):
        batch_of([])
    with pytest.raises(InvalidInput, match="segment 1 is empty"):
        batch_of([[1.0], []])
    policy = make_policy((Box(-1.0, 1.0, (2,)), Discrete(2)), "linear")
    with pytest.raises(InvalidInput, match=r"2 episodes|two episodes|at least 2"):
        PolicyGradient(1.0, True, False, BASELINES["leave-one-out"])(
            policy, np.zeros(policy.n_params), batch_of([[1.0, 2.0]])
        )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("field", ["obs", "rew", "logp", "final_obs"])
def test_what_is_no_number_does_not_enter_a_batch(field, value):
    batch = batch_of([[1.0, 2.0], [3.0]])
    arrays = {name: np.array(getattr(batch, name)) for name in ("obs", "act", "rew", "logp", "offsets", "final_obs")}
    arrays[field].flat[0] = value
    with pytest.raises(NonFinite, match=field):
        Batch(**arrays, terminated=batch.terminated, truncated=batch.truncated)
