"""npgrad plot, compare, watch and info from the command line."""

import json
import re

import pytest

SHORT = ["--steps", "300", "--stop-at", "none", "--eval-every", "0", "--eval-episodes", "3", "--quiet"]


@pytest.fixture
def runs(npgrad):
    npgrad("train", "CartPole-v1", *SHORT, "--seeds", "0..2", "--out", "a")
    npgrad("train", "CartPole-v1", *SHORT, "--seeds", "0..2", "--out", "b", "--learning-rate", 0.01)
    return npgrad


def test_plot(runs, tmp_path):
    pytest.importorskip("matplotlib")
    status, out, err = runs("plot", "a", "b")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("learning_rate 0.3: ")
    assert lines[1].startswith("learning_rate 0.01: ")
    assert lines[2] == "plot.png"
    assert (tmp_path / "plot.png").read_bytes()[:4] == b"\x89PNG"
    args = ["plot", "a/seed0", "--column", "approx_kl", "--out", "kl.svg", "--title", "KL", "--statistic", "iqm"]
    assert runs(*args)[0] == 0
    assert (tmp_path / "kl.svg").read_text().startswith("<?xml")


def test_plot_of_clones_and_of_dagger(npgrad, tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "lean.py").write_text("def lean(obs):\n    return int(obs[2] + obs[3] > 0)\n")
    npgrad("record", "lean:lean", "--env", "CartPole-v1", "--episodes", 4)
    few = ["--epochs", 4, "--eval-episodes", 2, "--policy", "linear", "--quiet"]
    for seed in (0, 1):
        npgrad("clone", "demonstrations.npz", *few, "--seed", seed, "--out", f"clones/{seed}")
    npgrad("dagger", "CartPole-v1", "--expert", "lean:lean", *few, "--n-iterations", 1, "--out", "asked")
    npgrad("train", "CartPole-v1", *SHORT, "--out", "trained")
    status, out, err = npgrad("plot", "clones", "--out", "clones.svg")
    assert (status, err) == (0, "")
    assert re.match(r"clone: [\d.]+ at the end, mean of 2 runs", out)
    picture = (tmp_path / "clones.svg").read_text()
    assert "epochs" in picture
    assert picture.count("stroke-dasharray") == 2  # the losses of what it learns from
    assert npgrad("plot", "asked", "--out", "asked.svg")[1].startswith("dagger: ")
    assert "fits" in (tmp_path / "asked.svg").read_text()
    status, out, err = npgrad("plot", "trained", "asked", "--column", "eval/mean_reward")
    assert (status, out) == (2, "")
    assert "trained goes along timesteps, asked along fits; draw them apart" in " ".join(err.split())


def test_compare(runs):
    status, out, err = runs("compare", "a", "b")
    assert (status, err) == (0, "")
    assert re.search(r"^a  3 runs, mean [\d.]+ \(95% interval [\d.]+ to [\d.]+\), IQM", out, re.MULTILINE)
    assert re.search(r"^P\(a better\) [01]\.\d\d \(95% interval [01]\.\d\d to [01]\.\d\d\): ", out, re.MULTILINE)
    summary = json.loads(runs("compare", "a/seed0", "b/seed0", "--episodes", 4, "--json")[1])
    assert summary["over"] == "episodes"
    assert summary["first"]["scores"] == 4
    same = runs("compare", "a/seed0", "a/seed0", "--episodes", 4)[1]
    assert "P(a/seed0 better) 0.50" in same
    assert "neither is surely better" in same
    assert "difference of means 0.0 (95% interval " in same  # with the digits of the means


def test_info(runs, tmp_path):
    status, out, _ = runs("info", "a/seed0")
    assert status == 0
    assert "settings  n_episodes 8, learning_rate 0.3, gamma 0.99; others as usual" in out
    assert re.search(r"score     [\d.]+  \(95% interval [\d.]+ to [\d.]+; 3 greedy episodes\)", out)
    facts = json.loads(runs("info", "a/seed0/agent.npz", "--json")[1])
    assert facts["parameters"] == 10
    assert facts["hyperparameters"]["gamma"] == 0.99
    assert facts["bytes"] == (tmp_path / "a" / "seed0" / "agent.npz").stat().st_size


def test_watch(runs, tmp_path, monkeypatch):
    pytest.importorskip("pygame")
    pytest.importorskip("PIL")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    status, out, _ = runs("watch", "a/seed0", "--out", "a.gif", "--episodes", 2, "--seed", 3)
    assert status == 0
    returns = [float(x) for x in re.findall(r"episode \d: return ([\d.]+) in \d+ steps", out)]
    summary = json.loads(runs("eval", "a/seed0", "--episodes", 2, "--seed", 3, "--json")[1])
    assert sum(returns) / 2 == pytest.approx(summary["mean_return"])
    assert out.splitlines()[-1] == "a.gif"
    assert (tmp_path / "a.gif").read_bytes()[:3] == b"GIF"


def test_wrong_usage(runs, tmp_path, monkeypatch):
    monkeypatch.setattr("npgrad.training.video.has_display", lambda: False)
    (tmp_path / "empty").mkdir()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "config.json").write_text('{"learning_rate": 3}')
    (tmp_path / "foreign" / "progress.csv").write_text("loss,step\n1,2\n")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "config.json").write_text('{"env": "CartPole-v1"}')
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "config.json").write_text("{")
    for args, status, says in (
        (["plot"], 2, "Missing argument"),
        (["plot", "nowhere"], 1, "nowhere does not exist"),
        (["plot", "empty"], 1, "empty is no run folder and holds none"),
        (["plot", "foreign"], 1, "is not the log of a run"),
        (["plot", "begun"], 1, "has no row yet"),
        (["plot", "damaged"], 1, "is not JSON"),
        (["plot", "a", "--column", "approx_lk"], 2, "did you mean 'approx_kl'"),
        (["plot", "a", "--statistic", "median"], 2, "statistic is 'median'"),
        (["plot", "a", "--out", "a.bmp"], 2, "ends in one of"),
        (["plot", "a", "--out", "nowhere/a.png"], 2, "--out nowhere/a.png: there is no folder"),
        (["compare", "a"], 2, "Missing argument"),
        (["compare", "a", "nowhere"], 2, "does not exist"),
        (["compare", "a", "empty"], 1, "is no run folder"),
        (["compare", "a", "b/seed0"], 2, "compare two runs, or two series"),
        (["watch", "a/seed0"], 2, "there is no display here; write a film with --out"),
        (["watch", "empty", "--out", "a.gif"], 1, "it is no run folder"),
        (["watch", "a/seed0", "--out", "a.avi"], 2, "ends in .gif or .mp4"),
        (["watch", "a/seed0", "--env", "Acrobot-v1", "--out", "a.gif"], 2, "observation_space of Acrobot-v1"),
        (["watch", "a/seed0", "--out", "nowhere/a.gif"], 2, "--out nowhere/a.gif: there is no folder"),
        (["record", "a/seed0", "--out", "nowhere/a.npz"], 2, "--out nowhere/a.npz: there is no folder"),
        (["variance", "CartPole-v1", "--plot", "nowhere/a.png"], 2, "--plot nowhere/a.png: there is no folder"),
        (["info", "empty"], 1, "it is no run folder"),
        (["info", "foreign/progress.csv"], 1, "is no agent file"),
    ):
        before = sorted(tmp_path.rglob("*"))
        found, out, err = runs(*args)
        assert (found, out) == (status, ""), args
        assert says in " ".join(err.split()), args
        assert "Traceback" not in err
        assert sorted(tmp_path.rglob("*")) == before, args
