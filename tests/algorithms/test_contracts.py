"""What every algorithm keeps: same seed same bits, a saved state goes on as if nothing had been, and learning."""

import numpy as np
import pytest

from npgrad.algorithms import ALGORITHMS
from npgrad.algorithms.experience import ended_episodes
from npgrad.algorithms.value import QuadraticFeatures, minibatches
from npgrad.errors import InvalidInput, UnknownName
from npgrad.types import Batch, State

SMALL = {  # settings with which a few hundred steps are several iterations
    "reinforce": {"n_episodes": 4},
    "qac": {"n_steps": 8},
    "a2c": {"n_steps": 5},
    "ppo": {"n_steps": 16, "batch_size": 32, "n_epochs": 2},
    "npg": {"n_episodes": 4},
    "trpo": {"n_episodes": 4},
    "offpolicy": {"n_episodes": 4, "n_updates": 3},
    "a3c": {"n_turns": 8},
    "online": {"n_steps": 50},
    "dpg": {"n_steps": 8, "batch_size": 16, "learning_starts": 0, "n_updates": 3},
    "es": {"n_pairs": 3},
    "ars": {"n_delta": 3, "n_top": 2, "normalize_observations": True},
    "fd": {"n_episodes": 1},
    "pgpe": {"n_pairs": 3},
    "hill": {"n_episodes": 2},
    "ga": {"n_population": 5, "n_parents": 2},
}
TASKS = {  # timesteps, and by how much the return is to rise; "" for all that are not named
    "": {
        "CartPole-v1": (25_000, 60.0),
        "npgrad/LaneKeeping-v0": (15_000, 50.0),
        "npgrad/BernoulliBandit-v0": (2_000, 0.2),
    },
    "dpg": {"npgrad/LQR-v0": (6_000, 50.0), "npgrad/LaneKeeping-v0": (6_000, 50.0), "Pendulum-v1": (5_000, 300.0)},
}
LEARNS = {  # settings with which they are learned
    "reinforce": {"n_episodes": 8, "learning_rate": 0.3, "gamma": 0.99},
    "qac": {"learning_rate": 0.01, "critic_learning_rate": 3e-3, "n_steps": 32},
    "a2c": {"learning_rate": 3e-3, "critic_learning_rate": 3e-3},
    "ppo": {"n_steps": 32, "batch_size": 256, "gae_lambda": 0.8, "gamma": 0.98, "learning_rate": 0.01, "n_epochs": 10},
    "npg": {"gae_lambda": 1.0, "n_episodes": 10, "delta": 0.02},
    "trpo": {"gae_lambda": 1.0, "delta": 0.05},
    "offpolicy": {"n_episodes": 8},
    "a3c": {},
    "online": {},
    "dpg": {
        "n_updates": 16,
        "n_steps": 16,
        "batch_size": 32,
        "critic_hidden": (32, 32),
        "learning_starts": 500,
        "reward_scale": 0.1,
        "policy_kwargs": {"hidden": (32,)},
    },
    "es": {"n_pairs": 8},
    "ars": {"n_delta": 4, "normalize_observations": False, "delta_std": 0.2, "learning_rate": 0.1},
    "fd": {"n_episodes": 2},
    "pgpe": {"n_pairs": 8},
    "hill": {"n_episodes": 4},
    "ga": {"n_population": 16, "n_parents": 4},
}
LEARNS_ON = {
    ("trpo", "npgrad/BernoulliBandit-v0"): {"n_episodes": 32},
    ("offpolicy", "npgrad/BernoulliBandit-v0"): {"n_episodes": 32},
    ("online", "npgrad/LaneKeeping-v0"): {"learning_rate": 1e-3, "overshoot": 2.0},
    ("dpg", "Pendulum-v1"): {"n_updates": 32, "n_steps": 8, "batch_size": 64, "policy": "mlp"},
}
LOCK_FREE = {"a3c"}  # with more than one thread updates come in another order each time, and it says so


ENV = {"dpg": "Pendulum-v1"}  # CartPole for all others


def make(name, env=None, **kwargs):
    env = env or ENV.get(name, "CartPole-v1")
    small = {"policy_kwargs": {"hidden": (4,)}, "n_envs": 4} | SMALL[name]
    return ALGORITHMS[name].load()(env, **(small | kwargs))


def run(recipe, state, iterations):
    for _ in range(iterations):
        state, _ = recipe.step(state)
    return state


def assert_same_state(a, b):
    ours, theirs = a.as_arrays(), b.as_arrays()
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)


def test_every_algorithm_is_in_the_matrix():
    assert set(SMALL) == set(LEARNS) == set(ALGORITHMS)


@pytest.mark.parametrize("policy", ["linear", "mlp"])
@pytest.mark.parametrize("name", ALGORITHMS)
class TestEvery:
    def test_same_seed_same_bits_on_any_number_of_threads(self, name, policy):
        states = []
        for threads in (1, 1 if name in LOCK_FREE else 2):
            model = make(name, policy=policy, seed=5, threads=threads)
            states.append(run(model.recipe, model.recipe.init(5), 3))
        assert_same_state(*states)

    def test_a_saved_state_goes_on_as_if_nothing_had_been(self, name, policy, tmp_path):
        model = make(name, policy=policy, seed=7)
        whole = run(model.recipe, model.recipe.init(7), 4)
        half = run(model.recipe, model.recipe.init(7), 2)
        np.savez(tmp_path / "state.npz", **half.as_arrays())
        with np.load(tmp_path / "state.npz", allow_pickle=False) as file:
            restored = State.from_arrays(dict(file))
        fresh = make(name, policy=policy, seed=7)
        assert_same_state(run(fresh.recipe, restored, 2), whole)

    @pytest.mark.parametrize("engine", ["auto", "gymnasium"])
    def test_a_step_leaves_the_states_before_it_as_they_were(self, name, policy, engine):
        if name == "a3c" and engine == "gymnasium":
            pytest.skip("compiled environments only")
        model = make(name, policy=policy, seed=7, engine=engine)
        states = [model.recipe.init(7)]
        kept = []
        for _ in range(3):
            kept.append({key: array.tobytes() for key, array in states[-1].as_arrays().items()})
            states.append(run(model.recipe, states[-1], 1))
        assert [{key: array.tobytes() for key, array in state.as_arrays().items()} for state in states[:-1]] == kept

    def test_gaussian_policies_too(self, name, policy):
        model = make(name, "Pendulum-v1", policy=policy, seed=0)
        state = run(model.recipe, model.recipe.init(0), 2)
        assert np.isfinite(state.theta).all()
        assert (state.theta != model.recipe.init(0).theta).any()


@pytest.mark.parametrize(("name", "env"), [(name, env) for name in ALGORITHMS for env in TASKS.get(name, TASKS[""])])
def test_it_learns_three_unlike_tasks(name, env):
    steps, gain = TASKS.get(name, TASKS[""])[env]
    settings = {"seed": 1, "n_envs": 8} | LEARNS[name] | LEARNS_ON.get((name, env), {})
    model = make(name, env, **settings)
    before = model.evaluate(model.agent, 50).mean_return
    model.learn(steps)
    assert model.evaluate(model.agent, 50).mean_return > before + gain


@pytest.mark.parametrize("name", ALGORITHMS)
def test_unknown_settings_get_near_matches(name):
    with pytest.raises(UnknownName, match="did you mean"):
        make(name, normalize_observation=True)


@pytest.mark.parametrize("name", ["qac", "a2c", "ppo", "npg", "trpo"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_steps": None, "n_episodes": None}, "expected one of them"),
        ({"n_steps": 5, "n_episodes": 5}, "expected one of them"),
        ({"gae_lambda": 1.1}, "gae_lambda is 1.1"),
        ({"gamma": -0.1}, "gamma is -0.1"),
        ({"critic": "qudratic"}, "did you mean 'quadratic'"),
    ],
)
def test_wrong_settings_are_named(name, change, message):
    with pytest.raises(InvalidInput, match=message):
        make(name, **change)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("npg", {"delta": 0.0}, "delta is 0.0"),
        ("trpo", {"damping": -1.0}, "damping is -1.0"),
        ("ppo", {"clip_range": 0.0}, "clip_range is 0.0"),
        ("ppo", {"policy": "recurrent"}, "has a memory"),
        ("a2c", {"ent_coef": -0.1}, "ent_coef is -0.1"),
        ("es", {"sigma": 0.0}, "sigma is 0.0"),
        ("es", {"n_pairs": -1}, "n_pairs is -1"),
        ("pgpe", {"sigma": -0.5}, "sigma is -0.5"),
        ("fd", {"epsilon": 0.0}, "epsilon is 0.0"),
        ("ars", {"delta_std": -1.0}, "delta_std is -1.0"),
        ("hill", {"sigma": 0.0}, "sigma is 0.0"),
        ("ga", {"n_population": 0}, "n_population is 0"),
        ("trpo", {"delta": -0.1}, "delta is -0.1"),
        ("offpolicy", {"delta": 0.0}, "delta is 0.0"),
        ("offpolicy", {"n_batches": 0}, "n_batches is 0"),
        ("offpolicy", {"ratio": "stepp"}, "did you mean 'step'"),
        ("offpolicy", {"ratio": "per-decision"}, "normalize_advantage=False"),
        ("offpolicy", {"baseline": "leave-one-out", "n_episodes": 1}, "n_episodes of at least 2"),
    ],
)
def test_settings_of_one_algorithm_are_checked(name, change, message):
    with pytest.raises(InvalidInput, match=message):
        make(name, **change)


def test_returns_are_summed_over_the_segments_of_an_episode():
    def segment(episode, start, rew, ended):
        t = len(rew)
        return Batch(
            obs=np.zeros((t, 1)), act=np.zeros(t, np.int64), rew=rew, logp=np.zeros(t), offsets=[0, t],
            terminated=[ended], truncated=[False], final_obs=np.zeros((1, 1)), episode=[episode], start=[start],
        )  # fmt: skip

    none = {"episode": np.zeros(0, np.int64), "return": np.zeros(0), "length": np.zeros(0, np.int64)}
    returns, _, running = ended_episodes(segment(3, 0, [1.0, 2.0], ended=False), none)
    assert len(returns) == 0
    returns, lengths, running = ended_episodes(segment(3, 2, [4.0], ended=True), running)
    np.testing.assert_array_equal(returns, [7.0])
    np.testing.assert_array_equal(lengths, [3])
    assert len(running["episode"]) == 0


@pytest.mark.parametrize(("n", "size"), [(10, 3), (10, 10), (10, 64), (1, 1), (64, 8)])
def test_minibatches_are_the_rows_in_another_order(n, size):
    parts = minibatches(n, size, seed=1, iteration=2, epoch=3)
    rows = np.concatenate(parts)
    np.testing.assert_array_equal(np.sort(rows), np.arange(n))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    if n >= 10:
        assert (rows != np.concatenate(minibatches(n, size, seed=1, iteration=2, epoch=4))).any()


def test_quadratic_features_end_with_powers_of_time():
    phi = QuadraticFeatures(3)
    np.testing.assert_array_equal(phi(np.array([[2.0, -3.0, 50.0]])), [[2.0, -3.0, 4.0, 9.0, 0.5, 0.25, 0.125, 1.0]])
    assert phi.n_out == 8


def test_ppo_in_float32_saves_and_goes_on_and_learns(tmp_path):
    model = make("ppo", policy="mlp", precision="float32")
    state = run(model.recipe, model.recipe.init(0), 2)
    assert state.theta.dtype == state.group("critic")["w"].dtype == state.group("optimizer")["m"].dtype == np.float32
    restored = State.from_arrays(state.as_arrays())
    assert_same_state(run(model.recipe, restored, 1), run(model.recipe, state, 1))
    double = make("ppo", policy="mlp")
    np.testing.assert_allclose(state.theta, run(double.recipe, double.recipe.init(0), 2).theta, atol=1e-3)
