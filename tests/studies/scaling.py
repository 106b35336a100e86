"""What workers cost on this machine, and, with these costs, what 10 to 10,000 of them would give; for docs/scaling.md.

    python tests/studies/scaling.py measure     # two cores, a few minutes; writes tests/studies/results/scaling.json
    python tests/studies/scaling.py simulate    # seconds; writes docs/pictures/scaling.svg and prints the tables

The simulation is one of time alone: an iteration sends a call to each worker, one after another; each computes its
share; answers are taken in one after another; then the step is made. A share takes its mean time multiplied by
exp(0.1 z) with z ~ N(0, 1), and one in a thousand takes five times as long. A worker fails at random once in ten days;
its share is noticed and computed anew by another worker behind the others.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from npgrad.algorithms.registry import algorithm
from npgrad.files import write_text
from npgrad.pool import single_blas_thread
from npgrad.workers import Given, Workers, open_workers

KEPT = Path(__file__).parent / "results" / "scaling.json"
PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "scaling.svg"
WORKERS = (10, 30, 100, 300, 1000, 3000, 10_000)
CASES = {
    "es": {"algo": "es", "policy": "mlp", "n_pairs": 8, "n_episodes": 1},
    "reinforce": {"algo": "reinforce", "policy": "mlp", "n_envs": 1, "n_episodes": 16},
    "ppo": {"algo": "ppo", "policy": "mlp", "n_envs": 1, "n_blocks": 8, "n_steps": 256},
}
ENV = "Hopper-v5"


def seconds_of(steps: int, case: str, workers: Workers | None) -> tuple[float, int, float, float]:
    """Seconds, timesteps, and bytes sent and received of some iterations after a first one."""
    options = dict(CASES[case])
    model = algorithm(str(options.pop("algo"))).load()(ENV, seed=0, workers=workers, **options)
    with single_blas_thread():
        state, _ = model.recipe.step(model.recipe.init(0))
        began, before, sent, received = time.perf_counter(), state.timesteps, 0.0, 0.0
        for _ in range(steps):
            state, metrics = model.recipe.step(state)
            sent += metrics.values.get("time/bytes_sent", 0.0)
            received += metrics.values.get("time/bytes_received", 0.0)
        took = time.perf_counter() - began
    model.rollout.close()
    return took, state.timesteps - before, sent / steps, received / steps


def measure() -> None:
    """Costs of calls, bytes and steps; efficiency of two workers against one, and of one against none."""
    found: dict[str, object] = {}
    for engine in ("processes", "dask"):
        with open_workers(engine, 2) as workers:
            workers.map(abs, range(50))
            times = []
            for _ in range(7):
                began = time.perf_counter()
                workers.map(abs, range(200))  # units that cost nothing but their way
                times.append((time.perf_counter() - began) / 200)
            found[f"call/{engine}"] = float(np.median(times))
            payload = b"x" * 1_000_000
            began = time.perf_counter()
            workers.map(len, [payload] * 20)
            found[f"megabyte/{engine}"] = (time.perf_counter() - began) / 20
    for case in CASES:
        with ThreadPoolExecutor(1) as one:
            *_, sent, received = seconds_of(2, case, Workers(Given(one)))
        rates: dict[str, list[float]] = {"none": [], "1": [], "2": []}
        with open_workers("processes", 1) as first, open_workers("processes", 2) as both:
            for _ in range(3):  # in turn, so that a busy moment of the machine meets all of them
                for name, workers in (("none", None), ("1", first), ("2", both)):
                    took, steps, *_ = seconds_of(3, case, workers)
                    rates[name].append(steps / took)
        found[case] = {name: float(np.median(x)) for name, x in rates.items()} | {"sent": sent, "received": received}
        print(case, found[case], flush=True)
    write_text(KEPT, json.dumps(found, indent=1) + "\n")


@dataclass(frozen=True)
class Load:
    """What an iteration takes.

    Parameters
    ----------
    units : int
        Blocks that can be computed at a time.
    seconds : float
        Of one unit.
    out, back : float
        Bytes to a worker each iteration, however many units it gets, and bytes from it for each unit.
    update : float
        Seconds of the step, made by one process.
    """

    units: int
    seconds: float
    out: float
    back: float
    update: float


def loads(costs: dict[str, dict[str, float]], parameters: int = 10_000) -> dict[str, Load]:
    """Large but usual iterations on a simulator of the measured speed, episodes of 1000 steps."""
    episode = 1000 / costs["es"]["none"]
    row = 8 * (11 + 3 + 2)  # bytes of o, a, r, log π
    theta = 8 * parameters
    return {
        "ES, 20,000 episodes": Load(20_000, episode, 8 * 20_000, 16, 20_000 * parameters * 4e-9),
        "REINFORCE, 2,000 episodes": Load(2000, 1000 / costs["reinforce"]["none"], theta, 1000 * row, 2.0e6 * 1.5e-6),
        "PPO, 512 blocks of 2,048 steps": Load(
            512, 2048 / costs["ppo"]["1"], theta, 2048 * row, 10 * 512 * 2048 * 2.0e-6
        ),
        "REINFORCE, 100 episodes": Load(100, 1000 / costs["reinforce"]["none"], theta, 1000 * row, 1e5 * 1.5e-6),
    }


def iteration(load: Load, n: int, call: float, bandwidth: float, rng: np.random.Generator) -> float:
    """Seconds of one iteration with n workers."""
    n = min(n, load.units)
    units = np.full(n, load.units // n) + (np.arange(n) < load.units % n)
    sent = np.cumsum(np.full(n, call + load.out / bandwidth))
    slow = np.exp(0.1 * rng.standard_normal(n)) * np.where(rng.random(n) < 1e-3, 5.0, 1.0)
    took = units * load.seconds * slow
    ready = sent + took
    failed = rng.random(n) < took / (10 * 86400)
    ready[failed] += 1.0 + (units * load.seconds)[failed]  # noticed, and computed anew
    ready.sort()
    end = 0.0
    back = np.mean(units) * load.back / bandwidth
    for r in ready:
        end = max(end, r) + back  # answers come in one by one
    return float(end + load.update)


def simulate() -> None:
    """Tables and picture."""
    costs = json.loads(KEPT.read_text(encoding="utf-8"))
    call, bandwidth = costs["call/dask"], 1e9  # bytes a second, a network of ten gigabits
    results: dict[str, list[tuple[float, float]]] = {}
    for name, load in loads(costs).items():
        alone = load.units * load.seconds + load.update
        rows = []
        for n in WORKERS:
            rng = np.random.default_rng(0)
            t = float(np.mean([iteration(load, n, call, bandwidth, rng) for _ in range(60)]))
            rows.append((alone / t, alone / t / n))
        results[name] = rows
    print("| workers | " + " | ".join(results) + " |\n|---|" + "---|" * len(results))
    for i, n in enumerate(WORKERS):
        cells = [f"{rows[i][0]:,.0f} × ({100 * rows[i][1]:.0f} %)" for rows in results.values()]
        print(f"| {n:,} | " + " | ".join(cells) + " |")
    draw(results)


def draw(results: dict[str, list[tuple[float, float]]]) -> None:
    """Speed-up against workers."""
    import matplotlib
    from matplotlib.figure import Figure

    from npgrad.training.plots import COLOURS, GRID, INK, SOFT, STYLE

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8, 4.6), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(WORKERS, WORKERS, color=SOFT, linewidth=1, linestyle=":", label="every worker counts in full")
        for (name, rows), colour in zip(results.items(), COLOURS, strict=False):
            axes.plot(WORKERS, [speed for speed, _ in rows], color=colour, linewidth=2, marker="o", label=name)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("workers")
        axes.set_title("How many times faster than one process", loc="left", color=INK, fontweight="bold")
        axes.grid(axis="y", color=GRID)
        axes.legend(edgecolor="none", labelcolor=INK)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("measure", "simulate"))
    {"measure": measure, "simulate": simulate}[parser.parse_args().what]()
