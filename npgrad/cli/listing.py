"""`npgrad list`."""

from __future__ import annotations

import shutil
import sys

import click

from .app import debug_option

__all__ = ["listing"]


def _algorithms() -> list[tuple[str, str]]:
    from ..algorithms.registry import ALGORITHMS

    return [(name, f"{entry.summary} ({', '.join(entry.action_spaces)})") for name, entry in ALGORITHMS.items()]


def _policies() -> list[tuple[str, str]]:
    from ..policies import POLICIES

    return list(POLICIES.items())


def _baselines() -> list[tuple[str, str]]:
    from ..baselines import BASELINES

    return [(name, (function.__doc__ or "").strip().splitlines()[0]) for name, function in BASELINES.items()]


def _environments() -> list[tuple[str, str]]:
    from ..algorithms.presets import presets
    from ..envs import COMPILED

    rows = []
    for env in sorted({*COMPILED, *presets()}):
        says = ["compiled twin"] if env in COMPILED else []
        if env in presets():
            says.append(f"preset for {', '.join(presets()[env])}")
        rows.append((env, "; ".join(says)))
    return [*rows, ("…", "any other Gymnasium id, or module:Id")]


SECTIONS = {
    "algorithms": _algorithms,
    "policies": _policies,
    "baselines": _baselines,
    "environments": _environments,
}


@click.command("list", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("what", required=False, metavar="[algorithms|policies|baselines|environments]")
@debug_option
@click.pass_context
def listing(ctx: click.Context, what: str | None) -> None:
    """List what there is; without an argument everything."""
    from ..errors import UnknownName

    if what is not None and what not in SECTIONS:
        raise click.UsageError(str(UnknownName("list", what, SECTIONS)), ctx)
    chosen = [what] if what else list(SECTIONS)
    # lines are broken for a terminal, and left whole for grep
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    for i, name in enumerate(chosen):
        formatter = click.HelpFormatter(width=width)
        formatter.current_indent = 0 if what else 2
        formatter.write_dl(SECTIONS[name]())
        if what is None:
            click.echo(("\n" if i else "") + click.style(name, bold=True))
        click.echo(formatter.getvalue(), nl=False)
