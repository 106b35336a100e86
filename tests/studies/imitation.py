"""Cloning, DAgger and goals in hindsight: train experts, learn from them, and write the tables of docs/imitation.md.

    python tests/studies/imitation.py [--runs DIR] [--only NAME]

Everything finished is kept in DIR (default runs/imitation) and not done again, so the study can be interrupted. The
settings were chosen on seed 100, on the same experts; the seeds of the tables were fixed before they were looked at.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from npgrad import evaluate_policy, load_agent
from npgrad.data import record
from npgrad.imitation import CloningSettings, DaggerSettings, clone, dagger, reach_goals

PAGE = Path(__file__).parents[2] / "docs" / "imitation.md"
BEGIN, END = "<!-- tables: tests/studies/imitation.py -->", "<!-- end of tables -->"
SEEDS = range(3)
GOAL_SEEDS = range(10)
JUDGE = {"n_eval_episodes": 100, "seed": 12345, "return_episode_rewards": True}
Result = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """An environment, how its expert is trained, and what share of its return cloning is to have.

    Parameters
    ----------
    env : str
    train : str
        Arguments of ``npgrad train``.
    clone_share : float
    policy_kwargs : dict, optional
        Of the learner, a perceptron.
    """

    env: str
    train: str
    clone_share: float
    policy_kwargs: dict[str, Any] = field(default_factory=dict)


STUDIES = [
    Study("CartPole-v1", "--seed 0", 0.95),
    Study("LunarLander-v3", "--seed 0", 0.80),
    Study(
        "Hopper-v5",
        "--algo trpo --policy mlp --normalize-observations --n-episodes 15 --gamma 0.99 --gae-lambda 0.97 --seed 0 "
        "--steps 1500000 --eval-every 50000 --stop-at 2500",
        0.60,
        {"std": "fixed"},
    ),
]
ASK = DaggerSettings(n_iterations=10, n_episodes=10, n_demonstrations=5)


def kept(path: Path, make: Any) -> Result:
    """What a file has, or what is made now and written to it."""
    if not path.exists():
        began = time.monotonic()
        found = make()
        path.write_text(json.dumps(found | {"seconds": time.monotonic() - began}))
        print(path.name, path.read_text()[:200], flush=True)
    result: Result = json.loads(path.read_text())
    return result


def expert_of(runs: Path, study: Study) -> Path:
    """The agent file of the library's own expert."""
    folder = runs / f"expert-{study.env}"
    if not (folder / "agent.npz").exists():
        command = [sys.executable, "-m", "npgrad", "train", study.env, *study.train.split(), "--out", str(folder)]
        subprocess.run([*command, "--quiet"], check=True)
    return folder / "agent.npz"


def judged(agent: Any, env: str) -> Result:
    """Mean return of 100 greedy episodes of Gymnasium's original, and its standard error."""
    returns, _ = evaluate_policy(agent, env, **JUDGE)
    return {"mean": float(np.mean(returns)), "error": float(np.std(returns) / np.sqrt(len(returns)))}


def cloned(study: Study, expert: Any, seed: int) -> Result:
    """Cloning from 25 episodes."""
    shown = record(expert, study.env, 25, seed=seed)
    found = clone(shown, "mlp", CloningSettings(), policy_kwargs=study.policy_kwargs, seed=seed)
    return judged(found.agent, study.env) | {"rows": shown.n_steps, "epoch": found.best["time/epoch"]}


def aggregated(study: Study, expert: Any, seed: int, stop_at: float) -> Result:
    """DAgger from 5 episodes, until 50 greedy episodes have the expert's return, or for ten iterations."""
    found = dagger(
        study.env,
        expert,
        "mlp",
        ASK,
        CloningSettings(epochs=100),
        policy_kwargs=study.policy_kwargs,
        seed=seed,
        eval_episodes=50,
        stop_at=stop_at,
    )
    last = found.log[-1]
    return judged(found.agent, study.env) | {
        "iterations": last["time/iterations"],
        "queries": last["dagger/queries"],
        "returns": [row["eval/mean_reward"] for row in found.log],
    }


def reached(seed: int) -> Result:
    """Median final distance on the point mass after 10, 20, …, 80 episodes, of 100 greedy ones each."""
    found = reach_goals("npgrad/PointMassGoals-v0", seed=seed)
    return {"distances": [row["eval/median_distance"] for row in found.log]}


def learning(runs: Path, only: str | None) -> list[str]:
    """Markdown of cloning and DAgger."""
    lines = [
        "| environment | expert | learner | seed | return | share | data |",
        "|---|---|---|---|---|---|---|",
    ]
    for study in STUDIES:
        if only not in (None, study.env):
            continue
        expert = load_agent(expert_of(runs, study))
        best = kept(runs / f"{study.env}-expert.json", lambda s=study, e=expert: judged(e, s.env))
        for name, goal in (("cloning", study.clone_share), ("DAgger", 0.95)):
            for seed in SEEDS:
                if name == "cloning":
                    path = runs / f"{study.env}-clone-{seed}.json"
                    r = kept(path, lambda s=study, e=expert, k=seed: cloned(s, e, k))
                    data = f"25 episodes, {r['rows']:,} steps"
                else:
                    path = runs / f"{study.env}-dagger-{seed}.json"
                    r = kept(path, lambda s=study, e=expert, k=seed, b=best["mean"]: aggregated(s, e, k, b))
                    data = f"{r['iterations']:.0f} iterations, {r['queries']:,.0f} queries"
                share = r["mean"] / best["mean"]
                lines.append(
                    f"| {study.env} | {best['mean']:.1f} ± {best['error']:.1f} | {name}, to reach {100 * goal:.0f} % | "
                    f"{seed} | {r['mean']:.1f} ± {r['error']:.1f} | {100 * share:.1f} % | {data} |"
                )
    return lines


def goals(runs: Path) -> list[str]:
    """Markdown of goal reaching."""
    found = [kept(runs / f"goals-{seed}.json", lambda k=seed: reached(k)) for seed in GOAL_SEEDS]
    distances = np.array([r["distances"] for r in found])  # (seeds, iterations)
    last = ", ".join(f"{x:.3f}" for x in distances[:, -1])
    return [
        "| episodes | " + " | ".join(str(10 * (i + 1)) for i in range(distances.shape[1])) + " |",
        "|---|" + "---|" * distances.shape[1],
        "| median of ten seeds | " + " | ".join(f"{x:.3f}" for x in np.median(distances, axis=0)) + " |",
        "| largest | " + " | ".join(f"{x:.3f}" for x in distances.max(axis=0)) + " |",
        "",
        f"At 80 episodes, seeds 0 to 9: {last}; {np.mean([r['seconds'] for r in found]):.1f} s a seed on a busy core.",
    ]


def main() -> None:
    """Do what is missing, then write the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=Path, default=Path("runs/imitation"))
    parser.add_argument("--only")
    options = parser.parse_args()
    options.runs.mkdir(parents=True, exist_ok=True)
    lines = learning(options.runs, options.only)
    if options.only is None:
        before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        text = "\n".join([BEGIN, "", *lines, "", *goals(options.runs), "", END])
        PAGE.write_text(before + text + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
