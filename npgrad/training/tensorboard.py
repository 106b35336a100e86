"""The log as TensorBoard reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import MissingExtra
from .iteration import LoopState

__all__ = ["TensorBoardLog"]


class TensorBoardLog:
    """A callback that writes every row of the log, by timestep.

    Parameters
    ----------
    folder : path
        Where to; ``tensorboard --logdir`` shows it. What a session that was killed wrote, and this one writes again,
        is hidden.

    Raises
    ------
    MissingExtra
        If tensorboardX is not installed.
    """

    def __init__(self, folder: str | Path) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise MissingExtra("TensorBoard logs need tensorboardX; pip install 'npgrad[tensorboard]'") from error
        self._make: Callable[[int], Any] = lambda first: SummaryWriter(str(folder), purge_step=first)
        self._writer: Any = None

    def __call__(self, seen: LoopState) -> None:
        """Write the row."""
        timesteps = seen.state.timesteps
        self._writer = self._writer or self._make(timesteps)
        for key, value in seen.row.items():
            if key != "time/total_timesteps":
                self._writer.add_scalar(key, value, timesteps)

    def close(self) -> None:
        """Flush and close."""
        if self._writer is not None:
            self._writer.close()
