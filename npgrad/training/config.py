"""What a run folder says of its run, read without anything heavy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import CorruptFile, RunFolderError

__all__ = ["CONFIG", "read_config"]

CONFIG = "config.json"


def read_config(path: str | Path) -> dict[str, Any]:
    """What ``config.json`` in the run folder `path` says.

    Raises
    ------
    RunFolderError
        If there is no such file.
    CorruptFile
        If it is not a JSON object.
    """
    file = Path(path) / CONFIG
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunFolderError(f"{path} is no run folder: {CONFIG} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise CorruptFile(f"{file} is not JSON ({error}); restore it, or start a new run") from error
    if not isinstance(config, dict):
        raise CorruptFile(f"{file} holds a {type(config).__name__}, expected an object; restore it, or start a new run")
    return config
