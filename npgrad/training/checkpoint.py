"""A run between two iterations, in one checksummed `.npz` without pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..deploy.archive import read_archive, write_archive
from ..errors import CorruptFile
from ..files import write_atomically
from ..types import Array, FloatArray, IntArray, State
from .evaluation import EvaluationResult

__all__ = ["Checkpoint", "Evaluation", "load_checkpoint", "save_checkpoint"]

VERSION = 1


@dataclass(frozen=True)
class Evaluation:
    """An evaluation and the timestep at which it was made."""

    timesteps: int
    result: EvaluationResult


@dataclass(frozen=True)
class Checkpoint:
    """All that the training loop is between two iterations.

    Parameters
    ----------
    state : State
        The recipe's own.
    best : State or None
        The state with the highest mean return of all evaluations, the latest of equals.
    evaluations : tuple of Evaluation
        In order of their timesteps.
    next_evaluation : int
        The timestep from which the next one is due.
    recent_returns, recent_lengths : array, shape (n,), n ≤ 100
        The last finished episodes, for the rolling means.
    progress_rows, monitor_rows : int
        How many rows of ``progress.csv`` and ``monitor.csv`` belong to this state; later ones are dropped on resume.
    elapsed : float
        Seconds of training so far.
    """

    state: State
    best: State | None = None
    evaluations: tuple[Evaluation, ...] = ()
    next_evaluation: int = 0
    recent_returns: FloatArray = field(default_factory=lambda: np.zeros(0))
    recent_lengths: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    progress_rows: int = 0
    monitor_rows: int = 0
    elapsed: float = 0.0

    @property
    def best_evaluation(self) -> Evaluation | None:
        """The evaluation of `best`."""
        return max(reversed(self.evaluations), key=lambda e: e.result.mean_return, default=None)

    def as_arrays(self) -> dict[str, Array]:
        """Every field as arrays under ``state/``, ``best/`` and ``loop/``."""
        results = [e.result for e in self.evaluations]
        numbers = ("next_evaluation", "progress_rows", "monitor_rows", "recent_returns", "recent_lengths", "elapsed")
        arrays = {f"loop/{name}": np.asarray(getattr(self, name)) for name in numbers}
        arrays["loop/evaluation_timesteps"] = np.array([e.timesteps for e in self.evaluations], np.int64)
        arrays["loop/evaluation_episodes"] = np.array([len(r.returns) for r in results], np.int64)
        arrays["loop/evaluation_returns"] = np.concatenate([np.zeros(0), *(r.returns for r in results)])
        arrays["loop/evaluation_lengths"] = np.concatenate([np.zeros(0, np.int64), *(r.lengths for r in results)])
        for name, state in (("state", self.state), ("best", self.best)):
            if state is not None:
                arrays |= {f"{name}/{key}": value for key, value in state.as_arrays().items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Checkpoint:
        """The inverse of `as_arrays`."""

        def group(prefix: str) -> dict[str, Array]:
            return {key[len(prefix) :]: value for key, value in arrays.items() if key.startswith(prefix)}

        loop, best = group("loop/"), group("best/")
        ends = np.cumsum(loop["evaluation_episodes"])[:-1]
        results = zip(
            np.split(loop["evaluation_returns"], ends), np.split(loop["evaluation_lengths"], ends), strict=True
        )
        timesteps = loop["evaluation_timesteps"].tolist()
        return cls(
            state=State.from_arrays(group("state/")),
            best=State.from_arrays(best) if best else None,
            # without evaluations, splitting leaves one empty result
            evaluations=tuple(Evaluation(t, EvaluationResult(*r)) for t, r in zip(timesteps, results, strict=False)),
            next_evaluation=int(loop["next_evaluation"]),
            recent_returns=loop["recent_returns"],
            recent_lengths=loop["recent_lengths"],
            progress_rows=int(loop["progress_rows"]),
            monitor_rows=int(loop["monitor_rows"]),
            elapsed=float(loop["elapsed"]),
        )


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` to `path`, atomically."""
    arrays = checkpoint.as_arrays()
    header = {"npgrad": "checkpoint", "version": VERSION, "sha256": _checksum(arrays)}
    write_atomically(path, lambda file: write_archive(file, json.dumps(header), arrays))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read what `save_checkpoint` wrote.

    Raises
    ------
    CorruptFile
        If the file is damaged, foreign, or of a later version.
    FileNotFoundError
        If there is none.
    """
    try:
        text, arrays = read_archive(path)
        header = json.loads(text)
        if header["npgrad"] != "checkpoint":
            raise CorruptFile(f"it is an npgrad {header['npgrad']}")
        if header["version"] > VERSION:
            raise CorruptFile(f"it has version {header['version']}, this release reads up to {VERSION}; update npgrad")
        if header["sha256"] != _checksum(arrays):
            raise CorruptFile("its checksum does not match its contents")
        return Checkpoint.from_arrays(arrays)
    except (CorruptFile, LookupError, TypeError, ValueError) as error:
        raise CorruptFile(f"{path} is damaged, or no checkpoint: {error}") from error


def _checksum(arrays: Mapping[str, Array]) -> str:
    """SHA-256 of every name, dtype, shape and content."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
