"""Train, kill, damage, resume, evaluate at random for half an hour, and check an invariant each time.

    python tests/studies/soak.py [--minutes 30] [--seed 0] [--folder DIR]

Some runs live side by side, of several algorithms, engines and executors. Each turn picks one and does something to it:

    kill        let it go on, with SIGKILL to its process, or to one of its workers, at a random moment
    stop        the same, with SIGINT or SIGTERM to all its processes
    damage      cut the newest checkpoint short, as a loss of power may
    evaluate    with its best agent, twice: the same returns, and finite
    finish      to its last step; then every file must be that of a run that nobody disturbed, but for clocks

After each turn: the checkpoint (or the one before it) is whole and did not go back behind the last one that is known,
agents load and act, tables have as many rows as the checkpoint says or more, no process and no shared memory is left
behind, and nothing is in the folder that does not belong there. The last line says how much of each was done.
"""

from __future__ import annotations

import argparse
import collections
import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from npgrad.deploy import load_agent
from npgrad.errors import CorruptFile
from npgrad.training import load_checkpoint

NPGRAD = [sys.executable, "-m", "npgrad"]
FILES = {
    "config.json", "progress.csv", "monitor.csv", "agent.npz", "last_agent.npz", "checkpoint.npz",
    "checkpoint.prev.npz", "learning_curve.svg",
}  # fmt: skip
RUNS = (
    ("CartPole-v1", "reinforce", ("--n-envs", "2")),
    ("CartPole-v1", "reinforce", ("--n-envs", "1", "--engine", "gymnasium", "--workers", "2")),
    ("CartPole-v1", "reinforce", ("--n-envs", "2", "--n-episodes", "100", "--workers", "2")),
    ("CartPole-v1", "es", ("--workers", "2")),
    ("CartPole-v1", "online", ()),
    ("CartPole-v1", "offpolicy", ("--policy", "mlp")),
    ("CartPole-v1", "ppo", ("--policy", "mlp")),
    ("CartPole-v1", "a2c", ("--engine", "gymnasium", "--n-envs", "2", "--n-blocks", "2", "--workers", "2")),
    ("Pendulum-v1", "trpo", ()),
    ("Acrobot-v1", "ars", ("--n-delta", "4")),
    ("MountainCarContinuous-v0", "pgpe", ()),
)
TOTAL = {"Acrobot-v1": 60_000, "MountainCarContinuous-v0": 60_000}
STEPS = 30_000


@dataclass
class Life:
    """A run between two turns."""

    env: str
    algo: str
    flags: tuple[str, ...]
    path: Path
    known: int = 0  # timesteps of the last checkpoint that is known to be whole
    damaged: bool = False

    @property
    def total(self) -> int:
        """Timesteps at its end."""
        return TOTAL.get(self.env, STEPS)

    def command(self) -> list[str]:
        """To begin it or to go on."""
        end = ["--steps", str(self.total), "--quiet", "--checkpoint-every", "0.2"]
        if (self.path / "config.json").exists():
            return [*NPGRAD, "train", "--resume", str(self.path), *end]
        begin = ["--algo", self.algo, "--seed", "1", "--no-preset", "--out", str(self.path)]
        return [*NPGRAD, "train", self.env, *begin, *self.flags, *end]


def descendants(pid: int) -> list[int]:
    """Living processes below `pid`."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                state, parent = Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()[:2]
            except OSError:
                continue
            if state != "Z":
                parents[int(entry)] = int(parent)
    found: list[int] = []
    new = [pid]
    while new:
        new = [child for child, parent in parents.items() if parent in new and child not in found]
        found += new
    return found


def alive(pid: int) -> bool:
    """Whether it is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def is_worker(pid: int) -> bool:
    """Whether it is a worker, and not the process in which Python itself keeps track of semaphores."""
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def disturbed(life: Life, rng: random.Random, how: str) -> str:
    """Let a run go on, and do something to it on the way."""
    process = subprocess.Popen(
        life.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    theirs: set[int] = set()
    end = time.monotonic() + rng.uniform(0.0, 12.0)
    while time.monotonic() < end and process.poll() is None:
        theirs |= set(descendants(process.pid))
        time.sleep(0.1)
    did = "came to its end before"
    if process.poll() is None:
        below = descendants(process.pid)
        theirs |= set(below)
        workers = [pid for pid in below if is_worker(pid)]
        if how == "kill" and workers and rng.random() < 0.5:
            with suppress(ProcessLookupError):
                os.kill(rng.choice(workers), signal.SIGKILL)
            did = "lost a worker"
            time.sleep(rng.uniform(0.5, 4))
            theirs |= set(descendants(process.pid))
            process.kill()
        elif how == "kill":
            process.kill()
            did = "killed"
        else:
            number = rng.choice([signal.SIGINT, signal.SIGTERM])
            os.killpg(process.pid, number)
            did = number.name
    output, errors = process.communicate(timeout=300)
    expected = (0, -9) if how == "kill" else (0, 130, -2, -15)  # before Python listens, signals just end it
    assert process.returncode in expected, f"{life.command()}: status {process.returncode}\n{output}\n{errors}"
    assert "Traceback" not in errors or process.returncode in (-2, 130), errors
    for _ in range(600):  # by turns, not by the clock: somebody may stop all of this for a while
        if not any(map(alive, theirs)):
            break
        time.sleep(0.1)
    else:
        raise AssertionError(f"left behind: {[p for p in theirs if alive(p)]}")
    return did


def whole(life: Life) -> int:
    """Check the folder; timesteps of its checkpoint."""
    if not life.path.exists():
        return 0
    names = {p.name for p in life.path.iterdir()}
    strange = {n for n in names - FILES if not (n.startswith(".") and n.endswith(".tmp"))}
    assert not strange, strange
    found, broken = [], False
    for name in ("checkpoint.npz", "checkpoint.prev.npz"):
        if name in names:
            try:
                found.append(load_checkpoint(life.path / name))
            except CorruptFile:
                assert life.damaged, f"{life.path / name} is damaged, and nobody damaged it"
                broken = True
    back = life.damaged
    life.damaged = broken
    if not found:
        assert not life.known or back, f"{life.path} has lost its checkpoint"
        return 0
    newest = max(found, key=lambda c: c.state.timesteps)
    assert back or newest.state.timesteps >= life.known, f"{life.path} went back behind {life.known}"
    assert np.isfinite(newest.state.theta).all()
    rows = list(csv.reader((life.path / "monitor.csv").read_text().splitlines()[2:]))
    assert len(rows) >= newest.monitor_rows
    for name in ("agent.npz", "last_agent.npz"):
        agent = load_agent(life.path / name)
        agent.act(np.zeros(agent.policy.n_obs))
    return newest.state.timesteps


def evaluated(life: Life) -> None:
    """Twice the same, and finite."""
    if not (life.path / "agent.npz").exists():
        return
    outputs = [
        subprocess.run(
            [*NPGRAD, "eval", str(life.path), "--episodes", "3", "--json"], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert outputs[0] == outputs[1], outputs
    assert "NaN" not in outputs[0]
    assert "Infinity" not in outputs[0]


def essence(path: Path) -> tuple[bytes, list[str], list[list[str]]]:
    """What does not depend on clocks."""
    state = load_checkpoint(path / "checkpoint.npz").state.as_arrays()
    arrays = b"".join(name.encode() + state[name].tobytes() for name in sorted(state))
    monitor = [",".join(line.split(",")[:2]) for line in (path / "monitor.csv").read_text().splitlines()[1:]]
    rows = list(csv.DictReader((path / "progress.csv").open()))
    return arrays, monitor, [[v for k, v in row.items() if not k.startswith("time/")] for row in rows]


def main() -> None:
    """Until the time is up; the first broken invariant ends it with a traceback."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("soak"))
    args = parser.parse_args()
    rng, end = random.Random(args.seed), time.monotonic() + 60 * args.minutes
    shutil.rmtree(args.folder, ignore_errors=True)
    lives: list[Life] = []
    whole_runs: dict[int, tuple[bytes, list[str], list[list[str]]]] = {}
    count: collections.Counter[str] = collections.Counter()
    began = time.monotonic()
    memory = set(os.listdir("/dev/shm")) if os.path.isdir("/dev/shm") else set()
    while time.monotonic() < end:
        if not lives:
            lives = [Life(*run, args.folder / f"run{i}") for i, run in enumerate(RUNS)]
            shutil.rmtree(args.folder, ignore_errors=True)
        life = rng.choice(lives)
        action = rng.choices(["kill", "stop", "damage", "evaluate", "finish"], [5, 4, 2, 2, 2])[0]
        newest = life.path / "checkpoint.npz"
        if action in ("kill", "stop"):
            count[disturbed(life, rng, action)] += 1
        elif (
            action == "damage" and newest.exists() and (life.path / "checkpoint.prev.npz").exists() and not life.damaged
        ):
            with newest.open("r+b") as file:
                file.truncate(rng.randrange(newest.stat().st_size))
            life.damaged = True
            count["damaged"] += 1
        elif action == "evaluate":
            evaluated(life)
            count["evaluated"] += 1
        elif action == "finish":
            result = subprocess.run(life.command(), capture_output=True, text=True, check=False)
            assert result.returncode == 0, result.stderr
            life.damaged = False
            i = RUNS.index((life.env, life.algo, life.flags))
            if i not in whole_runs:
                alone = Life(life.env, life.algo, life.flags, args.folder / f"whole{i}")
                subprocess.run(alone.command(), check=True, capture_output=True)
                whole_runs[i] = essence(alone.path)
                shutil.rmtree(alone.path)
            assert essence(life.path) == whole_runs[i], f"{life.path} is not the run that nobody disturbed"
            lives.remove(life)
            count["finished, equal to the undisturbed run"] += 1
        reached = whole(life)
        life.known = reached
        left = (set(os.listdir("/dev/shm")) if os.path.isdir("/dev/shm") else set()) - memory
        assert not {n for n in left if n.startswith("psm_")}, left
        count["turns"] += 1
        print(f"{time.monotonic() - began:7.0f} s  {life.path.name} {life.algo}: {action}, at {reached:,}", flush=True)
    shutil.rmtree(args.folder, ignore_errors=True)
    done = ", ".join(f"{name} {n}" for name, n in sorted(count.items()))
    print(f"{args.minutes:g} minutes, seed {args.seed}: every invariant held; {done}")


if __name__ == "__main__":
    main()
