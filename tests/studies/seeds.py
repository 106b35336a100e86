"""How often learning succeeds: three tasks, a hundred seeds each, as a table in docs/reliability.md.

    python tests/studies/seeds.py [--runs DIR] [--workers 2] [--page]

The seeds, 1000 to 1099, were fixed before any of them was run, and none is left out. A run has the preset of its task;
its agent is judged by a hundred greedy episodes under a seed that neither training nor the choice of the agent has
seen. The interval is Wilson's. Runs in DIR (default runs/seeds) are gone on with; --page writes the table alone.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from npgrad.deploy import load_agent
from npgrad.files import write_text
from npgrad.rollouts import make_rollout
from npgrad.training.statistics import over_runs

TASKS = {"CartPole-v1": 475.0, "Acrobot-v1": -100.0, "MountainCarContinuous-v0": 90.0}
SEEDS = range(1000, 1100)
JUDGE = 987_654_321
KEPT = Path(__file__).parent / "results" / "seeds.json"
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def wilson(hits: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927)."""
    p = hits / n
    centre, half = p + z * z / (2 * n), z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    return (centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)


def judged(env: str, folder: Path) -> tuple[list[float], list[int]]:
    """Of each seed the mean return of its agent, and how long it trained."""
    rollout, scores, steps = make_rollout(env), [], []
    for seed in SEEDS:
        agent = load_agent(folder / "reinforce" / f"seed{seed}" / "agent.npz")
        batch = rollout.episodes(agent.policy, agent.theta, seed=JUDGE, first=0, count=100, deterministic=True)
        scores.append(float(batch.returns().mean()))
        steps.append(int(load_agent(folder / "reinforce" / f"seed{seed}" / "last_agent.npz").info["timesteps"]))
    return scores, steps


def table(results: dict[str, dict[str, list[float]]]) -> str:
    """Rows of Markdown."""
    lines = [
        "| task | reached | 95% interval of the share | median steps | IQM of returns | worst |",
        "|---|---|---|---|---|---|",
    ]
    for env, found in results.items():
        scores, threshold = np.array(found["scores"]), TASKS[env]
        hits = int((scores >= threshold).sum())
        low, high = wilson(hits, len(scores))
        iqm, iqm_low, iqm_high = (float(x[0]) for x in over_runs(scores[:, None], "iqm"))
        cells = [
            f"{env}, {threshold:g} or more",
            f"{hits} of {len(scores)}",
            f"{low:.2f} to {high:.2f}",
            f"{int(np.median(found['steps'])):,}",
            f"{iqm:.1f} ({iqm_low:.1f} to {iqm_high:.1f})",
            f"{scores.min():.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines).replace("| -", "| −").replace(", -", ", −").replace("(-", "(−").replace(" to -", " to −")


def main() -> None:
    """Train, judge, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=Path, default=Path("runs/seeds"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--page", action="store_true")
    args = parser.parse_args()
    if not args.page:
        results = {}
        for env in TASKS:
            folder = args.runs / env
            command = ["sweep", env, "--algo", "reinforce", "--seeds", f"{SEEDS[0]}..{SEEDS[-1]}", "--out", str(folder)]
            subprocess.run([sys.executable, "-m", "npgrad", *command, "--workers", str(args.workers)], check=True)
            scores, steps = judged(env, folder)
            results[env] = {"scores": scores, "steps": steps}
        write_text(KEPT, json.dumps(results) + "\n")
    text, rows = PAGE.read_text(encoding="utf-8"), table(json.loads(KEPT.read_text(encoding="utf-8")))
    write_text(PAGE, re.sub(r"(?<=<!-- seeds -->\n).*?(?=\n<!-- end -->)", rows, text, flags=re.DOTALL))
    print(rows)


if __name__ == "__main__":
    main()
