"""What npgrad raises: every message says what was expected, what came, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

__all__ = [
    "CheckFailed",
    "CorruptFile",
    "EnvironmentFailure",
    "ExpertFailure",
    "InvalidInput",
    "MissingExtra",
    "NonFinite",
    "NotImplementedBy",
    "NpgradError",
    "RunFolderError",
    "UnknownName",
    "UnsupportedSpace",
    "WorkerFailure",
]


class NpgradError(Exception):
    """Base of every error that npgrad raises on purpose."""


class InvalidInput(NpgradError, ValueError):
    """An argument of the wrong shape, dtype or range."""


class UnknownName(InvalidInput):
    """A name that is in no list; the message offers the nearest ones.

    Parameters
    ----------
    what : str
        The kind of thing that was named, as in ``"algorithm"``.
    name : str
        The name as given.
    known : iterable of str
        The names there are.

    Examples
    --------
    >>> str(UnknownName("algorithm", "reinforc", ["reinforce", "ppo"]))
    "unknown algorithm 'reinforc'; did you mean 'reinforce'?"
    >>> str(UnknownName("policy", "zzz", ["linear", "mlp"]))
    "unknown policy 'zzz'; known are 'linear', 'mlp'"
    """

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
        if near:
            hint = "did you mean " + " or ".join(f"'{n}'" for n in near) + "?"
        else:
            shown = ", ".join(f"'{n}'" for n in names[:12]) + (", …" if len(names) > 12 else "")
            hint = f"known are {shown}"
        super().__init__(f"unknown {what} '{name}'; {hint}")


class UnsupportedSpace(InvalidInput):
    """An observation or action space for which there is no policy."""


class NotImplementedBy(NpgradError, NotImplementedError):
    """A part that lacks an optional method another part needs."""


class NonFinite(NpgradError, FloatingPointError):
    """A NaN or an infinity in observations, rewards, gradients or parameters."""


class EnvironmentFailure(NpgradError, RuntimeError):
    """An environment that raised, or broke its own contract, during a rollout."""


class ExpertFailure(NpgradError, RuntimeError):
    """An expert that raised, or gave what is no action.

    Parameters
    ----------
    message : str
    kept : object, optional
        What had been gathered until then; nothing of it is lost.
    """

    def __init__(self, message: str, kept: Any = None) -> None:
        super().__init__(message)
        self.kept = kept


class WorkerFailure(NpgradError, RuntimeError):
    """Workers that died, hung or answered with what is no answer, more often than they are replaced."""


class MissingExtra(NpgradError, ImportError):
    """An optional dependency that is not installed; the message has the pip command."""


class CheckFailed(NpgradError, AssertionError):
    """A part that does not keep what `npgrad.checks` asks of it; the message is the whole report."""


class CorruptFile(NpgradError, ValueError):
    """A file that is damaged, foreign, or of a version this release cannot read."""


class RunFolderError(NpgradError, OSError):
    """A run folder that cannot be created, written or resumed."""
