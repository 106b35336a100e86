"""−E_D log π and its gradient: by complex step, by what is known of maximum likelihood, and the bridge to P9."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad import distributions, functions
from npgrad.data import Demonstrations
from npgrad.errors import InvalidInput, NotImplementedBy
from npgrad.estimators import PolicyGradient, ScoreFunction
from npgrad.imitation import advantage_weights, cloning_loss, latent_batch, likelihood, reward_weights
from npgrad.policies import Bins, Clip, ComposedPolicy, Identity, Offset, Rescale, Tanh, make_policy
from npgrad.rollouts import make_rollout
from npgrad.spaces import Box, Discrete, MultiBinary, MultiDiscrete
from npgrad.types import Batch
from npgrad.verify import complex_gradient, difference, slope

SEEN = Box(-9.0, 9.0, (3,), "float64")
SPACES = [
    Discrete(3, start=2),
    MultiDiscrete((2, 3)),
    MultiBinary(2),
    Box((-1.0, -2.0), (1.0, 2.0), dtype="float64"),
]


def demonstrations(space, lengths=(4, 3, 5), seed=0):
    rng = np.random.default_rng(seed)
    n = sum(lengths)
    act = {
        Discrete: lambda: 2 + rng.integers(3, size=n),
        MultiDiscrete: lambda: rng.integers((2, 3), size=(n, 2)),
        MultiBinary: lambda: rng.integers(2, size=(n, 2)),
        Box: lambda: rng.uniform(-1, 1, size=(n, 2)) * (1.0, 2.0),
    }[type(space)]()
    batch = Batch(
        obs=rng.normal(size=(n, 3)),
        act=act,
        rew=rng.normal(size=n),
        logp=np.zeros(n),
        offsets=np.cumsum([0, *lengths]),
        terminated=np.ones(len(lengths)),
        truncated=np.zeros(len(lengths)),
        final_obs=rng.normal(size=(len(lengths), 3)),
    )
    return Demonstrations(batch, SEEN, space)


@pytest.mark.parametrize("kind", ["linear", "mlp", "recurrent"])
@pytest.mark.parametrize("space", SPACES, ids=lambda s: type(s).__name__)
def test_gradient_by_complex_step(space, kind):
    demos = demonstrations(space)
    policy = make_policy((SEEN, space), kind, hidden=(3,), std="state" if isinstance(space, Box) else "shared")
    batch, rng = latent_batch(demos, policy), np.random.default_rng(1)
    theta, w = rng.normal(size=policy.n_params) / 2, rng.normal(size=batch.n_steps)
    for weights in (None, w):
        loss, gradient = cloning_loss(policy, theta, batch, weights)
        by_step = complex_gradient(lambda x, w=weights: cloning_loss(policy, x, batch, w)[0], theta)
        assert difference(gradient, by_step) < 1e-13
        v = np.ones(batch.n_steps) if weights is None else weights
        per_row = policy.at(theta, batch.obs, batch.act, batch.offsets).log_prob
        assert difference(loss, -(v @ per_row) / batch.n_steps) < 1e-14


def test_chunks_change_nothing(monkeypatch):
    demos = demonstrations(SPACES[0])
    policy = make_policy((SEEN, SPACES[0]), "mlp", hidden=(3,))
    batch, theta = latent_batch(demos, policy), policy.init(np.random.default_rng(0))
    whole = cloning_loss(policy, theta, batch)
    monkeypatch.setattr(likelihood, "CHUNK", 5)
    for a, b in zip(whole, cloning_loss(policy, theta, batch), strict=True):
        assert difference(a, b) < 1e-14


def test_it_is_cross_entropy_and_squared_error():
    demos = demonstrations(SPACES[0])
    policy = make_policy((SEEN, SPACES[0]), "linear")
    batch, theta = latent_batch(demos, policy), np.random.default_rng(2).normal(size=policy.n_params)
    y = policy.function.at(theta, batch.obs).y
    cross_entropy = np.mean([np.log(np.exp(row).sum()) - row[a] for row, a in zip(y, batch.act, strict=True)])
    assert cloning_loss(policy, theta, batch)[0] == pytest.approx(cross_entropy, rel=1e-13)
    demos = demonstrations(SPACES[3])
    policy = make_policy((SEEN, SPACES[3]), "linear", std="fixed")
    batch, theta = latent_batch(demos, policy), np.random.default_rng(2).normal(size=policy.n_params)
    mean = policy.distribution.mode(policy.function.at(theta, batch.obs).y)
    squares = np.mean(((batch.act - mean) ** 2).sum(axis=1)) / 2 + np.log(2 * np.pi)
    assert cloning_loss(policy, theta, batch)[0] == pytest.approx(squares, rel=1e-13)


# The bridge: weights Ψ make it the policy gradient


@pytest.mark.parametrize("env", ["CartPole-v1", "Pendulum-v1"])
def test_weighted_by_psi_it_is_the_policy_gradient(env):
    rollout = make_rollout(env)
    policy = make_policy(rollout, "mlp", hidden=(4,))
    theta = policy.init(np.random.default_rng(0))
    batch = rollout.episodes(policy, theta, seed=0, first=0, count=5)
    estimator = PolicyGradient(gamma=0.97)
    psi = estimator.weights(batch)
    estimate = ScoreFunction(lambda _: psi)(policy, theta, batch)
    _, gradient = cloning_loss(policy, theta, batch, psi)
    assert difference(-gradient * batch.n_steps / batch.n_episodes, estimate.gradient) < 1e-12
    assert difference(estimate.gradient, estimator(policy, theta, batch).gradient) < 1e-12
    _, unweighted = cloning_loss(policy, theta, batch)
    ones = ScoreFunction(lambda b: np.ones(b.n_steps))(policy, theta, batch).gradient  # Ψ = 1: imitation of oneself
    assert difference(-unweighted * batch.n_steps / batch.n_episodes, ones) < 1e-12


def test_advantage_weights_end_in_policy_gradient_as_the_temperature_rises():
    """τ (∇ weighted − ∇ cloning) → Σ A f: the error falls as 1/τ."""
    rollout = make_rollout("CartPole-v1")
    policy = make_policy(rollout, "linear")
    theta = policy.init(np.random.default_rng(0))
    batch = rollout.episodes(policy, theta, seed=0, first=0, count=5)
    adv = np.random.default_rng(1).normal(size=batch.n_steps)
    _, of_psi = cloning_loss(policy, theta, batch, adv)
    _, of_ones = cloning_loss(policy, theta, batch)
    taus = np.array([10.0, 20.0, 40.0, 80.0])
    errors = [
        np.abs(tau * (cloning_loss(policy, theta, batch, advantage_weights(adv, tau))[1] - of_ones) - of_psi).max()
        for tau in taus
    ]
    assert slope(taus, errors) == pytest.approx(-1, abs=0.02)


def test_reward_weights():
    batch = demonstrations(SPACES[0]).batch
    R = np.array([batch.rew[a:b].sum() for a, b in zip(batch.offsets[:-1], batch.offsets[1:], strict=True)])
    np.testing.assert_allclose(reward_weights(batch), np.repeat(R - R.min(), (4, 3, 5)))
    w = reward_weights(batch, temperature=0.5)
    np.testing.assert_allclose(w / w[0], np.repeat(np.exp(2 * (R - R[0])), (4, 3, 5)))
    assert np.isfinite(reward_weights(batch, 1e-9)).all()
    with pytest.raises(InvalidInput, match="not a complete episode"):
        reward_weights(dataclasses.replace(batch, terminated=np.zeros(3)))
    for bad in ({"temperature": 0.0}, {"max_weight": -1.0}):
        with pytest.raises(InvalidInput, match="expected a number above 0"):
            advantage_weights(np.zeros(3), **bad)
    with pytest.raises(InvalidInput, match="adv has shape"):
        advantage_weights(np.zeros((3, 1)))


# Latent actions

BOUNDS = (-1.0, 0.0), (1.0, 10.0)


@pytest.mark.parametrize("action_map", [Clip(*BOUNDS), Rescale(*BOUNDS), Tanh(*BOUNDS), Identity()], ids=str)
@given(st.lists(st.floats(0.001, 0.999), min_size=2, max_size=2))
def test_maps_undo_their_inverses(action_map, share):
    low, high = np.array(BOUNDS)
    a = (low + np.array(share) * (high - low))[None]
    np.testing.assert_allclose(action_map(action_map.inverse(a)), a, rtol=1e-12, atol=1e-12)


def test_inverses_at_the_edges():
    edges = np.array(BOUNDS)
    u = Tanh(*BOUNDS).inverse(edges)
    assert np.isfinite(u).all()
    np.testing.assert_allclose(Tanh(*BOUNDS)(u), edges, atol=0.01)
    bins = Bins((2, 5), *BOUNDS)
    np.testing.assert_array_equal(bins.inverse(edges), [[0, 0], [1, 4]])
    for cell in ([0, 3], [1, 0]):
        np.testing.assert_array_equal(bins.inverse(bins(np.array([cell]))), [cell])
    np.testing.assert_array_equal(Offset((2, -1)).inverse(np.array([[2, 0]])), [[0, 1]])


def test_a_map_of_ones_own_without_an_inverse():
    class Mine:
        def __call__(self, act):
            return act

        def log_derivative(self, act):
            return np.zeros(len(act))

    policy = dataclasses.replace(make_policy((SEEN, SPACES[3])), action_map=Mine())
    with pytest.raises(NotImplementedBy, match="Mine has no inverse"):
        latent_batch(demonstrations(SPACES[3]), policy)


def test_other_spaces():
    demos = demonstrations(SPACES[0])
    for pair, name in (((SEEN, Discrete(3)), "action space"), ((Box(-9.0, 9.0, (3,)), SPACES[0]), "observation space")):
        with pytest.raises(InvalidInput, match=f"the demonstrations have {name} .*, but the policy"):
            latent_batch(demos, make_policy(pair))
    with pytest.raises(InvalidInput, match="n masked 0, but the policy 3"):
        latent_batch(demos, make_policy((SEEN, SPACES[0]), masked=True))
    policy = ComposedPolicy(functions.Linear(3, 3), distributions.Categorical(3), SEEN, SPACES[0], Offset(2))
    with pytest.raises(InvalidInput, match=r"weights has shape \(2,\), expected \(12,\)"):
        cloning_loss(policy, np.zeros(policy.n_params), latent_batch(demos, policy), np.ones(2))
