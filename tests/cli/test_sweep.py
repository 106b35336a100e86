"""`npgrad sweep`: every setting on every seed, in parallel or not, gone on with, summed up with intervals."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad.cli.grid import summarised

SWEEP = ["sweep", "CartPole-v1", "--vary", "learning_rate=0.01,0.03", "--seeds", "0..2", "--steps", "1500"]
SWEEP += ["--stop-at", "none", "--n-episodes", "4"]


def npgrad(*args):
    command = [sys.executable, "-m", "npgrad", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone") / "sweep"
    return folder, npgrad(*SWEEP, "--out", folder)


def test_widths_are_named_as_they_were_given(tmp_path):
    short = ["--policy", "mlp", "--seeds", "0", "--steps", "200", "--eval-every", "0", "--out", tmp_path / "sweep"]
    result = npgrad("sweep", "CartPole-v1", "--vary", "hidden=4,8", *short)
    assert (result.returncode, "1/2  hidden=4  seed 0" in result.stdout) == (0, True), result
    assert {path.name for path in (tmp_path / "sweep").iterdir() if path.is_dir()} == {"hidden_4", "hidden_8"}


def test_every_setting_on_every_seed(alone):
    folder, result = alone
    assert (result.returncode, result.stderr) == (0, "")
    assert "6/6" in result.stdout
    runs = {str(path.parent.relative_to(folder)) for path in folder.rglob("agent.npz")}
    assert runs == {f"learning_rate_{rate}/seed{seed}" for rate in (0.01, 0.03) for seed in range(3)}
    assert (folder / "curves.png").stat().st_size > 10_000
    rows = list(csv.DictReader((folder / "table.csv").open()))
    assert [row["setting"] for row in rows] == ["learning_rate=0.01", "learning_rate=0.03"]
    assert all(float(row["mean_low"]) <= float(row["mean"]) <= float(row["mean_high"]) for row in rows)
    assert float(rows[0]["p"]) == 0.5  # of being better than itself
    config = json.loads((folder / "learning_rate_0.03" / "seed1" / "config.json").read_text())
    assert (config["hyperparameters"]["learning_rate"], config["seed"]) == (0.03, 1)


def test_workers_change_no_bit(alone, tmp_path):
    result = npgrad(*SWEEP, "--out", tmp_path / "sweep", "--workers", 2)
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "sweep" / "table.csv").read_bytes() == (alone[0] / "table.csv").read_bytes()


def test_the_same_command_goes_on(alone):
    folder, _ = alone
    table, before = (folder / "table.csv").read_bytes(), (folder / "learning_rate_0.01/seed0/agent.npz").read_bytes()
    for path in (folder / "learning_rate_0.03" / "seed2").iterdir():
        path.unlink()
    result = npgrad(*SWEEP, "--out", folder)
    assert (result.returncode, result.stderr) == (0, "")
    assert (folder / "table.csv").read_bytes() == table
    assert (folder / "learning_rate_0.01/seed0/agent.npz").read_bytes() == before


def test_another_sweep_is_not_mixed_in(alone):
    result = npgrad(*SWEEP, "--gamma", "0.9", "--out", alone[0])
    assert result.returncode == 1
    assert result.stderr.startswith("Error: ")
    assert "other settings; choose another --out" in result.stderr


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--vary", "learning_rate"], "expected NAME=A,B,C"),
        (["--vary", "learning_rat=1"], "did you mean 'learning_rate'"),
        (["--vary", "seed=1,2"], "not to vary"),
        (["--vary", "gamma=1", "--vary", "gamma=0.9"], "twice"),
        (["--executor", "threads", "--workers", "2"], "choose processes"),
    ],
    ids=["no values", "unknown", "seed", "twice", "threads"],
)
def test_wrong_usage(flags, text, tmp_path):
    result = npgrad("sweep", "CartPole-v1", *flags, "--out", tmp_path / "sweep")
    assert result.returncode == 2
    assert text in result.stderr
    assert not (tmp_path / "sweep").exists()


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12), st.floats(1.0, 1e6))
def test_rows_are_means_with_their_intervals(scores, shift):
    rows = summarised({"a": scores, "b": [x + shift + 2 * max(map(abs, scores)) for x in scores]})
    for row in rows:
        for center, low, high in (row.mean, row.iqm, row.better):
            assert low <= center + 1e-6 * (1 + abs(center))
            assert center <= high + 1e-6 * (1 + abs(center))
    assert np.isclose(rows[0].mean[0], np.mean(scores))
    assert rows[0].better[0] == pytest.approx(0.5)
    assert rows[1].better == pytest.approx((1.0, 1.0, 1.0))
