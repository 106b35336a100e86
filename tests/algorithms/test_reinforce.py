"""REINFORCE: same seed same bits, learning, going on, and the errors users meet."""

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
from npgrad.errors import InvalidInput, UnknownName
from npgrad.training.settings import TrainSettings

FAST = {"n_episodes": 8, "learning_rate": 0.3, "gamma": 0.99}


def test_it_solves_cartpole():
    model = REINFORCE("CartPole-v1", seed=1, **FAST).learn(60_000)
    assert model.evaluate(model.agent, 100).mean_return >= 475


def test_it_learns_with_an_mlp_and_the_general_loop():
    model = REINFORCE("CartPole-v1", policy="mlp", seed=0, n_episodes=8, learning_rate=0.01)
    before = model.evaluate(model.agent, 20).mean_return
    model.learn(10_000)
    assert model.evaluate(model.agent, 20).mean_return > before + 50


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
    shared = {f.name for f in dataclasses.fields(TrainSettings)}
    for env_id, algos in presets().items():
        for algo, values in algos.items():
            own = {f.name for f in dataclasses.fields(ALGORITHMS[algo].Settings)}
            assert set(values) <= shared | own, (env_id, algo)
            ALGORITHMS[algo].Settings(**{k: v for k, v in values.items() if k in own})
    assert json.dumps(presets())
    assert preset("CartPole-v1", "none such") == {}
