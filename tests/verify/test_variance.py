"""Measured variances against exact ones, intervals against resampling by hand, and the command."""

import json
import sys

import gymnasium
import numpy as np
import pytest

from npgrad.algorithms.base import initial_theta
from npgrad.cli import main
from npgrad.deploy import Agent, save_agent
from npgrad.envs.tabular import tabular_env
from npgrad.errors import InvalidInput, UnknownName
from npgrad.oracle import exact_moments, from_gymnasium, gradient, random_mdp, trajectories
from npgrad.policies import make_policy
from npgrad.rollouts import CompiledRollout, GymnasiumRollout, make_rollout
from npgrad.verify.variance import Row, VarianceStudy, _leave_outs, jackknife, study
from npgrad.verify.variance_estimators import BASELINES, chosen_estimators, fitted_values
from npgrad.verify.variance_exact import ExactSide

MDP = random_mdp(4, 2, horizon=3, seed=3, n_terminal=1, n_next=2, n_start=1)


def rollout_of(mdp):
    return CompiledRollout(tabular_env(mdp.start, mdp.P, mdp.R, terminal=mdp.terminal, horizon=mdp.horizon))


def policy_of(mdp):
    policy = make_policy(mdp, "linear")
    return policy, np.random.default_rng(1).normal(size=policy.n_params)


@pytest.mark.parametrize("gamma", [1.0, 0.8])
def test_measured_variances_agree_with_exact_ones(gamma):
    """Every exact variance lies within the 99.9 % interval of the measured one."""
    policy, theta = policy_of(MDP)
    found = study(rollout_of(MDP), policy, theta, gamma=gamma, batches=300, batch_episodes=4, exact=MDP)
    known = [row for row in found.rows if row.exact is not None]
    assert len(known) == 6
    for row in known:
        low, high = row.interval
        deviation = (np.log(high) - np.log(low)) / (2 * 1.96)
        assert abs(np.log(row.exact / row.variance)) < 3.29 * deviation, row.name
        assert high / low < 1.8


def test_exact_variances_agree_with_enumeration():
    """In batches of two, every batch there can be: the estimators of a study and their exact side."""
    mdp = random_mdp(3, 2, horizon=2, seed=1, n_terminal=1, n_next=2, n_start=1).replace(gamma=0.7)
    policy, theta = policy_of(mdp)
    side = ExactSide.of(mdp, policy, theta, 0.7)
    critic = fitted_values(trajectories(mdp, policy, theta).batch, 0.7)
    checked = 0
    for e in chosen_estimators(None, 0.7, critic, side):
        exact = side.variance(e.exact, 2)
        if exact is not None:
            found = exact_moments(e.estimator, mdp, policy, theta, n=2)
            assert found.variance == pytest.approx(exact, rel=1e-11), e.name
            checked += 1
            if e.baseline != "batch-mean-biased":
                np.testing.assert_allclose(found.mean, gradient(mdp, policy, theta), atol=1e-13)
    assert checked == 6


def test_leaving_out_a_batch_is_computing_without_it():
    g = np.random.default_rng(0).normal(size=(7, 3))
    of = _leave_outs(g)
    assert of.s2 == pytest.approx(np.trace(np.cov(g.T)), rel=1e-13)
    for k in range(7):
        assert of.without[k] == pytest.approx(np.trace(np.cov(np.delete(g, k, axis=0).T)), rel=1e-12)
    mean = g.mean(axis=0)
    assert of.signal == pytest.approx(mean @ mean - of.s2 / 7, rel=1e-13)


def test_jackknife_intervals_cover():
    """Of 400 samples of a variance, about 95 % of the intervals hold the truth."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(400):
        of = _leave_outs(rng.normal(size=(60, 2)))
        low, high = jackknife(of.s2, of.without)
        held += low < 2.0 < high
    assert 0.92 < held / 400 < 0.98


def test_jackknife_of_nothing():
    assert np.isnan(jackknife(0.0, np.zeros(4))).all()
    assert np.isnan(jackknife(1.0, np.array([1.0, 0.0, 1.0]))).all()


def test_all_estimators_see_the_same_episodes():
    found = study("CartPole-v1", batches=8, batch_episodes=4)
    assert found["reward-to-go"].ratio == 1.0
    assert found["reward-to-go"].ratio_interval == (1.0, 1.0)
    alone = study("CartPole-v1", baselines=["leave-one-out"], batches=8, batch_episodes=4)
    assert [row.baseline for row in alone.rows] == ["leave-one-out"] * 2
    for row in alone.rows:
        assert row == found[row.name]


def test_the_batch_mean_only_seems_better():
    """Its variance is ((N − 1)/N)² that of leave-one-out, on the samples too."""
    found = study("CartPole-v1", baselines=["leave-one-out", "batch-mean-biased"], batches=16, batch_episodes=4)
    others, mean = found["whole return − mean of others"], found["whole return − mean (biased)"]
    assert mean.variance == pytest.approx(9 / 16 * others.variance, rel=1e-10)
    assert mean.signal_to_noise == pytest.approx(others.signal_to_noise, rel=1e-8)


def test_too_few_episodes_to_see_anything():
    found = study("FrozenLake-v1", baselines=["none"], batches=3, batch_episodes=2)
    assert found["reward-to-go"].variance == 0
    assert "take more" in found.notes[-1]


def test_v_is_fitted_on_other_episodes():
    batch = make_rollout("CartPole-v1").episodes(*_start("CartPole-v1"), seed=0, first=0, count=32)
    critic = fitted_values(batch, 0.9)
    G = np.zeros(batch.n_steps)
    for a, b in zip(batch.offsets[:-1], batch.offsets[1:], strict=True):
        after = 0.0
        for t in reversed(range(a, b)):
            G[t] = after = batch.rew[t] + 0.9 * after
    phi = np.column_stack([batch.obs, np.ones(batch.n_steps)])
    expected = phi @ np.linalg.lstsq(phi, G, rcond=None)[0]
    np.testing.assert_allclose(critic(batch).rows, expected, atol=1e-4)


def _start(env_id):
    policy = make_policy(make_rollout(env_id), "linear")
    return policy, initial_theta(policy, 0)


def test_nothing_exact_where_the_environment_is_another():
    """The table of an id does not speak for an environment made with other arguments."""
    dry = GymnasiumRollout("FrozenLake-v1", is_slippery=False)
    found = study(dry, batches=3, batch_episodes=2)
    assert all(row.exact is None for row in found.rows)
    assert "give its table" in found.notes[0]
    assert study("CartPole-v1", baselines=["none"], batches=3, batch_episodes=2, exact=False).notes == ()
    assert "too large" in study("FrozenLake8x8-v1", "mlp", baselines=["none"], batches=3, batch_episodes=2).notes[0]


def test_refused():
    with pytest.raises(UnknownName, match="did you mean 'optimal'"):
        study("FrozenLake-v1", baselines=["optimum"], batches=3)
    with pytest.raises(InvalidInput, match="'best' is for tabular environments; CartPole-v1 has no table"):
        study("CartPole-v1", baselines=["best"], batches=3)
    with pytest.raises(InvalidInput, match="expected at least 3 of 2"):
        study("CartPole-v1", batches=2)
    with pytest.raises(InvalidInput, match="no baselines are named"):
        study("CartPole-v1", baselines=[], batches=3)
    with pytest.raises(InvalidInput, match=r"gamma is 1\.5"):
        study("CartPole-v1", gamma=1.5)


def example():
    rows = (
        Row("reward-to-go", "none", 2.0, (1.5, 2.5), 1.0, (1.0, 1.0), 0.25, 1.9),
        Row("nothing", "none", 0.0, (np.nan, np.nan), 0.0, (np.nan, np.nan), np.nan),
    )
    return VarianceStudy("Lake-v0", 1.0, 64, 8, 60.0, rows, ("a note",))


def test_table_and_json():
    text = str(example())
    assert "Lake-v0: 64 batches of 8 episodes, 60 steps each, γ = 1" in text
    assert [line.split()[-1] for line in text.splitlines()[3:5]] == ["1.9", "–"]
    assert text.endswith("\n\na note")
    content = json.loads(json.dumps(example().as_json(), allow_nan=False))
    assert content["estimators"][1]["interval"] == [None, None]
    assert content["estimators"][0]["exact"] == 1.9


def test_picture(tmp_path):
    pytest.importorskip("matplotlib")
    figure = example().plot(tmp_path / "v.svg")
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["reward-to-go", "nothing"]
    assert "exact" in (tmp_path / "v.svg").read_text()


@pytest.fixture
def npgrad(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run(*args):
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in args])
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    return run


def test_the_command(npgrad):
    short = ["--batches", 4, "--batch-episodes", 2]
    status, out, err = npgrad("variance", "FrozenLake-v1", *short, "--baselines", "none,best")
    assert (status, err) == (0, "")
    assert "reward-to-go − best b_t(s)" in out
    assert "the variance of reward-to-go comes from" in out
    status, out, _ = npgrad("variance", "FrozenLake-v1", *short, "--json", "--gamma", "0.9", "--no-exact")
    assert status == 0
    content = json.loads(out)
    assert content["gamma"] == 0.9
    assert {row["baseline"] for row in content["estimators"]} == {*BASELINES} - {"best", "exact-value"}
    assert npgrad("variance", "FrozenLake-v1", *short, "--json", "--gamma", "0.9", "--no-exact")[1] == out


def test_the_command_on_an_agent(npgrad, tmp_path):
    policy, theta = _start("CartPole-v1")
    save_agent(Agent(policy, theta + 0.1, info={"env_id": "CartPole-v1"}), tmp_path / "agent.npz")
    short = ["--batches", 4, "--batch-episodes", 2, "--baselines", "none", "--json"]
    of_folder, of_file = npgrad("variance", ".", *short), npgrad("variance", "agent.npz", *short)
    assert of_folder == of_file
    found = study("CartPole-v1", policy, theta + 0.1, baselines=["none"], batches=4, batch_episodes=2)
    assert json.loads(of_file[1]) == json.loads(json.dumps(found.as_json()))


def test_the_command_on_an_agent_of_another_lake(npgrad, tmp_path):
    """An agent is studied in the environment that it was trained in, by its episodes and by its table."""
    policy, theta = _start("FrozenLake-v1")
    kwargs = {"is_slippery": False}
    save_agent(Agent(policy, theta, info={"env_id": "FrozenLake-v1", "env_kwargs": kwargs}), tmp_path / "agent.npz")
    short = ["--batches", 4, "--batch-episodes", 2, "--baselines", "none", "--json"]
    dry, wet = (json.loads(npgrad("variance", what, *short)[1]) for what in ("agent.npz", "FrozenLake-v1"))
    found = study("FrozenLake-v1", baselines=["none"], batches=4, batch_episodes=2, env_kwargs=kwargs)
    assert dry == json.loads(json.dumps(found.as_json()))
    mdp = from_gymnasium(gymnasium.make("FrozenLake-v1", **kwargs))
    exact = study(rollout_of(mdp), policy, theta, baselines=["none"], batches=4, batch_episodes=2, exact=mdp)
    assert [row.exact for row in found.rows] == [row.exact for row in exact.rows]
    assert dry["estimators"][0]["exact"] != wet["estimators"][0]["exact"]


def test_the_command_refuses(npgrad, tmp_path):
    status, _, err = npgrad("variance", "CartPole-v1", "--baselines", "best", "--batches", 4)
    assert status == 2
    assert "for tabular environments" in err
    (tmp_path / "empty").mkdir()
    status, _, err = npgrad("variance", "empty")
    assert status == 1
    assert "no agent.npz" in err
    policy, theta = _start("CartPole-v1")
    save_agent(Agent(policy, theta), tmp_path / "agent.npz")
    status, _, err = npgrad("variance", "agent.npz")
    assert status == 1
    assert "does not say which environment" in err
