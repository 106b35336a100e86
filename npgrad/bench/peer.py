"""This end of the pipe to a peer: a process of another interpreter, which times its own work when asked."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InvalidInput

__all__ = ["PEERS", "Peer", "Peers", "Remote", "environment"]

FOLDER = Path(__file__).parent / "peers"
PEERS = {  # name → the module that must be there
    "torch": "torch",
    "jax": "jax",
    "sb3": "stable_baselines3",
    "sb3-contrib": "sb3_contrib",
    "gymnasium": "gymnasium",
    "gymnax": "gymnax",
}


def environment() -> dict[str, str]:
    """Variables for processes that are measured: as the user has them, but with OpenBLAS and imports at their best.

    Without bytecode a checkout takes a third longer to start than the package that pip installs.
    """
    slow = {"OPENBLAS_CORETYPE", "PYTHONDONTWRITEBYTECODE"}
    return {name: value for name, value in os.environ.items() if name not in slow}


@dataclass(frozen=True)
class Remote:
    """A case in a peer's process, as a `Clock`; the digest of what it computes, and the units of work of a call."""

    peer: Peer
    case: int
    digest: list[float] | None
    units: float = 1.0

    def seconds(self, calls: int) -> float:
        """How long `calls` calls take there."""
        return float(self.peer.ask(do="run", case=self.case, calls=calls)["seconds"])


class Peer:
    """A library in a process of its own.

    Parameters
    ----------
    python : str
        Its interpreter.
    name : str
        Which of the scripts in ``peers/``.
    """

    def __init__(self, python: str, name: str) -> None:
        self._process = subprocess.Popen(
            [python, str(FOLDER / "host.py"), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(),
            start_new_session=True,  # Ctrl-C is for npgrad alone
        )
        self.name = name
        self.about: str = self.ask(do="about")["about"]

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises
        ------
        InvalidInput
            If the process has ended, or could not do it.
        """
        to, back = self._process.stdin, self._process.stdout
        if to is None or back is None or self._process.poll() is not None:
            raise InvalidInput(f"the process of {self.name} has ended; is everything it needs in that interpreter?")
        to.write(json.dumps(request) + "\n")
        to.flush()
        line = back.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "its process ended"}
        if "error" in answer:
            raise InvalidInput(f"{self.name} cannot do {request.get('case', request['do'])}: {answer['error']}")
        return answer

    def start(self, case: str, units: float = 1.0, **settings: Any) -> Remote:
        """Prepare a case there."""
        answer = self.ask(do="start", case=case, **{"with": settings})
        return Remote(self, answer["case"], answer["digest"], units)

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


class Peers:
    """The peers that an interpreter has, each started at its first use.

    Parameters
    ----------
    python : str or None
        None for no peers.

    Raises
    ------
    InvalidInput
        If there is no such interpreter.
    """

    def __init__(self, python: str | None) -> None:
        self.python = python
        self.names = () if python is None else _found(python)
        self._running: dict[str, Peer] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Peers:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, name: str, case: str, label: str, **settings: Any) -> Mapping[str, Remote]:
        """A case of a peer under a label, or nothing where the peer is not installed."""
        if name not in self.names or self.python is None:
            return {}
        if name not in self._running:
            peer = self._running[name] = Peer(self.python, name)
            self._stack.callback(peer.close)
        return {label: self._running[name].start(case, **settings)}

    def clear(self) -> None:
        """Let all peers forget their cases."""
        for peer in self._running.values():
            peer.ask(do="clear")

    @property
    def versions(self) -> list[str]:
        """What those that were used say of themselves."""
        return [peer.about for peer in self._running.values()]


def _found(python: str) -> tuple[str, ...]:
    code = "import sys; from importlib.util import find_spec; print(*[m for m in sys.argv[1:] if find_spec(m)])"
    try:
        done = subprocess.run([python, "-c", code, *PEERS.values()], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise InvalidInput(f"--peers {python}: {error}; expected the Python of an environment that has them") from error
    there = done.stdout.split()
    return tuple(name for name, module in PEERS.items() if module in there)
