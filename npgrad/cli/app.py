"""The `npgrad` command: its sub-commands, and what errors look like."""

from __future__ import annotations

import gc
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib import import_module
from typing import Any, NoReturn

import click

from .._version import __version__
from ..errors import NpgradError, UnknownName

__all__ = ["cli", "debug_option", "main"]

# name → where it is and what it does, so that help imports none of them
COMMANDS = {
    "train": ("npgrad.cli.train:train", "Train an agent in an environment."),
    "record": ("npgrad.cli.record:record", "Record demonstrations of an agent or a function."),
    "clone": ("npgrad.cli.clone:clone", "Clone the behaviour in demonstrations."),
    "dagger": ("npgrad.cli.dagger:dagger", "Learn from an expert who is asked about the learner's own states."),
    "eval": ("npgrad.cli.evaluate:evaluate", "Evaluate a trained agent in Gymnasium's original environment."),
    "sweep": ("npgrad.cli.sweep:sweep", "Train many settings on many seeds, in parallel; one table, one picture."),
    "plot": ("npgrad.cli.plot:plot", "Draw the learning curves of one run or many."),
    "compare": ("npgrad.cli.compare:compare", "Say which of two runs, or series of runs, is better, and how surely."),
    "watch": ("npgrad.cli.watch:watch", "Watch a trained agent, on the screen or as a GIF or MP4."),
    "info": ("npgrad.cli.info:info", "Say what an agent is: policy, spaces, size, score, speed."),
    "verify": ("npgrad.cli.verify:verify", "Check every statement of the lectures, and show by how much it holds."),
    "export": ("npgrad.cli.export:export", "Export a trained agent to C, ONNX or one Python file."),
    "variance": ("npgrad.cli.variance:variance", "Measure how much estimators of the gradient vary."),
    "warmup": ("npgrad.cli.warmup:warmup", "Compile all kernels now, so that nothing has to be compiled later."),
    "bench": ("npgrad.cli.bench:bench", "Measure speed, beside other libraries where there are any."),
    "tune": ("npgrad.cli.tune:tune", "Search settings for an environment with optuna."),
    "list": ("npgrad.cli.listing:listing", "List algorithms, policies, baselines and environments."),
}

COLOURS = r"\x1b\[[0-9;]*m"  # of a terminal

EPILOG = """Exit status: 0 done, or stopped by one Ctrl-C and saved; 130 stopped at once by a second one; 2 wrong usage;
1 any other failure."""


def debug_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--debug`` to a command; `main` looks for it itself."""
    return click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks.")(command)


class _LazyGroup(click.Group):
    """Commands that are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name][0].split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(str(UnknownName("command", args[0], COMMANDS)), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="npgrad")
@debug_option
def cli() -> None:
    """Policy gradients with every gradient derived by hand.

    Start with:  npgrad train CartPole-v1
    """


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    args = list(sys.argv[1:] if argv is None else argv)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started this
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    gc.set_threshold(20_000)  # amid imports, looking for garbage takes a quarter of a short run
    status = _run(args)
    gc.freeze()  # nor is there any to look for at the end
    sys.exit(status)


@contextmanager
def _short_warnings() -> Iterator[None]:
    """Warnings as one line without the place in the code, and without the colours that Gymnasium gives its own."""
    before = warnings.formatwarning
    over_the_bar = "\r\x1b[K" if sys.stderr.isatty() else ""

    def line(message: Warning | str, *_: Any, **__: Any) -> str:
        return f"{over_the_bar}Warning: {re.sub(COLOURS, '', str(message)).removeprefix('WARN: ')}\n"

    warnings.formatwarning = line
    try:
        yield
    finally:
        warnings.formatwarning = before


def _run(args: list[str]) -> int:
    debug = "--debug" in args
    try:
        with nullcontext() if debug else _short_warnings():
            status = cli.main(args, prog_name="npgrad", standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped at once; what the last checkpoint holds is kept", err=True)
        return 130
    except BrokenPipeError:
        # the reader has gone; keep Python from flushing into the pipe once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if debug:
            raise
        kind = "" if isinstance(error, NpgradError) else f"{type(error).__name__}: "
        line = " ".join(f"{kind}{error}".split())
        hint = "" if isinstance(error, NpgradError) else " (--debug shows where)"
        click.echo(f"Error: {line}{hint}", err=True)
        return 1
