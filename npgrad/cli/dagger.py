"""`npgrad dagger`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from ..imitation.settings import CloningSettings, DaggerSettings
from ..training.settings import PolicySettings
from .app import debug_option
from .clone import chosen, demonstrations_at, folder_for, logged, with_options
from .options import Setting, import_from_here
from .record import FILE, actor_at

if TYPE_CHECKING:
    from ..data import Demonstrations
    from ..deploy import Agent

__all__ = ["dagger"]

COLUMNS = (
    *("time/iterations", "dagger/beta", "dagger/queries", "dagger/rows", "dagger/disagreement"),
    "eval/mean_reward",
)


@with_options(DaggerSettings, CloningSettings, PolicySettings)
@click.command("dagger", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.argument("env", metavar="ENV")
@click.option("--expert", metavar="DIR|MODULE:FUNCTION", required=True, help="Whom to ask.")
@click.option("--data", metavar="DATA", help="Demonstrations to begin with, as those of a run that ended early.")
@click.option("--policy", default="mlp", help="Of the learner: linear, mlp or recurrent.  [default: mlp]")
@click.option("--out", metavar="DIR", help="Run folder; by default runs/ENV-dagger-seedS.")
@click.option("--seed", type=Setting(int, least=0), default="0", help="Key of all noise.  [default: 0]")
@click.option("--eval-episodes", type=Setting(int, least=1), default="20", help="Greedy, of each fit.  [default: 20]")
@click.option("--stop-at", type=Setting(float), help="Stop when they have this mean return.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@debug_option
@click.pass_context
def dagger(
    ctx: click.Context,
    /,
    env: str,
    expert: str,
    data: str | None,
    policy: str,
    out: str | None,
    seed: int,
    eval_episodes: int,
    stop_at: float | None,
    quiet: bool,
    **values: Any,
) -> None:
    """Learn in ENV from an expert who says what to do in the states that the learner itself comes to.

    The folder holds the best agent, progress.csv with how often the expert was asked, and demonstrations.npz with every
    state and the expert's action, written after each iteration.
    """
    from ..data import save_demonstrations
    from ..errors import ExpertFailure
    from ..imitation import dagger as aggregated
    from ..policies import make_policy
    from ..rollouts import make_rollout
    from ..training.evaluation import rounded

    import_from_here()
    settings, cloning, options = (chosen(ctx, k, values) for k in (DaggerSettings, CloningSettings, PolicySettings))
    who, begun = actor_at(expert), None if data is None else demonstrations_at(data)
    make_policy(make_rollout(env), policy, **asdict(options))  # before there is a folder
    config = {"env": env, "algo": "dagger", "seed": seed, "expert": expert, "data": data, "policy": policy}
    config |= {"policy_options": asdict(options), "hyperparameters": asdict(settings) | asdict(cloning)}
    folder = folder_for(out, env, "dagger", seed, config)
    file = folder.path / FILE

    def progress(row: Mapping[str, float]) -> None:
        folder.log(logged(row))
        if not quiet:
            i, beta, queries, rows, off, mean = (row[name] for name in COLUMNS)
            (score,) = rounded(mean)
            apart = "" if off != off else f"  disagreement {off:.3f}"
            click.echo(
                f"fit {i:2.0f}  return {score:>7}  rows {rows:7,.0f}  asked {queries:7,.0f}  β {beta:.2f}{apart}"
            )

    def save(demonstrations: Demonstrations, agent: Agent) -> None:
        save_demonstrations(demonstrations, file)
        agent.save(folder.path / "agent.npz")

    try:
        found = aggregated(
            *(env, who, policy, settings, cloning),
            policy_kwargs=asdict(options),
            demonstrations=begun,
            seed=seed,
            eval_episodes=eval_episodes,
            stop_at=stop_at,
            progress=progress,
            save=save,
        )
    except ExpertFailure as failure:
        kept = getattr(failure.kept, "demonstrations", failure.kept)
        if kept is None:
            raise
        save_demonstrations(kept, file)
        raise ExpertFailure(f"{failure}; all answers until then are in {file}: go on with --data {file}") from failure
    finally:
        folder.close()
    if not quiet:
        mean, n = found.agent.info["mean_return"], len(found.log)
        click.echo(f"return    {rounded(mean)[0]}  ({eval_episodes} greedy episodes, best of {n} fits)")
        click.echo(f"folder    {folder.path}")
        click.echo(f"train on  npgrad train {env} --init-from {quote(folder.path.as_posix())}")
