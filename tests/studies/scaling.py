"""What workers cost on this machine, and, with these costs, what 10 to 10,000 of them would give; for docs/scaling.md.

    python tests/studies/scaling.py measure     # two minutes; writes tests/studies/results/scaling.json
    python tests/studies/scaling.py bytes       # a minute; prints what policy gradients send and receive, both ways
    python tests/studies/scaling.py simulate    # seconds; writes docs/pictures/scaling.svg and prints the tables

The simulation is one of time alone: an iteration sends a call to each worker, one after another; each computes its
share; answers are taken in one after another; then the step is made. A share takes its mean time multiplied by
exp(0.1 z) with z ~ N(0, 1), and one in a thousand takes five times as long. A worker fails at random once in ten days;
its share is noticed and computed anew by another worker behind the others. REINFORCE leaves batches with the workers
where that takes fewer bytes: a second call takes Ψ out and sums back, and what two workers share of a chunk is sent
as rows, whose gradient is made by the parent.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from npgrad.algorithms.registry import algorithm
from npgrad.files import write_text
from npgrad.kernels.ragged import CHUNK_ROWS
from npgrad.pool import single_blas_thread
from npgrad.workers import Workers, open_workers

KEPT = Path(__file__).parent / "results" / "scaling.json"
PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "scaling.svg"
WORKERS = (10, 30, 100, 300, 1000, 3000, 10_000)
CASES = {
    "es": {"algo": "es", "policy": "mlp", "n_pairs": 32, "n_episodes": 1},
    "reinforce": {"algo": "reinforce", "policy": "mlp", "n_envs": 1, "n_episodes": 64},
    "ppo": {"algo": "ppo", "policy": "mlp", "n_envs": 1, "n_blocks": 8, "n_steps": 512},
}
ENV = "Hopper-v5"
BATCHES = (  # environment, policy, episodes
    ("CartPole-v1", "linear", 16),
    ("CartPole-v1", "linear", 400),
    ("CartPole-v1", "mlp", 400),
    ("Hopper-v5", "mlp", 64),
    ("Hopper-v5", "mlp", 400),
    ("HalfCheetah-v5", "linear", 32),
    ("HalfCheetah-v5", "mlp", 32),
)


def cost_of(n: int, case: str, workers: Workers | None, kept: bool | None = None) -> dict[str, float]:
    """Of an iteration, the mean of n after two first ones: seconds, of this process and of the wall, timesteps, bytes.

    `kept`: whether batches are left with the workers; None: as it is.
    """
    options = dict(CASES[case])
    model = algorithm(str(options.pop("algo"))).load()(ENV, seed=0, workers=workers, **options)
    return mean_of(n, model, kept)


def mean_of(n: int, model: Any, kept: bool | None) -> dict[str, float]:
    """The mean of n iterations."""
    recipe, state, found = model.recipe, model.recipe.init(0), []
    with single_blas_thread():
        for _ in range(n + 2):
            if kept is not None:
                recipe.recipe.experience.rollout.pays = kept
            cpu, wall, before = time.process_time(), time.perf_counter(), state.timesteps
            state, metrics = recipe.step(state)
            found.append(
                {
                    "seconds": time.process_time() - cpu,
                    "wall": time.perf_counter() - wall,
                    "steps": state.timesteps - before,
                    "sent": metrics.values.get("time/bytes_sent", 0.0),
                    "received": metrics.values.get("time/bytes_received", 0.0),
                }
            )
    model.rollout.close()
    return {name: float(np.mean([one[name] for one in found[2:]])) for name in found[0]}


def measure() -> None:
    """Of an iteration alone, with one worker, where the parent has what cannot be shared out, and with two."""
    found: dict[str, Any] = {}
    for engine in ("processes", "dask"):
        with open_workers(engine, 2) as workers:
            workers.map(abs, range(50))
            began = time.process_time()
            workers.map(abs, range(500))  # units that cost nothing but their way
            found[f"call/{engine}"] = (time.process_time() - began) / 500
    for case in CASES:
        found[case] = {"alone": cost_of(4, case, None)}
        ways = {"": False, ", kept": True} if case == "reinforce" else {"": None}
        for n, name in ((1, "parent"), (2, "two")):
            for way, kept in ways.items():
                with open_workers("processes", n) as workers:
                    found[case][name + way] = cost_of(4, case, workers, kept)
        for name, costs in found[case].items():
            print(case, name, {key: round(value, 4) for key, value in costs.items()}, flush=True)
    write_text(KEPT, json.dumps(found, indent=1) + "\n")


def count_bytes() -> None:
    """What an iteration of REINFORCE sends and receives, by batches and by gradients; two workers."""
    print("| environment, policy | episodes | steps | by batches | by gradients | chosen |\n|---|---|---|---|---|---|")
    with open_workers("processes", 2) as workers:
        for env, policy, episodes in BATCHES:
            ways = {}
            for kept in (False, True, None):
                model = algorithm("reinforce").load()(
                    env, seed=0, workers=workers, policy=policy, n_envs=1 if "-v5" in env else None, n_episodes=episodes
                )
                ways[kept] = mean_of(1, model, kept)
            sums = {kept: way["sent"] + way["received"] for kept, way in ways.items()}
            chosen = "gradients" if sums[None] == sums[True] else "batches"
            parameters, steps = model.policy.n_params, ways[False]["steps"]
            print(
                f"| {env}, `{policy}`, P = {parameters:,} | {episodes} | {steps:,.0f} | {sums[False] / 1e3:,.0f} kB | "
                f"{sums[True] / 1e3:,.0f} kB | {chosen} |",
                flush=True,
            )


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
    kept: Kept | None = None


@dataclass(frozen=True)
class Kept:
    """The other way, by gradients, of which the batch's rows are a function of how many workers there are.

    Parameters
    ----------
    rows : int
        Of a unit.
    row, parameters : float
        Bytes of a row, and of a gradient.
    gradient : float
        Seconds of a row's gradient.
    update : float
        Seconds of what is left for the parent.
    """

    rows: int
    row: float
    parameters: float
    gradient: float
    update: float

    def on(self, n: int, load: Load) -> Load | None:
        """The load with n workers, if it takes fewer bytes."""
        rows = load.units * self.rows
        chunks = max(rows // (CHUNK_ROWS + self.rows // 2) - (n - 1), 0)  # that a worker has for himself
        cut = rows * (1 - chunks * (CHUNK_ROWS + self.rows // 2) / rows)
        back = 8 * rows + chunks * self.parameters + cut * self.row
        if back + 8 * rows >= rows * self.row:
            return None
        return Load(
            load.units, load.seconds + self.rows * self.gradient * (1 - cut / rows), load.out + 8 * rows / n,
            back / load.units, self.update + cut * self.gradient,
        )  # fmt: skip


def loads(costs: dict[str, Any]) -> dict[str, Load]:
    """Large but usual iterations, with the measured costs of a step; episodes of 1000 steps."""

    def step(case: str, whose: str) -> float:
        return float(costs[case][whose]["seconds"] / costs[case][whose]["steps"])

    row = 8 * (11 + 3 + 2)  # bytes of o, a, r, log π
    theta = 8 * 5_000.0
    rolled = {case: max(step(case, "alone") - step(case, "parent"), 1e-6) for case in CASES}  # what workers take over
    es_step = 20_000 * theta / 8 * 2e-9  # directions drawn and summed, by every worker and the parent
    gradient = step("reinforce", "parent") - step("reinforce", "parent, kept")

    def reinforce(episodes: int) -> Load:
        steps = 1000 * episodes
        kept = Kept(1000, row, theta, gradient, steps * step("reinforce", "parent, kept"))
        update = steps * step("reinforce", "parent")
        return Load(episodes, 1000 * rolled["reinforce"], theta, 1000 * row, update, kept)

    return {
        "ES, 20,000 episodes": Load(20_000, 1000 * step("es", "alone"), 8 * 20_000, 16, es_step),
        "REINFORCE, 2,000 episodes": reinforce(2000),
        "REINFORCE, 100 episodes": reinforce(100),
        "PPO, 512 blocks of 2,048 steps": Load(
            512, 2048 * rolled["ppo"], theta, 2048 * row, 512 * 2048 * step("ppo", "parent")
        ),
    }


def iteration(load: Load, n: int, call: float, bandwidth: float, rng: np.random.Generator) -> float:
    """Seconds of one iteration with n workers."""
    n = min(n, load.units)
    if load.kept is not None and (kept := load.kept.on(n, load)) is not None:
        load, call = kept, 2 * call  # one to roll out, one for the sums
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
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:,.0f}")
        axes.set_xlabel("workers")
        axes.set_title("How many times faster than one process, simulated", loc="left", color=INK, fontweight="bold")
        axes.grid(axis="y", color=GRID)
        axes.legend(edgecolor="none", labelcolor=INK)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("measure", "bytes", "simulate"))
    {"measure": measure, "bytes": count_bytes, "simulate": simulate}[parser.parse_args().what]()
