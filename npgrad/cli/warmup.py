"""`npgrad warmup`."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from .app import debug_option

__all__ = ["warmup"]

PACKAGE = Path(__file__).parents[1]
DECLARATION = re.compile(r"^@(jit\.)?kernel\(", re.MULTILINE)


@click.command("warmup", context_settings={"help_option_names": ["-h", "--help"]})
@debug_option
def warmup() -> None:
    """Compile all kernels and environments now, so that nothing has to be compiled later.

    What is compiled stays on disk; a second call finds it there, and compiles only what has changed since.
    """
    from tqdm import tqdm

    from .. import jit
    from ..jit import cache

    if not jit.enabled():
        click.echo("kernels run as plain Python here, there is nothing to compile: numba is missing or switched off")
        return
    place = cache.directory()
    began, n_compiled = time.perf_counter(), 0
    units = list(_units())
    with tqdm(units, unit="kernel", disable=not sys.stderr.isatty(), leave=False) as bar:
        for name, compile_ in bar:
            bar.set_description_str(name)
            n_compiled += _compiled_anew(compile_())
    took = time.perf_counter() - began
    if n_compiled:
        click.echo(f"compiled {n_compiled} of {len(units)} functions in {took:.1f} s; they are kept in {place}")
    else:
        click.echo(f"all {len(units)} functions were warm, in {place}; looking took {took:.1f} s")
    if place is None:
        click.echo("no folder can be written to, so nothing is kept; set NPGRAD_CACHE_DIR to one", err=True)


def _units() -> Iterator[tuple[str, Callable[[], Any]]]:
    """What there is to compile: name, and function that does it."""
    from .. import jit
    from ..envs import COMPILED, find
    from ..rollouts import parts

    for path in sorted(PACKAGE.rglob("*.py")):
        if DECLARATION.search(path.read_text(encoding="utf-8")):
            import_module(".".join(("npgrad", *path.relative_to(PACKAGE).with_suffix("").parts)))
    for kernel in jit.all_kernels():
        if kernel.__module__.startswith("npgrad."):
            yield kernel.py_func.__name__, kernel.compile
    for forward in parts.FORWARDS:
        yield f"{forward.__name__} forward", partial(jit.env_function, forward, "forward")
    for draw in parts.DRAWS:
        yield f"{draw.__name__} draw", partial(jit.env_function, draw, "draw")
    seen = set()
    for env_id in COMPILED:
        env = find(env_id)
        for kind in ("reset", "step"):
            function = getattr(env, kind)
            if function not in seen:  # several share theirs
                seen.add(function)
                yield f"{env_id} {kind}", partial(jit.env_function, function, kind)  # for rollouts
                yield f"{env_id} {kind}", partial(jit.njit_function, function, kind)  # for Gymnasium


def _compiled_anew(compiled: Any) -> bool:
    """Whether what numba gave back was compiled now instead of loaded from the cache."""
    if hasattr(compiled, "stats"):  # a kernel: of each signature
        return bool(compiled.stats.cache_misses)
    return not compiled.cache_hits
