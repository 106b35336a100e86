"""The figures of a step, against what they estimate: sums over actions, small steps, planted weights."""

from dataclasses import replace

import numpy as np
import pytest

from npgrad import REINFORCE
from npgrad.compiled import compiled_policy
from npgrad.distributions import Categorical, Deterministic
from npgrad.estimators import Estimate, PolicyGradient
from npgrad.functions import Linear
from npgrad.policies import ComposedPolicy, make_policy
from npgrad.rollouts import make_rollout
from npgrad.spaces import Box, Discrete
from npgrad.training.diagnostics import (
    ROWS,
    diagnose,
    explained_variance,
    share_of_clipped,
)
from npgrad.types import Batch

OBS = Box(-np.inf, np.inf, (3,), "float64")
POLICIES = {
    "softmax": make_policy((OBS, Discrete(3)), "mlp", hidden=(5,)),
    "gaussian": make_policy((OBS, Box(-1.0, 1.0, (2,), "float64")), "linear"),
    "full": make_policy((OBS, Box(-1.0, 1.0, (2,), "float64")), "linear", std="full"),
    "recurrent": make_policy((OBS, Discrete(2)), "recurrent", hidden=(3,)),
    "masked": make_policy((OBS, Discrete(3)), "linear", masked=True),
}


def drawn(policy, theta, n, seed=0, length=4):
    """A batch of n rows that the policy itself would give on random observations."""
    rng = np.random.default_rng(seed)
    obs = rng.normal(size=(n, policy.n_obs))
    if policy.n_masked:
        obs[:, -policy.n_masked :] = 1
        obs[::2, -1] = 0
    noise = rng.uniform(size=(n, len(policy.draws))) if policy.draws[0] == "uniform" else None
    noise = rng.normal(size=(n, len(policy.draws))) if noise is None else noise
    offsets = np.arange(0, n + 1, length)
    memory = np.zeros((len(offsets) - 1, policy.n_memory))
    act, logp = [], []
    for t in range(length):
        a, l, memory = policy.act(theta, obs[t::length], noise[t::length], memory)
        act.append(a)
        logp.append(l)
    act, logp = np.stack(act, 1).reshape(n, *act[0].shape[1:]), np.stack(logp, 1).reshape(n)
    ends = np.ones(n // length, bool)
    return Batch(obs, act, np.ones(n), logp, offsets, ends, ~ends, np.ones((n // length, policy.n_obs)))


def start(policy, seed=1):
    return policy.init(np.random.default_rng(seed)) + 0.3 * np.random.default_rng(seed).normal(size=policy.n_params)


class Bare:
    """A policy of the user's own: no composition, nothing but its log-probabilities."""

    def __init__(self, policy):
        self.policy = policy

    def __getattr__(self, name):
        return getattr(self.policy, name)

    def at(self, *args):
        lin = self.policy.at(*args)
        return type("Lin", (), {"log_prob": lin.log_prob, "jvp": staticmethod(lin.jvp)})()


@pytest.mark.parametrize("kind", POLICIES)
def test_a_small_step_has_the_kl_that_was_predicted(kind):
    policy = POLICIES[kind]
    theta, d = start(policy), np.random.default_rng(2).normal(size=policy.n_params)
    batch = drawn(policy, theta, 200)
    errors = []
    for size in (1e-2, 5e-3):
        figures = diagnose(policy, theta, theta + size * d, batch)
        errors.append(abs(figures["train/approx_kl"] - figures["train/predicted_kl"]))
        assert figures["train/approx_kl"] == pytest.approx(figures["train/predicted_kl"], rel=0.2)
    assert errors[1] < errors[0] / 5  # of third order: a factor of 8
    still = diagnose(policy, theta, theta, batch)
    assert still["train/approx_kl"] == pytest.approx(0, abs=1e-14)
    assert still["train/effective_sample_share"] == pytest.approx(1, abs=1e-12)


def test_of_a_softmax_by_sums_over_actions():
    policy = POLICIES["softmax"]
    theta = start(policy)
    new = theta + 0.1 * np.random.default_rng(3).normal(size=policy.n_params)
    batch = drawn(policy, theta, 40)
    p, q = (
        np.exp([policy.log_prob(w, batch.obs, np.full(40, a)) for a in range(3)]) for w in (theta, new)
    )  # (3, 40) each
    figures = diagnose(policy, theta, new, batch)
    assert figures["train/entropy_loss"] == pytest.approx((p * np.log(p)).sum(0).mean(), rel=1e-12)
    assert figures["train/approx_kl"] == pytest.approx((p * np.log(p / q)).sum(0).mean(), rel=1e-9)
    rho = (q / p)[batch.act, np.arange(40)]
    assert figures["train/effective_sample_share"] == pytest.approx(rho.sum() ** 2 / (40 * (rho**2).sum()), rel=1e-12)
    f = [policy.score(theta, batch.obs, np.full(40, a)) for a in range(3)]
    exact = 0.5 * np.mean(sum(p[a] * (f[a] @ (new - theta)) ** 2 for a in range(3)))  # ½ E (fᵀd)²
    assert figures["train/predicted_kl"] == pytest.approx(exact, rel=1e-10)


@pytest.mark.parametrize("kind", ["softmax", "gaussian"])
def test_a_policy_without_rows_is_measured_on_its_actions(kind):
    policy = POLICIES[kind]
    theta = start(policy)
    new = theta + 0.05 * np.random.default_rng(3).normal(size=policy.n_params)
    batch = drawn(policy, theta, ROWS)
    exact, sampled = diagnose(policy, theta, new, batch), diagnose(Bare(policy), theta, new, batch)
    assert set(exact) == set(sampled)
    for key, value in exact.items():
        assert sampled[key] == pytest.approx(value, rel=0.25), key
    assert sampled["train/approx_kl"] != exact["train/approx_kl"]


def test_at_most_some_thousand_rows_are_looked_at(monkeypatch):
    seen = []
    for kind in ("softmax", "recurrent"):
        policy = POLICIES[kind]
        theta, batch = start(policy), drawn(policy, start(policy), 5000)
        inner, kind = policy.function.at, type(compiled_policy(policy).function)
        monkeypatch.setattr(kind, "at", lambda f, w, x, o=None, at=inner: (seen.append((len(x), o)), at(w, x, o))[1])
        diagnose(policy, theta, theta, batch)
        monkeypatch.undo()
    assert [n for n, _ in seen] == [1000, 1000, 1024, 1024]
    np.testing.assert_array_equal(seen[-1][1], np.arange(0, 1025, 4))  # whole episodes


def test_one_episode_longer_than_all_that_is_looked_at():
    policy = POLICIES["recurrent"]
    batch = drawn(policy, start(policy), 2 * ROWS, length=2 * ROWS)
    assert diagnose(policy, start(policy), start(policy), batch)["train/approx_kl"] == pytest.approx(0, abs=1e-14)


def test_a_policy_without_a_density_has_no_kl():
    policy = ComposedPolicy(Linear(3, 2), Deterministic(2), OBS, Box(-1.0, 1.0, (2,)))
    batch = replace(drawn(POLICIES["gaussian"], start(POLICIES["gaussian"]), 8))
    assert diagnose(policy, np.zeros(8), np.ones(8), batch) == {}


def test_a_step_into_the_wild_is_no_warning():
    policy = POLICIES["gaussian"]
    theta = start(policy)
    with np.errstate(all="raise"):
        figures = diagnose(policy, theta, theta + 1e5, drawn(policy, theta, 8))
        nowhere = diagnose(policy, theta, theta * np.nan, drawn(policy, theta, 8))
    assert not figures["train/approx_kl"] < 1e5
    assert "train/approx_kl" not in nowhere


def test_signal_to_noise_is_right_on_average():
    """Episodes' terms N(m, I) in 3 dimensions: signal ‖m‖², noise 3/N; no signal gives none on average."""
    rng = np.random.default_rng(0)
    policy, n = POLICIES["softmax"], 40
    theta = start(policy)
    batch = drawn(policy, theta, 8)
    for mean, expected in ((0.0, 0.0), (0.5, 3 * 0.25 / (3 / n))):
        found = []
        for _ in range(300):
            estimate = Estimate.of_terms(rng.normal(mean, 1.0, size=(n, 3)))
            found.append(diagnose(policy, theta, theta, batch, estimate)["train/signal_to_noise"])
        assert np.mean(found) == pytest.approx(expected, abs=4 * np.std(found) / 300**0.5 + 0.05 * expected)
    assert np.std(found) > 0


def test_one_episode_has_no_signal_to_noise():
    figures = diagnose(
        POLICIES["softmax"],
        start(POLICIES["softmax"]),
        start(POLICIES["softmax"]),
        drawn(POLICIES["softmax"], start(POLICIES["softmax"]), 4),
        Estimate.of_terms(np.ones((1, 3))),
    )
    assert figures["train/gradient_norm"] == pytest.approx(3**0.5)
    assert "train/signal_to_noise" not in figures


def test_explained_variance():
    g = np.random.default_rng(0).normal(size=1000)
    assert explained_variance(g + 7, g) == pytest.approx(1)
    assert explained_variance(np.zeros(1000), g) == 0
    assert explained_variance(-g, g) == pytest.approx(-3)
    assert np.isnan(explained_variance(g, np.ones(1000)))
    policy = POLICIES["softmax"]
    figures = diagnose(policy, start(policy), start(policy), drawn(policy, start(policy), 8), values=g, targets=g)
    assert figures["train/explained_variance"] == 1


@pytest.mark.parametrize(("action_map", "expected"), [("clip", 0.5), ("rescale", 0.5), ("tanh", None)])
def test_the_share_of_clipped_actions(action_map, expected):
    policy = make_policy((OBS, Box(-1.0, 1.0, (2,))), "linear", action_map=action_map)
    assert share_of_clipped(policy, np.array([[0.5, 3.0], [-2.0, 1.0]])) == expected
    assert share_of_clipped(POLICIES["softmax"], np.array([0, 1])) is None


def test_reinforce_logs_them():
    rows = []
    REINFORCE("Pendulum-v1", seed=0, n_episodes=4).learn(1600, callback=lambda s: rows.append(s.row))
    keys = "gradient_norm gradient_variance signal_to_noise entropy_loss approx_kl predicted_kl clipped_actions"
    assert {f"train/{key}" for key in keys.split()} <= set(rows[0])
    rollout = make_rollout("CartPole-v1")
    policy = make_policy(rollout, "linear")
    batch = rollout.episodes(policy, np.zeros(10), seed=0, first=0, count=8)
    estimate = PolicyGradient()(policy, np.zeros(10), batch)
    assert diagnose(policy, np.zeros(10), np.zeros(10), batch, estimate)["train/gradient_norm"] == pytest.approx(
        np.linalg.norm(estimate.gradient)
    )
    assert isinstance(policy.distribution, Categorical)
