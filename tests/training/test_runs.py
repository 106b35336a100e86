"""Reading runs: finished, unfinished, empty, damaged and foreign."""

import json

import numpy as np
import pytest

from npgrad.errors import CorruptFile, InvalidInput, RunFolderError, UnknownName
from npgrad.training import RunFolder, train
from npgrad.training.runs import Run, common_column, find_runs, grouped, one_environment, read_run
from tests.training.quadratic import Quadratic, evaluate

CONFIG = {"env": "Q-v0", "algo": "quadratic", "policy": "linear", "seed": 0, "hyperparameters": {"learning_rate": 0.1}}


def make(path, evaluated=True, **changes):
    config = CONFIG | changes
    folder = RunFolder.create(path, config)
    more = {"evaluate": evaluate, "eval_every": 50, "eval_episodes": 4} if evaluated else {}
    train(Quadratic(), seed=config["seed"], total_timesteps=200, folder=folder, **more)
    folder.close()
    return path


def test_columns_and_their_gaps(tmp_path):
    run = read_run(make(tmp_path / "a"))
    t, v = run.curve("rollout/ep_rew_mean")
    assert (np.diff(t) > 0).all()
    assert len(t) == len(run.columns["time/iterations"])
    t, v = run.curve("eval/mean_reward")
    assert 3 <= len(t) < len(run.columns["time/iterations"])
    assert np.isfinite(v).all()
    with pytest.raises(UnknownName, match="did you mean 'train/gradient_norm'"):
        run.curve("train/gradient_nrm")


def test_a_run_at_work(tmp_path):
    path = make(tmp_path / "a")
    text = (path / "progress.csv").read_text()
    whole = read_run(path)
    (path / "progress.csv").write_text(text + "99,12")  # half a line
    assert len(read_run(path).columns["time/iterations"]) == len(whole.columns["time/iterations"])


def test_folders_of_runs_in_the_order_of_their_seeds(tmp_path):
    for seed in (10, 2, 0):
        make(tmp_path / "s" / f"seed{seed}", seed=seed)
    (tmp_path / "s" / "notes").mkdir()
    RunFolder.create(tmp_path / "s" / "seed11", CONFIG).close()  # has just begun
    assert [run.path.name for run in find_runs([tmp_path / "s"])] == ["seed0", "seed2", "seed10"]
    both = find_runs([tmp_path / "s", make(tmp_path / "b")])
    assert [run.path.name for run in both] == ["seed0", "seed2", "seed10", "b"]


def test_what_is_no_run(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    begun = tmp_path / "begun"
    RunFolder.create(begun, CONFIG).close()
    (tmp_path / "series" / "seed0").mkdir(parents=True)
    RunFolder.create(tmp_path / "series" / "seed0", CONFIG).close()
    for path, says in (
        (tmp_path / "nowhere", "does not exist"),
        (tmp_path / "empty", "is no run folder and holds none"),
        (tmp_path / "file", "is no run folder"),
        (begun, "has no row yet: it is in its first iteration, or failed in it"),
        (tmp_path / "series", "has no row yet"),
    ):
        with pytest.raises(RunFolderError, match=says):
            find_runs([path])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", "is not the log of a run"),
        ("time/total_timesteps,b\n1,2,3\n", "is not the log of a run"),
        ("time/total_timesteps,b\n1,x\n", "holds what is no number"),
        (b"\xff\xfe\n\xff\n", "cannot be read"),
    ],
)
def test_a_foreign_or_damaged_log(tmp_path, text, says):
    path = make(tmp_path / "a")
    (path / "progress.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CorruptFile, match=says):
        find_runs([path])


def test_the_column_that_is_meant(tmp_path):
    runs = find_runs([make(tmp_path / "a"), make(tmp_path / "b", evaluated=False)])
    assert common_column(runs[:1]) == "eval/mean_reward"
    assert common_column(runs) == "rollout/ep_rew_mean"
    assert common_column(runs, "gradient_norm") == "train/gradient_norm"
    assert common_column(runs, "gradient-n") == "train/gradient_norm"  # there is no other such
    with pytest.raises(UnknownName, match="known are 'rollout/ep_len_mean', 'rollout/ep_rew_mean'"):
        common_column(runs, "_mean")
    with pytest.raises(UnknownName, match="did you mean 'gradient_norm'"):
        common_column(runs, "gradientnorm")
    with pytest.raises(UnknownName, match=r"column of .*b"):
        common_column(runs, "eval/mean_reward")


def test_a_column_without_a_value():
    run = Run("a", {}, {"time/total_timesteps": np.arange(2.0), "x": np.full(2, np.nan)})
    with pytest.raises(InvalidInput, match="has no value yet"):
        run.curve("x")


def run_with(**config):
    return Run("r", CONFIG | config, {})


def test_groups_differ_in_what_they_say():
    runs = [
        run_with(seed=0),
        run_with(seed=1, total_timesteps=5, threads=2, eval_every=3, versions={"numpy": "1"}),
        run_with(policy="mlp", policy_options={"hidden": [8, 8]}),
        run_with(policy="mlp", policy_options={"hidden": [4]}, hyperparameters={"learning_rate": 0.1}),
        run_with(hyperparameters={"learning_rate": 0.5}, n_envs=1),
        run_with(algo="other", hyperparameters={"delta": True}),
    ]
    labels = grouped(runs)
    assert [len(group) for group in labels.values()] == [2, 1, 1, 1, 1]
    first, eight, _, half, other = labels
    assert first == "quadratic, policy linear, n_envs none, learning_rate 0.1"
    assert "hidden 8×8" in eight
    assert "policy mlp" in eight
    assert "learning_rate 0.5" in half
    assert "n_envs 1" in half
    assert other == "other"


def test_one_environment_alone():
    assert one_environment([run_with(), run_with()]) == "Q-v0"
    assert one_environment([run_with(env_kwargs={"gravity": 9})]) == "Q-v0 (gravity=9)"
    with pytest.raises(InvalidInput, match=r"is of Q-v0, r of Q-v0 \(gravity=9\)"):
        one_environment([run_with(), run_with(env_kwargs={"gravity": 9})])
    assert json.dumps(CONFIG)
