import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from npgrad.deploy import load_agent
from npgrad.errors import CorruptFile, InvalidInput, RunFolderError
from npgrad.training import Metrics, RunFolder, train
from npgrad.training.config import read_config
from npgrad.training.tables import Table
from tests.training.quadratic import Quadratic, evaluate

CONFIG = {"env": "Quadratic-v0", "algo": "quadratic", "seed": 3, "hyperparameters": {"learning_rate": 0.1}}


@pytest.fixture
def run(tmp_path):
    folder = RunFolder.create(tmp_path / "run", CONFIG)
    result = train(Quadratic(), seed=3, total_timesteps=150, folder=folder, evaluate=evaluate, eval_every=50)
    folder.close()
    return tmp_path / "run", result


def test_the_files_and_their_columns(run):
    path, result = run
    assert {p.name for p in path.iterdir()} == {
        "config.json",
        "progress.csv",
        "monitor.csv",
        "agent.npz",
        "last_agent.npz",
        "checkpoint.npz",
        "checkpoint.prev.npz",
        "learning_curve.svg",
    }
    rows = list(csv.DictReader((path / "progress.csv").open()))
    assert list(rows[0]) == [
        "time/iterations",
        "time/total_timesteps",
        "time/time_elapsed",
        "time/fps",
        "rollout/ep_rew_mean",
        "rollout/ep_len_mean",
        "eval/mean_reward",
        "eval/mean_ep_length",
        "train/gradient_norm",
        "train/late",  # came later
    ]
    assert len(rows) == result.state.iteration
    assert [r["train/late"] for r in rows[:4]] == ["", "", "", "3.0"]
    means = [float(r["eval/mean_reward"]) for r in rows if r["eval/mean_reward"]]
    assert means == [e.result.mean_return for e in result.evaluations]
    assert int(rows[-1]["time/total_timesteps"]) == result.state.timesteps


def test_the_monitor_is_that_of_stable_baselines3(run):
    path, result = run
    first, header, *rows = (path / "monitor.csv").read_text().splitlines()
    assert first.startswith("#")
    assert set(json.loads(first[1:])) == {"t_start", "env_id"}
    assert json.loads(first[1:])["env_id"] == "Quadratic-v0"
    assert header == "r,l,t"
    values = np.array([[float(x) for x in row.split(",")] for row in rows])
    assert len(values) == result.state.episodes
    assert values[:, 1].sum() == result.state.timesteps
    assert (np.diff(values[:, 2]) >= 0).all()


def test_the_agents_say_where_they_come_from(run):
    path, result = run
    best, last = load_agent(path / "agent.npz"), load_agent(path / "last_agent.npz")
    np.testing.assert_array_equal(best.theta, result.agent.theta)
    np.testing.assert_array_equal(last.theta, result.state.theta)
    assert best.info["env_id"] == "Quadratic-v0"
    assert best.info["hyperparameters"] == {"learning_rate": 0.1}
    assert best.info["mean_return"] == result.best.result.mean_return
    assert best.info["timesteps"] == result.best.timesteps
    assert last.info["timesteps"] == result.state.timesteps


def test_a_used_folder_is_refused_and_left_alone(run):
    path, _ = run
    before = {p.name: p.read_bytes() for p in path.iterdir()}
    with pytest.raises(RunFolderError, match=r"holds a run already.*--resume .*--out"):
        RunFolder.create(path, CONFIG)
    assert {p.name: p.read_bytes() for p in path.iterdir()} == before


def test_a_folder_with_other_files_is_used_but_never_overwritten(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    RunFolder.create(tmp_path, CONFIG).close()
    assert (tmp_path / "notes.txt").read_text() == "mine"
    other = tmp_path / "other"
    other.mkdir()
    (other / "agent.npz").write_text("mine")
    with pytest.raises(RunFolderError, match=r"it has agent.npz"):
        RunFolder.create(other, CONFIG)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match=r"cannot write to .*Not a directory.*--out"):
        RunFolder.create(tmp_path / "file" / "run", CONFIG)


def test_a_run_of_another_process_is_left_alone(run):
    path, _ = run
    script = "import sys; from npgrad.training import RunFolder; folder = RunFolder.reopen(sys.argv[1]); "
    script += "print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"1\n"
        with pytest.raises(RunFolderError, match="in use by another process"):
            RunFolder.reopen(path)
        other.kill()
    RunFolder.reopen(path).close()  # the lock goes with its process


def test_default_names(tmp_path):
    names = [RunFolder.create_default("CartPole-v1", "reinforce", 0, CONFIG, str(tmp_path)).path.name for _ in range(3)]
    assert names == [f"CartPole-v1-reinforce-seed0{suffix}" for suffix in ("", "-2", "-3")]


@pytest.mark.parametrize("env", ["ALE/Pong-v5", "my_envs:Lane-v0", "../../etc/passwd", "/abs", "..", ".hidden", "a\0b"])
def test_no_name_leaves_the_runs(tmp_path, env):
    path = RunFolder.create_default(env, "reinforce", 0, CONFIG, str(tmp_path / "runs")).path
    assert path.parent == tmp_path / "runs"
    assert path.is_dir()
    assert not path.name.startswith(".")


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="the system cannot tell")
def test_a_link_in_a_run_folder_leads_nowhere(run):
    path, _ = run
    outside = path.parent / "outside.csv"
    outside.write_text((path / "monitor.csv").read_text() + "1.0,1,1\n")
    before = outside.read_bytes()
    (path / "monitor.csv").unlink()
    (path / "monitor.csv").symlink_to(outside)
    folder = RunFolder.reopen(path)
    with pytest.raises(RunFolderError):
        folder.load()
    assert outside.read_bytes() == before


@pytest.mark.parametrize("text", ["", "{", "[1, 2]"])
def test_a_damaged_config(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(CorruptFile, match=r"config\.json"):
        RunFolder.reopen(tmp_path)


def test_no_run_folder(tmp_path):
    with pytest.raises(RunFolderError, match="is no run folder"):
        read_config(tmp_path)


def test_tables_keep_rows_and_digits(tmp_path):
    table = Table.create(tmp_path / "t.csv", ("a", "b"), comment="{}")
    table.append_mapping({"a": 0.1 + 0.2, "b": None})
    table.append_mapping({"b": np.float64(1e-300), "a": 7})
    table.close()
    assert (tmp_path / "t.csv").read_text() == "#{}\na,b\n0.30000000000000004,\n7,1e-300\n"


@pytest.mark.parametrize("rows", [0, 1, 2])
@pytest.mark.parametrize("tail", ["", "9,", "9,9\n9,9\n9"])
def test_tables_are_cut_back(tmp_path, rows, tail):
    path = tmp_path / "t.csv"
    path.write_text("#x\na,b\n1,2\n3,4\n" + tail)
    table = Table(path, rows)
    table.append((5, 6))
    table.close()
    assert path.read_text().splitlines() == [*["#x", "a,b", "1,2", "3,4"][: rows + 2], "5,6"]


def test_long_tables_are_cut_back(tmp_path):
    path = tmp_path / "t.csv"
    lines = ["a", *(str(i) for i in range(400_000))]
    path.write_text("\n".join(lines) + "\n")
    Table(path, 300_001).close()
    assert path.read_text().splitlines() == lines[:300_002]


def test_a_new_column(tmp_path):
    table = Table.create(tmp_path / "t.csv", ("a",))
    table.append_mapping({"a": 1})
    table.append_mapping({"a": 2, "b": 3, "c": 4})
    table.append_mapping({"a": 5})
    table.close()
    assert (tmp_path / "t.csv").read_text() == "a,b,c\n1,,\n2,3,4\n5,,\n"


def test_metrics_are_checked():
    with pytest.raises(InvalidInput, match="expected both"):
        Metrics({}, np.zeros(2), np.zeros(3))
