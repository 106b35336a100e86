"""Same seed, same bits, whoever computes: in one process, on 1, 2 and 7 workers, on every engine, and whoever dies."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from npgrad.algorithms.registry import algorithm
from npgrad.errors import EnvironmentFailure, InvalidInput
from npgrad.pool import single_blas_thread
from npgrad.rollouts import RolloutSource
from npgrad.workers import Given, Workers, open_workers

CASES = {
    "es": ("es", {"n_pairs": 5, "policy": "mlp"}),
    "ars-v2": ("ars", {"n_delta": 4, "normalize_observations": True}),
    "fd": ("fd", {"n_episodes": 1}),
    "ga": ("ga", {"n_population": 8, "n_parents": 2}),
    "reinforce": ("reinforce", {"n_envs": 2}),
    "reinforce-mlp": ("reinforce", {"n_envs": 1, "policy": "mlp", "n_episodes": 24}),
    "ppo": ("ppo", {"n_blocks": 3, "n_envs": 2, "n_steps": 16}),
    "a2c-gymnasium": ("a2c", {"n_blocks": 3, "n_envs": 1, "engine": "gymnasium", "policy": "mlp"}),
}


def states(case, workers=None, iterations=3):
    """The state after some iterations, to the bit; the returns of an evaluation."""
    name, options = CASES[case]
    model = algorithm(name).load()("CartPole-v1", seed=3, workers=workers, **options)
    state = model.recipe.init(3)
    with single_blas_thread():  # as the training loop has it
        for _ in range(iterations):
            state, metrics = model.recipe.step(state)
        returns = model.evaluate(model.recipe.agent(state), 5).returns
    model.rollout.close()
    arrays = {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in state.as_arrays().items()}
    return arrays | {"evaluation": returns.tobytes()}, metrics.values


@pytest.fixture(scope="module")
def alone():
    return {case: states(case)[0] for case in CASES}


@pytest.fixture(scope="module")
def processes():
    with open_workers("processes", 2) as workers:
        yield workers


@pytest.mark.parametrize("case", CASES)
def test_processes_change_no_bit(case, alone, processes):
    assert states(case, processes)[0] == alone[case]


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize("case", CASES)
def test_the_number_of_workers_changes_no_bit(case, n, alone):
    """Threads in the place of processes: what is sent and shared out is the same."""
    with ThreadPoolExecutor(n) as executor:
        assert states(case, Workers(Given(executor, n)))[0] == alone[case]


@pytest.mark.parametrize("case", ["es", "reinforce-mlp", "a2c-gymnasium"])
def test_a_dask_cluster_changes_no_bit(case, alone, dask):
    assert states(case, dask)[0] == alone[case]


@pytest.fixture(scope="module")
def dask():
    pytest.importorskip("distributed")
    with open_workers("dask", 2) as workers:
        yield workers


@pytest.mark.parametrize("case", ["es", "reinforce-mlp", "a2c-gymnasium"])
def test_ray_changes_no_bit(case, alone, ray):
    assert states(case, ray)[0] == alone[case]


@pytest.fixture(scope="module")
def ray():
    pytest.importorskip("ray")
    with open_workers("ray", 2) as workers:
        yield workers


def test_workers_killed_at_any_time_change_no_bit(alone):
    """While the run goes on, its workers are killed one after another."""
    with open_workers("processes", 2) as workers:
        over = threading.Event()

        def murder():
            while not over.wait(0.4):
                for process in workers._executor.processes[:1]:
                    os.kill(process.pid, signal.SIGKILL)

        murderer = threading.Thread(target=murder)
        workers.map(abs, [-1])
        murderer.start()
        try:
            for case in ("ars-v2", "reinforce-mlp", "a2c-gymnasium"):
                try:
                    assert states(case, workers)[0] == alone[case]
                except Exception as error:
                    assert "in 3 attempts" in str(error)  # noqa: PT017
        finally:
            over.set()
            murderer.join()
        assert states("es", workers)[0] == alone["es"]


def test_a_worker_that_forgets_is_told(alone):
    """Workers that are replaced between iterations get the whole state; the others numbers alone."""
    name, options = CASES["es"]
    with open_workers("processes", 2) as workers:
        model = algorithm(name).load()("CartPole-v1", seed=3, workers=workers, **options)
        state, sent = model.recipe.init(3), []
        for i in range(4):
            if i == 2:
                for process in workers._executor.processes:
                    process.kill()
            state, metrics = model.recipe.step(state)
            sent.append(metrics.values["time/bytes_sent"])
    plain = algorithm(name).load()("CartPole-v1", seed=3, **options)
    expected = plain.recipe.init(3)
    for _ in range(4):
        expected, _ = plain.recipe.step(expected)
    assert state.theta.tobytes() == expected.theta.tobytes()
    whole = 3 * 8 * len(state.theta)  # θ and the optimiser's moments
    assert min(sent[0], sent[2]) > whole
    assert sent[3] < 2 * whole


@pytest.mark.parametrize("hidden", [(8,), (128, 128)])
def test_evolution_sends_a_few_bytes_a_trial_whatever_the_policy(hidden):
    with ThreadPoolExecutor(1) as executor:
        workers = Workers(Given(executor, 1))
        model = algorithm("es").load()(
            "CartPole-v1", seed=0, policy="mlp", policy_kwargs={"hidden": hidden}, n_pairs=50, workers=workers
        )
        state, _ = model.recipe.step(model.recipe.init(0))
        for _ in range(2):
            state, metrics = model.recipe.step(state)
    assert metrics.values["time/bytes_sent"] / 100 < 16
    assert metrics.values["time/bytes_received"] / 100 < 24


def test_gradients_send_theta_once_a_worker(processes):
    _, values = states("reinforce-mlp", processes, iterations=1)
    n = 8 * (4 * 64 + 64 + 64 * 64 + 64 + 64 * 2 + 2)
    assert 2 * n < values["time/bytes_sent"] < 2.2 * n


class Broken:
    """An environment that a worker makes; module-level, so that it can be sent."""

    def __new__(cls):
        import gymnasium

        class Raises(gymnasium.Wrapper):
            def step(self, action):
                raise RuntimeError("the motor is gone")

        return Raises(gymnasium.make("CartPole-v1"))


def broken():
    """A factory."""
    return Broken()


def test_what_an_environment_raises_in_a_worker_is_told_with_its_place(processes):
    model = algorithm("reinforce").load()(broken, seed=0, workers=processes, n_envs=1)
    with pytest.raises(EnvironmentFailure, match=r"episode 0 .*step 0.*the motor is gone"):
        model.recipe.step(model.recipe.init(0))


def test_environments_that_cannot_be_sent(processes):
    import gymnasium

    with pytest.raises(InvalidInput, match="cannot be sent to workers"):
        algorithm("reinforce").load()(lambda: gymnasium.make("CartPole-v1"), workers=processes)
    with pytest.raises(InvalidInput, match="workers make environments of their own"):
        RolloutSource(gymnasium.make("CartPole-v1")).make()
    with pytest.raises(InvalidInput, match="no units to share out"):
        algorithm("online").load()("CartPole-v1", workers=processes)


def test_the_comparison_can_fail(alone, monkeypatch):
    """A worker whose trials come out otherwise is noticed by the test, and by the run."""
    assert alone["es"] != alone["ga"]
    assert not np.array_equal(alone["reinforce"]["theta"], alone["reinforce-mlp"]["theta"])
