"""Files that are whole or absent: written under a temporary name, flushed to the disk, then renamed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

__all__ = ["open_inside", "write_atomically", "write_text"]


def open_inside(path: Path, mode: str) -> IO[bytes]:
    """Open a file without following a symbolic link in its last part, so that a folder cannot be escaped."""
    no_follow = getattr(os, "O_NOFOLLOW", 0)
    return open(path, mode, opener=lambda name, flags: os.open(name, flags | no_follow, 0o666))


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in the place of `path`.

    Whoever opens `path` finds the old contents or the new ones, even after a kill or a loss of power; when the disk is
    full the old file stays and the temporary one goes.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open_inside(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write `text` in UTF-8, atomically."""
    write_atomically(path, lambda file: file.write(text.encode()))
