"""The algorithms by name; listing them imports none."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ..errors import UnknownName
from . import settings

__all__ = ["ALGORITHMS", "AlgorithmEntry", "algorithm"]


@dataclass(frozen=True)
class AlgorithmEntry:
    """An algorithm in the list.

    Parameters
    ----------
    summary : str
        One line.
    action_spaces : tuple of str
        What it can act in.
    Settings : type
        The dataclass of its hyper-parameters.
    where : str
        ``module:class``.
    """

    summary: str
    action_spaces: tuple[str, ...]
    Settings: type[Any]
    where: str

    def load(self) -> type[Any]:
        """The class, with learn, predict, save and load."""
        module, name = self.where.split(":")
        found: type[Any] = getattr(import_module(module), name)
        return found


ALGORITHMS: dict[str, AlgorithmEntry] = {
    "reinforce": AlgorithmEntry(
        summary="Monte Carlo policy gradient with an unbiased leave-one-out baseline",
        action_spaces=("Discrete", "Box"),
        Settings=settings.ReinforceSettings,
        where="npgrad.algorithms.reinforce:REINFORCE",
    ),
}


def algorithm(name: str) -> AlgorithmEntry:
    """The entry of that name.

    Raises
    ------
    UnknownName
        With near matches.

    Examples
    --------
    >>> algorithm("reinforce").load().__name__
    'REINFORCE'
    """
    if name not in ALGORITHMS:
        raise UnknownName("algorithm", name, ALGORITHMS)
    return ALGORITHMS[name]
