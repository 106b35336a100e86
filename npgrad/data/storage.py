"""The demonstrations file: one `.npz` with arrays and a JSON header, never pickle.

header.json    format, version, spaces, number of masked columns, info
obs.npy, …     the arrays of the batch; episode i is offsets[i]:offsets[i + 1]
"""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path

from .._version import __version__
from ..deploy.archive import read_archive, write_archive
from ..deploy.codec import decode, encode
from ..errors import CorruptFile
from ..files import write_atomically
from ..types import Array, Batch
from .demonstrations import Demonstrations

__all__ = ["load_demonstrations", "save_demonstrations"]

FORMAT, VERSION = "npgrad demonstrations", 1
ARRAYS = (
    *("obs", "act", "rew", "logp", "offsets"),
    *("terminated", "truncated", "final_obs", "episode", "start"),
)  # fmt: skip
DESCRIBED = ("observation_space", "action_space", "n_masked", "info")


def save_demonstrations(demonstrations: Demonstrations, path: str | PathLike[str]) -> None:
    """Write them to one file, whole or not at all.

    Parameters
    ----------
    demonstrations : Demonstrations
    path : path
        By custom it ends in ``.npz``.

    Raises
    ------
    InvalidInput
        If info is no plain data.
    OSError
        If the file cannot be written; an older one stays as it was.
    """
    arrays: dict[str, Array] = {name: getattr(demonstrations.batch, name) for name in ARRAYS}
    header = {name: encode(getattr(demonstrations, name), name, arrays) for name in DESCRIBED}
    text = json.dumps({"format": FORMAT, "version": VERSION, **header}, indent=1, allow_nan=False)
    write_atomically(Path(path), lambda file: write_archive(file, text, arrays))


def load_demonstrations(path: str | PathLike[str]) -> Demonstrations:
    """Read demonstrations that `save_demonstrations` wrote, here or elsewhere, without trusting the file.

    Parameters
    ----------
    path : path

    Raises
    ------
    CorruptFile
        If the file is empty, damaged, foreign, of a version this release cannot read, or holds what is no
        demonstration: NaNs, actions outside their space, episodes without a step.
    OSError
        If it cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> from npgrad.data import record
    >>> path = tempfile.mkdtemp() + "/left.npz"
    >>> save_demonstrations(record(lambda obs: 0, "CartPole-v1", 2), path)
    >>> load_demonstrations(path)
    Demonstrations(2 episodes, ... steps of CartPole-v1)
    """
    try:
        if not Path(path).stat().st_size:
            raise CorruptFile("it is empty")
        text, arrays = read_archive(Path(path))
        header = json.loads(text)
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise CorruptFile(f"its header does not say {FORMAT!r}")
        if header.get("version") != VERSION:
            raise CorruptFile(f"its version is {header.get('version')!r}, expected {VERSION}; a newer npgrad may read")
        missing = [name for name in ARRAYS if name not in arrays]
        if missing:
            raise CorruptFile(f"it has no array {missing[0]}")
        batch = Batch(**{name: arrays[name] for name in ARRAYS})
        return Demonstrations(batch, **{name: decode(header[name], arrays) for name in DESCRIBED})
    except OSError:
        raise
    except Exception as error:  # constructors may raise anything on arguments that are made up
        kind = "" if isinstance(error, CorruptFile) else f"{type(error).__name__}: "
        line = " ".join(f"{kind}{error}".split())[:400]
        raise CorruptFile(f"{path} holds no demonstrations that this npgrad {__version__} can read: {line}") from error
