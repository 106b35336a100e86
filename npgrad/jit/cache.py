"""Compiled code on disk: one file a function, found by a hash of everything that went into it.

An entry is never out of date, only unused: what changes (a function, one it calls, a constant, numba, the processor)
changes the name of the file. So there is nothing to invalidate; files nobody read for a month are removed. A cache that
cannot be read or written costs time, never an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["directory", "load", "save"]

_SUFFIX = ".npgrad-jit"
_KEPT_SECONDS = 30 * 24 * 3600.0
_pruned: set[Path] = set()


def _candidates() -> Iterator[Path]:
    """Places for the cache, best first."""
    chosen = os.environ.get("NPGRAD_CACHE_DIR")
    if chosen:
        yield Path(chosen)
    else:
        with contextlib.suppress(RuntimeError):  # no home directory
            home = Path.home()
            if sys.platform == "win32":
                base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
            elif sys.platform == "darwin":
                base = home / "Library" / "Caches"
            else:
                base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
            yield base / "npgrad"
    user = os.getuid() if sys.platform != "win32" else "user"
    with contextlib.suppress(FileNotFoundError):  # no temporary directory
        yield Path(tempfile.gettempdir()) / f"npgrad-{user}"


def _is_ours(path: Path) -> bool:
    """Whether nobody else can put files into `path`: what is loaded from there is run."""
    if sys.platform == "win32":
        return True
    status = path.stat()
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


def directory() -> Path | None:
    """The directory of the cache, made if need be; None if there is no place to write to.

    ``$NPGRAD_CACHE_DIR``, else the platform's cache directory, else one in the temporary directory.
    """
    for path in _candidates():
        with contextlib.suppress(OSError):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if os.access(path, os.R_OK | os.W_OK | os.X_OK) and _is_ours(path):
                return path
    return None


def load(key: str) -> bytes | None:
    """The bytes stored under `key`; None if there are none, or if they are damaged."""
    place = directory()
    if place is None:
        return None
    path = place / (key + _SUFFIX)
    try:
        blob = path.read_bytes()
        os.utime(path)  # used today
    except OSError:
        return None
    check, payload = blob[:32], blob[32:]
    return payload if hashlib.sha256(payload).digest() == check else None


def save(key: str, payload: bytes) -> None:
    """Store `payload` under `key`, whole or not at all, whoever else is writing."""
    place = directory()
    if place is None:
        return
    with contextlib.suppress(OSError):
        handle, name = tempfile.mkstemp(dir=place, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(payload).digest() + payload)
            os.replace(name, place / (key + _SUFFIX))
        except OSError:
            os.unlink(name)
    _prune(place)


def _prune(place: Path) -> None:
    """Remove, once a process, the files that nobody used for a month."""
    if place in _pruned:
        return
    _pruned.add(place)
    limit = time.time() - _KEPT_SECONDS
    for pattern in ("*" + _SUFFIX, "*.part"):
        for path in place.glob(pattern):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < limit:
                    path.unlink()
