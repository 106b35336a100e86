"""`npgrad compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from .app import debug_option
from .options import Setting, import_from_here

__all__ = ["compare"]


@click.command("compare", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("first", metavar="DIR", type=click.Path(exists=True, path_type=Path))
@click.argument("second", metavar="DIR", type=click.Path(exists=True, path_type=Path))
@click.option("--episodes", type=Setting(int, least=1), help="Evaluate every agent now, over so many greedy episodes.")
@click.option("--seed", type=Setting(int, least=0), default="0", help="Of evaluation and bootstrap.  [default: 0]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@debug_option
def compare(first: Path, second: Path, episodes: int | None, seed: int, as_json: bool) -> None:
    """Say which of two DIRs is better: run folders, or folders of them as --seeds makes.

    The probability of improvement is that of a run of the first doing better than one of the second, ties counting
    half, with its bootstrap interval; between two single runs, of an episode. Without --episodes the scores are those
    of the evaluations that chose the agents, which flatter them a little.
    """
    from ..errors import InvalidInput
    from ..training.comparison import compare as compared
    from ..training.evaluation import evaluate_policy
    from .run import agent_at

    def anew(folder: Path) -> Any:
        import numpy as np

        agent = agent_at(folder)
        kwargs, fresh = dict(agent.info.get("env_kwargs") or {}), bool(agent.info.get("fresh"))
        return np.array(evaluate_policy(agent, agent.info["env_id"], episodes or 1, True, seed, True, kwargs, fresh)[0])

    import_from_here()
    try:
        summary = compared(first, second, anew if episodes else None).summary(seed)
    except InvalidInput as error:
        raise click.UsageError(str(error)) from error
    click.echo(json.dumps(summary) if as_json else _text(summary, first, second))


def _text(summary: dict[str, Any], first: Path, second: Path) -> str:
    from ..training.evaluation import rounded

    width = max(len(str(first)), len(str(second)))
    lines = [summary["env"]]
    for path, side in ((first, summary["first"]), (second, summary["second"])):
        mean, iqm, least, most = rounded(side["mean"], side["iqm"], *side["ci95"])
        lines.append(
            f"{path!s:<{width}}  {side['scores']} {summary['over']}, mean {mean} "
            f"(95% interval {least} to {most}), IQM {iqm}"
        )
    low, high = summary["probability_ci95"]
    p, better = summary["probability_of_improvement"], "neither is surely better"
    if low > 0.5 + 1e-9:
        better = f"{first} is better"
    if high < 0.5 - 1e-9:
        better = f"{second} is better"
    lines.append(f"P({first} better) {p:.2f} (95% interval {low:.2f} to {high:.2f}): {better}")
    means = summary["first"]["mean"], summary["second"]["mean"]  # whose digits the difference has
    off, least, most, *_ = rounded(summary["difference"], *summary["difference_ci95"], *means)
    lines.append(f"difference of means {off} (95% interval {least} to {most})")
    return "\n".join(lines)
