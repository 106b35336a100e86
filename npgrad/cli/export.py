"""`npgrad export`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from .app import debug_option

__all__ = ["export"]

KINDS = ("c", "onnx", "numpy")


@click.command("export", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("path", metavar="DIR", type=click.Path(exists=True, path_type=Path))
@click.option("--to", "kind", type=click.Choice(KINDS), required=True, help="C99, an ONNX model, or one Python file.")
@click.option("--out", metavar="PATH", type=click.Path(path_type=Path), help="A folder for C, else a file.")
@click.option(
    "--precision", type=click.Choice(("double", "float")), default="double", show_default=True, help="Of C and ONNX."
)
@click.option("--learning", is_flag=True, help="C: add an actor-critic that learns on the device.")
@click.option("--name", default="npg", show_default=True, help="C: of the files, and the prefix of the functions.")
@debug_option
def export(path: Path, kind: str, out: Path | None, precision: str, learning: bool, name: str) -> None:
    """Export the agent in the run folder DIR, or in an agent file, as code that needs no npgrad and owes it nothing."""
    from ..deploy.export import export_c, export_numpy, export_onnx
    from .run import agent_at

    if kind != "c" and (learning or name != "npg"):
        raise click.UsageError(f"--learning and --name are for --to c, not for --to {kind}")
    if kind == "numpy" and precision != "double":
        raise click.UsageError("--precision is for --to c and --to onnx; the Python file keeps the agent's own")
    folder, agent = path if path.is_dir() else path.parent, agent_at(path)
    if kind == "onnx":
        click.echo(export_onnx(agent, out or folder / "agent.onnx", precision))
    elif kind == "numpy":
        click.echo(export_numpy(agent, out or folder / "agent.py"))
    else:
        files = export_c(agent, out or folder / "c", precision, learning, name)
        click.echo("\n".join([*map(str, files), *_needs(files[0])]))


def _needs(source: Path) -> Iterator[str]:
    """Flash and stack, from the compilers at hand."""
    from ..deploy.export import CORTEX_M4, measure
    from ..errors import InvalidInput, MissingExtra

    for compiler, flags in (("arm-none-eabi-gcc", CORTEX_M4), ("gcc", ("-O2",))):
        try:
            yield str(measure(source, compiler, flags))
        except (MissingExtra, InvalidInput) as error:
            yield f"not measured: {error}"
