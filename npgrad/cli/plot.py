"""`npgrad plot`."""

from __future__ import annotations

from pathlib import Path

import click

from .app import debug_option
from .options import in_a_folder

__all__ = ["plot"]


@click.command("plot", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--column", metavar="NAME", help="Of progress.csv, as approx_kl.  [default: return, or loss]")
@click.option("--statistic", default="mean", metavar="mean|iqm", help="Over runs; iqm: interquartile mean.")
@click.option(
    "--out", default="plot.png", type=click.Path(path_type=Path), callback=in_a_folder, help="A .png, .svg or .pdf."
)
@click.option("--title", help="By default the environment.")
@debug_option
def plot(folders: tuple[Path, ...], column: str | None, statistic: str, out: Path, title: str | None) -> None:
    """Draw the learning curves of the runs in DIR: run folders, or folders of them as --seeds makes.

    Runs that differ in their seeds alone are one line, with the 95% interval that the bootstrap over them gives; a run
    that has ended counts with its last value. Unfinished runs are drawn as far as they are. Clones go along epochs,
    with losses for returns, and DAgger along its fits.
    """
    from ..errors import InvalidInput
    from ..training.plots import plot_runs
    from ..training.runs import find_runs

    try:
        lines = plot_runs(find_runs(folders), out, column, statistic, title)
    except InvalidInput as error:
        raise click.UsageError(str(error)) from error
    click.echo("\n".join([*lines, str(out)]))
