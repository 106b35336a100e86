"""Learning from single transitions: compiled and in NumPy the same, and along an episode what GAE says."""

from dataclasses import replace

import numpy as np
import pytest

from npgrad.algorithms.networks import networks_of
from npgrad.algorithms.online import Online, OnlineLearner, Rule
from npgrad.algorithms.value import value_function
from npgrad.critics import gae
from npgrad.errors import InvalidInput
from npgrad.functions import MLP, Linear
from npgrad.policies import make_policy
from npgrad.spaces import Box, Discrete, MultiBinary

OBSERVED = Box(-9.0, 9.0, (3,), "float64")
SPACES = {"softmax": Discrete(3), "gaussian": Box(-1.0, 1.0, (2,), "float64")}
POLICIES = {
    "linear": ("softmax", {}),
    "mlp": ("softmax", {"hidden": (4, 3)}),
    "relu": ("softmax", {"hidden": (4,), "activation": "relu"}),
    "shared σ": ("gaussian", {"hidden": (4,)}),
    "σ of the state": ("gaussian", {"std": "state"}),
    "fixed σ": ("gaussian", {"std": "fixed", "log_std_init": -0.5}),
}
RULES = {
    "plain": Rule(0.01, 0.02, overshoot=0.0),
    "bounded": Rule(1.0, 1.0, overshoot=2.0),
    "all": Rule(0.02, 0.03, trace_lambda=0.7, critic_trace_lambda=0.3, ent_coef=0.1, discount_states=True),
}


def learner_of(name, critic, rule, seed=0):
    space, options = POLICIES[name]
    kind = "mlp" if "hidden" in options else "linear"
    policy = make_policy((OBSERVED, SPACES[space]), kind, **options)
    value, rng = value_function(policy, critic, (4,)), np.random.default_rng(seed)
    theta, w = 0.3 * rng.normal(size=policy.n_params), 0.3 * rng.normal(size=value.function.n_params)
    return OnlineLearner(policy, value, rule, theta=theta, w=w, seed=seed)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("critic", ["linear", "quadratic", "mlp"])
@pytest.mark.parametrize("name", POLICIES)
def test_compiled_and_in_numpy_the_same(name, critic, rule):
    fast, slow = (learner_of(name, critic, RULES[rule]) for _ in range(2))
    assert fast._networks is not None
    slow._networks = None
    rng = np.random.default_rng(1)
    obs = rng.normal(size=3)
    for t in range(25):
        act, same = fast.act(obs), slow.act(obs)
        np.testing.assert_allclose(act, same, rtol=1e-9, atol=1e-12)
        rew, next_obs, ended = rng.normal(), rng.normal(size=3), t % 9 == 7
        deltas = [x.update(obs, act, rew, next_obs, ended and t < 9, ended) for x in (fast, slow)]
        assert deltas[0] == pytest.approx(deltas[1], rel=1e-8, abs=1e-10)
        obs = next_obs
    for attribute in ("theta", "w", "z", "z_w"):
        np.testing.assert_allclose(getattr(fast, attribute), getattr(slow, attribute), rtol=1e-7, atol=1e-9)
    assert (fast.timesteps, fast.episodes, fast.t) == (slow.timesteps, slow.episodes, slow.t) == (25, 2, 8)


@pytest.mark.parametrize("compiled", [True, False])
def test_along_an_episode_it_is_gae(compiled):
    """With θ and w held fixed, Σ_t δ_t z_t = Σ_t f_t Σ_k (γλ)^k δ_{t+k}."""
    model = Online("CartPole-v1", seed=0, critic="linear")
    policy, rng = model.policy, np.random.default_rng(0)
    theta, w = 0.1 * rng.normal(size=10), rng.normal(size=5)
    batch = model.rollout.episodes(policy, theta, seed=0, first=0, count=1)
    value = value_function(policy, "linear", ())
    learner = OnlineLearner(policy, value, Rule(0.0, 0.0, gamma=0.9, trace_lambda=0.7), theta=theta, w=w)
    if not compiled:
        learner._networks = None
    after, total = np.vstack([batch.obs[1:], batch.final_obs]), 0.0
    for t in range(batch.n_steps - 1):
        delta = learner.update(batch.obs[t], batch.act[t], batch.rew[t], after[t], False)
        total = total + delta * learner.z
    np.testing.assert_array_equal(learner.theta, theta)
    values = value.critic({"w": w}, policy)(batch)
    v_last = float(value.function.at(w, batch.obs[-1:]).y[0, 0])  # the last transition is not learned from
    psi = gae(batch, values, 0.9, 0.7)
    end = batch.rew[-1] - v_last
    psi = (psi - (0.9 * 0.7) ** np.arange(batch.n_steps - 1, -1, -1) * end)[:-1]
    expected = psi @ policy.score(theta, batch.obs[:-1], batch.act[:-1])
    np.testing.assert_allclose(total, expected, rtol=1e-10, atol=1e-12)
    assert np.abs(total - (psi[::-1] @ policy.score(theta, batch.obs[:-1], batch.act[:-1]))).max() > 1e-3


@pytest.mark.parametrize(
    ("env", "options"),
    [
        ("CartPole-v1", {}),
        ("CartPole-v1", {"n_envs": 3, "critic": "quadratic", "policy": "mlp", "policy_kwargs": {"hidden": (3,)}}),
        ("Pendulum-v1", {"ent_coef": 0.01, "reward_scale": 0.1}),
        ("FrozenLake-v1", {"critic": "linear", "discount_states": True, "n_envs": 2, "n_blocks": 2}),
    ],
)
def test_the_kernel_does_what_transition_by_transition_does(env, options):
    recipe = Online(env, seed=4, n_steps=150, **options).recipe
    state = recipe.init(4)
    (fast, a), (slow, b) = recipe.step(state), recipe._transition_by_transition(state)
    np.testing.assert_allclose(fast.theta, slow.theta, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(fast.group("critic")["w"], slow.group("critic")["w"], rtol=1e-6, atol=1e-9)
    assert (fast.timesteps, fast.iteration, fast.episodes) == (slow.timesteps, slow.iteration, slow.episodes)
    np.testing.assert_allclose(sorted(a.returns), sorted(b.returns), rtol=1e-9)
    assert sorted(a.lengths) == sorted(b.lengths)


def test_any_environment_and_policy():
    model = Online("CartPole-v1", seed=0, engine="gymnasium", n_steps=20, normalize_observations=True).learn(40)
    assert model.state.timesteps == 40
    assert model.agent.policy.normaliser is not None
    buttons = make_policy((OBSERVED, MultiBinary((2,))), "linear")
    learner = OnlineLearner(buttons)
    assert learner._networks is None
    obs = np.ones(3)
    for _ in range(3):
        learner.update(obs, learner.act(obs), 1.0, obs, False)
    assert np.isfinite(learner.theta).all()


@pytest.mark.parametrize("kind", [Linear, MLP])
def test_a_function_of_ones_own_is_not_taken_for_its_parent(kind):
    class Mine(kind):
        def at(self, theta, obs, offsets=None):
            return super().at(theta, -np.asarray(obs), offsets)

    policy = make_policy((OBSERVED, Discrete(3)), "linear")
    value = value_function(policy, "linear", ())
    assert networks_of(replace(policy, function=kind(3, 3)), value) is not None
    assert networks_of(replace(policy, function=Mine(3, 3)), value) is None
    assert networks_of(policy, replace(value, function=Mine(3, 1))) is None


def test_what_it_refuses():
    with pytest.raises(InvalidInput, match="has a memory"):
        Online("CartPole-v1", policy="recurrent")
    with pytest.raises(InvalidInput, match="trace_lambda is 2"):
        Online("CartPole-v1", trace_lambda=2.0)
    with pytest.raises(InvalidInput, match=r"overshoot is -1\.0"):
        Online("CartPole-v1", overshoot=-1.0)
