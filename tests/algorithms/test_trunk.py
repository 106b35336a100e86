"""A trunk that policy and critic share: V reads the policy's hidden layers, and one step climbs both."""

from dataclasses import replace

import numpy as np
import pytest

from npgrad.algorithms import ALGORITHMS
from npgrad.algorithms.trunk import trunk_of
from npgrad.critics import gae, n_step_return
from npgrad.errors import InvalidInput
from npgrad.functions import MLP
from npgrad.policies import make_policy
from npgrad.spaces import Box, Discrete

OBSERVED = Box(-1.0, 1.0, (3,), "float64")
POLICIES = {
    "softmax": make_policy((OBSERVED, Discrete(2)), "mlp", hidden=(4, 5)),
    "gaussian": make_policy((OBSERVED, Box(-1.0, 1.0, (2,), "float64")), "mlp", hidden=(4,)),
    "σ of the state": make_policy((OBSERVED, Box(-1.0, 1.0, (2,), "float64")), "mlp", hidden=(4,), std="state"),
}


@pytest.mark.parametrize("name", POLICIES)
def test_v_is_a_head_on_the_hidden_layers(name):
    policy, rng = POLICIES[name], np.random.default_rng(0)
    trunk = trunk_of(policy, 0.5)
    theta, head, obs = (
        rng.normal(size=policy.n_params),
        rng.normal(size=len(trunk.init(0)["w"])),
        rng.normal(size=(6, 3)),
    )
    h, at = obs, 0
    for n, m in zip((3, *trunk.function.hidden), trunk.function.hidden, strict=False):
        W, b = theta[at : at + n * m].reshape(n, m), theta[at + n * m : at + n * m + m]
        h, at = np.tanh(h @ W + b), at + (n + 1) * m
    critic = trunk.critic({"w": head}, policy, theta)
    np.testing.assert_allclose(critic.function.at(critic.w, obs).y[:, 0], h @ head[:-1] + head[-1], rtol=1e-12)


@pytest.mark.parametrize("name", POLICIES)
def test_the_direction_by_differences(name):
    policy, rng = POLICIES[name], np.random.default_rng(1)
    trunk = trunk_of(policy, 0.3)
    head = rng.normal(size=len(trunk.init(0)["w"]))
    theta, obs, y = rng.normal(size=policy.n_params), rng.normal(size=(6, 3)), rng.normal(size=6)
    g, h, phi = rng.normal(size=len(theta)), 1e-6, trunk.joined(theta, {"w": head})

    def loss(phi):
        theta, group = trunk.parted(phi, {"w": head})
        critic = trunk.critic(group, policy, theta)
        return 0.3 * np.mean((y - critic.function.at(critic.w, obs).y[:, 0]) ** 2)

    slope = np.array([(loss(phi + h * e) - loss(phi - h * e)) / (2 * h) for e in np.eye(len(phi))])
    expected = np.concatenate([g, np.zeros(len(head))]) - slope
    np.testing.assert_allclose(trunk.direction(g, phi, policy, obs, y), expected, rtol=1e-6, atol=1e-8)
    assert np.abs(slope[: trunk.n_shared]).min() > 0
    assert (slope[trunk.n_shared : len(theta)] == 0).all()  # of the policy's own head nothing


def make(name, **settings):
    options = {"policy": "mlp", "policy_kwargs": {"hidden": (8,)}, "seed": 3, "n_envs": 4, "shared_trunk": True}
    return ALGORITHMS[name].load()("CartPole-v1", **(options | settings))


@pytest.mark.parametrize("name", ["a2c", "ppo"])
def test_it_learns(name):
    model = make(name, seed=1, learning_rate=0.01, n_envs=8, policy_kwargs={"hidden": (32,)}, n_steps=32)
    before = model.evaluate(model.agent, 20).mean_return
    model.learn(20_000)
    assert model.evaluate(model.agent, 20).mean_return > before + 60


@pytest.mark.parametrize("name", ["a2c", "ppo"])
def test_a_saved_state_goes_on(name):
    recipe = make(name, n_steps=8, **({"batch_size": 16, "precision": "float32"} if name == "ppo" else {})).recipe
    state = recipe.init(3)
    for _ in range(2):
        state, _ = recipe.step(state)
    assert len(state.group("optimizer")["m"]) == len(state.theta) + 9
    again = type(state).from_arrays(state.as_arrays())
    a, b = recipe.step(state)[0].as_arrays(), recipe.step(again)[0].as_arrays()
    for key, array in a.items():
        np.testing.assert_array_equal(array, b[key])
    if name == "ppo":
        assert state.theta.dtype == state.group("critic")["w"].dtype == np.float32


@pytest.mark.parametrize(("settings", "n"), [({"gae_lambda": 0.0}, 1), ({"advantage_steps": 3}, 3), ({}, None)])
def test_advantages_of_one_n_and_all_steps(settings, n):
    recipe = make("a2c", shared_trunk=False, **settings).recipe
    state = recipe.init(0)
    batch = recipe.experience.collect(state).batch
    values = recipe.value.critic(state.group("critic"), recipe.policy)(batch)
    expected = n_step_return(batch, values, 0.99, n) - values.rows
    np.testing.assert_allclose(recipe.advantage(batch, values), expected, atol=1e-12)
    if n is None:
        np.testing.assert_allclose(gae(batch, values, 0.99, 1.0), expected, atol=1e-12)


class _Mine(MLP):
    """What is derived from a perceptron may do anything with its layers."""


def test_what_it_refuses():
    with pytest.raises(InvalidInput, match="choose policy='mlp'"):
        trunk_of(replace(POLICIES["softmax"], function=_Mine(3, 2, hidden=(4,))), 0.5)
    with pytest.raises(InvalidInput, match="choose policy='mlp'"):
        make("a2c", policy="linear", policy_kwargs=None)
    with pytest.raises(InvalidInput, match="vf_coef is 0"):
        make("ppo", vf_coef=0.0)
    with pytest.raises(InvalidInput, match="advantage_steps is 0"):
        make("a2c", advantage_steps=0)
    with pytest.raises(InvalidInput, match=r"batch_size is 64, but .* 8 steps in each of 4 environments has 32 rows"):
        make("ppo", n_steps=8)
