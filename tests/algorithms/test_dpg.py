"""The deterministic policy gradient: its critics' gradients and slopes, its replay, the policy that explores."""

from dataclasses import replace

import numpy as np
import pytest

from npgrad import noise
from npgrad.algorithms.deterministic_critics import CompatibleQ, PerceptronQ, clipped
from npgrad.algorithms.dpg import DPG, deterministic, exploring
from npgrad.algorithms.replay import TransitionReplay
from npgrad.algorithms.value import value_function
from npgrad.deploy import load_agent
from npgrad.errors import InvalidInput, UnsupportedSpace
from npgrad.estimators import DeterministicGradient
from npgrad.functions import MLP
from npgrad.policies import make_policy
from npgrad.spaces import Box
from npgrad.types import Batch

SPACES = Box(-9.0, 9.0, (3,), "float64"), Box(-1.0, 1.0, (2,), "float64")


def transitions(n=6, seed=0):
    rng = np.random.default_rng(seed)
    ended = rng.uniform(size=n) < 0.3
    return Batch(
        obs=rng.normal(size=(n, 3)), act=rng.normal(size=(n, 2)), rew=rng.normal(size=n), logp=np.zeros(n),
        offsets=np.arange(n + 1), terminated=ended, truncated=~ended, final_obs=rng.normal(size=(n, 3)),
    )  # fmt: skip


def case(name, action_map="tanh"):
    policy, rng = (
        deterministic(make_policy(SPACES, "mlp", hidden=(4,), action_map=action_map)),
        np.random.default_rng(1),
    )
    if name == "perceptron":
        critic = PerceptronQ(MLP(5, 1, hidden=(6,)))
    else:
        critic = CompatibleQ(value_function(policy, "mlp", (5,)), policy.n_params)
    w = critic.init(0) + 0.5 * rng.normal(size=len(critic.init(0)))
    return policy, rng.normal(size=policy.n_params), critic, w


def q_of(name, critic, w, policy, theta, batch, act):
    """Q_w by its definition."""
    act = clipped(policy, act)
    if name == "perceptron":
        return critic.function.at(w, np.hstack([batch.obs, act])).y[:, 0]
    mu = policy.function.at(theta, batch.obs)
    w_a, v = np.split(w, [policy.n_params])
    J = np.stack([policy.function.at(theta, batch.obs).jvp(e) for e in np.eye(policy.n_params)], axis=-1)  # (T, k, P)
    return np.einsum("tk,tkp,p->t", act - mu.y, J, w_a) + critic.value.function.at(v, batch.obs).y[:, 0]


@pytest.mark.parametrize("action_map", ["tanh", "clip"])
@pytest.mark.parametrize("name", ["perceptron", "compatible"])
def test_gradients_of_critics_by_differences(name, action_map):
    if name == "compatible" and action_map == "clip":
        action_map = "rescale"  # its Q is linear in the latent action
    policy, theta, critic, w = case(name, action_map)
    batch, y, h = transitions(), np.random.default_rng(2).normal(size=6), 1e-6

    def loss(w):
        return np.mean((y - q_of(name, critic, w, policy, theta, batch, batch.act)) ** 2)

    numeric = np.array([(loss(w + h * e) - loss(w - h * e)) / (2 * h) for e in np.eye(len(w))])
    np.testing.assert_allclose(critic.error_gradient(w, policy, theta, batch, y), numeric, rtol=1e-6, atol=1e-8)
    mu = 0.3 * batch.act if action_map == "clip" else policy.function.at(theta, batch.obs).y
    columns = []
    for e in np.eye(2):
        up, down = (q_of(name, critic, w, policy, theta, batch, mu + sign * h * e) for sign in (1, -1))
        columns.append((up - down) / (2 * h))
    slope = np.stack(columns, axis=1)
    np.testing.assert_allclose(critic.slope(w, policy, theta, batch, mu), slope, rtol=1e-6, atol=1e-8)
    after = critic.value_after(w, policy, theta, batch)
    there = replace(batch, obs=batch.final_obs)
    mu_after = policy.function.at(theta, batch.final_obs).y
    np.testing.assert_allclose(after, q_of(name, critic, w, policy, theta, there, mu_after), rtol=1e-10)


def test_out_of_bounds_the_slope_points_inwards_or_is_zero():
    policy, theta, critic, w = case("perceptron", "clip")
    batch = transitions()
    mu = np.array([[3.0, -3.0], [0.2, 0.1], [2.0, 2.0], [-2.0, 0.0], [0.0, 5.0], [-4.0, -4.0]])
    slope, at_bound = (critic.slope(w, policy, theta, batch, m) for m in (mu, np.clip(mu, -1, 1)))
    outwards = (np.abs(mu) > 1) & (np.sign(at_bound) == np.sign(mu))
    assert outwards.any()
    np.testing.assert_array_equal(slope, np.where(outwards, 0, at_bound))


@pytest.mark.parametrize("name", ["perceptron", "compatible"])
def test_the_step_is_the_estimators_gradient(name):
    policy, theta, critic, w = case(name)
    recipe = DPG("Pendulum-v1", policy="mlp", policy_kwargs={"hidden": (4,)}).recipe
    recipe = replace(recipe, critic=critic)
    batch = transitions(40)
    estimator = DeterministicGradient(lambda batch, mu: critic.slope(w, policy, theta, batch, mu))
    expected = estimator(policy, theta, batch).gradient
    np.testing.assert_allclose(recipe.gradient(w, policy, theta, batch), expected, rtol=1e-10, atol=1e-14)


def test_fitted_by_least_squares_a_compatible_critic_leaves_the_gradient_as_it_is():
    """Q = −‖a − c(s)‖² at μ ± σe_j, equally often: with Q_w the gradient is that with Q (Silver et al. 2014)."""
    policy, theta, critic, w = case("compatible")
    rng = np.random.default_rng(4)
    obs, c, n_theta = rng.normal(size=(40, 3)), rng.normal(size=(40, 2)), policy.n_params
    mu = policy.function.at(theta, obs).y
    moves = 0.3 * np.concatenate([np.eye(2), -np.eye(2)])
    x, act = np.repeat(obs, 4, axis=0), np.repeat(mu, 4, axis=0) + np.tile(moves, (40, 1))
    n = len(x)
    batch = Batch(
        obs=x, act=act, rew=np.zeros(n), logp=np.zeros(n), offsets=np.arange(n + 1), terminated=np.ones(n, bool),
        truncated=np.zeros(n, bool), final_obs=x,
    )  # fmt: skip
    q = -((act - np.repeat(c, 4, axis=0)) ** 2).sum(axis=1)
    phi = policy.function.at(theta, x).vjp_rows(act - np.repeat(mu, 4, axis=0))
    w[:n_theta] = np.linalg.lstsq(phi, q - q.mean(), rcond=None)[0]
    # at this w the fit's own gradient is that of V alone
    assert np.abs(critic.error_gradient(w, policy, theta, batch, q)[:n_theta]).max() < 1e-12
    of_q_w = DeterministicGradient(lambda b, mu: critic.slope(w, policy, theta, b, mu))(policy, theta, batch).gradient
    of_q = DeterministicGradient(lambda b, mu: -2 * (mu - np.repeat(c, 4, axis=0)))(policy, theta, batch).gradient
    np.testing.assert_allclose(of_q_w, of_q, rtol=1e-9, atol=1e-12)


def test_one_update_by_hand():
    model = DPG(
        "Pendulum-v1", seed=1, n_envs=2, n_steps=8, n_updates=1, batch_size=16, learning_starts=0, tau=0.25,
        optimizer="sgd", learning_rate=0.1, critic_hidden=(4,), gamma=0.9, sigma=0.5,
    )  # fmt: skip
    recipe = model.recipe
    state = recipe.init(1)
    after, metrics = recipe.step(state)
    data = recipe.experience.collect(state)
    policy, w, theta = model.policy, state.group("critic")["w"], state.theta
    replay = after.group("replay")
    np.testing.assert_array_equal(np.sort(replay["rew"]), np.sort(data.batch.rew))
    rows = (noise.uniform(16, 1, noise.SHUFFLE, 0, 0) * 16).astype(int)
    o, a, r, o2 = (replay[name][rows] for name in ("obs", "act", "rew", "final_obs"))
    Q = recipe.critic.function
    mu2 = np.clip(policy.function.at(theta, o2).y, -2, 2)
    y = r + 0.9 * Q.at(w, np.hstack([o2, mu2])).y[:, 0]  # Pendulum never terminates; targets are w_0, θ_0
    assert metrics.values["train/target_value"] == pytest.approx(y.mean())
    at = Q.at(w, np.hstack([o, np.clip(a, -2, 2)]))
    gradient = at.vjp(2 * (y - at.y[:, 0])[:, None] / 16)
    new_w = recipe.critic_optimizer.step(w, gradient, recipe.critic_optimizer.init(w))[0]
    np.testing.assert_allclose(after.group("critic")["w"], new_w, rtol=1e-9)
    mu = policy.function.at(theta, o)
    slope = Q.at(new_w, np.hstack([o, np.clip(mu.y, -2, 2)])).vjp_inputs(np.ones((16, 1)))[:, -1:]
    np.testing.assert_allclose(after.theta, theta + 0.1 * mu.vjp(slope / 16), rtol=1e-9)
    np.testing.assert_allclose(after.group("target")["w"], 0.75 * w + 0.25 * new_w, rtol=1e-12)


def test_it_explores_around_the_mean_and_deploys_it(tmp_path):
    model = DPG("Pendulum-v1", seed=0, sigma=0.25, policy="mlp", policy_kwargs={"hidden": (4,)})
    wide = model.recipe.experience.policy
    assert wide.n_params == model.policy.n_params
    rng = np.random.default_rng(0)
    theta, obs, z = rng.normal(size=wide.n_params), rng.normal(size=(5, 3)), rng.normal(size=(5, 1))
    mu = model.policy.act(theta, obs)[0]
    np.testing.assert_allclose(wide.act(theta, obs, z)[0], mu + 0.25 * 2 * z, rtol=1e-12)  # half of the width 4
    assert exploring(model.policy, np.array([0.5])).act(theta, obs)[0] == pytest.approx(mu)
    model.save(tmp_path / "agent.npz")
    agent = load_agent(tmp_path / "agent.npz")
    assert type(agent.policy.distribution).__name__ == "Deterministic"
    np.testing.assert_allclose(agent.predict(obs, deterministic=True)[0], agent.predict(obs)[0])
    DPG.load(tmp_path / "agent.npz")


def test_the_oldest_are_forgotten():
    replay, group = TransitionReplay(8), {}
    for seed in range(3):
        group = replay.add(group, transitions(5, seed))
    expected = np.concatenate([transitions(5, seed).rew for seed in range(3)])[-8:]
    np.testing.assert_array_equal(group["rew"], expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"policy_kwargs": {"std": "state"}}, "std 'shared' or 'fixed'"),
        ({"policy": "recurrent"}, "has a memory"),
        ({"batch_size": 100, "buffer_size": 50}, "batch_size is 100"),
        ({"sigma": 0.0}, "sigma is 0.0"),
        ({"tau": 1.5}, "tau is 1.5"),
        ({"critic": "compatibel"}, "did you mean 'compatible'"),
    ],
)
def test_what_it_refuses(options, message):
    with pytest.raises(InvalidInput, match=message):
        DPG("Pendulum-v1", **options)


def test_discrete_actions_are_not_for_it():
    with pytest.raises(UnsupportedSpace, match=r"dpg acts in Box spaces, .* CartPole-v1 are .*choose one of"):
        DPG("CartPole-v1")
