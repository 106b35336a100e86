"""`npgrad clone`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from ..imitation.settings import CloningSettings
from ..training.settings import PolicySettings
from .app import debug_option
from .options import Setting, given_by, import_from_here, options_of
from .record import line_of

if TYPE_CHECKING:
    from ..data import Demonstrations
    from ..deploy import Agent
    from ..training import RunFolder

__all__ = ["chosen", "clone", "demonstrations_at", "evaluated", "folder_for", "logged", "with_options"]


def with_options(*kinds: type[Any]) -> Callable[[click.Command], click.Command]:
    """Give a command the options of settings dataclasses, before its own."""

    def decorate(command: click.Command) -> click.Command:
        command.params = [
            *(p for p in command.params if isinstance(p, click.Argument)),
            *(p for p in command.params if not isinstance(p, click.Argument)),
            *(option for kind in kinds for option in options_of(kind)),
        ]
        return command

    return decorate


def chosen(ctx: click.Context, kind: type[Any], values: Mapping[str, Any]) -> Any:
    """The settings of a dataclass, those that the command line names and its own defaults.

    Raises
    ------
    UsageError
        If one is out of range.
    """
    from ..errors import InvalidInput

    try:
        return kind(**given_by(ctx, {f.name: values[f.name] for f in fields(kind)}))
    except InvalidInput as error:
        name, _, rest = str(error).partition(" ")
        raise click.UsageError(f"--{name.replace('_', '-')} {rest}", ctx) from error


@with_options(CloningSettings, PolicySettings)
@click.command("clone", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.argument("data", metavar="DATA")
@click.option("--policy", default="mlp", help="linear, mlp or recurrent.  [default: mlp]")
@click.option("--out", metavar="DIR", help="Run folder; by default runs/ENV-clone-seedS.")
@click.option("--init-from", metavar="DIR", help="Begin with this agent: its policy, its θ, its normaliser.")
@click.option("--seed", type=Setting(int, least=0), default="0", help="Key of all noise.  [default: 0]")
@click.option("--eval-episodes", type=Setting(int, least=0), default="20", help="Greedy, at the end.  [default: 20]")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@debug_option
@click.pass_context
def clone(
    ctx: click.Context,
    /,
    data: str,
    policy: str,
    out: str | None,
    init_from: str | None,
    seed: int,
    eval_episodes: int,
    quiet: bool,
    **values: Any,
) -> None:
    """Clone the behaviour in DATA: a file of npgrad record, or a Minari dataset as minari:ID.

    The result is a run folder like any other: npgrad eval, watch and export take it, and npgrad train ENV --init-from
    DIR goes on from it by policy gradient.
    """
    from ..imitation import clone as cloned
    from ..imitation.likelihood import require_same_spaces
    from ..policies import Policy, make_policy
    from ..spaces import Box
    from .run import agent_at

    import_from_here()
    settings = chosen(ctx, CloningSettings, values)
    options: dict[str, Any] = asdict(chosen(ctx, PolicySettings, values))
    demonstrations = demonstrations_at(data)
    known: dict[str, Any] = {"policy": policy, "policy_options": options}
    theta = None
    who: Policy
    if init_from is not None:
        agent = agent_at(init_from)
        who, theta = agent.policy, agent.theta
        settings = replace(settings, normalize_observations=False)  # it keeps its own
        known = {k: agent.info[k] for k in known if k in agent.info}
    else:
        pair = demonstrations.observation_space, demonstrations.action_space
        who = make_policy(pair, policy, masked=demonstrations.n_masked > 0, **options)
    require_same_spaces(demonstrations, who)  # before there is a folder
    env = str(demonstrations.info.get("env_id", ""))
    config = {"env": env, "algo": "clone", "seed": seed, "data": data, "init_from": init_from, **known}
    folder = folder_for(out, env, "clone", seed, config | {"hyperparameters": asdict(settings)})
    try:
        found = cloned(demonstrations, who, settings, seed=seed, theta=theta, progress=folder.log)
        agent = replace(found.agent, info={**found.agent.info, **known})
        agent.save(folder.path / "agent.npz")
        score, line = evaluated(agent, env, eval_episodes)
        replace(agent, info={**agent.info, **score}).save(folder.path / "agent.npz")
    finally:
        folder.close()
    if quiet:
        return
    loss = found.best.get("eval/loss")
    judged = "" if loss is None else f", log-likelihood of an action held out {-loss:.3f}"
    click.echo(line_of(demonstrations))
    click.echo(f"epoch     {found.best['time/epoch']:.0f} of {len(found.log)}{judged}")
    if line:
        click.echo(line)
    click.echo(f"folder    {folder.path}")
    noiseless = demonstrations.info.get("deterministic") and isinstance(demonstrations.action_space, Box)
    if noiseless and init_from is None and options["std"] != "fixed":
        click.echo(
            "hint      the demonstrator drew no actions, so that σ tends to 0: --std fixed fits by least squares"
        )
    if env:
        click.echo(f"train on  npgrad train {env} --init-from {quote(folder.path.as_posix())}")


def demonstrations_at(text: str) -> Demonstrations:
    """Demonstrations from a file, or ``minari:ID``."""
    from ..data import from_minari, load_demonstrations

    if not text.startswith("minari:") and not Path(text).is_file():
        raise click.UsageError(f"there is no file {text}; npgrad record writes one, and minari:ID names a dataset")
    return from_minari(text.removeprefix("minari:")) if text.startswith("minari:") else load_demonstrations(text)


def folder_for(out: str | None, env: str, algo: str, seed: int, config: Mapping[str, Any]) -> RunFolder:
    """A new run folder, with the versions that ran in its configuration."""
    from ..training import RunFolder
    from .run import versions

    config = {**config, "versions": versions()}
    if out is not None:
        return RunFolder.create(out, config)
    return RunFolder.create_default(env or "demonstrations", algo, seed, config)


def evaluated(agent: Agent, env: str, n_episodes: int) -> tuple[dict[str, Any], str]:
    """The agent's score, and a line that says it; neither where nobody knows the environment."""
    from ..errors import NpgradError
    from ..training import evaluate_policy, summarise
    from ..training.evaluation import rounded

    if not env or not n_episodes:
        return {}, ""
    try:
        kwargs = dict(agent.info.get("env_kwargs") or {})
        found = summarise(*evaluate_policy(agent, env, n_episodes, True, 0, True, kwargs))
    except NpgradError as error:  # the clone is of use all the same
        return {}, f"return    unknown: {error}"
    mean, low, high = rounded(found["mean_return"], *found["ci95"])
    line = f"return    {mean}  (95% interval {low} to {high}; {n_episodes} greedy episodes)"
    return {"mean_return": found["mean_return"], "ci95": found["ci95"], "eval_episodes": n_episodes}, line


def logged(row: Mapping[str, float]) -> dict[str, float | None]:
    """A row for progress.csv: empty where there is no number."""
    return {name: None if value != value else value for name, value in row.items()}
