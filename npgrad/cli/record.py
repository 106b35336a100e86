"""`npgrad record`."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, cast

import click

from .app import debug_option
from .options import Setting, import_from_here, in_a_folder

if TYPE_CHECKING:
    from ..data import Actor, Demonstrations

__all__ = ["actor_at", "line_of", "record"]

FILE = "demonstrations.npz"


@click.command("record", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("actor", metavar="DIR|MODULE:FUNCTION")
@click.option("--episodes", type=Setting(int, least=1), default="25", help="How many.  [default: 25]")
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    callback=in_a_folder,
    help=f"By default DIR/{FILE}, or {FILE} here.",
)
@click.option("--env", metavar="ID", help="Another environment than the agent was trained in; a function needs one.")
@click.option("--seed", type=Setting(int, least=0), default="0", help="Of the episodes.  [default: 0]")
@click.option("--stochastic", is_flag=True, help="An agent draws its actions; otherwise it takes the most likely one.")
@click.option("--minari", "minari_id", metavar="ID", help="Write a Minari dataset of this id instead of a file.")
@debug_option
def record(
    actor: str, episodes: int, out: Path | None, env: str | None, seed: int, stochastic: bool, minari_id: str | None
) -> None:
    """Record demonstrations of the agent in the run folder DIR, or in an agent file, or of a function."""
    from ..data import record as recorded
    from ..data import save_demonstrations, to_minari
    from ..errors import ExpertFailure, InvalidInput

    if minari_id is not None and not re.fullmatch(r".+-v\d+", minari_id):
        raise click.UsageError(f"--minari is {minari_id}, expected a name and a version, as in cartpole/lean-v0")
    import_from_here()
    who = actor_at(actor)
    if out is None:
        out = Path(actor) / FILE if Path(actor).is_dir() else Path(FILE)
    if minari_id is None and out.exists():
        raise click.UsageError(f"{out} exists; choose another --out")

    def keep(demonstrations: Demonstrations) -> str:
        if minari_id is None:
            save_demonstrations(demonstrations, out)
            return str(out)
        to_minari(demonstrations, minari_id)
        return f"minari:{minari_id}"

    try:
        found = recorded(who, env, episodes, seed=seed, deterministic=not stochastic)
    except InvalidInput as error:
        if "name an environment" in str(error):
            raise click.UsageError(f"{error}: --env ID") from error
        raise
    except ExpertFailure as failure:
        if failure.kept is None:
            raise
        n, place = failure.kept.n_episodes, keep(failure.kept)
        raise ExpertFailure(f"{failure}; what was complete, {n} of {episodes} episodes, is in {place}") from failure
    place = keep(found)
    click.echo(line_of(found))
    click.echo(f"file      {place}")
    click.echo(f"clone     npgrad clone {quote(place)}")


def line_of(demonstrations: Demonstrations) -> str:
    """Demonstrations in a line."""
    from ..training.evaluation import rounded

    R = demonstrations.batch.returns()
    mean, std = rounded(R.mean(), R.std())
    return (
        f"{demonstrations.info.get('env_id', 'demonstrations')}: {demonstrations.n_episodes} episodes, "
        f"{demonstrations.n_steps:,} steps, return {mean} ± {std}"
    )


def actor_at(text: str) -> Actor:
    """The agent in a run folder or a file, or the function that ``module:function`` names.

    Raises
    ------
    InvalidInput
        If there is neither.
    """
    from ..errors import InvalidInput, UnknownName
    from .run import agent_at

    if Path(text).exists():
        return agent_at(text)
    module, _, name = text.partition(":")
    if not module or not name:
        raise InvalidInput(f"{text} is no run folder and no agent file; a function is named as module:function")
    try:
        found: Any = getattr(import_module(module), name, None)
    except ImportError as error:
        raise InvalidInput(f"{text}: {error}; is the module installed, or beside you?") from error
    if not callable(found):
        names = [n for n, f in vars(import_module(module)).items() if callable(f)]
        raise UnknownName(f"function of {module}", name, names)
    return cast("Actor", found)
