import builtins
import json
import re

import pytest

from npgrad.algorithms import presets
from npgrad.algorithms.registry import ALGORITHMS
from npgrad.cli.ranges import Range, default_ranges, ranges_of
from npgrad.cli.search import _score_of
from npgrad.training.settings import PolicySettings, TrainSettings

SHORT = ["--steps", 600, "--eval-every", 200, "--eval-episodes", 3, "--seeds", "100,101"]
KINDS = (TrainSettings, PolicySettings, ALGORITHMS["ars"].Settings)


def journal(path):
    return (path / "trials.log").read_text().splitlines()


def test_what_is_found_can_be_trained(npgrad, tmp_path):
    status, out, err = npgrad("tune", "CartPole-v1", "--trials", 4, *SHORT, "--n-episodes", 2)
    assert (status, err) == (0, "")
    folder = tmp_path / "runs" / "CartPole-v1-reinforce-tune"
    lines = out.splitlines()
    assert len(lines) == 4 + 3
    assert lines[0].split()[0] == "0"
    assert lines[4].startswith("best ")
    assert "mean over 2 seeds" in lines[4]
    assert "--n-episodes" not in lines[5]  # it was fixed
    best = json.loads((folder / "best.json").read_text())
    assert best["hyperparameters"]["n_episodes"] == 2
    flags = lines[5].split()[1:]
    assert npgrad("train", "CartPole-v1", *flags, "--n-episodes", 2, *SHORT[:6], "--quiet", "--out", "by-flags")[0] == 0
    assert npgrad("train", "--config", folder / "best.json", "--quiet", "--out", "by-file")[0] == 0
    by_flags, by_file = (
        json.loads((tmp_path / f"by-{how}" / "config.json").read_text())["hyperparameters"] for how in ("flags", "file")
    )
    assert by_flags == by_file


def test_widths_are_searched(npgrad, tmp_path):
    """From where the search starts, and in a second session, in words that the command line takes."""
    search = ["tune", "CartPole-v1", "--policy", "mlp", *SHORT, "--search", "hidden=64,64;8", "--out", "search"]
    for trials in (1, 2):
        status, out, err = npgrad(*search, "--trials", trials)
        assert (status, err) == (0, "")
        if trials == 1:
            assert "hidden=64,64" in out.splitlines()[0]
        assert re.search(r"^settings  --hidden (64,64|8)$", out, re.MULTILINE)
    hidden = json.loads((tmp_path / "search" / "best.json").read_text())["policy_options"]["hidden"]
    assert hidden in ([64, 64], [8])


def test_the_first_trial_is_the_start_and_the_score_its_evaluation(npgrad, tmp_path):
    out = npgrad("tune", "CartPole-v1", "--trials", 1, *SHORT, "--seeds", "3", "--learning-rate", 0.2)[1]
    assert "n_episodes=8 " in out
    trained = npgrad("train", "CartPole-v1", *SHORT[:6], "--learning-rate", 0.2, "--seed", 3, "--out", "run")[1]
    last = (tmp_path / "run" / "progress.csv").read_text().splitlines()[-1].split(",")
    header = (tmp_path / "run" / "progress.csv").read_text().splitlines()[0].split(",")
    assert f"{float(last[header.index('eval/mean_reward')]):9.1f}" in out.splitlines()[0]
    assert trained


@pytest.mark.parametrize("says", [["--n-episodes", 2, "--search", "gamma=0.9"], ["--search", "n_episodes=2"]])
def test_episodes_in_place_of_the_steps_of_a_preset(npgrad, tmp_path, monkeypatch, says):
    monkeypatch.setattr(presets, "presets", lambda: {"CartPole-v1": {"a2c": {"n_steps": 64}}})
    assert npgrad("tune", "CartPole-v1", *SHORT, *says, "--trials", 1, "--out", "search")[0] == 0
    best = json.loads((tmp_path / "search" / "best.json").read_text())["hyperparameters"]
    assert (best["n_steps"], best["n_episodes"]) == (None, 2)


def test_a_search_goes_on(npgrad, tmp_path):
    command = ["tune", "CartPole-v1", *SHORT, "--search", "learning_rate=1e-2..1", "--out", "search"]
    first = npgrad(*command, "--trials", 2)[1]
    again = npgrad(*command, "--trials", 4)[1]
    assert [line.split()[0] for line in (first + again).splitlines() if line[:5].strip().isdigit()] == [*"0123"]
    before = journal(tmp_path / "search")
    assert npgrad(*command, "--trials", 4)[0] == 0  # they are there
    assert [line for line in journal(tmp_path / "search") if '"op_code":4' in line.replace(" ", "")] == [
        line for line in before if '"op_code":4' in line.replace(" ", "")
    ]
    status, _, err = npgrad(*command, "--trials", 5, "--gamma", 0.5)
    assert status == 1
    assert "another --out" in err


def test_poor_trials_are_cut_short(npgrad, tmp_path):
    rates = "learning_rate=0.3,0.29,0.31,0.28,0.32,1e-12"  # the last one learns nothing
    command = ["tune", "CartPole-v1", "--trials", 16, "--steps", 2000, "--eval-every", 500, "--eval-episodes", 5]
    out = npgrad(*command, "--seeds", "100..101", "--search", rates, "--stop-at", "none")[1]
    assert "cut short" in out
    assert "learning_rate=1e-12" not in out.splitlines()[-2]


def test_settings_that_contradict_are_told_and_passed_over(npgrad):
    search = ["--search", "n_top=1,9", "--n-delta", 2]
    out = npgrad("tune", "CartPole-v1", "--algo", "ars", *SHORT, "--trials", 6, *search)[1]
    assert "n_top is 9, expected a number from 1 to n_delta = 2" in out
    assert "--n-top 1" in out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([], "name an environment"),
        (["CartPole-v1", "--search", "learning_rat=1..2"], "did you mean 'learning_rate'"),
        (["CartPole-v1", "--search", "learning_rate"], "expected NAME=LOW..HIGH"),
        (["CartPole-v1", "--search", "learning_rate=2..1"], "the smaller one first"),
        (["CartPole-v1", "--search", "learning_rate=1..2:lin"], ":linear"),
        (["CartPole-v1", "--search", "baseline=nonne,value"], "did you mean 'none'"),
        (["CartPole-v1", "--search", "gamma=0.9,1", "--gamma", "0.5"], "gamma is 0.5, and --search is to find it"),
        (["CartPole-v1", "--eval-every", "0"], "trials are judged by evaluations"),
        (["CartPole-v1", "--trials", "0"], "expected 1 or more"),
        (["CartPole-v1", "--seeds", "5..1"], "no seed"),
    ],
)
def test_wrong_usage(npgrad, tmp_path, args, says):
    status, out, err = npgrad("tune", *args)
    assert (status, out) == (2, "")
    assert says in err
    assert not list(tmp_path.iterdir())


def test_the_pip_command_is_given(npgrad, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("optuna"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    status, _, err = npgrad("tune", "CartPole-v1", *SHORT)
    assert status == 1
    assert "pip install 'npgrad[tune]'" in err


def test_ranges_are_around_the_start_and_leave_out_what_is_fixed():
    start = {"learning_rate": 0.02, "n_delta": 8, "n_top": None, "delta_std": 0.05, "normalize_observations": False}
    found = {r.name: r for r in default_ranges(start, {"delta_std": 0.05})}
    assert list(found) == ["learning_rate", "n_delta", "normalize_observations"]
    assert found["n_delta"].holds(8)
    assert (found["n_delta"].low, found["n_delta"].high) == (2, 32)


def test_values_are_those_of_the_setting():
    rate, hidden, n_top = ranges_of(["--learning-rate=1e-3..1", "hidden=64,64;32", "n_top=none,2"], KINDS)
    assert rate == Range("learning_rate", low=1e-3, high=1.0, log=True)
    assert hidden.choices == ((64, 64), (32,))
    assert n_top.choices == (None, 2)


def test_a_curve_that_ends_early_keeps_its_last_value():
    seen = [(0, 0.0), (100, 10.0), (200, 500.0)]
    assert _score_of(seen, "last", 1000) == 500.0
    assert _score_of(seen, "curve", 1000) == (100 * 10 + 100 * 500 + 800 * 500) / 1000
    assert _score_of(seen, "curve", 200) == 255.0
