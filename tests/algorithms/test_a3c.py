"""A3C: the lecture's worked example, its gradients against the estimators', its workers, its threads."""

import numpy as np
import pytest

from npgrad.algorithms import a3c_kernels as kernels
from npgrad.algorithms.a3c import A3C
from npgrad.algorithms.networks import networks_of
from npgrad.algorithms.value import value_function
from npgrad.critics import n_step_return
from npgrad.distributions import DiagonalGaussian
from npgrad.errors import InvalidInput, UnknownName, UnsupportedSpace
from npgrad.estimators import NStepAdvantage
from npgrad.policies import make_policy
from npgrad.spaces import Box, Discrete
from npgrad.types import Batch

# 10-703: s_1, s_2, s_3, s_4 and r_1, r_2, r_3; by hand with γ = ½, V = (1, 2, 3, 4), r = (1, 2, 3):
# R_3 = r_3 + γ V(s_4) = 5,           A_3 = R_3 − V(s_3) = 2
# R_2 = r_2 + γ r_3 + γ² V(s_4) = 4½, A_2 = R_2 − V(s_2) = 2½;   R_1 = 3¼, A_1 = 2¼
WORKED = {False: [2.25, 2.5, 2.0], True: [1.75, 1.5, 0.0]}  # A_1, A_2, A_3; terminal s_4: R_3 = 3, R_2 = 3½, R_1 = 2¾


def numbers_of(**given):
    numbers = np.zeros(kernels.N_NUMBERS)
    for name, value in given.items():
        numbers[getattr(kernels, name)] = value
    return numbers


def accumulated(policy, value, theta, w, batch, numbers):
    """dθ and dw of the one segment of a batch."""
    n = networks_of(policy, value)
    d_theta, d_w = np.zeros_like(theta), np.zeros_like(w)
    acts = np.reshape(batch.act, (batch.n_steps, -1)).astype(float)
    kernels.accumulate(
        n.spec, numbers, n.sizes, n.v_sizes, n.given, batch.obs, acts, batch.rew, np.ones(batch.n_steps),
        int(batch.start[0]), batch.final_obs[0], bool(batch.terminated[0]), theta, w, d_theta, d_w,
    )  # fmt: skip
    return d_theta, d_w


@pytest.mark.parametrize("terminal", [False, True])
def test_the_lectures_worked_example(terminal):
    policy = make_policy((Box(0.0, 1.0, (4,), "float64"), Discrete(2)), "linear")
    value = value_function(policy, "linear", ())
    states = np.eye(4)
    batch = Batch(
        obs=states[:3], act=np.array([0, 1, 1]), rew=np.array([1.0, 2.0, 3.0]), logp=np.zeros(3), offsets=[0, 3],
        terminated=[terminal], truncated=[False], final_obs=states[3:],
    )  # fmt: skip
    w = np.array([1.0, 2.0, 3.0, 4.0, 0.0])
    d_theta, d_w = accumulated(policy, value, np.zeros(10), w, batch, numbers_of(GAMMA=0.5))
    A = WORKED[terminal]
    np.testing.assert_array_equal(d_w, [2 * A[0], 2 * A[1], 2 * A[2], 0, 2 * sum(A)])  # 2 (R − V) ∇V
    f = np.array([[0.5, -0.5], [-0.5, 0.5], [-0.5, 0.5], [0, 0]])  # 1[a] − π
    np.testing.assert_array_equal(d_theta[:8].reshape(4, 2), f * [[A[0]], [A[1]], [A[2]], [0]])
    critic = value.critic({"w": w}, policy)
    np.testing.assert_array_equal(n_step_return(batch, critic(batch), 0.5) - w[:3], A)
    np.testing.assert_array_equal(NStepAdvantage(critic, 0.5)(batch), A)


@pytest.mark.parametrize("critic", ["linear", "quadratic", "mlp"])
@pytest.mark.parametrize("env", ["CartPole-v1", "Pendulum-v1"])
@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_one_turn_is_one_step_up_the_estimators_gradient(env, kind, critic):
    options = {"policy": kind, "policy_kwargs": {"hidden": (3,)}, "critic": critic, "critic_hidden": (4,)}
    recipe = A3C(
        env, seed=3, n_envs=1, n_turns=1, n_steps=12, optimizer="sgd", learning_rate=1e-3, ent_coef=0.1,
        critic_learning_rate=1e-4, max_grad_norm=1e9, **options,
    ).recipe  # fmt: skip
    state = recipe.init(3)
    rng = np.random.default_rng(0)
    state = state.with_groups(critic={"w": rng.normal(size=recipe.value.function.n_params)})
    after, _ = recipe.step(state)
    policy, theta, w = recipe.policy, state.theta, state.group("critic")["w"]
    batch, _ = recipe.experience.rollout.steps(
        policy, theta, seed=3, n_steps=after.timesteps, state=state.group("rollout")
    )
    first = batch.select([0])
    values = recipe.value.critic({"w": w}, policy)(first)
    lin = policy.at(theta, first.obs, first.act)
    adv = n_step_return(first, values, 0.99) - values.rows
    d_theta = lin.vjp(adv) + 0.1 * lin.entropy_vjp(np.ones(first.n_steps))
    at = recipe.value.function.at(w, recipe.value.critic({"w": w}, policy).x(first))
    np.testing.assert_allclose((after.theta - theta) / 1e-3, d_theta, rtol=1e-7, atol=1e-8)
    moved = (after.group("critic")["w"] - w) / 1e-4
    np.testing.assert_allclose(moved, at.vjp(2 * adv[:, None]), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 1.0])
def test_exploring_workers_weigh_what_they_do(epsilon):
    """Softmax: Σ_a b(a) ρ(a) h(a) = Σ_a π(a) h(a), with b measured on a grid of noise; Gaussian: by its densities."""
    n, y, act = 40_000, np.array([[1.0], [-0.5], [0.2]]), np.zeros((1, 1))
    pi = np.exp(y[:, 0]) / np.exp(y).sum()
    count, weighed = np.zeros(3), np.zeros(3)
    spec = np.zeros(9, dtype=np.int64)
    for u in (np.arange(0, n, 10) + 0.5) / n:
        rho = kernels.explore(spec, y, np.array([[u]]), epsilon, np.zeros((6, 1)), act)
        count[int(act[0, 0])] += 10 / n
        weighed[int(act[0, 0])] += 10 / n * rho
    np.testing.assert_allclose(count, (1 - epsilon) * pi + epsilon / 3, atol=1e-3)
    np.testing.assert_allclose(weighed, pi, atol=2e-3)

    spec[kernels.GAUSSIAN] = 1
    y, z, act, d = (
        np.array([[0.5], [-1.0], [0.1], [-0.3]]),
        np.array([[0.7], [-1.2]]),
        np.zeros((2, 1)),
        DiagonalGaussian(2),
    )
    log_rho = np.log(kernels.explore(spec, y, z.copy(), epsilon, np.zeros((7, 1)), act))
    wide = y + np.log1p(epsilon) * np.array([[0], [0], [1], [1]])
    expected = d.log_prob(y.T, act.T) - d.log_prob(wide.T, act.T)
    np.testing.assert_allclose(log_rho, expected[0], atol=1e-12)
    np.testing.assert_allclose(act[:, 0], y[:2, 0] + (1 + epsilon) * np.exp(y[2:, 0]) * z[:, 0], rtol=1e-12)


def test_each_worker_has_its_own_exploration_and_episodes():
    recipe = A3C("CartPole-v1", seed=0, n_envs=2, n_blocks=2, exploration=0.6, n_turns=40).recipe
    np.testing.assert_allclose(recipe.epsilon, [0, 0.2, 0.4, 0.6])
    state, metrics = recipe.step(recipe.init(0))
    begun = state.group("rollout")["next_episode"]
    assert sorted(begun % 4) == [0, 1, 2, 3]
    assert len(metrics.returns) >= 4
    assert state.episodes == len(metrics.returns)
    np.testing.assert_array_equal(metrics.returns, metrics.lengths)  # a point a step


def test_the_shared_steps_are_rmsprops():
    rng = np.random.default_rng(0)
    d, theta, g = rng.normal(size=4), rng.normal(size=4), rng.uniform(size=4)
    moved, new_g = theta.copy(), g.copy()
    numbers = numbers_of(RMS_DECAY=0.9, RMS_EPSILON=0.01, LONGEST=0.5)
    kernels.update(numbers, 0.1, d, moved, new_g)
    cut = d * 0.5 / np.linalg.norm(d)
    np.testing.assert_allclose(new_g, 0.9 * g + 0.1 * cut**2, rtol=1e-14)
    np.testing.assert_allclose(moved, theta + 0.1 * cut / np.sqrt(new_g + 0.01), rtol=1e-14)


def test_threads_share_the_workers_without_a_lock():
    with pytest.warns(UserWarning, match="does not give the same bits; with threads=1 it does"):
        model = A3C("CartPole-v1", seed=0, threads=2, n_envs=5, n_turns=20)
    state, _ = model.recipe.step(model.recipe.init(0))
    assert 5 * 20 < state.timesteps <= 5 * 20 * 5
    assert np.isfinite(state.theta).all()
    assert (state.theta != 0).any()
    assert (state.group("rollout")["episode"] >= -1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "gymnasium"}, "not compiled; take a2c"),
        ({"policy": "recurrent"}, "no memory or mask"),
        ({"normalize_observations": True}, "no running moments"),
        ({"n_steps": 0}, "n_steps is 0"),
        ({"exploration": 1.5}, "exploration is 1.5"),
    ],
)
def test_what_it_refuses(options, message):
    with pytest.raises(InvalidInput, match=message):
        A3C("CartPole-v1", **options)


def test_names_and_spaces():
    with pytest.raises(UnknownName, match="did you mean 'rmsprop'"):
        A3C("CartPole-v1", optimizer="rmspropp")
    import gymnasium

    class Buttons(gymnasium.Env):
        observation_space, action_space = gymnasium.spaces.Box(-1, 1, (2,)), gymnasium.spaces.MultiBinary(2)

    with pytest.raises(
        UnsupportedSpace, match=r"a3c acts in Discrete and Box spaces, but the actions of .* are MultiBinary"
    ):
        A3C(Buttons)
