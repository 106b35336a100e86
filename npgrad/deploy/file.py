"""The agent file: one `.npz` with arrays and a JSON header, never pickle.

    header.json    format, version, policy (see `codec`), info, seed, SHA-256 of the arrays, and for other readers what
                   the entries of a flat observation are called, in order
    theta.npy      θ, and one more member for each array of the policy

The same agent gives the same bytes. Loading a file executes nothing in it and allocates no more than its size.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import replace
from importlib import metadata
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from .._version import __version__
from ..errors import CorruptFile, InvalidInput, NpgradError
from ..files import write_atomically
from ..types import Array
from .agent import Agent
from .archive import read_archive, write_archive
from .codec import decode, encode
from .program import entry_names

__all__ = ["load_agent", "save_agent"]

FORMAT, VERSION = "npgrad agent", 1
MAX_NAMES = 1000  # of entries of an observation in the header
MAX_WIDTH = 10**7  # numbers in an observation or a memory


def save_agent(agent: Agent, path: str | PathLike[str]) -> None:
    """Write `agent` to one file, whole or not at all.

    Parameters
    ----------
    agent : Agent
        ``info["versions"]`` is set to the libraries at hand.
    path : path
        Where to; by custom it ends in ``.npz``.

    Raises
    ------
    InvalidInput
        If the policy has a part that is not registered (`register`), or info is no plain data.
    OSError
        If the file cannot be written; an older one stays as it was.
    """
    arrays: dict[str, Array] = {"theta": agent.theta}
    policy = encode(agent.policy, "policy", arrays)
    info = encode({**agent.info, "versions": _versions()}, "info", arrays)
    header = {"format": FORMAT, "version": VERSION, "policy": policy, "info": info, "seed": agent.seed}
    header["observations"] = list(islice(entry_names(agent.policy.observation_space), MAX_NAMES))
    text = json.dumps(header | {"sha256": _digest(arrays)}, indent=1, allow_nan=False)
    write_atomically(Path(path), lambda file: write_archive(file, text, arrays))


def load_agent(path: str | PathLike[str], on_nan: Any = "error") -> Agent:
    """Read an agent from a file that `save_agent` wrote, here or elsewhere; NumPy is all it needs.

    Parameters
    ----------
    path : path
    on_nan : "error", or an action, optional
        What the agent does where an observation has a NaN or an infinity.

    Returns
    -------
    Agent

    Raises
    ------
    CorruptFile
        If the file is damaged, foreign, or of a version this release cannot read.
    InvalidInput
        If `on_nan` is no action of this agent's.
    OSError
        If it cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> from npgrad import functions, distributions, policies, spaces
    >>> policy = policies.ComposedPolicy(
    ...     functions.Linear(1, 2), distributions.Categorical(2), spaces.Box(-1.0, 1.0), spaces.Discrete(2))
    >>> path = tempfile.mkdtemp() + "/agent.npz"
    >>> Agent(policy, np.array([-1.0, 1.0, 0.0, 0.0])).save(path)
    >>> load_agent(path).act([0.5])
    1
    """
    try:
        agent = _agent(*read_archive(Path(path)))
    except CorruptFile as error:
        line = " ".join(str(error).split())[:300]
        raise CorruptFile(f"{path} is no agent file that this npgrad {__version__} can read: {line}") from error
    return replace(agent, on_nan=on_nan)


def _agent(text: str, arrays: Mapping[str, Array]) -> Agent:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorruptFile("its header is no JSON") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise CorruptFile(f"its header does not say {FORMAT!r}")
    if header.get("version") != VERSION:
        raise CorruptFile(f"its version is {header.get('version')!r}, expected {VERSION}; a newer npgrad may read it")
    if header.get("sha256") != _digest(arrays):
        raise CorruptFile("the checksum of its arrays does not match")
    try:
        agent = Agent(
            policy=decode(header["policy"], arrays),
            theta=arrays["theta"],
            info=decode(header["info"], arrays),
            seed=header["seed"],
        )
        _try(agent)
    except Exception as error:  # constructors and policies may raise anything on arguments that are made up
        raise CorruptFile(f"its contents do not fit together ({type(error).__name__}: {error})") from error
    return agent


def _try(agent: Agent) -> None:
    """One action, so that parts that do not fit are found here and not in use."""
    policy = agent.policy
    if max(policy.n_obs, policy.n_memory) > MAX_WIDTH:
        raise InvalidInput(f"observations have {policy.n_obs} numbers, memory {policy.n_memory}; at most {MAX_WIDTH}")
    with contextlib.suppress(NpgradError), np.errstate(all="ignore"):  # a policy may have reasons to refuse zeros
        agent.step(np.zeros((1, policy.n_obs)), np.full((1, len(policy.draws)), 0.5))


def _digest(arrays: Mapping[str, Array]) -> str:
    """SHA-256 over names, dtypes, shapes and contents."""
    sha = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        sha.update(f"{name} {little.dtype.str} {arrays[name].shape}\n".encode())
        sha.update(little.tobytes())
    return sha.hexdigest()


def _versions() -> dict[str, str]:
    versions = {"npgrad": __version__, "python": platform.python_version(), "numpy": np.__version__}
    with contextlib.suppress(metadata.PackageNotFoundError):  # an agent may be saved where there is NumPy alone
        versions["gymnasium"] = metadata.version("gymnasium")
    return versions
