"""A run folder: everything a run leaves behind, each file whole at any moment."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..deploy import Agent
from ..errors import CorruptFile, RunFolderError
from ..files import write_text
from ..types import FloatArray, IntArray, State
from .checkpoint import Checkpoint, Evaluation, load_checkpoint, save_checkpoint
from .config import CONFIG, read_config
from .curve import learning_curve_svg
from .tables import Table

__all__ = ["RunFolder", "new_folder"]

PROGRESS = "progress.csv"
MONITOR = "monitor.csv"
AGENT = "agent.npz"
LAST_AGENT = "last_agent.npz"
CHECKPOINT = "checkpoint.npz"
PREVIOUS = "checkpoint.prev.npz"
CURVE = "learning_curve.svg"


class RunFolder:
    """The files of one run.

    ===================== ==============================================================================
    config.json           what was asked for, with all defaults filled in, and the versions that ran
    progress.csv          a row an iteration, under Stable-Baselines3's keys
    monitor.csv           a row an episode: return r, length l, seconds since the start t
    agent.npz             the best evaluated agent; the last one if there was no evaluation
    last_agent.npz        the agent of the last checkpoint
    checkpoint.npz        the run between two iterations, checksummed; the one before is kept beside it
    learning_curve.svg    a picture of it
    ===================== ==============================================================================

    Make one with `create`, `create_default` or `reopen`. The folder is locked until `close`, where the system can.

    Parameters
    ----------
    path : Path
        An existing folder.
    config : mapping
        What ``config.json`` says.
    """

    def __init__(self, path: Path, config: Mapping[str, Any]) -> None:
        self.path = path
        self.config = dict(config)
        self._lock = _lock(path)
        self._monitor: Table | None = None
        self._progress: Table | None = None

    @classmethod
    def create(cls, path: str | Path, config: Mapping[str, Any]) -> RunFolder:
        """A new run in `path`, which is made if need be.

        Raises
        ------
        RunFolderError
            If there is a run already, or the folder cannot be written.
        """
        folder = Path(path)
        with _reported(folder):
            folder.mkdir(parents=True, exist_ok=True)
            used = [name for name in _NAMES if os.path.lexists(folder / name)]
        if used:
            raise RunFolderError(
                f"{folder} holds a run already (it has {used[0]}); continue it with --resume {folder}, "
                "or choose another --out"
            )
        return cls._begin(folder, config)

    @classmethod
    def create_default(
        cls, env_id: str, algo: str, seed: int, config: Mapping[str, Any], root: str = "runs"
    ) -> RunFolder:
        """A new run in ``runs/<env>-<algo>-seed<S>``, or that name with the first free of ``-2``, ``-3``, ….

        Raises
        ------
        RunFolderError
            If the folder cannot be written.
        """
        return cls._begin(new_folder(f"{env_id}-{algo}-seed{seed}", root), config)

    @classmethod
    def reopen(cls, path: str | Path) -> RunFolder:
        """The run in `path`, to continue it.

        Raises
        ------
        RunFolderError
            If there is none, or another process is at work on it.
        CorruptFile
            If its ``config.json`` cannot be read.
        """
        return cls(Path(path), read_config(path))

    @classmethod
    def _begin(cls, path: Path, config: Mapping[str, Any]) -> RunFolder:
        folder = cls(path, config)
        try:
            folder.write_config(config)
        except BaseException:
            folder.close()
            raise
        return folder

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Replace ``config.json``."""
        self.config = dict(config)
        with _reported(self.path):
            write_text(self.path / CONFIG, json.dumps(self.config, indent=2) + "\n")

    def start(self) -> None:
        """Begin with empty tables, whatever was there."""
        with _reported(self.path):
            comment = json.dumps({"t_start": time.time(), "env_id": str(self.config.get("env", ""))})
            self._monitor = Table.create(self.path / MONITOR, ("r", "l", "t"), comment)
            (self.path / PROGRESS).unlink(missing_ok=True)
            self._progress = None

    def load(self) -> Checkpoint | None:
        """The newest whole checkpoint, with the tables cut back to it; None if there is no checkpoint.

        Raises
        ------
        CorruptFile
            If there are checkpoints but all are damaged, or a table lacks rows.
        """
        with _reported(self.path):
            checkpoint = self._newest()
            if checkpoint is not None:
                self._monitor = Table(self.path / MONITOR, checkpoint.monitor_rows)
                rows = checkpoint.progress_rows
                self._progress = Table(self.path / PROGRESS, rows) if rows else None
        return checkpoint

    def _newest(self) -> Checkpoint | None:
        newest, previous = self.path / CHECKPOINT, self.path / PREVIOUS
        damaged: CorruptFile | None = None
        for path in (newest, previous):
            try:
                checkpoint = load_checkpoint(path)
            except FileNotFoundError:
                continue
            except CorruptFile as error:
                damaged = damaged or error
                continue
            if path is previous:
                os.replace(previous, newest)  # never let the damaged one become the previous one
            return checkpoint
        if damaged:
            raise CorruptFile(f"{damaged}; delete {newest} and {previous.name} to start this run over") from damaged
        return None

    def log(self, row: Mapping[str, float | None]) -> None:
        """Add a row to ``progress.csv``."""
        with _reported(self.path):
            if self._progress is None:
                self._progress = Table.create(self.path / PROGRESS, row)
            self._progress.append_mapping(row)

    def record(self, returns: FloatArray, lengths: IntArray, seconds: float) -> None:
        """Add finished episodes to ``monitor.csv``."""
        if self._monitor is None:
            self.start()
        with _reported(self.path):
            for r, l in zip(returns.tolist(), lengths.tolist(), strict=True):
                self._monitor.append((r, l, seconds))  # type: ignore[union-attr]

    @property
    def rows(self) -> tuple[int, int]:
        """How many rows ``progress.csv`` and ``monitor.csv`` have."""
        return (self._progress.rows if self._progress else 0, self._monitor.rows if self._monitor else 0)

    def save(self, checkpoint: Checkpoint, best: Agent, last: Agent, final: bool = False) -> None:
        """Write the agents and the checkpoint; the tables reach the disk first.

        The checkpoint before is kept; a final one is kept twice, so that damage to one copy loses nothing.
        """
        newest, previous = self.path / CHECKPOINT, self.path / PREVIOUS
        with _reported(self.path):
            for table in (self._progress, self._monitor):
                if table:
                    table.sync()
            evaluation = checkpoint.best_evaluation
            self._label(best, checkpoint.best or checkpoint.state, evaluation).save(self.path / AGENT)
            self._label(last, checkpoint.state, None).save(self.path / LAST_AGENT)
            if newest.exists() and not final:
                os.replace(newest, previous)
            for path in (newest, previous) if final else (newest,):
                save_checkpoint(path, checkpoint)

    def _label(self, agent: Agent, state: State, evaluation: Evaluation | None) -> Agent:
        """The agent, with where it comes from."""
        keys = ("algo", "policy", "policy_options", "env_kwargs", "fresh", "seed", "hyperparameters")
        info = {"env_id": str(self.config.get("env", ""))} | {k: self.config[k] for k in keys if k in self.config}
        info["timesteps"] = state.timesteps
        if evaluation is not None:
            result = evaluation.result
            info |= {"mean_return": result.mean_return, "ci95": result.interval, "eval_episodes": len(result.returns)}
        return replace(agent, info={**agent.info, **info})

    def episodes(self) -> tuple[FloatArray, IntArray]:
        """Returns and lengths in ``monitor.csv``, shape (n,) each."""
        if self._monitor:
            self._monitor.flush()
        lines = [line.split(",") for line in (self.path / MONITOR).read_text(encoding="utf-8").splitlines()[2:]]
        return np.array([float(r) for r, _, _ in lines]), np.array([int(l) for _, l, _ in lines], np.int64)

    def draw(self, evaluations: Sequence[Evaluation], threshold: float | None) -> None:
        """Write ``learning_curve.svg``."""
        names = (("env", ""), ("algo", ""), ("seed", "seed "))
        title = " · ".join(f"{label}{self.config[key]}" for key, label in names if key in self.config)
        with _reported(self.path):
            svg = learning_curve_svg(*self.episodes(), evaluations, title=title, threshold=threshold)
            write_text(self.path / CURVE, svg)

    def close(self) -> None:
        """Close the tables and let go of the folder."""
        tables, self._progress, self._monitor = (self._progress, self._monitor), None, None
        try:
            with _reported(self.path):
                for table in tables:
                    if table:
                        table.close()
        finally:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None


_NAMES = (CONFIG, PROGRESS, MONITOR, AGENT, LAST_AGENT, CHECKPOINT, PREVIOUS, CURVE)


def new_folder(name: str, root: str = "runs") -> Path:
    """``root/name``, made, or that with the first free of ``-2``, ``-3``, …; the name as one part of a path.

    Raises
    ------
    RunFolderError
        If it cannot be made.
    """
    plain, number = plain_name(name), 1
    while True:
        folder = Path(root) / (plain if number == 1 else f"{plain}-{number}")
        with _reported(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            try:
                folder.mkdir()
                return folder
            except FileExistsError:
                number += 1


def plain_name(name: str) -> str:
    """`name` as one part of a path: letters, digits and ``._+-``, not hidden."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", name).lstrip(".-") or "run"


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    """Turn errors of the file system into `RunFolderError` with a remedy."""
    try:
        yield
    except RunFolderError:
        raise
    except OSError as error:
        raise RunFolderError(
            f"cannot write to {path} ({error.strerror or error}); make room or set permissions and go on with "
            f"--resume {path}, or choose another --out"
        ) from error


def _lock(path: Path) -> int | None:
    """Hold `path` against other processes for as long as the number returned stays open; None where none can."""
    try:
        import fcntl
    except ImportError:
        return None
    handle = None
    try:
        handle = os.open(path, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)  # type: ignore[arg-type]
        raise RunFolderError(f"{path} is in use by another process; wait for it, or choose another --out") from error
    except OSError:  # a file system without locks
        pass
    return handle
