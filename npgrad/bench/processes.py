"""Rows of one action, of whole processes, and of a second thread."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..compiled_agent import compile_agent
from ..deploy import Agent
from ..errors import InvalidInput
from ..policies import make_policy
from ..pool import single_blas_thread, thread_pool
from ..spaces import Box, Discrete
from .collecting import episodes
from .gradients import HIDDEN, problem, surrogate_gradient
from .peer import FOLDER, Peers, environment
from .rows import Goal, Ours, Row
from .timing import Candidate

__all__ = ["Process", "process_rows"]

SEEDS = 20


@dataclass
class Process:
    """A process from its start to its end, as a `Clock`; one call a measurement, each with the next seed.

    Parameters
    ----------
    command : function
        ``(seed, folder) → arguments``; the folder is new and empty.
    prints_seconds : bool, optional
        Its standard output is a number of seconds to take off.
    env : function, optional
        ``folder → variables`` to set besides.
    """

    command: Callable[[int, Path], list[str]]
    prints_seconds: bool = False
    env: Callable[[Path], Mapping[str, str]] = lambda folder: {}
    once: bool = True
    _seeds: Iterator[int] = field(default_factory=itertools.count)

    def seconds(self, calls: int) -> float:
        """How long the next `calls` processes take."""
        return sum(self._run(seed) for seed in itertools.islice(self._seeds, calls))

    def _run(self, seed: int) -> float:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            command = self.command(seed, folder)
            variables = environment() | dict(self.env(folder))
            began = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=variables, check=False)
            took = time.perf_counter() - began
            if done.returncode or (self.prints_seconds and done.stderr.endswith("steps\n")):
                raise InvalidInput(f"{' '.join(command)} failed: {done.stderr[-300:]}")
            return took - float(done.stdout) if self.prints_seconds else took


def _python(code: str) -> Process:
    return Process(lambda seed, folder: [sys.executable, "-c", code])


def _npgrad(*args: str, **options: Any) -> Process:
    def command(seed: int, folder: Path) -> list[str]:
        return [sys.executable, "-m", "npgrad", *(arg.format(seed=seed, folder=folder) for arg in args)]

    return Process(command, **options)


TRAIN = ("train", "CartPole-v1", "--seed", "{seed}", "--quiet", "--out", "{folder}/run")


def _solving_cold(peers: Peers, stack: ExitStack) -> Mapping[str, Candidate | Ours]:
    return {"npgrad": _npgrad(*TRAIN, env=lambda folder: {"NPGRAD_CACHE_DIR": str(folder / "cache")})}


def _solving(peer: str, label: str, peers: Peers, stack: ExitStack) -> Mapping[str, Candidate | Ours]:
    _npgrad(*TRAIN).seconds(1)  # fills the cache
    made: dict[str, Candidate | Ours] = {"npgrad": _npgrad(*TRAIN), "imports alone": _python("import numpy, numba")}
    if peer in peers.names and peers.python is not None:
        script = str(FOLDER / "with_sb3.py")
        made[label] = Process(partial(_solve, peers.python, script, label.lower()), prints_seconds=True)
    return made


def _solve(python: str, script: str, algorithm: str, seed: int, folder: Path) -> list[str]:
    return [python, script, algorithm, str(seed), str(folder / "model")]


def _starting(code: str, beside: str, peers: Peers, stack: ExitStack) -> Mapping[str, Candidate | Ours]:
    return {"npgrad": _python(code), "numpy": _python(beside)}


def _helping(peers: Peers, stack: ExitStack) -> Mapping[str, Candidate | Ours]:
    return {"npgrad": _npgrad("--help")}


def _acting(hidden: list[int], peers: Peers, stack: ExitStack) -> Mapping[str, Candidate | Ours]:
    stack.enter_context(single_blas_thread())
    policy = make_policy((Box(-np.inf, np.inf, (4,)), Discrete(2)), "mlp" if hidden else "linear")
    agent = Agent(policy, policy.init(np.random.default_rng(0)))
    compiled, obs = compile_agent(agent), np.linspace(-1, 1, 4, dtype=np.float32)
    made: dict[str, Candidate | Ours] = {
        "npgrad, NumPy": Ours(lambda: agent.act(obs)),
        "npgrad, compiled": Ours(lambda: compiled(obs)),
    }
    for name, label in (("torch", "torch"), ("jax", "JAX"), ("sb3", "SB3")):
        made |= peers.start(name, "act", label, d=4, k=2, hidden=hidden)
    return made


def _second_thread(work: str, peers: Peers, stack: ExitStack) -> Mapping[str, Candidate | Ours]:
    stack.enter_context(single_blas_thread())
    made: dict[str, Candidate | Ours] = {}
    for n in (1, 2):
        executor = stack.enter_context(thread_pool(n))
        if work == "gradient":
            given = problem(d=17, k=6, hidden=HIDDEN, n=131072, dtype="float64")
            ours = Ours(surrogate_gradient(*given, executor))
        else:
            kind, count = ("mlp", 4096) if work == "CartPole-v1" else ("linear", 16384)
            ours = episodes(work, kind, count, executor)
        made[f"npgrad, {n} thread{'s' * (n > 1)}"] = ours
    return made


def process_rows() -> Iterator[Row]:
    """The rows of the groups solve, start, act and threads."""
    solved = f"start of a process to CartPole-v1 solved and saved, {SEEDS} seeds"
    for peer, label, ratio in (("sb3-contrib", "ARS", 2.4), ("sb3", "PPO", 8.0)):
        yield Row(
            f"solve-{label}",
            f"{solved}, beside {label}",
            partial(_solving, peer, label),
            (Goal(0.6, 0.45), Goal(ratio, None, (label,))),
            rounds=SEEDS,
            budget=np.inf,
        )
    yield Row("solve-cold", "the same with nothing compiled, 5 seeds", _solving_cold, (Goal(6.0, 3.0),), rounds=5)
    importing = partial(_starting, "import npgrad", "import numpy")
    yield Row("start-import", "import npgrad, beside import numpy", importing, (Goal(1 / 1.3, None, ("numpy",)),))
    names = partial(_starting, "from npgrad import Agent, load_agent, make_policy", "import numpy")
    yield Row("start-agent", "import of all that acting takes, beside import numpy", names)
    yield Row("start-help", "npgrad --help", _helping, (Goal(0.25),))
    for name, hidden, numpy_goal, compiled_goal in (("linear", [], 5e-6, 1.5e-6), ("mlp", HIDDEN, 12e-6, 3e-6)):
        yield Row(
            f"act-{name}",
            f"one action, {'MLP 64×64' if hidden else 'linear'}, 4 inputs",
            partial(_acting, hidden),
            (Goal(numpy_goal, ours="npgrad, NumPy"), Goal(compiled_goal, ours="npgrad, compiled")),
        )
    second = Goal(1.7, 1.9, ("npgrad, 1 thread",), ours="npgrad, 2 threads")
    for work, text in (
        ("gradient", "gradient, MLP 64×64, 17 inputs, float64, N = 131,072"),
        ("CartPole-v1", "CartPole rollouts with an MLP 64×64"),
        ("npgrad/LaneKeeping-v0", "LaneKeeping rollouts, linear"),
    ):
        name = work.removeprefix("npgrad/").partition("-")[0]
        yield Row(f"threads-{name}", f"second thread: {text}", partial(_second_thread, work), (second,))
