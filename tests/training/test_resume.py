"""A run that is killed, anywhere, and resumed equals the uninterrupted one in every file, clocks aside."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest

from npgrad import files
from npgrad.errors import CorruptFile, EnvironmentFailure, RunFolderError
from npgrad.training import RunFolder, load_checkpoint, tables, train
from tests.training.folders import contents
from tests.training.quadratic import Quadratic, evaluate

CONFIG = {"env": "Quadratic-v0", "algo": "quadratic", "seed": 3}


class Killed(BaseException):
    """As good as SIGKILL: nothing in the library may catch it and go on."""


def run(path, resume=False, total=150, every=0.0, recipe=None, **options):
    folder = RunFolder.reopen(path) if resume else RunFolder.create(path, CONFIG)
    try:
        return train(
            recipe or Quadratic(),
            **{"seed": 3, "total_timesteps": total, "evaluate": evaluate, "eval_every": 40} | options,
            folder=folder,
            resume=resume,
            checkpoint_every=every,
        )
    except Killed:
        folder._monitor = folder._progress = None  # what was not written is lost
        raise
    finally:
        folder.close()


def bury(monkeypatch, at):
    """Raise at the `at`-th time something is about to happen to a file, and later, until `at` is changed."""
    life = {"count": 0, "at": at}

    def mortal(function):
        def call(*args, **kwargs):
            life["count"] += 1
            if life["count"] >= life["at"]:
                raise Killed
            return function(*args, **kwargs)

        return call

    monkeypatch.setattr(files.os, "replace", mortal(os.replace))
    monkeypatch.setattr(files.os, "fsync", mortal(lambda handle: None))  # it matters to a loss of power alone
    monkeypatch.setattr(files, "open_inside", mortal(files.open_inside))
    monkeypatch.setattr(tables.Table, "flush", mortal(tables.Table.flush))
    monkeypatch.setattr(tables.Table, "append", mortal(tables.Table.append))
    monkeypatch.setattr(tables, "PENDING", 1)
    return life


def test_killed_at_every_single_step_of_the_way(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        life = bury(patch, at=10**9)
        run(tmp_path / "whole", total=75)
    whole = contents(tmp_path / "whole")
    assert life["count"] > 100
    for at in range(1, life["count"] + 1):
        path = tmp_path / str(at)
        with monkeypatch.context() as patch:
            life = bury(patch, at)
            with pytest.raises(Killed):
                run(path, total=75)
            life["at"] = 10**9
            run(path, resume=(path / "config.json").exists(), total=75)
        assert contents(path) == whole, at


def test_any_frequency_of_checkpoints(tmp_path):
    run(tmp_path / "often", every=0.0)
    run(tmp_path / "never", every=1e9)
    assert contents(tmp_path / "often") == contents(tmp_path / "never")


def test_killed_twice(tmp_path, monkeypatch):
    run(tmp_path / "whole")
    for resume, at in ((False, 80), (True, 60)):
        with monkeypatch.context() as patch:
            bury(patch, at)
            with pytest.raises(Killed):
                run(tmp_path / "run", resume)
    run(tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


def test_the_comparison_can_fail(tmp_path):
    run(tmp_path / "one")
    run(tmp_path / "other", recipe=Quadratic(learning_rate=0.1000001))
    one, other = contents(tmp_path / "one"), contents(tmp_path / "other")
    assert one.keys() == other.keys()
    differ = {name for name in one if one[name] != other[name]}
    assert differ >= {"progress.csv", "monitor.csv", "agent.npz", "checkpoint.npz", "learning_curve.svg"}


def test_a_finished_run_resumes_to_itself(tmp_path):
    first = run(tmp_path / "run")
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()}
    second = run(tmp_path / "run", resume=True)
    assert {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()} == before
    assert second.stopped == first.stopped == "steps"
    assert second.agent.theta.tobytes() == first.agent.theta.tobytes()
    assert second.seconds == first.seconds


def test_a_run_ended_by_its_threshold_resumes_to_itself(tmp_path):
    first = run(tmp_path / "run", total=10**6, stop_at=-0.5)
    before = contents(tmp_path / "run")
    assert run(tmp_path / "run", resume=True, total=10**6, stop_at=-0.5).stopped == first.stopped == "threshold"
    assert contents(tmp_path / "run") == before


def test_more_steps_go_on(tmp_path):
    run(tmp_path / "run", total=100)
    result = run(tmp_path / "run", resume=True, total=150)
    whole = run(tmp_path / "whole", total=150)
    assert result.state.theta.tobytes() == whole.state.theta.tobytes()
    assert contents(tmp_path / "run")["monitor.csv"] == contents(tmp_path / "whole")["monitor.csv"]
    assert {e.timesteps for e in whole.evaluations} < {e.timesteps for e in result.evaluations}  # one more, at 100


def test_a_folder_without_checkpoint_starts_over(tmp_path):
    run(tmp_path / "run", total=90)
    for name in ("checkpoint.npz", "checkpoint.prev.npz"):
        (tmp_path / "run" / name).unlink()
    run(tmp_path / "run", resume=True)
    run(tmp_path / "whole")
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path):
    def die(seen):
        if seen.state.iteration == 8:
            raise Killed

    run(tmp_path / "whole")
    with pytest.raises(Killed):
        run(tmp_path / "run", callbacks=[die])
    newest = tmp_path / "run" / "checkpoint.npz"
    newest.write_bytes(newest.read_bytes()[:-200])
    folder = RunFolder.reopen(tmp_path / "run")
    assert folder.load().state.iteration == 6
    folder.close()
    assert load_checkpoint(newest).state.iteration == 6  # the damaged one will not become the previous one
    run(tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


@dataclass(frozen=True)
class Stillborn(Quadratic):
    def step(self, state):
        raise EnvironmentFailure("not today")


def test_a_run_that_failed_in_its_first_iteration(tmp_path):
    run(tmp_path / "whole")
    with pytest.raises(EnvironmentFailure):
        run(tmp_path / "run", recipe=Stillborn())
    run(tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")
    for name in ("checkpoint.npz", "checkpoint.prev.npz"):
        (tmp_path / "run" / name).unlink()
    with pytest.raises(EnvironmentFailure):
        run(tmp_path / "run", recipe=Stillborn(), resume=True)
    assert not (tmp_path / "run" / "progress.csv").exists()  # no rows of a run that was given up


def test_nothing_is_thrown_away_when_all_checkpoints_are_damaged(tmp_path):
    run(tmp_path / "run")
    for name in ("checkpoint.npz", "checkpoint.prev.npz"):
        (tmp_path / "run" / name).write_bytes(b"PK")
    before = contents_without_checkpoints(tmp_path / "run")
    with pytest.raises(CorruptFile, match=r"delete .* to start this run over"):
        run(tmp_path / "run", resume=True)
    assert contents_without_checkpoints(tmp_path / "run") == before


def contents_without_checkpoints(path):
    return {p.name: p.read_bytes() for p in path.iterdir() if not p.name.startswith("checkpoint")}


def test_a_table_that_was_cut_by_hand(tmp_path):
    run(tmp_path / "run")
    table = tmp_path / "run" / "monitor.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:5]))
    with pytest.raises(CorruptFile, match=r"monitor.csv has fewer than the \d+ rows"):
        run(tmp_path / "run", resume=True)


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    run(tmp_path / "whole")

    def full(*_args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:

        def soon(seen):
            if seen.state.iteration == 6:
                patch.setattr(files.os, "fsync", full)

        with pytest.raises(RunFolderError, match=r"No space left on device.*--resume"):
            run(tmp_path / "run", callbacks=[soon])
    assert not list((tmp_path / "run").glob(".*"))
    run(tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


COMMAND = [sys.executable, "-m", "npgrad", "train", "CartPole-v1", "--steps", "30000", "--stop-at", "none", "--quiet"]
COMMAND += ["--eval-every", "4000", "--eval-episodes", "5", "--checkpoint-every", "0", "--n-episodes", "2"]


def test_the_true_command_killed_and_resumed(tmp_path):
    subprocess.run([*COMMAND, "--out", tmp_path / "whole"], check=True)
    killed = []
    for rows in (3, 40):
        path = tmp_path / f"run{rows}"
        process = subprocess.Popen([*COMMAND, "--out", path])
        while process.poll() is None and not has_rows(path / "monitor.csv", rows):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        killed.append(process.wait())
        command = [sys.executable, "-m", "npgrad", "train", "--resume", path, "--quiet"]
        subprocess.run(command, check=True)
        assert contents(path) == contents(tmp_path / "whole")
    assert -signal.SIGKILL in killed


def has_rows(path, rows):
    return path.exists() and path.read_bytes().count(b"\n") >= rows + 2
