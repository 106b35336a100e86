"""REINFORCE: its options by enumeration, same seed same bits, learning, going on, and the errors users meet."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from npgrad import REINFORCE
from npgrad.algorithms import ALGORITHMS, algorithm, preset
from npgrad.algorithms.presets import presets
from npgrad.algorithms.reinforce import estimator_of, targets_of
from npgrad.algorithms.settings import BASELINE_NAMES, OPTIMAL, ReinforceSettings
from npgrad.critics import ValueCritic, Values
from npgrad.errors import InvalidInput, UnknownName
from npgrad.functions import Featured, Linear, OneHot
from npgrad.training.settings import PolicySettings, TrainSettings
from tests import naive
from tests.estimators.worlds import close, random_case

UNBIASED = [name for name in BASELINE_NAMES if "biased" not in name]
FAST = {"n_episodes": 8, "learning_rate": 0.3, "gamma": 0.99}


def any_estimator(seed, **options):
    """The estimator of these options, with a V that has nothing to do with the returns where it takes one."""
    settings = ReinforceSettings(**options)
    table = Featured(OneHot((2,)), Linear(2, 1, bias=False))
    critic = ValueCritic(table, 3 * np.random.default_rng(seed).normal(size=2))

    def estimator(policy, theta, batch):
        values = critic(batch) if settings.baseline == "value" else None
        return estimator_of(settings, values)(policy, theta, batch)

    return estimator


def forms(names):
    return [(name, causality) for name in names for causality in (True, False) if not (causality and name in OPTIMAL)]


@pytest.mark.parametrize(("baseline", "causality"), forms(UNBIASED))
@pytest.mark.parametrize("gamma", [1.0, 0.7])
def test_baselines_are_unbiased_by_enumeration(baseline, causality, gamma):
    world, theta = random_case(4, T=2, terminal=(1,))
    estimator = any_estimator(0, baseline=baseline, causality=causality, gamma=gamma)
    close(world.expectation_of_pairs(estimator, theta), world.gradient(theta, gamma))


@pytest.mark.parametrize(("baseline", "causality"), forms(sorted(set(BASELINE_NAMES) - {*UNBIASED})))
def test_baselines_that_are_said_to_be_biased_are(baseline, causality):
    world, theta = random_case(4, T=2, terminal=(1,))
    mean = world.expectation_of_pairs(any_estimator(0, baseline=baseline, causality=causality), theta)
    gradient = world.gradient(theta)
    assert np.linalg.norm(mean - gradient) > 0.01 * np.linalg.norm(gradient)


def test_gae_with_lambda_one_is_unbiased_for_any_critic_and_with_less_is_not():
    world, theta = random_case(4, T=2, terminal=(1,))
    gradient = world.gradient(theta, 0.7)

    def mean(gae_lambda):
        estimator = any_estimator(0, baseline="value", gae_lambda=gae_lambda, gamma=0.7)
        return world.expectation_of_pairs(estimator, theta)

    close(mean(1.0), gradient)
    assert np.linalg.norm(mean(0.5) - gradient) > 0.01 * np.linalg.norm(gradient)


def test_weights_are_standardised_before_they_are_discounted():
    world, theta = random_case(5)
    paths, policy = world.paths()[:5], world.policy()
    batch = world.batch(paths)
    g = np.concatenate([naive.reward_to_go(world.rewards(path), 0.9) for path in paths])
    time = np.concatenate([np.arange(n) for n in batch.lengths])
    psi = 0.9**time * (g - g.mean()) / g.std()
    rows = policy.at(theta, batch.obs, batch.act).vjp_rows(psi)
    estimator = any_estimator(0, baseline="none", normalize_advantage=True, gamma=0.9)
    np.testing.assert_allclose(estimator(policy, theta, batch).gradient, rows.sum(axis=0) / 5, rtol=1e-6)


@pytest.mark.parametrize("causality", [True, False])
def test_the_bonus_is_beta_times_the_gradient_of_the_entropy(causality):
    world, theta = random_case(6)
    policy, batch = world.policy(), world.batch(world.paths()[:5])
    options = {"baseline": "constant", "gamma": 0.9, "causality": causality}
    bonus, without = (any_estimator(0, **options, ent_coef=beta)(policy, theta, batch).gradient for beta in (0.25, 0.0))
    weight = np.full(batch.n_steps, 0.25 / 5) * (0.9**batch.time if causality else 1.0)
    np.testing.assert_allclose(
        bonus - without, policy.at(theta, batch.obs, batch.act).entropy_vjp(weight), rtol=1e-9, atol=1e-12
    )


def test_a_critic_is_fitted_to_what_it_stands_for():
    world, _ = random_case(7)
    paths = world.paths()[:4]
    batch, rewards = world.batch(paths), [world.rewards(path) for path in paths]
    values = Values(np.random.default_rng(0).normal(size=batch.n_steps), np.zeros(len(paths)))
    by_path = np.split(values.rows, batch.offsets[1:-1])
    for options, expected in [
        ({}, [naive.reward_to_go(r, 0.9) for r in rewards]),
        ({"causality": False}, [np.full(len(r), naive.reward_to_go(r, 0.9)[0]) for r in rewards]),
        (
            {"gae_lambda": 0.8},
            [naive.lambda_return(r, v, 0.0, 0.9, 0.8) for r, v in zip(rewards, by_path, strict=True)],
        ),
    ]:
        settings = ReinforceSettings(baseline="value", gamma=0.9, **options)
        np.testing.assert_allclose(targets_of(settings, batch, values), np.concatenate(expected), rtol=1e-12)


def test_the_critic_of_an_iteration_knows_earlier_ones_alone():
    options = {"baseline": "value", "critic": "linear", "optimizer": "sgd", "learning_rate": 1e-3, "n_episodes": 4}
    model = REINFORCE("CartPole-v1", seed=2, **options)
    state = model.recipe.init(2)
    for _ in range(2):
        before, (state, metrics) = state, model.recipe.step(state)
    batch = model.rollout.episodes(model.policy, before.theta, seed=2, first=before.episodes, count=4)
    critic = model.recipe.value.critic(before.group("critic"), model.policy)
    estimate = estimator_of(model.settings, critic(batch))(model.policy, before.theta, batch)
    np.testing.assert_array_equal(state.theta, before.theta + 1e-3 * estimate.gradient)

    g = np.concatenate([np.arange(n, 0, -1.0) for n in batch.lengths])
    x = np.column_stack([batch.obs, np.ones(batch.n_steps)])
    fitted = model.recipe.value.critic(state.group("critic"), model.policy)(batch).rows
    w = np.linalg.solve(x.T @ x + model.recipe.value.ridge * np.eye(5), x.T @ g)
    np.testing.assert_allclose(fitted, x @ w, rtol=1e-8)
    assert metrics.values["train/explained_variance"] == pytest.approx(1 - np.var(g - critic(batch).rows) / np.var(g))


def test_it_solves_cartpole():
    model = REINFORCE("CartPole-v1", seed=1, **FAST).learn(60_000)
    assert model.evaluate(model.agent, 100).mean_return >= 475


def test_it_learns_with_an_mlp_and_the_general_loop():
    model = REINFORCE("CartPole-v1", policy="mlp", seed=0, n_episodes=8, learning_rate=0.01)
    before = model.evaluate(model.agent, 20).mean_return
    model.learn(10_000)
    assert model.evaluate(model.agent, 20).mean_return > before + 50


@pytest.mark.parametrize(
    "options",
    [
        {"baseline": "value", "gae_lambda": 0.97, "critic": "quadratic", "normalize_advantage": True},
        {"baseline": "value", "critic_hidden": (16,), "critic_learning_rate": 0.01, "ent_coef": 0.01},
        {"baseline": "optimal", "causality": False},
        {"baseline": "constant", "normalize_advantage": True, "discount_states": False},
    ],
)
def test_it_learns_with_other_options(options):
    model = REINFORCE("CartPole-v1", seed=0, n_episodes=8, learning_rate=0.1, gamma=0.99, **options)
    before = model.evaluate(model.agent, 20).mean_return
    model.learn(10_000)
    assert model.evaluate(model.agent, 20).mean_return > before + 100


def test_it_learns_a_gaussian_policy():
    pytest.importorskip("mujoco")
    model = REINFORCE("InvertedPendulum-v5", seed=0, n_episodes=8, learning_rate=0.05, gamma=0.99)
    before = model.evaluate(model.agent, 10).mean_return
    model.learn(10_000)
    assert model.evaluate(model.agent, 10).mean_return > 2 * before


@pytest.mark.parametrize("engine", ["compiled", "gymnasium"])
def test_same_seed_same_bits_on_any_number_of_threads(engine):
    thetas = [
        REINFORCE("CartPole-v1", seed=3, engine=engine, threads=threads, n_envs=2, **FAST).learn(1500).state.theta
        for threads in (1, 1, 2)
    ]
    np.testing.assert_array_equal(thetas[0], thetas[1])
    np.testing.assert_array_equal(thetas[0], thetas[2])
    other = REINFORCE("CartPole-v1", seed=4, engine=engine, n_envs=2, **FAST).learn(1500).state.theta
    assert (other != thetas[0]).any()


def trained_elsewhere(**env):
    code = (
        "from npgrad import REINFORCE\n"
        f"m = REINFORCE('CartPole-v1', seed=3, **{FAST!r}).learn(300)\n"
        "print(m.state.theta.tobytes().hex())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | env, capture_output=True, text=True, check=True
    )
    return np.frombuffer(bytes.fromhex(done.stdout.strip()))


def test_same_bits_in_another_process_and_without_numba():
    here = REINFORCE("CartPole-v1", seed=3, **FAST).learn(300).state.theta
    np.testing.assert_array_equal(trained_elsewhere(), here)
    np.testing.assert_array_equal(trained_elsewhere(NPGRAD_JIT="0"), here)


def test_learning_twice_is_learning_once():
    once = REINFORCE("CartPole-v1", seed=0, **FAST).learn(2000)
    split = REINFORCE("CartPole-v1", seed=0, **FAST)
    recipe, state = split.recipe, split.recipe.init(0)
    while state.timesteps < 2000:
        state, _ = recipe.step(dataclasses.replace(state, arrays=dict(state.arrays)))
    np.testing.assert_array_equal(state.theta, once.state.theta)


def test_the_normaliser_is_part_of_the_state_and_the_agent():
    model = REINFORCE("CartPole-v1", seed=0, normalize_observations=True, **FAST).learn(1000)
    seen = model.state.group("normaliser")
    assert seen["count"] == model.state.timesteps
    np.testing.assert_allclose(model.agent.policy.normaliser.mean, seen["mean"])


def test_save_and_load_keep_actions(tmp_path):
    model = REINFORCE("CartPole-v1", seed=0, **FAST).learn(1000)
    model.save(tmp_path / "agent.npz")
    again = REINFORCE.load(tmp_path / "agent.npz")
    obs = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    np.testing.assert_array_equal(again.predict(obs, deterministic=True)[0], model.predict(obs, deterministic=True)[0])
    np.testing.assert_array_equal(again.agent.theta, model.agent.theta)
    again.learn(200)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"env": "CartPoel-v1"}, UnknownName, "CartPole-v1"),
        ({"learning_rte": 0.1}, UnknownName, "did you mean 'learning_rate'"),
        ({"policy": "liner"}, UnknownName, "did you mean 'linear'"),
        ({"baseline": "leave-one-in"}, UnknownName, "did you mean 'leave-one-out'"),
        ({"gamma": 1.5}, InvalidInput, "gamma is 1.5"),
        ({"learning_rate": 0.0}, InvalidInput, "learning_rate is 0.0"),
        ({"n_episodes": 0}, InvalidInput, "n_episodes is 0"),
        ({"ent_coef": -0.1}, InvalidInput, "ent_coef is -0.1"),
        ({"gae_lambda": 0.9}, InvalidInput, "gae_lambda is 0.9, but GAE is made of a critic"),
        ({"gae_lambda": 0.9, "baseline": "value", "causality": False}, InvalidInput, "causality=True"),
        ({"gae_lambda": 1.1, "baseline": "value"}, InvalidInput, "gae_lambda is 1.1"),
        ({"critic": "mpl"}, UnknownName, "did you mean 'mlp'"),
        ({"critic_epochs": 0}, InvalidInput, "critic_epochs is 0"),
        ({"baseline": "optimal"}, InvalidInput, "give causality=False"),
        ({"baseline": "optimal", "causality": False, "ent_coef": 0.1}, InvalidInput, "ent_coef is 0.1, but"),
        ({"threads": 0}, InvalidInput, "threads is 0"),
        ({"engine": "gpu"}, InvalidInput, "engine is 'gpu'"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        REINFORCE(**({"env": "CartPole-v1"} | arguments))


def test_no_steps_are_refused():
    with pytest.raises(InvalidInput, match="total_timesteps is 0"):
        REINFORCE("CartPole-v1").learn(0)


def test_unknown_algorithms_get_near_matches():
    with pytest.raises(UnknownName, match="did you mean 'reinforce'"):
        algorithm("reinforcee")


def test_every_preset_is_of_settings_that_exist():
    shared = {f.name for kind in (TrainSettings, PolicySettings) for f in dataclasses.fields(kind)}
    for env_id, algos in presets().items():
        for algo, values in algos.items():
            own = {f.name for f in dataclasses.fields(ALGORITHMS[algo].Settings)}
            assert set(values) <= shared | own, (env_id, algo)
            ALGORITHMS[algo].Settings(**{k: v for k, v in values.items() if k in own})
    assert json.dumps(presets())
    assert preset("CartPole-v1", "none such") == {}
