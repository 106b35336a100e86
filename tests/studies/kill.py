"""Runs that are killed with SIGKILL at random moments and resumed, against those that were left in peace.

    python tests/studies/kill.py [--kills N] [--steps N] [--seed S] [--only NAME …] [--out DIR]

Every algorithm trains on both engines, and some in other ways besides (`VARIANTS`), with a checkpoint after each
iteration; `--only` takes names of algorithms and of these. A run is killed at a moment uniform over
the time that it takes, half of the resumed ones once more; then it runs to its end. All files but clocks must be equal.
The commands run in forked children of one process, so that no time goes into imports.
"""

from __future__ import annotations

import argparse
import collections
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from npgrad.algorithms.registry import ALGORITHMS
from npgrad.cli.app import _run as command
from tests.algorithms.test_contracts import SMALL
from tests.training.folders import contents

ENGINES = ("compiled", "gymnasium")
CONTINUOUS = ("a2c", "trpo", "es", "dpg")  # on Pendulum, whose episodes are running at almost every checkpoint
VARIANTS = {
    "n-step": ("a2c", "--set=advantage_steps=3"),
    "trunk": ("a2c", "--set=shared_trunk=true"),
    "ppo-trunk": ("ppo", "--set=shared_trunk=true"),
    "half": ("ppo", "--set=precision=float32"),
    "replay": ("offpolicy", "--set=behaviours=mixture"),
    "overlap": ("ppo", "--overlap"),
    "workers-es": ("es", "--workers=2"),
    "workers-reinforce": ("reinforce", "--workers=2"),
    "workers-a2c": ("a2c", "--workers=2", "--n-blocks=2"),
}


def arguments(name: str, engine: str, steps: int) -> list[str]:
    """The command line of a small run."""
    algorithm, *more = VARIANTS.get(name, (name,))
    env = "Pendulum-v1" if algorithm in CONTINUOUS else "CartPole-v1"
    found = ["train", env, "--no-preset", "--algo", algorithm, "--engine", engine, "--n-envs", "4", "--seed", "3"]
    found += ["--policy", "mlp", "--hidden", "4", "--steps", str(steps), "--eval-every", str(steps // 4)]
    found += ["--eval-episodes", "1", "--checkpoint-every", "0", "--quiet"]
    return found + [f"--set={name}={value}" for name, value in SMALL[algorithm].items()] + more


def forked(args: list[str]) -> int:
    """Run a command in a child; its process id."""
    child = os.fork()
    if child:
        return child
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    os._exit(command(args))


def finish(args: list[str]) -> float:
    """Run a command to its end, in so many seconds."""
    began = time.monotonic()
    _, status = os.waitpid(forked(args), 0)
    if status:
        raise SystemExit(f"status {status} of: npgrad {' '.join(args)}")
    return time.monotonic() - began


def kill(args: list[str], after: float) -> bool:
    """Kill a command after so many seconds; whether it was not yet over."""
    child = forked(args)
    end = time.monotonic() + after
    while (left := end - time.monotonic()) > 0:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(min(left, 1e-3))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def begin_or_resume(args: list[str], folder: Path) -> list[str]:
    """The command that goes on with a run, or begins it if it has not come to that."""
    resume = (folder / "config.json").exists()
    return ["train", "--resume", str(folder), "--quiet"] if resume else [*args, "--out", str(folder)]


def essence(folder: Path) -> dict[str, Any]:
    """What must be equal: all but clocks, and what was sent to workers."""
    found = contents(folder)
    rows = found["progress.csv"]
    return found | {"progress.csv": [{k: v for k, v in row.items() if not k.startswith("time/")} for row in rows]}


def different(folder: Path, whole: dict[str, Any]) -> list[str]:
    """The files in which a run differs from one that was never killed."""
    found = essence(folder)
    return sorted(name for name in found.keys() | whole.keys() if found.get(name) != whole.get(name))


class Case:
    """One algorithm, or a variant, on one engine."""

    def __init__(self, name: str, engine: str, steps: int, out: Path) -> None:
        self.name = f"{name}, {engine}"
        self.args, self.out = arguments(name, engine, steps), out / f"{name}-{engine}"
        command([*self.args, "--out", str(self.out / "warm")])  # here, so that children need not import and compile
        self.seconds = finish([*self.args, "--out", str(self.out / "whole")])
        self.whole = essence(self.out / "whole")
        self.kills = 0

    def run(self, rng: np.random.Generator) -> list[str]:
        """One run, killed at least once; the files that differ in the end."""
        folder = self.out / "run"
        shutil.rmtree(folder, ignore_errors=True)
        after, left = rng.random() * self.seconds, 1 + int(rng.integers(2))
        while left and after > 1e-4:
            if kill(begin_or_resume(self.args, folder), after):
                self.kills, left = self.kills + 1, left - 1
                after = rng.random() * self.seconds
            else:  # it was over: sooner
                shutil.rmtree(folder)
                after /= 2
        finish(begin_or_resume(self.args, folder))
        return different(folder, self.whole)


def main() -> None:
    """Kill, and print what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--steps", type=int, default=1000, help="of a run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[*ALGORITHMS, *VARIANTS])
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "npgrad-kill")
    options = parser.parse_args()
    os.fsync = lambda handle: None  # it matters to a loss of power alone, and takes nine tenths of the time
    shutil.rmtree(options.out, ignore_errors=True)
    rng, differ = np.random.default_rng(options.seed), collections.Counter[str]()
    cases = [
        Case(name, engine, options.steps, options.out)
        for name in options.only
        for engine in (ENGINES if name != "a3c" else ENGINES[:1])
    ]
    runs = 0
    while sum(case.kills for case in cases) < options.kills:
        case = cases[runs % len(cases)]
        runs += 1
        for name in case.run(rng):
            differ[f"{case.name}: {name}"] += 1
    for case in cases:
        print(f"{case.name:<30}{case.seconds:5.2f} s, killed {case.kills} times")
    print(f"{sum(case.kills for case in cases)} kills of {runs} runs, seed {options.seed}")
    print("\n".join(f"DIFFERS {n} times: {what}" for what, n in differ.items()) or "all equal")
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()
