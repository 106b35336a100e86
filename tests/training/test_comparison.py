import json

import numpy as np
import pytest

from npgrad.errors import InvalidInput, RunFolderError
from npgrad.training import RunFolder
from npgrad.training.checkpoint import load_checkpoint
from npgrad.training.comparison import compare
from npgrad.training.statistics import improvement
from tests.training.test_runs import CONFIG, make


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    for seed in range(3):
        make(root / "a" / f"seed{seed}", seed=seed)
        make(root / "b" / f"seed{seed}", seed=seed)
    return root


def best(path):
    return load_checkpoint(path / "checkpoint.npz").best_evaluation.result.returns


def test_series_by_the_means_of_their_runs(runs):
    found = compare(runs / "a", runs / "b")
    assert found.over == "runs"
    assert found.x.tolist() == [best(runs / "a" / f"seed{i}").mean() for i in range(3)]
    summary = found.summary(seed=1)
    assert json.loads(json.dumps(summary)) == summary
    assert summary["probability_of_improvement"] == improvement(found.x, found.y)[0]
    assert summary["first"]["scores"] == 3
    assert summary["difference"] == pytest.approx(found.x.mean() - found.y.mean())


def test_single_runs_by_their_episodes(runs):
    found = compare(runs / "a" / "seed0", runs / "a" / "seed1")
    assert found.over == "episodes"
    np.testing.assert_array_equal(found.x, best(runs / "a" / "seed0"))


def test_fresh_returns(runs):
    fresh = {"a": np.array([1.0, 3.0]), "b": np.array([2.0])}
    found = compare(runs / "a", runs / "b", lambda folder: fresh[folder.parent.name])
    assert found.x.tolist() == [2.0] * 3
    assert found.y.tolist() == [2.0] * 3
    assert found.summary()["probability_of_improvement"] == 0.5


def test_what_cannot_be_compared(runs, tmp_path):
    make(tmp_path / "other", env="P-v0")
    make(tmp_path / "blind", evaluated=False)
    RunFolder.create(tmp_path / "begun", CONFIG).close()
    make(tmp_path / "clone")
    for file in (tmp_path / "clone").glob("checkpoint*"):
        file.unlink()
    (tmp_path / "empty").mkdir()
    single = runs / "a" / "seed0"
    for first, second, error, says in (
        (single, tmp_path / "other", InvalidInput, "expected one environment"),
        (single, tmp_path / "blind", InvalidInput, "was never evaluated; --episodes 100"),
        (single, tmp_path / "begun", RunFolderError, "has no row yet"),
        (single, tmp_path / "clone", RunFolderError, "has no checkpoint.npz; .*--episodes 100 evaluates its agent"),
        (single, tmp_path / "empty", RunFolderError, "is no run folder"),
        (runs / "a", single, InvalidInput, "compare two runs, or two series"),
    ):
        with pytest.raises(error, match=says):
            compare(first, second)
