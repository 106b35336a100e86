"""`npgrad train --workers`: the same run folder whoever computes; signals leave it whole, and nobody behind."""

import contextlib
import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from npgrad.training import load_checkpoint

TRAIN = ["train", "CartPole-v1", "--steps", "6000", "--quiet"]
ALGOS = {"es": ["--algo", "es"], "reinforce": ["--algo", "reinforce", "--n-envs", "2", "--stop-at", "none"]}


def npgrad(*args, **options):
    return subprocess.run(
        [sys.executable, "-m", "npgrad", *map(str, args)], capture_output=True, text=True, check=False, **options
    )


def agents(folder):
    """What does not depend on clocks, or on bytes that went about."""
    rows = list(csv.DictReader((folder / "progress.csv").open()))
    kept = [{k: v for k, v in row.items() if not k.startswith("time/") or k == "time/total_timesteps"} for row in rows]
    return load_checkpoint(folder / "checkpoint.npz").state.theta.tobytes(), kept


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    for algo, flags in ALGOS.items():
        assert npgrad(*TRAIN, *flags, "--out", folder / algo).returncode == 0
    return {algo: agents(folder / algo) for algo in ALGOS}


@pytest.mark.parametrize(
    ("algo", "executor"), [("es", "processes"), ("reinforce", "processes"), ("reinforce", "threads"), ("es", "dask")]
)
def test_an_engine_changes_no_bit(algo, executor, alone, tmp_path):
    if executor == "dask":
        pytest.importorskip("distributed")
    result = npgrad(*TRAIN, *ALGOS[algo], "--workers", 2, "--executor", executor, "--out", tmp_path / "run")
    assert (result.returncode, result.stderr) == (0, "")
    assert agents(tmp_path / "run") == alone[algo]


def test_mpi_changes_no_bit(alone, tmp_path):
    pytest.importorskip("mpi4py.MPI", exc_type=ImportError)
    mpiexec = shutil.which("mpiexec", path=os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", ""))
    if mpiexec is None:
        pytest.skip("no mpiexec")
    python = [mpiexec, "-n", "3", sys.executable, "-m", "mpi4py.futures", "-m", "npgrad"]
    run = [*python, *TRAIN, *ALGOS["es"], "--executor", "mpi", "--out", str(tmp_path / "run")]
    result = subprocess.run(run, capture_output=True, text=True, check=False, timeout=300)
    assert result.returncode == 0, result.stderr
    assert agents(tmp_path / "run") == alone["es"]


def test_a_run_goes_on_with_other_workers(alone, tmp_path):
    half = ["train", "CartPole-v1", "--quiet", *ALGOS["es"], "--steps", 3000, "--eval-every", 300]
    assert npgrad(*half, "--workers", 2, "--out", tmp_path / "run").returncode == 0
    result = npgrad("train", "--resume", tmp_path / "run", "--steps", 6000, "--workers", 1, "--quiet")
    assert (result.returncode, result.stderr) == (0, "")
    assert agents(tmp_path / "run") == alone["es"]


def children(pid):
    """Processes that descend from `pid`, dead or alive, as /proc has them."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="ascii") as file:
                    state, parent = file.read().rsplit(")", 1)[1].split()[:2]
            except OSError:
                continue
            if state != "Z":
                parents[int(entry)] = int(parent)
    found, new = set(), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def running(pids):
    return {pid for pid in pids if os.path.exists(f"/proc/{pid}") and not is_zombie(pid)}


def is_zombie(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def shared_memory():
    """Names of the machine's shared memory and semaphores that Python made."""
    names = os.listdir("/dev/shm") if os.path.isdir("/dev/shm") else []
    return {name for name in names if name.startswith(("psm_", "sem.mp"))}


def orphaned(before):
    """Those that are new and that no process holds; other tests may hold some at the same time."""
    maps = []
    for path in Path("/proc").glob("[0-9]*/maps"):
        with contextlib.suppress(OSError):
            maps.append(path.read_text(errors="replace"))
    return {name for name in shared_memory() - before if not any(f"/dev/shm/{name}" in held for held in maps)}


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    ("name", "executor"),
    [("SIGINT", "processes"), ("SIGTERM", "processes"), ("SIGKILL", "processes"), ("SIGINT", "dask")],
)
def test_a_signal_leaves_a_whole_run_and_nobody_behind(name, executor, tmp_path):
    number = getattr(signal, name)
    if executor == "dask":
        pytest.importorskip("distributed")
    command = [sys.executable, "-m", "npgrad", "train", "CartPole-v1", "--algo", "es", "--steps", "1e9"]
    command += ["--workers", "2", "--executor", executor, "--checkpoint-every", "0", "--out", str(tmp_path / "run")]
    before = shared_memory()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    until(lambda: (tmp_path / "run" / "checkpoint.npz").exists())
    theirs = children(process.pid)
    assert theirs
    if number == signal.SIGKILL:
        process.kill()  # the parent alone
    else:
        os.killpg(process.pid, number)  # all of them, as a terminal or a batch system does
    output, errors = process.communicate(timeout=120)
    until(lambda: not running(theirs))
    checkpoint = load_checkpoint(tmp_path / "run" / "checkpoint.npz")
    assert checkpoint.state.iteration > 0
    if number != signal.SIGKILL:
        assert process.returncode == 0, errors
        assert "go on with" in output
    assert "Traceback" not in errors
    until(lambda: not orphaned(before))
    steps = checkpoint.state.timesteps + 500
    again = npgrad("train", "--resume", tmp_path / "run", "--steps", steps, "--quiet")
    assert (again.returncode, again.stderr) == (0, "")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ([], "fewer --n-envs or more --n-episodes make more units"),
        (["--algo", "a2c", "--n-steps", "8"], "had something to do: more --n-blocks make more units"),
    ],
    ids=["episodes", "steps"],
)
def test_what_gives_idle_workers_something_to_do(flags, says, tmp_path):
    result = npgrad(*TRAIN[:3], 100, *flags, "--eval-every", 0, "--workers", 2, "--out", tmp_path / "run")
    assert (result.returncode, says in result.stdout) == (0, True), result


def test_bad_flags():
    result = npgrad("train", "CartPole-v1", "--executor", "dusk")
    assert result.returncode == 2
    assert "did you mean 'dask'" in result.stderr
    result = npgrad("train", "CartPole-v1", "--workers", "0")
    assert result.returncode == 2
    result = npgrad("train", "CartPole-v1", "--workers", "2", "--address", "tcp://x:1")
    assert result.returncode == 2
    assert "no use for it" in result.stderr
