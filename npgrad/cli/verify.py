"""`npgrad verify`."""

from __future__ import annotations

import json
import os
import shutil
import sys
from importlib import import_module
from pathlib import Path

import click

from .app import debug_option
from .options import Setting, in_a_folder

__all__ = ["verify"]

MANY = 40  # statements


@click.command("verify", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--section", "sections", type=Setting(int, least=0), multiple=True, help="All of a section, 1 to 10.")
@click.option("--seed", type=Setting(int, least=0), default="0", help="Of the random problems.  [default: 0]")
@click.option("--json", "as_json", is_flag=True, help="Print a list of JSON objects.")
@click.option("--explain", "explained", is_flag=True, help="Print derivations, with their numbers.")
@click.option(
    "--certificate",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_a_folder,
    help="Also write FILE.",
)
@click.option("--import", "modules", metavar="MODULE", multiple=True, help="Of yours, with statements of your own.")
@click.option("--processes", type=Setting(int, least=1), help="How many share the work.  [default: up to 2]")
@debug_option
@click.pass_context
def verify(
    ctx: click.Context,
    ids: tuple[str, ...],
    sections: tuple[int, ...],
    seed: int,
    as_json: bool,
    explained: bool,
    certificate: Path | None,
    modules: tuple[str, ...],
    processes: int | None,
) -> None:
    """Check every statement of the lectures, or those named, on random small problems, and show the residuals.

    Exit status 1 if any falls short.
    """
    from ..errors import InvalidInput
    from ..verify import CATALOGUE, Result, explain, run_each, write_certificate
    from ..verify.report import header, summary, table_row

    if modules and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for module in modules:
        import_module(module)
    try:
        chosen = [CATALOGUE[id if id in CATALOGUE else id.upper()].id for id in ids]
        chosen += [row.id for number in sections for row in CATALOGUE.section(number)]
    except InvalidInput as error:
        raise click.UsageError(str(error), ctx) from None
    chosen = list(dict.fromkeys(chosen or CATALOGUE))

    # a pipe gets 100 columns, as a terminal of that width does
    width = shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 100
    as_table = not (as_json or explained)
    if as_table:
        click.echo(header(width))
    results: list[Result] = []
    if processes is None:  # to start another costs a second
        processes = 1 if len(chosen) < MANY else min(2, os.cpu_count() or 1)
    for result in run_each(chosen, seed, processes=processes):
        results.append(result)
        if as_table:
            click.echo(table_row(result, width))
        elif explained and not as_json:
            click.echo(("\n\n" if len(results) > 1 else "") + explain(result.id, seed, result))
    if as_json:
        click.echo(json.dumps([r.as_json() for r in results], indent=2, ensure_ascii=False, allow_nan=False))
    if as_table:
        click.echo("\n" + summary(results))
    if certificate is not None:
        write_certificate(certificate, results, seed)
    ctx.exit(0 if all(r.passed for r in results) else 1)
