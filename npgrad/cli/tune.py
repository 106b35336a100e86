"""`npgrad tune`."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

import click

from .app import debug_option
from .options import Setting, given_by, import_from_here, seeds_of
from .plan import new_plan, read_settings
from .ranges import default_ranges, ranges_of, require_search, typed
from .train import FLAGS, TrainCommand, as_usage_error, kinds_of, preset_for, said_by

__all__ = ["tune"]

NOT_FIXED = (
    "env", "seed", "out", "resume", "init_from", "minutes", "callback", "checkpoint_every", "tensorboard", "quiet",
)  # fmt: skip


class _TuneCommand(TrainCommand):
    """The flags of `npgrad train` that a search can hold fixed."""

    left_out = NOT_FIXED


@click.command(cls=_TuneCommand, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.argument("env", required=False, metavar="ENV")
@click.option("--trials", type=Setting(int, least=1), default="50", help="Settings to try.  [default: 50]")
@click.option("--minutes", type=Setting(float, least=0), help="Begin no trial after so many minutes.")
@click.option("--seeds", metavar="LIST", default="100..102", help="Every setting's runs.  [default: 100..102]")
@click.option(
    "--search", metavar="NAME=RANGE", multiple=True,
    help="A setting to search: NAME=LOW..HIGH, with :linear behind it if not on a logarithmic scale, or NAME=A,B,C; "
    "if given, no other is searched.",
)  # fmt: skip
@click.option(
    "--score", type=Setting(str, ("last", "curve")), default="last",
    help="Mean return of a run's last evaluation, or of all of them, so that fast ones win.  [default: last]",
)  # fmt: skip
@click.option("--out", metavar="DIR", help="Folder of the search, gone on with if it is there.  [default: runs/…]")
@click.option("--config", metavar="FILE", help="Settings as JSON or TOML; another run's config.json is one.")
@click.option("--set", "pairs", metavar="NAME=VALUE", multiple=True, help="A setting by its name in config.json.")
@click.option("--preset/--no-preset", "use_preset", default=True, help="Begin with what is known to work.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@debug_option
@click.pass_context
def tune(
    ctx: click.Context,
    /,
    env: str | None,
    trials: int,
    minutes: float | None,
    seeds: str,
    search: tuple[str, ...],
    score: str,
    out: str | None,
    config: str | None,
    pairs: tuple[str, ...],
    use_preset: bool,
    quiet: bool,
    **values: Any,
) -> None:
    """Search settings for ENV with optuna: trial after trial, each on several seeds, the poor ones cut short.

    A flag of npgrad train holds its setting fixed; the rest begins with the preset or the default, and what matters
    most of it is searched around there. The folder holds best.json for npgrad train --config, and what goes on when
    the command is given again. Several of them may work on one folder.
    """
    from ..training.evaluation import rounded
    from .search import Search, run_search

    given = given_by(ctx, values)
    if env is not None:
        given["env"] = env
    import_from_here()
    with as_usage_error(ctx):
        kinds = kinds_of(ctx)
        in_file = read_settings(config, kinds) if config else {}
        fixed = {**in_file, **said_by(ctx, given, pairs)}
        fixed = {k: v for k, v in fixed.items() if k not in NOT_FIXED[1:]} | {"algo": ctx.meta[FLAGS].algo}
        if not fixed.get("env"):
            raise click.UsageError("name an environment, as in: npgrad tune CartPole-v1", ctx)
        known = preset_for(fixed["env"], fixed["algo"], fixed.get("policy")) if use_preset else {}
        start = new_plan(fixed, known, kinds[-1], given)
        if start.settings.eval_every == 0:
            raise click.UsageError("eval_every is 0, but trials are judged by evaluations; give a number", ctx)
        ranges = ranges_of(search, kinds) if search else default_ranges(start.hyper, fixed)
        require_search(ranges, {k: v for k, v in fixed.items() if k not in ("env", "algo")})
        path = Path(out or f"runs/{fixed['env'].replace('/', '-').replace(':', '-')}-{fixed['algo']}-tune")
        asked = Search(start, {k: known[k] for k in start.from_preset} | fixed, ranges, seeds_of(seeds), score, path)
    found = run_search(asked, trials=trials, minutes=minutes, quiet=quiet)
    if quiet:
        return
    if found is None:
        click.echo(f"no trial has come to its end; more of them: npgrad tune … --out {quote(path.as_posix())}")
        return
    flags = " ".join(_flag(name, value) for name, value in found.values.items())
    (best,) = rounded(found.score)
    click.echo(
        f"best      {best}  (mean over {len(asked.seeds)} seeds; trial {found.number} of {found.n_trials}, "
        f"{found.n_pruned} cut short)\nsettings  {flags}\n"
        f"train     npgrad train --config {quote((path / 'best.json').as_posix())}"
    )


def _flag(name: str, value: Any) -> str:
    """As the command line takes it."""
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag} {typed(value)}"
