"""`npgrad bench`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from .app import debug_option
from .options import Setting

__all__ = ["bench"]


@click.command("bench", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", type=Setting(tuple[str, ...]), help="Rows or groups by name, as in gradients,act-linear.")
@click.option("--peers", "python", metavar="PYTHON", help="Interpreter that has PyTorch, JAX, Stable-Baselines3, ….")
@click.option("--list", "listed", is_flag=True, help="Name all rows and measure none.")
@click.option(
    "--out", metavar="PAGE", type=click.Path(dir_okay=False, path_type=Path), help="Write a page, with older rows kept."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@debug_option
@click.pass_context
def bench(
    ctx: click.Context,
    only: tuple[str, ...] | None,
    python: str | None,
    listed: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Measure npgrad, and beside it every library found in another interpreter, in turn.

    Figures are medians; ratios are taken round by round, with their quartiles. Close other programs first. Ctrl-C keeps
    the rows that are done.
    """
    os.environ.pop("OPENBLAS_CORETYPE", None)  # some machines set it, and it halves the speed of matrix products
    from ..bench.catalogue import chosen
    from ..bench.limits import measured_limits
    from ..bench.machine import facts
    from ..bench.page import update_page
    from ..bench.peer import Peers
    from ..bench.report import line
    from ..bench.rows import measure
    from ..errors import InvalidInput

    try:
        rows = chosen(only or ())
        peers = Peers(python)
    except InvalidInput as error:
        raise click.UsageError(str(error), ctx) from None
    if listed:
        for row in rows:
            click.echo(f"{row.name:32} {row.text}")
        return
    found = {}
    limits = measured_limits().as_json()
    with peers:
        try:
            for row in rows:
                measured = measure(row, peers)
                found[row.name] = measured.as_json()
                if not as_json:
                    click.echo(line(row, measured))
        except KeyboardInterrupt:
            if not found:
                raise
            click.echo(f"stopped after {len(found)} of {len(rows)} rows, which are kept", err=True)
        about = facts() | {"peers": ", ".join(peers.versions) or "none"}
    new = {"about": about, "limits": limits, "rows": found}
    if as_json:
        click.echo(json.dumps(new, ensure_ascii=False, indent=2))
    else:
        click.echo("\n" + "\n".join(f"{name:22} {text}" for name, text in about.items()))
    if out is not None:
        update_page(out, chosen(), new)
