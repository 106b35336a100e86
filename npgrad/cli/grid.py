"""The runs of a sweep: settings by seeds, each in its folder, then what came of them in one table and one picture."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import CorruptFile, MissingExtra, NpgradError, RunFolderError
from .plan import Plan

__all__ = ["Row", "Setting", "run_sweep", "summarised"]

SWEEP = "sweep.json"
COLUMNS = ("setting", "seeds", "mean", "mean_low", "mean_high", "iqm", "iqm_low", "iqm_high", "p", "p_low", "p_high")


@dataclass(frozen=True)
class Setting:
    """One combination of what varies, and the run that it makes."""

    label: str
    plan: Plan


@dataclass(frozen=True)
class Unit:
    """One run."""

    setting: int
    seed: int
    plan: Plan
    folder: str


@dataclass(frozen=True)
class Row:
    """What came of a setting: over its seeds, with 95% intervals; P(better than the first setting)."""

    setting: str
    seeds: int
    mean: tuple[float, float, float]
    iqm: tuple[float, float, float]
    better: tuple[float, float, float]


def train_one(unit: Unit) -> tuple[int, float, float | None, str]:
    """Train a run, or go on with it: its timesteps, seconds and score; in a worker, or here."""
    from .series import one_seed

    row, goes_on = one_seed(unit.plan, unit.seed, Path(unit.folder), first=False)
    return row.steps, row.seconds, row.score, row.note if goes_on else "stopped"


def attempt(unit: Unit) -> tuple[int, float, float | None, str] | str:
    """The same, or why the run failed: others are to go on."""
    try:
        return train_one(unit)
    except NpgradError as error:
        return " ".join(str(error).split())


def run_sweep(
    settings: Sequence[Setting],
    seeds: Sequence[int],
    folder: Path,
    workers: Any = None,
    say: Callable[[str], object] | None = None,
) -> int:
    """Train what is not trained yet, and sum it up; how many runs failed.

    Raises
    ------
    RunFolderError
        If the folder holds another sweep, or cannot be written.
    WorkerFailure
        If workers are lost again and again.
    """
    from ..training.evaluation import rounded

    tell = say or (lambda _line: None)
    _claim(folder, settings)
    units = [
        Unit(i, seed, setting.plan, str(folder / _plain(setting.label)))
        for seed in seeds  # one seed of all settings after another, so that a sweep cut short compares them
        for i, setting in enumerate(settings)
    ]
    width = max(len(setting.label) for setting in settings)
    results: dict[int, Any] = {}

    def done(k: int, result: Any) -> None:
        results[k] = result
        unit = units[k]
        if isinstance(result, str):
            line = f"failed: {result}"
        else:
            steps, seconds, score, note = result
            shown = "–" if score is None else rounded(score)[0]
            line = f"{steps:>12,} steps {seconds:>8.1f} s {shown:>10}  {note}".rstrip()
        tell(f"{len(results):>4}/{len(units)}  {settings[unit.setting].label:<{width}}  seed {unit.seed:<4} {line}")

    stopped = False
    try:
        if workers is None:
            for k, unit in enumerate(units):
                done(k, attempt(unit))
                if stopped := (not isinstance(results[k], str) and results[k][3] == "stopped"):
                    break
        else:
            with workers:
                workers.map(attempt, units, done=done)
    except KeyboardInterrupt:
        stopped = True
    _sum_up(settings, units, results, folder, tell)
    if stopped:
        tell("stopped by you; the same command goes on")
    return sum(isinstance(result, str) for result in results.values())


def _sum_up(
    settings: Sequence[Setting], units: Sequence[Unit], results: Mapping[int, Any], folder: Path, tell: Any
) -> None:
    """Table and picture of what there is."""
    from ..files import write_text
    from ..training.plots import plot_runs
    from ..training.runs import find_runs

    scores: dict[str, list[float]] = {setting.label: [] for setting in settings}
    for k, result in sorted(results.items()):  # not as they came: resampling goes by places
        if not isinstance(result, str) and result[2] is not None and result[3] != "stopped":
            scores[settings[units[k].setting].label].append(result[2])
    rows = summarised({label: found for label, found in scores.items() if found})
    if not rows:
        return
    write_text(folder / "table.csv", _csv(rows))
    tell(_table(rows))
    tell(f"folder    {folder}\ntable     {folder / 'table.csv'}")
    try:
        paths = [folder / _plain(label) for label in scores if (folder / _plain(label)).exists()]
        plot_runs(find_runs(paths), folder / "curves.png", statistic="iqm")
        tell(f"picture   {folder / 'curves.png'}")
    except (MissingExtra, RunFolderError) as error:
        tell(f"no picture: {error}")


def summarised(scores: Mapping[str, Sequence[float]], resampling_seed: int = 0) -> list[Row]:
    """A row for each setting's scores over seeds; the first setting is the one to beat.

    Examples
    --------
    >>> rows = summarised({"a": [1.0, 2.0, 3.0, 4.0], "b": [5.0, 6.0, 7.0, 8.0]})
    >>> rows[1].setting, rows[1].mean[0], rows[1].iqm[0], rows[1].better[0]
    ('b', 6.5, 6.5, 1.0)
    """
    import numpy as np

    from ..training.statistics import improvement, over_runs

    rows, first = [], None
    for label, found in scores.items():
        x = np.array(found)
        first = x if first is None else first
        mean, iqm = (
            tuple(float(part[0]) for part in over_runs(x[:, None], kind, seed=resampling_seed))
            for kind in ("mean", "iqm")
        )
        p, (low, high) = improvement(x, first, seed=resampling_seed)
        rows.append(Row(label, len(x), mean, iqm, (p, low, high)))  # type: ignore[arg-type]
    return rows


def _table(rows: Sequence[Row]) -> str:
    from ..training.evaluation import rounded

    width = max(len("setting"), *(len(row.setting) for row in rows))
    first = rows[0].setting
    head = f"{'setting':<{width}} {'seeds':>6} {'mean':>9} {'95% interval':>20} {'IQM':>9} {'95% interval':>20}"
    lines = [head + ("   P(better than the first)" if len(rows) > 1 else "")]
    for row in rows:
        shown = [f"{mean:>9} {f'{low} to {high}':>20}" for mean, low, high in (rounded(*row.mean), rounded(*row.iqm))]
        line = f"{row.setting:<{width}} {row.seeds:>6} {shown[0]} {shown[1]}"
        if row.setting != first:
            line += f"   {row.better[0]:.2f}  ({row.better[1]:.2f} to {row.better[2]:.2f})"
        lines.append(line)
    return "\n".join(lines)


def _csv(rows: Sequence[Row]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((row.setting, row.seeds, *row.mean, *row.iqm, *row.better) for row in rows)
    return out.getvalue()


def _claim(folder: Path, settings: Sequence[Setting]) -> None:
    """Note what is swept, or see that it is what was swept here before."""
    from ..files import write_text

    asked = {setting.label: _config(setting.plan) for setting in settings}
    file = folder / SWEEP
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        other = [label for label in asked if label in before and before[label] != json.loads(json.dumps(asked[label]))]
        if other:
            raise RunFolderError(f"{folder} holds a sweep in which {other[0]} has other settings; choose another --out")
        write_text(file, json.dumps({**before, **asked}, indent=2) + "\n")
    except ValueError as error:
        raise CorruptFile(f"{file} cannot be read ({error}); choose another --out") from error
    except RunFolderError:
        raise
    except OSError as error:
        raise RunFolderError(f"cannot write to {folder} ({error.strerror or error}); choose another --out") from error


def _config(plan: Plan) -> dict[str, Any]:
    return replace(plan, settings=replace(plan.settings, seed=0)).config()


def _plain(label: str) -> str:
    """A label as one part of a path."""
    from ..training.folder import plain_name as plain

    return plain(label.replace("=", "_").replace(",", "+"))
