"""`npgrad watch`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from .app import debug_option
from .options import Setting, in_a_folder

__all__ = ["watch"]


@click.command("watch", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("path", metavar="DIR", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    callback=in_a_folder,
    help="A .gif or .mp4; otherwise on the screen.",
)
@click.option("--episodes", type=Setting(int, least=1), default="1", help="How many.  [default: 1]")
@click.option("--seed", type=Setting(int, least=0), default="0", help="As of npgrad eval.  [default: 0]")
@click.option("--stochastic", is_flag=True, help="Draw actions; otherwise the most likely one is taken.")
@click.option("--env", metavar="ID", help="Another environment than the agent was trained in.")
@debug_option
def watch(path: Path, out: Path | None, episodes: int, seed: int, stochastic: bool, env: str | None) -> None:
    """Watch the agent in the run folder DIR, or in an agent file, in Gymnasium's original of its environment."""
    from ..errors import InvalidInput
    from ..training.evaluation import rounded
    from ..training.video import film, has_display, show
    from .run import agent_at

    agent = agent_at(path)
    env_id = env or str(agent.info.get("env_id", ""))
    if not env_id:
        raise click.UsageError(f"{path} does not say which environment it came from; name it with --env ID")
    if out is None and not has_display():
        raise click.UsageError("there is no display here; write a film with --out FILE.gif or --out FILE.mp4")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    kwargs = dict(agent.info.get("env_kwargs") or {}) if env is None else {}
    how = {"episodes": episodes, "seed": seed, "deterministic": not stochastic, "env_kwargs": kwargs}
    try:
        returns, lengths = film(agent, env_id, out, **how) if out else show(agent, env_id, **how)  # type: ignore[arg-type]
    except InvalidInput as error:
        raise click.UsageError(str(error)) from error
    for i, (r, n) in enumerate(zip(returns, lengths, strict=True)):
        click.echo(f"episode {i}: return {rounded(r)[0]} in {n} steps")
    if out is not None:
        click.echo(str(out))
