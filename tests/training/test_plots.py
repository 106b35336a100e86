"""Pictures of curves: that each format is one, and what is drawn in it."""

import re
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from npgrad.errors import InvalidInput, MissingExtra
from npgrad.training import plots
from npgrad.training.plots import plot_runs
from npgrad.training.runs import find_runs
from tests.training.test_runs import make

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    for seed in range(3):
        make(root / "a" / f"seed{seed}", seed=seed)
        make(root / "b" / f"seed{seed}", seed=seed, hyperparameters={"learning_rate": 0.5})
    return root


@pytest.mark.parametrize(
    ("ending", "magic"), [("png", b"\x89PNG"), ("PNG", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")]
)
def test_formats(runs, tmp_path, ending, magic):
    out = tmp_path / f"plot.{ending}"
    plot_runs(find_runs([runs / "a"]), out)
    assert out.read_bytes().startswith(magic)
    again = tmp_path / f"again.{ending}"
    plot_runs(find_runs([runs / "a"]), again)
    if ending != "pdf":  # it has the time in it
        assert again.read_bytes() == out.read_bytes()


def test_what_is_drawn(runs, tmp_path, monkeypatch):
    seen = {}
    dress = plots._dress

    def look(axes, title, ylabel, *more):
        dress(axes, title, ylabel, *more)
        seen.update(axes=axes, title=title, ylabel=ylabel)

    monkeypatch.setattr(plots, "_dress", look)
    lines = plot_runs(find_runs([runs / "a", runs / "b"]), tmp_path / "p.svg", "ep_rew_mean", "iqm", title="Mine")
    assert re.match(r"learning_rate 0.1: \S+ at the end, interquartile mean of 3 runs  \(95% int", lines[0])
    assert len(lines) == 2
    axes = seen["axes"]
    assert (seen["title"], axes.get_title(loc="left")) == ("Mine", "Mine")
    assert seen["ylabel"] == "return of an episode, mean of 100: interquartile mean over runs, 95% interval"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [line.split(":")[0] for line in lines]
    assert len(axes.lines) == 2 * (3 + 1)  # every run, and the statistic
    assert len(axes.collections) == 2  # intervals
    wide = [line for line in axes.lines if line.get_linewidth() == 2]
    last = [run.curve("rollout/ep_rew_mean")[1][-1] for run in find_runs([runs / "a"])]
    assert wide[0].get_ydata()[-1] == pytest.approx(np.mean(last))  # of three, none is cut off
    ElementTree.parse(tmp_path / "p.svg")


def test_one_run_is_a_line_without_an_interval(runs, tmp_path):
    (line,) = plot_runs(find_runs([runs / "a" / "seed0"]), tmp_path / "p.png", "gradient_norm")
    assert re.fullmatch(r"quadratic: \S+ at the end, one run", line)


def test_what_cannot_be_drawn(runs, tmp_path, monkeypatch):
    found = find_runs([runs / "a"])
    for out, statistic, says in (
        ("p.jpg", "mean", "expected a name that ends in one of .png, .svg, .pdf"),
        ("p", "mean", "expected a name that ends in"),
        ("p.png", "median", "statistic is 'median'"),
    ):
        with pytest.raises(InvalidInput, match=says):
            plot_runs(found, tmp_path / out, statistic=statistic)
    with pytest.raises(InvalidInput, match="expected one environment"):
        plot_runs([*found, *find_runs([make(tmp_path / "other", env="P-v0")])], tmp_path / "p.png")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"pip install 'npgrad\[plots\]'"):
        plot_runs(found, tmp_path / "p.png")
    assert not (tmp_path / "p.png").exists()
