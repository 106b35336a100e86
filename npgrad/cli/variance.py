"""`npgrad variance`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from .app import debug_option
from .options import Setting, in_a_folder

__all__ = ["variance"]


@click.command("variance", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("what", metavar="ENV|DIR")
@click.option("--baselines", type=Setting(tuple[str, ...]), help="Some of none, leave-one-out, …  [default: all]")
@click.option("--policy", default="linear", help="Of ENV: linear, mlp or recurrent, at its start.  [default: linear]")
@click.option("--gamma", type=Setting(float, least=0), default="1", help="γ in [0, 1].  [default: 1]")
@click.option("--batches", type=Setting(int, least=3), default="256", help="How many batches.  [default: 256]")
@click.option("--batch-episodes", type=Setting(int, least=2), default="8", help="Episodes a batch.  [default: 8]")
@click.option("--seed", type=Setting(int, least=0), default="0", help="Of policy and episodes.  [default: 0]")
@click.option("--no-exact", is_flag=True, help="Leave out exact values.")
@click.option(
    "--plot",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_a_folder,
    help="Also draw a picture.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@debug_option
@click.pass_context
def variance(
    ctx: click.Context,
    what: str,
    baselines: tuple[str, ...] | None,
    policy: str,
    gamma: float,
    batches: int,
    batch_episodes: int,
    seed: int,
    no_exact: bool,
    plot: Path | None,
    as_json: bool,
) -> None:
    """How much estimators of the gradient vary, all on the same episodes of one policy.

    The policy is that of the agent in the run folder or agent file DIR, or one at its start in ENV, a Gymnasium id.
    Where ENV has a table, as FrozenLake-v1, exact variances stand beside the measured ones.
    """
    from ..errors import InvalidInput
    from ..verify.variance import study

    env, chosen, theta, kwargs = _agent(Path(what)) if Path(what).exists() else (what, policy, None, {})
    if ":" in env and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = study(
            env,
            chosen,
            theta,
            baselines=baselines,
            gamma=gamma,
            batches=batches,
            batch_episodes=batch_episodes,
            seed=seed,
            exact=not no_exact,
            env_kwargs=kwargs,
        )
    except InvalidInput as error:
        raise click.UsageError(str(error), ctx) from error
    click.echo(json.dumps(found.as_json(), allow_nan=False, ensure_ascii=False) if as_json else str(found))
    if plot is not None:
        found.plot(plot)


def _agent(path: Path) -> tuple[str, Any, Any, dict[str, Any]]:
    """Environment, policy and θ of a saved agent, and what its environment was made with."""
    from ..deploy import load_agent
    from ..errors import InvalidInput, RunFolderError
    from ..training.folder import AGENT

    file = path / AGENT if path.is_dir() else path
    if not file.exists():
        raise RunFolderError(f"{path} has no {AGENT}: it is no run folder, or its run has saved nothing yet")
    agent = load_agent(file)
    env_id = str(agent.info.get("env_id", ""))
    if not env_id:
        raise InvalidInput(f"{file} does not say which environment it came from; study its policy from Python")
    return env_id, agent.policy, agent.theta, dict(agent.info.get("env_kwargs") or {})
