"""Several seeds: folders of their own, one table, and going on."""

import json
import re

import numpy as np
import pytest

from npgrad.training.evaluation import interquartile_mean, mean_interval

SHORT = ["--steps", "300", "--stop-at", "none", "--eval-every", "0", "--eval-episodes", "3"]


def table(out):
    """Seed → return, as printed."""
    rows = re.findall(r"^ +(\d+) +([\d,]+) +([\d.]+) +([\d.]+)   ([\d.]+) to ([\d.]+)", out, re.MULTILINE)
    return {int(seed): float(score) for seed, _, _, score, *_ in rows}


def test_a_table_over_seeds(npgrad, tmp_path):
    status, out, err = npgrad("train", "CartPole-v1", *SHORT, "--seeds", "4..6,1")
    assert (status, err) == (0, "")
    (parent,) = (tmp_path / "runs").iterdir()
    assert parent.name == "CartPole-v1-reinforce-seeds4_5_6_1"
    scores = table(out)
    assert list(scores) == [4, 5, 6, 1]
    values = list(scores.values())
    low, high = mean_interval(values, seed=0)
    mean, over_low, over_high = map(
        float, re.search(r"mean +([\d.]+)  \(95% interval ([\d.]+) to ([\d.]+), over 4 seeds\)", out).groups()
    )
    assert mean == pytest.approx(np.mean(values), abs=0.1)
    assert (over_low, over_high) == pytest.approx((low, high), abs=0.1)
    assert float(re.search(r"IQM +([\d.]+)", out)[1]) == pytest.approx(interquartile_mean(values), abs=0.1)
    assert f"npgrad plot runs/{parent.name}" in out

    npgrad("train", "CartPole-v1", *SHORT, "--seed", 5, "--out", "alone")
    alone = (tmp_path / "alone" / "agent.npz").read_bytes()
    assert (parent / "seed5" / "agent.npz").read_bytes() == alone


def test_quiet_and_again(npgrad, tmp_path):
    for _ in range(2):
        assert npgrad("train", "CartPole-v1", *SHORT, "--seeds", "0..1", "--quiet") == (0, "", "")
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == [
        f"CartPole-v1-reinforce-seeds0-1{suffix}" for suffix in ("", "-2")
    ]


def test_going_on_with_a_series(npgrad, tmp_path):
    npgrad("train", "CartPole-v1", *SHORT, "--seeds", "0..2", "--out", "whole", "--gamma", 0.9)
    npgrad("train", "CartPole-v1", *SHORT, "--seeds", "0..2", "--out", "broken", "--gamma", 0.9)
    import shutil

    shutil.rmtree(tmp_path / "broken" / "seed2")  # as if stopped before it
    status, out, _ = npgrad("train", "--resume", "broken")
    assert status == 0
    assert list(table(out)) == [0, 1, 2]
    for seed in range(3):
        agents = [(tmp_path / name / f"seed{seed}" / "last_agent.npz").read_bytes() for name in ("whole", "broken")]
        assert agents[0] == agents[1]
    _, out, _ = npgrad("train", "--resume", "broken", "--steps", 600)
    assert json.loads((tmp_path / "broken" / "seed1" / "config.json").read_text())["total_timesteps"] == 600
    assert "--gamma is 0.5, but the run in broken has 0.9" in npgrad("train", "--resume", "broken", "--gamma", 0.5)[2]


def test_one_ctrl_c_ends_the_series(npgrad, tmp_path, monkeypatch):
    import os
    import signal

    from npgrad.training import callbacks

    def press(_seen):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(callbacks, "load_callback", lambda _name: press)
    status, out, _ = npgrad("train", "CartPole-v1", *SHORT, "--seeds", "0..2", "--out", "s", "--callback", "a:b")
    assert status == 0
    assert len(re.findall("stopped by you$", out, re.MULTILINE)) == 1
    assert "stopped by you; go on with: npgrad train --resume s" in out
    assert sorted(p.name for p in (tmp_path / "s").iterdir()) == ["seed0", "series.json"]
    status, out, _ = npgrad("train", "--resume", "s")
    assert status == 0
    assert sorted(p.name for p in (tmp_path / "s").iterdir()) == ["seed0", "seed1", "seed2", "series.json"]


def test_one_failure_is_no_end(npgrad, tmp_path, monkeypatch):
    from npgrad.algorithms.reinforce import Reinforce
    from npgrad.errors import NonFinite

    step = Reinforce.step

    def fails(self, state):
        if state.seed == 1:
            raise NonFinite("gradient[0] is nan")
        return step(self, state)

    monkeypatch.setattr(Reinforce, "step", fails)
    status, out, err = npgrad("train", "CartPole-v1", *SHORT, "--seeds", "0..2", "--out", "s")
    assert status == 1
    assert list(table(out)) == [0, 2]
    assert err.count("Error: seed 1: in iteration 1") == 1
    assert "over 2 seeds" in out
    status, out, _ = npgrad("train", "CartPole-v1", *SHORT, "--seeds", "1,2", "--out", "first")
    assert (status, list(table(out)), out.count("95% interval\n")) == (1, [2], 1)


@pytest.mark.parametrize("text", ["", "[]", '{"seeds": 3}', '{"seeds": ["x"], "config": {}}'])
def test_a_damaged_series(npgrad, tmp_path, text):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "series.json").write_text(text)
    status, _, err = npgrad("train", "--resume", "s")
    assert status == 1
    assert "series.json cannot be read" in err


def test_no_series_in_a_folder_of_something_else(npgrad, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    status, _, err = npgrad("train", "CartPole-v1", *SHORT, "--seeds", "0,1", "--out", "mine")
    assert status == 1
    assert "mine is not empty" in err
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["notes.txt"]
