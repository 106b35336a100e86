"""Policies by composition: scores against complex step, products against one another, memory and masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad.distributions import Autoregressive, Categorical, Deterministic, DiagonalGaussian
from npgrad.errors import InvalidInput, NonFinite, NotImplementedBy
from npgrad.functions import MLP, Concatenated, Constant, Linear
from npgrad.policies import Bins, ComposedPolicy, Normaliser, Tanh, make_policy
from npgrad.spaces import Box, Discrete

OBS = Box(-np.inf, np.inf, (3,), "float64")
BOX2 = Box(-1.0, 1.0, (2,), "float64")
POLICIES = {
    "linear softmax": make_policy((OBS, Discrete(4)), "linear"),
    "mlp softmax": make_policy((OBS, Discrete(3, start=5)), "mlp", hidden=(5,)),
    "linear gaussian": make_policy((OBS, BOX2), "linear"),
    "mlp gaussian": make_policy((OBS, BOX2), "mlp", hidden=(4, 3)),
    "state-dependent σ": ComposedPolicy(
        Concatenated((Linear(3, 2), MLP(3, 2, hidden=(4,)))), DiagonalGaussian(2), OBS, BOX2
    ),
    "normalised": make_policy((OBS, BOX2), "linear").with_normaliser(Normaliser(np.full(3, 0.5), np.full(3, 2.0))),
    "masked": ComposedPolicy(Linear(3, 4), Categorical(4), OBS, Discrete(4), n_masked=4),
}
trapezoid = getattr(np, "trapezoid", None) or getattr(np, "trapz", None)  # its name before NumPy 2
seeds = st.integers(0, 10_000)
lengths = st.lists(st.integers(1, 4), min_size=1, max_size=3)


def case(policy, seed, lengths):
    rng = np.random.default_rng(seed)
    t = sum(lengths)
    theta = rng.normal(size=policy.n_params)
    obs = rng.normal(size=(t, 3))
    if policy.n_masked:
        allowed = rng.random((t, policy.n_masked)) < 0.6
        allowed[np.arange(t), rng.integers(policy.n_masked, size=t)] = True
        obs = np.hstack([obs, allowed])
    noise = np.column_stack([rng.random(t) if k == "uniform" else rng.normal(size=t) for k in policy.draws])
    act, logp, _ = policy.act(theta, obs, noise)
    return theta, obs, act, logp, np.concatenate([[0], np.cumsum(lengths)]), rng


@pytest.mark.parametrize("name", POLICIES)
class TestEvery:
    @given(seed=seeds, lengths=lengths)
    def test_score_is_the_complex_step_derivative(self, name, seed, lengths):
        policy = POLICIES[name]
        theta, obs, act, _, _, _ = case(policy, seed, lengths)
        h = 1e-30
        numeric = np.stack(
            [policy.at(theta + 1j * h * e, obs, act).log_prob.imag / h for e in np.eye(policy.n_params)], axis=1
        )
        score = policy.score(theta, obs, act)
        assert np.abs(score - numeric).max() <= 1e-12 * max(1, np.abs(numeric).max())

    @given(seed=seeds, lengths=lengths)
    def test_products_are_sums_of_scores(self, name, seed, lengths):
        policy = POLICIES[name]
        theta, obs, act, _, offsets, rng = case(policy, seed, lengths)
        psi, v = rng.normal(size=len(obs)), rng.normal(size=policy.n_params)
        score, lin = policy.score(theta, obs, act), policy.at(theta, obs, act)
        scale = 1e-12 * max(1, np.abs(score).max()) * len(obs) * policy.n_params
        np.testing.assert_allclose(lin.vjp(psi), psi @ score, rtol=0, atol=scale)
        np.testing.assert_allclose(lin.jvp(v), score @ v, rtol=0, atol=scale)
        np.testing.assert_allclose(lin.vjp_rows(psi), psi[:, None] * score, rtol=0, atol=scale)
        segments = np.add.reduceat(psi[:, None] * score, offsets[:-1])
        np.testing.assert_allclose(lin.vjp_segments(psi, offsets), segments, rtol=0, atol=scale)

    @given(seed=seeds, lengths=lengths)
    def test_act_reports_the_log_probability_of_at(self, name, seed, lengths):
        policy = POLICIES[name]
        theta, obs, act, logp, _, _ = case(policy, seed, lengths)
        np.testing.assert_allclose(policy.at(theta, obs, act).log_prob, logp, rtol=1e-12, atol=1e-12)

    @given(seed=seeds, lengths=lengths)
    def test_entropy_kl_and_fisher_agree_with_complex_step(self, name, seed, lengths):
        policy = POLICIES[name]
        theta, obs, act, _, _, rng = case(policy, seed, lengths)
        other = policy.at(theta + 0.1 * rng.normal(size=policy.n_params), obs, act)
        w, v, h = rng.random(len(obs)), rng.normal(size=policy.n_params), 1e-30
        lin = policy.at(theta, obs, act)

        def derivative(f):
            return np.array([f(policy.at(theta + 1j * h * e, obs, act)).imag / h for e in np.eye(policy.n_params)])

        for closed, numeric in [
            (lin.entropy_vjp(w), derivative(lambda at: w @ at.entropy())),
            (lin.kl_vjp(other, w), derivative(lambda at: w @ at.kl_to(other))),
            (lin.kl_from_vjp(other, w), derivative(lambda at: w @ other.kl_to(at))),
        ]:
            np.testing.assert_allclose(closed, numeric, rtol=1e-11, atol=1e-11 * max(1, np.abs(numeric).max()))
        # F v is the derivative along v of ∇ KL(π_θ₀ ‖ π_θ) at θ = θ₀
        hessian_v = policy.at(theta + 1j * h * v, obs, act).kl_from_vjp(lin, w).imag / h
        np.testing.assert_allclose(
            lin.fisher_vp(v, w), hessian_v, rtol=1e-10, atol=1e-10 * max(1, np.abs(hessian_v).max())
        )

    @given(seed=seeds)
    def test_without_noise_the_mode_is_taken(self, name, seed):
        policy = POLICIES[name]
        theta, obs, act, _, _, _ = case(policy, seed, [5])
        _, logp, _ = policy.act(theta, obs)
        assert (logp >= policy.at(theta, obs, act).log_prob - 1e-12).all()


def test_masked_actions_are_never_taken_and_have_no_gradient():
    policy = POLICIES["masked"]
    obs = np.array([[1.0, -1.0, 0.5, 0, 1, 0, 1]])
    theta = np.linspace(-2, 2, policy.n_params)
    for u in (1e-9, 0.5, 1 - 1e-9):
        act, _, _ = policy.act(theta, obs, np.array([[u]]))
        assert act[0] in (1, 3)
    W, b = policy.function.split(policy.score(theta, obs, act)[0])
    assert not W[:, [0, 2]].any()
    assert not b[[0, 2]].any()


def test_log_prob_of_a_squashed_action_integrates_to_one():
    policy = ComposedPolicy(
        Concatenated((Linear(1, 1), Constant(1, 1))),
        DiagonalGaussian(1),
        Box(-1, 1, (1,)),
        Box(2, 5, (1,)),
        Tanh((2.0,), (5.0,)),
    )
    u = np.linspace(-9, 9, 20_001)
    theta = np.array([0.3, -0.2, -0.4])
    a = policy.action_map(u[:, None])[:, 0]
    density = np.exp(policy.log_prob(theta, np.ones((len(u), 1)), u[:, None]))
    assert trapezoid(density, a) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(theta=np.zeros(3)), r"theta has shape \(3,\), expected one flat array of shape \(16,\)"),
        (dict(obs=np.zeros((2, 5))), r"obs has shape \(2, 5\), expected \(any, 3\)"),
        (dict(act=np.zeros((2, 1), dtype=int)), r"act has shape \(2, 1\)"),
        (dict(act=np.array([0.0, 1.0])), "float"),
        (dict(act=np.array([0, 4])), "4"),
        (dict(act=np.array([0])), "rows"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    args = dict(theta=np.zeros(16), obs=np.zeros((2, 3)), act=np.array([0, 1])) | change
    with pytest.raises(InvalidInput, match=message):
        POLICIES["linear softmax"].at(**args)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_theta_that_is_not_finite_is_named(wrong):
    theta = np.zeros(16)
    theta[5] = wrong
    with pytest.raises(NonFinite, match=r"theta\[5\] is "):
        POLICIES["linear softmax"].at(theta, np.zeros((2, 3)), np.array([0, 1]))


def test_function_and_distribution_must_fit():
    with pytest.raises(InvalidInput, match="gives 3 numbers, but Categorical takes 4"):
        ComposedPolicy(Linear(3, 3), Categorical(4), OBS, Discrete(4))


def test_a_deterministic_policy_has_the_derivative_of_its_action():
    policy = ComposedPolicy(MLP(3, 2, hidden=(4,)), Deterministic(2), OBS, BOX2)
    rng = np.random.default_rng(0)
    theta, obs, w, h = rng.normal(size=policy.n_params), rng.normal(size=(5, 3)), rng.normal(size=(5, 2)), 1e-30
    act, logp, _ = policy.act(theta, obs)
    assert not logp.any()
    numeric = [(w * policy.act(theta + 1j * h * e, obs)[0].imag / h).sum() for e in np.eye(policy.n_params)]
    np.testing.assert_allclose(policy.at(theta, obs, act).action_vjp(w), numeric, rtol=1e-12, atol=1e-12)
    with pytest.raises(NotImplementedBy, match="has no score"):
        policy.score(theta, obs, act)


def test_entropy_of_a_squashed_action_is_that_of_its_density():
    policy = make_policy((OBS, Box(2, 5, (1,), "float64")), "linear", action_map="tanh")
    theta, obs = np.array([0.3, -0.2, 0.1, 0.05, -0.4]), np.array([[1.0, 0.5, -2.0]])
    u = np.linspace(-9, 9, 20_001)[:, None]
    logp = policy.log_prob(theta, np.repeat(obs, len(u), axis=0), u)
    a, p = policy.action_map(u)[:, 0], np.exp(logp)
    assert policy.entropy(theta, obs) == pytest.approx(-trapezoid(p * logp, a), abs=1e-6)


def test_bins_discretise_a_box():
    bins = (3, 2)
    policy = ComposedPolicy(
        Linear(3, Autoregressive(bins).n_y), Autoregressive(bins), OBS, BOX2, Bins(bins, (-1.0, -1.0), (1.0, 1.0))
    )
    act, _, _ = policy.act(np.zeros(policy.n_params), np.zeros((2, 3)), np.array([[0.01, 0.01], [0.99, 0.99]]))
    np.testing.assert_allclose(policy.action_map(act), [[-2 / 3, -0.5], [2 / 3, 0.5]])
