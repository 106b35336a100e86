"""Finished and unfinished runs, read from their folders."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CorruptFile, InvalidInput, RunFolderError, UnknownName
from ..types import FloatArray
from .config import CONFIG, read_config
from .folder import PROGRESS

__all__ = ["Run", "common_column", "find_runs", "grouped", "one_environment", "read_run"]

TIMES = {"time/total_timesteps": "timesteps", "time/epoch": "epochs", "time/iterations": "fits"}  # the first there is
RETURNS = ("eval/mean_reward", "rollout/ep_rew_mean")  # what is plotted if nothing else is asked for
LOSSES = ("eval/loss", "train/loss")  # where there are no returns


@dataclass(frozen=True, eq=False)
class Run:
    """What a run folder says.

    Parameters
    ----------
    path : Path
    config : mapping
        Its ``config.json``.
    columns : mapping of str to array, shape (n,)
        Its ``progress.csv``, NaN where it is empty.
    """

    path: Path
    config: Mapping[str, Any]
    columns: Mapping[str, FloatArray]

    @property
    def env(self) -> str:
        """The environment, and the arguments it was made with."""
        kwargs = self.config.get("env_kwargs") or {}
        more = ", ".join(f"{name}={value}" for name, value in kwargs.items())
        return f"{self.config.get('env', '')}{f' ({more})' if more else ''}"

    @property
    def time(self) -> str:
        """The column that it goes along: timesteps, the epochs of a clone, the fits of DAgger."""
        return next(name for name in TIMES if name in self.columns)

    def curve(self, column: str) -> tuple[FloatArray, FloatArray]:
        """Time and values of a column where it has any, shape (m,) each.

        Raises
        ------
        UnknownName
            If there is no such column.
        InvalidInput
            If it has no value yet.
        """
        if column not in self.columns:
            raise UnknownName(f"column of {self.path}", column, self.columns)
        known = np.isfinite(self.columns[column])
        if not known.any():
            raise InvalidInput(f"the column {column} of {self.path} has no value yet; choose another one")
        return self.columns[self.time][known], self.columns[column][known]


def find_runs(paths: Iterable[str | Path]) -> list[Run]:
    """The runs in `paths`: run folders, and folders of run folders, of which those that have no row are left out.

    Raises
    ------
    RunFolderError
        If a path is neither, or a run has no row yet.
    CorruptFile
        If a file of a run is damaged.
    """
    runs = []
    for path in map(Path, paths):
        if not path.exists():
            raise RunFolderError(f"{path} does not exist")
        if (path / CONFIG).exists():
            runs.append(read_run(path))
            continue
        inside = sorted((file.parent for file in path.glob(f"*/{CONFIG}")), key=_natural) if path.is_dir() else []
        if not inside:
            raise RunFolderError(f"{path} is no run folder and holds none: there is no {CONFIG}")
        found = []
        for folder in inside:
            try:
                found.append(read_run(folder))
            except RunFolderError as error:
                empty = error
        if not found:
            raise empty
        runs += found
    return runs


def read_run(path: str | Path) -> Run:
    """The run in one folder, finished or not.

    Raises
    ------
    RunFolderError
        If it is no run folder, or has no row yet.
    CorruptFile
        If a file is damaged.
    """
    folder, config = Path(path), read_config(path)
    try:
        text = (folder / PROGRESS).read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    except (OSError, ValueError) as error:
        raise CorruptFile(f"{folder / PROGRESS} cannot be read: {error}") from error
    whole = text[: text.rfind("\n") + 1]  # the run may be about to write its last line
    header, *rows = list(csv.reader(whole.splitlines())) or [[]]
    if not rows:
        raise RunFolderError(f"the run in {folder} has no row yet: it is in its first iteration, or failed in it")
    if not any(name in header for name in TIMES) or any(len(row) != len(header) for row in rows):
        raise CorruptFile(f"{folder / PROGRESS} is not the log of a run: expected columns with {next(iter(TIMES))}")
    try:
        values = np.array([[float(x) if x else np.nan for x in row] for row in rows])
    except ValueError as error:
        raise CorruptFile(f"{folder / PROGRESS} holds what is no number: {error}") from error
    return Run(folder, config, dict(zip(header, values.T, strict=True)))


def common_column(runs: Iterable[Run], column: str | None = None) -> str:
    """The full name of a column of all runs, given that or a part that no other has.

    By default it is the return, or the loss of a clone.

    Raises
    ------
    UnknownName
        If a run has no such column.

    Examples
    --------
    >>> run = Run(Path("a"), {}, {"time/total_timesteps": np.arange(2.0), "train/approx_kl": np.ones(2)})
    >>> common_column([run], "approx_kl")
    'train/approx_kl'
    """
    every = list(runs)
    if column is None:
        usual = (*RETURNS, *LOSSES)
        several = [name for name in usual if all(np.isfinite(r.columns.get(name, np.nan)).sum() > 1 for r in every)]
        return several[0] if several else RETURNS[1]
    for run in every:
        matches = [name for name in run.columns if name == column or name.endswith("/" + column)]
        parts = [name for name in run.columns if column.replace("-", "_") in name]
        if not matches and len(parts) == 1:
            matches = parts
        if not matches:
            short = [name.partition("/")[2] or name for name in run.columns]
            raise UnknownName(f"column of {run.path}", column, parts or short)
        column = matches[0]
    return column


def one_environment(runs: Iterable[Run]) -> str:
    """The environment of all runs.

    Raises
    ------
    InvalidInput
        If there are several.
    """
    first, *others = runs
    for run in others:
        if run.env != first.env:
            raise InvalidInput(f"{first.path} is of {first.env}, {run.path} of {run.env}; expected one environment")
    return first.env


def grouped(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Runs that differ in their seeds alone, under what tells them from the others.

    Examples
    --------
    >>> def run(algo, seed, rate):
    ...     return Run(Path("r"), {"algo": algo, "seed": seed, "hyperparameters": {"learning_rate": rate}}, {})
    >>> runs = [run("reinforce", 0, 0.1), run("reinforce", 1, 0.1), run("reinforce", 0, 0.3), run("ppo", 0, 0.1)]
    >>> {label: len(group) for label, group in grouped(runs).items()}
    {'reinforce, learning_rate 0.1': 2, 'reinforce, learning_rate 0.3': 1, 'ppo': 1}
    >>> list(grouped(runs[:3]))
    ['learning_rate 0.1', 'learning_rate 0.3']
    """
    every = [(run, _settings(run.config)) for run in runs]
    several = len({settings["algo"] for _, settings in every}) > 1
    groups: dict[str, list[Run]] = {}
    for run, own in every:
        alike = [settings for _, settings in every if settings["algo"] == own["algo"]]
        differ = [name for name in own if any(other.get(name) != own[name] for other in alike)]
        algo = [str(own["algo"])] if several or not differ else []
        label = ", ".join([*algo, *(f"{name} {_shown(own[name])}" for name in differ)])
        groups.setdefault(label, []).append(run)
    return groups


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a run another one, but for its seed."""
    own = {name: config.get(name) for name in ("algo", "policy", "init_from", "n_envs", "data", "expert")}
    return own | dict(config.get("policy_options", {})) | dict(config.get("hyperparameters", {}))


def _shown(value: Any) -> str:
    match value:
        case bool():
            return "on" if value else "off"
        case list():
            return "×".join(map(str, value))
        case float():
            return f"{value:g}"
        case _:
            return "none" if value is None else str(value)


def _natural(path: Path) -> list[tuple[int, str]]:
    """seed2 before seed10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]
