"""Batches that stay with workers: same gradient, same figures, same bits; fewer bytes, or it is not done."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from npgrad.algorithms import remote_gradients
from npgrad.algorithms.registry import algorithm
from npgrad.algorithms.remote_gradients import PATIENCE, HeldBatch, HoldingRollout
from npgrad.errors import NonFinite, WorkerFailure
from npgrad.pool import single_blas_thread
from npgrad.workers import Given, Workers, open_workers

CASES = {  # several chunks of 2048 rows each; one; none that ends where a share does
    "linear": ("CartPole-v1", {"n_episodes": 300, "n_envs": 2}),
    "mlp": ("CartPole-v1", {"n_episodes": 300, "n_envs": 2, "policy": "mlp", "ent_coef": 0.01, "gamma": 0.97}),
    "standardised": ("CartPole-v1", {"n_episodes": 300, "n_envs": 2, "normalize_advantage": True}),
    "scaled rewards": ("CartPole-v1", {"n_episodes": 300, "n_envs": 2, "normalize_rewards": True, "baseline": "none"}),
    "gaussian": ("Pendulum-v1", {"n_episodes": 30, "n_envs": 2, "causality": False}),
    "gymnasium": ("CartPole-v1", {"n_episodes": 120, "n_envs": 4, "engine": "gymnasium", "baseline": "constant"}),
    "few": ("CartPole-v1", {"n_episodes": 24, "n_envs": 1}),
}


def model_of(case, workers=None):
    env, options = CASES[case]
    return algorithm("reinforce").load()(env, seed=3, workers=workers, **options)


def rollout_of(model):
    return getattr(model.recipe, "recipe", model.recipe).experience.rollout


def trained(case, workers=None, iterations=3, held=True):
    """The state and the figures after some iterations, and how many batches were left with the workers."""
    model, n_held = model_of(case, workers), 0
    state, rollout = model.recipe.init(3), rollout_of(model)
    with single_blas_thread():
        for _ in range(iterations):
            if workers is not None and held is not None:
                rollout.pays = held
            n_held += bool(getattr(rollout, "pays", False))
            state, metrics = model.recipe.step(state)
    arrays = {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in state.as_arrays().items()}
    figures = {name: value for name, value in metrics.values.items() if not name.startswith("time/")}
    return arrays, figures, metrics, n_held


@pytest.fixture(scope="module")
def alone():
    return {case: trained(case)[:2] for case in CASES}


@pytest.mark.parametrize("held", [True, False, None], ids=["held", "sent", "as it pays"])
@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize("case", CASES)
def test_no_bit_depends_on_who_has_the_batch(case, n, held, alone):
    with ThreadPoolExecutor(n) as executor:
        found = trained(case, Workers(Given(executor, n)), held=held)
    assert found[:2] == alone[case]
    if held is not None:
        assert found[3] == 3 * held


@pytest.fixture(scope="module")
def processes():
    with open_workers("processes", 2) as workers:
        yield workers


@pytest.mark.parametrize("case", ["mlp", "gymnasium"])
def test_by_processes(case, alone, processes):
    assert trained(case, processes)[:2] == alone[case]


@pytest.mark.parametrize("case", ["linear", "mlp"])
def test_each_iteration_takes_the_shorter_way(case):
    def bytes_of(held):
        with ThreadPoolExecutor(2) as executor:
            metrics = trained(case, Workers(Given(executor, 2)), held=held)[2]
        return metrics.values["time/bytes_sent"] + metrics.values["time/bytes_received"]

    assert bytes_of(None) == min(bytes_of(True), bytes_of(False))
    assert bytes_of(None) < 0.85 * bytes_of(False)


def test_theta_is_sent_once(processes):
    metrics = trained("mlp", processes)[2]
    theta = 8 * (4 * 64 + 64 + 64 * 64 + 64 + 64 * 2 + 2)
    psi = 8 * metrics.lengths.sum()
    assert 2 * theta + psi < metrics.values["time/bytes_sent"] < 2.1 * theta + 1.1 * psi


class Forgets(dict):
    def __setitem__(self, key, value):
        """It never was."""


def test_workers_that_forget_make_their_share_again_and_are_spared_for_a_while(alone, monkeypatch):
    monkeypatch.setattr(remote_gradients, "_kept", Forgets())
    with ThreadPoolExecutor(2) as executor:
        model = model_of("linear", Workers(Given(executor, 2)))
        rollout, state, rest = rollout_of(model), model.recipe.init(3), []
        with single_blas_thread():
            for _ in range(3):  # by batch; kept, and forgotten; by batch
                state, _ = model.recipe.step(state)
                rest.append(rollout._rest)
    assert rest == [0, PATIENCE, PATIENCE - 1]
    assert state.theta.tobytes() == alone["linear"][0]["theta"][2]


def test_workers_that_die_between_the_two_questions(alone, monkeypatch):
    with open_workers("processes", 2) as workers:
        model = model_of("linear", workers)
        rollout, state = rollout_of(model), model.recipe.init(3)
        keep = rollout.estimate

        def dying(*args):
            for process in workers._executor.processes:
                process.kill()
            return keep(*args)

        monkeypatch.setattr(rollout, "estimate", dying)
        with single_blas_thread():
            for _ in range(3):
                state, _ = model.recipe.step(state)
    assert rollout._rest == PATIENCE - 1
    assert state.theta.tobytes() == alone["linear"][0]["theta"][2]


@pytest.mark.parametrize(
    "options",
    [
        {"baseline": "value"},
        {"baseline": "optimal", "causality": False},
        {"normalize_observations": True},
        {"policy": "recurrent"},
    ],
    ids=str,
)
def test_batches_are_sent_where_observations_are_needed(options):
    with ThreadPoolExecutor(2) as executor:
        workers = Workers(Given(executor, 2))
        policy = options.pop("policy", "linear")
        model = algorithm("reinforce").load()("CartPole-v1", policy=policy, workers=workers, **options)
        assert not isinstance(rollout_of(model), HoldingRollout)


def test_what_is_wrong_is_told(monkeypatch):
    with ThreadPoolExecutor(2) as executor:
        model = model_of("linear", Workers(Given(executor, 2)))
        rollout, theta = rollout_of(model), np.zeros(model.policy.n_params)
        rollout.pays = True
        batch = rollout.episodes(model.policy, theta, seed=0, first=0, count=300)
        assert isinstance(batch, HeldBatch)
        with pytest.raises(WorkerFailure, match="no sum over episodes"):
            rollout.estimate(lambda *args: None, model.policy, theta, batch)
        estimator = model.recipe.recipe.estimator(None)
        wild = type(estimator)(lambda b: np.full(b.n_steps, np.inf))
        with pytest.raises(NonFinite, match="psi"):
            rollout.estimate(wild, model.policy, theta, batch)


def test_the_comparison_can_fail(alone):
    """A sum in another order is another number."""
    sums = remote_gradients.sums_of
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as executor:
        patch.setattr(remote_gradients, "sums_of", lambda *args: tuple(x * (1 + 1e-15) for x in sums(*args)))
        assert trained("linear", Workers(Given(executor, 2)))[0] != alone["linear"][0]
