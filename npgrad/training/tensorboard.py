"""The log as TensorBoard reads it."""

from __future__ import annotations

from pathlib import Path

from ..errors import MissingExtra
from .iteration import LoopState

__all__ = ["TensorBoardLog"]


class TensorBoardLog:
    """A callback that writes every row of the log, by timestep.

    Parameters
    ----------
    folder : path
        Where to; ``tensorboard --logdir`` shows it.
    done : int, optional
        Timesteps that the run has behind it: what an earlier session wrote beyond them is dropped.

    Raises
    ------
    MissingExtra
        If tensorboardX is not installed.
    """

    def __init__(self, folder: str | Path, done: int = 0) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise MissingExtra("TensorBoard logs need tensorboardX; pip install 'npgrad[tensorboard]'") from error
        self._writer = SummaryWriter(str(folder), purge_step=done + 1 if done else None)

    def __call__(self, seen: LoopState) -> None:
        """Write the row."""
        for key, value in seen.row.items():
            if key != "time/total_timesteps":
                self._writer.add_scalar(key, value, seen.state.timesteps)

    def close(self) -> None:
        """Flush and close."""
        self._writer.close()
