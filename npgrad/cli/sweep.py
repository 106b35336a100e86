"""`npgrad sweep`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ..errors import InvalidInput, NpgradError
from .app import debug_option
from .options import given_by, import_from_here, seeds_of
from .plan import new_plan, read_settings, settings_of_pairs
from .train import FLAGS, TrainCommand, as_usage_error, kinds_of, preset_for, said_by

__all__ = ["sweep"]

NOT_VARIED = ("seed", "out", "resume", "callback", "tensorboard", "env", "workers", "executor", "address", "time_limit")


class _SweepCommand(TrainCommand):
    """The flags of `npgrad train` that all runs of a sweep may share, and who runs them."""

    left_out = ("env", "seed", "out", "resume", "init_from", "callback", "tensorboard", "quiet", "time_limit")


@click.command(cls=_SweepCommand, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.argument("env", metavar="ENV")
@click.option(
    "--vary", metavar="NAME=A,B,C", multiple=True, help="A setting and its values; of several, every combination."
)
@click.option("--seeds", metavar="LIST", default="0..9", help="Every setting's runs.  [default: 0..9]")
@click.option("--out", metavar="DIR", help="Folder of the sweep, gone on with if it is there.  [default: runs/…]")
@click.option("--config", metavar="FILE", help="Settings as JSON or TOML; another run's config.json is one.")
@click.option("--set", "pairs", metavar="NAME=VALUE", multiple=True, help="A setting by its name in config.json.")
@click.option("--preset/--no-preset", "use_preset", default=True, help="Begin with what is known to work.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@debug_option
@click.pass_context
def sweep(
    ctx: click.Context,
    /,
    env: str,
    vary: tuple[str, ...],
    seeds: str,
    out: str | None,
    config: str | None,
    pairs: tuple[str, ...],
    use_preset: bool,
    quiet: bool,
    **values: Any,
) -> None:
    """Train many settings on many seeds, --workers of them at a time; one table and one picture at the end.

    Every run has its folder, DIR/SETTING/seedS. The same command again goes on with what is unfinished, so that a
    sweep may be stopped, and by Ctrl-C is, at any time. Intervals are over seeds, by resampling them.
    """
    from .grid import Setting, run_sweep

    given = given_by(ctx, values)
    import_from_here()
    with as_usage_error(ctx):
        kinds = kinds_of(ctx)
        chosen = {**(read_settings(config, kinds) if config else {}), **said_by(ctx, given, pairs), "env": env}
        who = {name: chosen.pop(name, None) for name in ("workers", "executor", "address")}
        chosen["algo"] = ctx.meta[FLAGS].algo
        known = preset_for(env, chosen["algo"], chosen.get("policy")) if use_preset else {}
        settings = []
        for combination in _combinations(vary, kinds):
            plan = new_plan({**chosen, **combination}, known, kinds[-1], (*given, *combination))
            settings.append(Setting(_label(combination) or chosen["algo"], plan.with_settings(quiet=True)))
        folder = Path(out or f"runs/{env.replace('/', '-').replace(':', '-')}-{chosen['algo']}-sweep")
        workers = _workers(who)
    failed = run_sweep(settings, seeds_of(seeds), folder, workers, None if quiet else click.echo)
    ctx.exit(1 if failed else 0)


def _combinations(vary: Sequence[str], kinds: Sequence[type[Any]]) -> list[dict[str, Any]]:
    """Every combination of the values named; one empty one if there are none."""
    axes: list[list[tuple[str, Any]]] = []
    for text in vary:
        name, equals, values = text.partition("=")
        if not equals or not values:
            raise InvalidInput(f"vary is {text}, expected NAME=A,B,C, as in learning_rate=0.01,0.1")
        axis = [next(iter(settings_of_pairs([f"{name}={value}"], kinds).items())) for value in values.split(",")]
        if axis[0][0] in NOT_VARIED or axis[0][0] == "algo":
            raise InvalidInput(f"vary names {name}, which is not to vary; give it a sweep of its own")
        axes.append(axis)
    names = [axis[0][0] for axis in axes]
    if len(set(names)) < len(names):
        raise InvalidInput(f"vary names {', '.join(names)}, one of them twice; join its values by commas")
    return [dict(chosen) for chosen in itertools.product(*axes)]


def _label(combination: Mapping[str, Any]) -> str:
    shown = {name: "x".join(map(str, v)) if isinstance(v, tuple) else v for name, v in combination.items()}
    return ",".join(f"{name}={value}" for name, value in shown.items())


def _workers(who: Mapping[str, Any]) -> Any:
    """Those of the command line; None: one run after another, here."""
    from ..workers import open_workers

    if who["workers"] is None and who["address"] is None and who["executor"] not in ("dask", "mpi", "ray"):
        return None
    executor = who["executor"] or "processes"
    if executor == "threads":
        raise InvalidInput("executor is threads, but a run takes signals and a process of its own; choose processes")
    try:
        return open_workers(executor, who["workers"], who["address"], time_limit=None)
    except NpgradError as error:
        raise InvalidInput(str(error)) from error
