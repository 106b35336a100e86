"""Runs of several seeds, one after another in folders of their own, and the table of what came of them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

import click

from ..errors import CorruptFile, NpgradError, RunFolderError
from .plan import Plan

__all__ = ["one_seed", "read_series", "run_series"]

SERIES = "series.json"


@dataclass(frozen=True)
class _Row:
    """What came of one seed."""

    seed: int
    steps: int
    seconds: float
    score: float | None
    interval: tuple[float, float] | None
    note: str


def read_series(path: str | Path) -> tuple[tuple[int, ...], dict[str, Any]] | None:
    """The seeds and the configuration of the series in a folder; None if it holds none.

    Raises
    ------
    CorruptFile
        If it cannot be read.
    """
    file = Path(path) / SERIES
    if not file.exists():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return tuple(map(int, content["seeds"])), dict(content["config"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise CorruptFile(
            f"{file} cannot be read ({error}); start a new series, or resume its runs one by one"
        ) from error


def run_series(plan: Plan, seeds: tuple[int, ...]) -> int:
    """Train every seed, print the table, and give the exit status: 1 if a run failed."""
    parent = _folder(plan, seeds)
    rows: list[_Row] = []
    failed = 0
    for seed in seeds:
        try:
            row, goes_on = one_seed(plan, seed, parent, first=not rows and not failed)
        except NpgradError as error:
            click.echo(f"Error: seed {seed}: {' '.join(str(error).split())}", err=True)
            failed += 1
            continue
        rows.append(row)
        if not goes_on:
            break
    if not plan.settings.quiet and rows:
        click.echo("\n".join(_table(rows)))
        if len(rows) + failed < len(seeds):
            click.echo(f"stopped by you; go on with: npgrad train --resume {quote(parent.as_posix())}")
        else:
            click.echo(f"folder    {parent}\nplot      npgrad plot {quote(parent.as_posix())}")
    return 1 if failed else 0


def _folder(plan: Plan, seeds: tuple[int, ...]) -> Path:
    """The folder of the series, with its `series.json`."""
    from ..files import write_text
    from ..training.folder import new_folder

    settings = plan.settings
    if settings.resume:
        return Path(settings.resume)
    content = json.dumps({"seeds": seeds, "config": plan.config()}, indent=2) + "\n"
    try:
        if settings.out:
            parent = Path(settings.out)
            parent.mkdir(parents=True, exist_ok=True)
            if any(os.scandir(parent)):
                raise RunFolderError(
                    f"{parent} is not empty; go on with the series in it by --resume {parent}, or choose another --out"
                )
        else:
            parent = new_folder(f"{settings.env}-{settings.algo}-seeds{_named(seeds)}")
        write_text(parent / SERIES, content)
    except RunFolderError:
        raise
    except OSError as error:
        raise RunFolderError(f"cannot write to {settings.out or 'runs'} ({error.strerror or error})") from error
    return parent


def _named(seeds: tuple[int, ...]) -> str:
    """``0-9`` for a run of them, ``1_4_7`` for others."""
    whole = len(seeds) > 1 and seeds == tuple(range(seeds[0], seeds[-1] + 1))
    return f"{seeds[0]}-{seeds[-1]}" if whole else "_".join(map(str, seeds[:6])) + ("_more" if len(seeds) > 6 else "")


def one_seed(plan: Plan, seed: int, parent: Path, first: bool) -> tuple[_Row, bool]:
    """The run of one seed, gone on with if it is there; and whether the next one is to follow."""
    from ..training import RunFolder
    from ..training.config import CONFIG
    from .run import build, train_in, versions, why_it_ended

    path = parent / f"seed{seed}"
    there = (path / CONFIG).exists()
    own = plan.with_settings(seed=seed, out=str(path), resume=str(path) if there else None)
    model = build(own)
    if first and not plan.settings.quiet:
        click.echo(f"{model.env_description}\n{HEAD}")
    config = own.config() | {"environment": model.env_description, "versions": versions()}
    folder = RunFolder.reopen(path) if there else RunFolder.create(path, config)
    if there:
        folder.write_config({**config, "versions": folder.config.get("versions", config["versions"])})
    try:
        result = train_in(folder, own, model)
    finally:
        model.rollout.close()
    best = result.best.result if result.best else None
    row = _Row(
        seed,
        result.state.timesteps,
        result.seconds,
        best.mean_return if best else result.recent_return,
        best.interval if best else None,
        why_it_ended(own, result, folder).split(";")[0].removeprefix(", "),
    )
    if not plan.settings.quiet:
        click.echo(_line(row))
    return row, result.stopped != "interrupted"


HEAD = f"{'seed':>6}{'steps':>13}{'seconds':>10}{'return':>10}   95% interval"


def _line(row: _Row) -> str:
    from ..training.evaluation import rounded

    score = "–" if row.score is None else rounded(row.score)[0]
    interval = " to ".join(rounded(*row.interval)) if row.interval else ""
    return f"{row.seed:>6}{row.steps:>13,}{row.seconds:>10.1f}{score:>10}   {interval:<20} {row.note}".rstrip()


def _table(rows: Sequence[_Row]) -> list[str]:
    """Over the seeds: mean with its interval, interquartile mean."""
    from ..training.evaluation import interquartile_mean, mean_interval, rounded

    scores = [row.score for row in rows if row.score is not None]
    if not scores:
        return []
    n, ends = len(scores), mean_interval(scores, seed=0)
    mean, iqm, low, high = rounded(sum(scores) / n, interquartile_mean(scores), *ends)
    return [
        f"mean      {mean}  (95% interval {low} to {high}, over {n} seeds)",
        f"IQM       {iqm}",
        f"steps     {sum(row.steps for row in rows):,} in {sum(row.seconds for row in rows):.1f} s",
    ]
