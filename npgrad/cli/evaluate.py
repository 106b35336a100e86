"""`npgrad eval`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from .app import debug_option
from .options import Setting, import_from_here

__all__ = ["evaluate"]


@click.command("eval", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("path", metavar="DIR", type=click.Path(exists=True, path_type=Path))
@click.option("--episodes", type=Setting(int, least=1), default="100", help="How many.  [default: 100]")
@click.option("--seed", type=Setting(int, least=0), default="0", help="Of the evaluation.  [default: 0]")
@click.option("--stochastic", is_flag=True, help="Draw actions; otherwise the most likely one is taken.")
@click.option("--env", metavar="ID", help="Another environment than the agent was trained in.")
@click.option(
    "--fresh", is_flag=True, help="Make the environment anew for each episode, as a run with --fresh gets it anyway."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@debug_option
def evaluate(
    path: Path, episodes: int, seed: int, stochastic: bool, env: str | None, fresh: bool, as_json: bool
) -> None:
    """Evaluate the agent in the run folder DIR, or in an agent file, in Gymnasium's original of its environment."""
    from ..errors import InvalidInput
    from ..training import evaluate_policy, summarise
    from .run import agent_at

    agent = agent_at(path)
    env_id = env or str(agent.info.get("env_id", ""))
    if not env_id:
        raise click.UsageError(f"{path} does not say which environment it came from; name it with --env ID")
    import_from_here()
    try:
        kwargs = dict(agent.info.get("env_kwargs") or {}) if env is None else None
        fresh = fresh or (env is None and bool(agent.info.get("fresh")))
        returns, lengths = evaluate_policy(agent, env_id, episodes, not stochastic, seed, True, kwargs, fresh)
    except InvalidInput as error:
        if env is None:
            raise
        raise click.UsageError(f"--env {env}: {error}") from error
    summary = summarise(returns, lengths, deterministic=not stochastic, seed=seed)
    click.echo(json.dumps(summary, allow_nan=False) if as_json else _line(summary, env_id))


def _line(summary: dict[str, Any], env_id: str) -> str:
    from ..training.evaluation import rounded

    mean, std, low, high = rounded(summary["mean_return"], summary["std_return"], *summary["ci95"])
    how = "greedy" if summary["deterministic"] else "stochastic"
    return (
        f"{env_id}: return {mean} ± {std}, "
        f"95% interval {low} to {high}, "
        f"{summary['episodes']} {how} episodes of {summary['mean_length']:.1f} steps"
    )
