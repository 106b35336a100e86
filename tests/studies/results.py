"""Train and evaluate by the command line, seed after seed, and write the table of docs/results.md.

    python tests/studies/results.py [--runs DIR] [--only ENV]

Every finished run is kept in DIR (default runs/results) and not run again, so the study can be interrupted.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs" / "results.md"

# environment, flags, seeds, what is to be reached
STUDIES = [
    ("CartPole-v1", [], range(20), "20 of 20 at 475 or more, in at most 200,000 steps"),
    ("InvertedPendulum-v5", [], range(5), "5 of 5 at 950 or more"),
]
REACH = {"CartPole-v1": 475.0, "InvertedPendulum-v5": 950.0}


def run(folder: Path, env: str, flags: list[str], seed: int) -> dict[str, object]:
    """One finished run: trained, then evaluated by Gymnasium's original over 100 greedy episodes."""
    kept = folder / "result.json"
    if kept.exists():
        return json.loads(kept.read_text())
    command = ["npgrad", "train", env, *flags, "--seed", str(seed)]
    began = time.monotonic()
    more = ["--resume", str(folder)] if (folder / "config.json").exists() else ["--out", str(folder)]
    arguments = more if more[0] == "--resume" else [*command[2:], *more]
    subprocess.run([sys.executable, "-m", "npgrad", "train", *arguments, "--quiet"], check=True, capture_output=True)
    seconds = time.monotonic() - began
    evaluation = subprocess.run(
        [sys.executable, "-m", "npgrad", "eval", str(folder), "--episodes", "100", "--seed", "12345", "--json"],
        check=True,
        capture_output=True,
        text=True,
    )
    with open(folder / "progress.csv", newline="") as f:
        steps = int([row["time/total_timesteps"] for row in csv.DictReader(f)][-1])
    result = {"command": " ".join(command), "seed": seed, "steps": steps, "seconds": seconds}
    result |= json.loads(evaluation.stdout)
    kept.write_text(json.dumps(result))
    return result


def table(env: str, goal: str, results: list[dict[str, object]]) -> str:
    """Markdown of one environment."""
    reached = sum(r["mean_return"] >= REACH[env] for r in results)
    lines = [
        f"## {env}, REINFORCE\n",
        f"To reach: {goal}. Reached by {reached} of {len(results)} seeds; median of steps "
        f"{statistics.median(r['steps'] for r in results):,.0f}, largest {max(r['steps'] for r in results):,}; median "
        f"of seconds, start of the process to agent saved, {statistics.median(r['seconds'] for r in results):.1f}.\n",
        f"    {results[0]['command'].rsplit(' ', 1)[0]} S\n    npgrad eval DIR --episodes 100 --seed 12345\n",
        "| seed | steps | seconds | mean return | 95 % interval |",
        "|---|---|---|---|---|",
    ]
    for r in results:
        low, high = r["ci95"]
        lines.append(
            f"| {r['seed']} | {r['steps']:,} | {r['seconds']:.1f} | {r['mean_return']:.1f} | {low:.1f} to {high:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run what is missing, then write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=Path, default=Path("runs/results"))
    parser.add_argument("--only")
    options = parser.parse_args()
    pages = []
    for env, flags, seeds, goal in STUDIES:
        if options.only not in (None, env):
            continue
        results = []
        for seed in seeds:
            results.append(run(options.runs / f"{env}-{seed}", env, flags, seed))
            print(env, seed, results[-1]["steps"], results[-1]["mean_return"], flush=True)
        pages.append(table(env, goal, results))
    if options.only is None:
        intro = (
            "# Results\n\nEvery seed is counted, and fixed before looking. The agent that is saved is the best of its\n"
            "run's evaluations; it is judged by 100 greedy episodes of Gymnasium's original environment, under a seed\n"
            "of its own. Presets were chosen on other seeds, but for CartPole-v1, whose step size and batch were\n"
            "chosen on seeds 0 to 9 with full sight: judge it by 10 to 19. Regenerated, finished runs kept, by\n"
            "`python tests/studies/results.py`.\n"
        )
        DOCS.write_text("\n".join([intro, *pages]), encoding="utf-8")


if __name__ == "__main__":
    main()
