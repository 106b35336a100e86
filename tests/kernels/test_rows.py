"""log p, scores and draws by kernels against the distributions themselves."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad.compiled import ROWS, CompiledPolicy, compiled_policy
from npgrad.distributions import Categorical, DiagonalGaussian
from npgrad.functions import MLP, Concatenated, Constant
from npgrad.kernels.rows import BLOCK
from npgrad.policies import ComposedPolicy, make_policy
from npgrad.spaces import Box, Discrete

FAR = {"float32": 2e-6, "float64": 1e-14}


def by_kernel(distribution, y, act):
    logp, score = np.empty(len(y), y.dtype), np.empty_like(y)
    ROWS[type(distribution)].score(y, act, logp, score)
    return logp, score


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(n=st.integers(1, 5), n_rows=st.integers(0, 2 * BLOCK + 3), scale=st.sampled_from([0.1, 1.0, 30.0]))
def test_softmax(dtype, n, n_rows, scale):
    rng, pi = np.random.default_rng(n_rows), Categorical(n)
    y = (scale * rng.normal(size=(n_rows, n))).astype(dtype)
    act, u = rng.integers(n, size=n_rows), rng.uniform(size=(n_rows, 1))
    logp, score = by_kernel(pi, y, act)
    np.testing.assert_allclose(logp, pi.log_prob(y, act), rtol=10 * FAR[dtype], atol=FAR[dtype] * scale)
    np.testing.assert_allclose(score, pi.score(y, act), rtol=0, atol=FAR[dtype])
    drawn = np.empty(n_rows, np.int64)
    ROWS[Categorical].draw(y, u, drawn, logp)
    np.testing.assert_array_equal(drawn, pi.draw(y.astype(np.float64), u))
    np.testing.assert_allclose(logp, pi.log_prob(y, drawn), rtol=10 * FAR[dtype], atol=FAR[dtype] * scale)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(k=st.integers(1, 4), n_rows=st.integers(0, 40), scale=st.sampled_from([0.1, 1.0, 3.0]), shared=st.booleans())
def test_gaussian(dtype, k, n_rows, scale, shared):
    rng, pi = np.random.default_rng(n_rows), DiagonalGaussian(k)
    y = (scale * rng.normal(size=(n_rows, 2 * k))).astype(dtype)
    if shared:
        y[:, k:] = y[:1, k:]
    noise = rng.normal(size=(n_rows, k))
    act, expected = pi.draw(y.astype(np.float64), noise), pi.log_prob(y, pi.draw(y, noise))
    drawn, logp = np.empty((n_rows, k)), np.empty(n_rows, dtype)
    ROWS[DiagonalGaussian].draw(y, noise, drawn, logp)
    np.testing.assert_allclose(drawn, act, rtol=1e-13, atol=1e-13 * scale)
    np.testing.assert_allclose(logp, expected, rtol=100 * FAR[dtype], atol=100 * FAR[dtype])
    logp, score = by_kernel(pi, y, act)
    y, exact = y.astype(np.float64), 20 * FAR[dtype]
    np.testing.assert_allclose(logp, pi.log_prob(y, act), rtol=exact, atol=exact)
    np.testing.assert_allclose(score, pi.score(y, act), rtol=exact, atol=exact * np.exp(2 * scale))


def test_a_masked_action_has_no_probability_and_no_score():
    y = np.array([[0.0, -np.inf, 1.0], [-np.inf, -np.inf, 1e6]])
    act = np.array([2, 2])
    logp, score = by_kernel(Categorical(3), y, act)
    np.testing.assert_allclose(logp, Categorical(3).log_prob(y, act), atol=1e-15)
    assert (score[y == -np.inf] == 0).all()
    drawn = np.empty(2, np.int64)
    ROWS[Categorical].draw(y, np.full((2, 1), 1 - 2**-53), drawn, logp)
    np.testing.assert_array_equal(drawn, [2, 2])


@pytest.mark.parametrize("size", [1e6, -1e6, 1e12])
def test_huge_logits_and_deviations_stay_finite(size):
    y = np.array([[size, 0.0, -size], [size, size, size]])
    logp, score = by_kernel(Categorical(3), y, np.array([0, 1]))
    assert np.isfinite(score).all()
    assert np.isfinite(logp).all()
    log_std = np.log(abs(size)) * np.sign(size)
    logp, score = by_kernel(DiagonalGaussian(1), np.array([[0.0, log_std]]), np.array([[0.5 * np.exp(log_std)]]))
    np.testing.assert_allclose(score[0], [0.5 / np.exp(log_std), -0.75], rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("y", [[[np.nan, 1.0]], [[1.0, np.nan]], [[1.0, np.nan, 2.0]], [[np.nan] * 2]])
def test_logits_that_are_not_numbers_have_no_probability(y, dtype):
    y = np.array(y, dtype)
    for a in range(y.shape[1]):
        logp, score = by_kernel(Categorical(y.shape[1]), y, np.array([a]))
        assert np.isnan(logp).all()
        assert np.isnan(score).all()
    ROWS[Categorical].draw(y, np.array([[0.5]]), np.empty(1, np.int64), logp)
    assert np.isnan(logp).all()


@pytest.mark.parametrize("action_space", [Discrete(3), Box(-1.0, 1.0, (2,))])
@pytest.mark.parametrize("function", ["linear", "mlp"])
def test_a_policy_and_its_twin(action_space, function):
    rng, space = np.random.default_rng(0), Box(-np.inf, np.inf, (4,))
    policy = make_policy((space, action_space), function)
    fast = compiled_policy(policy)
    assert isinstance(fast, CompiledPolicy)
    assert compiled_policy(policy) is fast
    theta, obs = policy.init(rng) + 0.1 * rng.normal(size=policy.n_params), rng.normal(size=(50, 4))
    noise = rng.uniform(size=(50, len(policy.draws)))
    memory = np.zeros((50, 0))
    act, logp, _ = policy.act(theta, obs, noise, memory)
    fast_act, fast_logp, _ = fast.act(theta, obs, noise, memory)
    np.testing.assert_allclose(fast_act, act, rtol=1e-12)
    np.testing.assert_allclose(fast_logp, logp, rtol=1e-12, atol=1e-12)
    lin, twin, w = fast.at(theta, obs, act), policy.at(theta, obs, act), rng.normal(size=50)
    np.testing.assert_allclose(lin.log_prob, twin.log_prob, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(lin.vjp(w), twin.vjp(w), rtol=1e-10, atol=1e-11)
    v = rng.normal(size=len(theta))
    np.testing.assert_allclose(lin.fisher_vp(v, w), twin.fisher_vp(v, w), rtol=1e-10, atol=1e-10)
    assert type(policy) is ComposedPolicy  # what is saved


class _MeanAndDeviation(Concatenated):
    """A function of one's own, with arguments of its own."""

    def __init__(self, d, k):
        super().__init__((MLP(d, k, hidden=(3,)), Constant(d, k)))


def test_functions_of_ones_own_are_left_as_they_are():
    rng, policy = np.random.default_rng(0), make_policy((Box(-1.0, 1.0, (4,)), Box(-1.0, 1.0, (2,))), "mlp")
    own = replace(policy, function=_MeanAndDeviation(4, 2))
    assert compiled_policy(own).function is own.function
    theta, obs, act = own.init(rng), rng.normal(size=(3, 4)), rng.normal(size=(3, 2))
    log_prob = compiled_policy(own).at(theta, obs, act).log_prob
    np.testing.assert_allclose(log_prob, own.at(theta, obs, act).log_prob, rtol=1e-13)


def test_other_distributions_have_their_own_rows():
    one = ComposedPolicy(Constant(2, 1), _Coin(), Box(-1.0, 1.0, (2,)), Discrete(2))
    lin = compiled_policy(one).at(np.zeros(1), np.zeros((3, 2)), np.array([0, 1, 1]))
    np.testing.assert_allclose(lin.log_prob, np.log(0.5))


class _Coin(DiagonalGaussian):
    """A subclass may do anything."""

    def __init__(self):
        object.__setattr__(self, "k", 1)

    n_y = 1

    def check_actions(self, act):
        pass

    def log_prob(self, y, act):
        return np.full(len(y), np.log(0.5))
