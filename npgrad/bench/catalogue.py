"""All rows, by group; each group's module is imported when its rows are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from ..errors import UnknownName
from .rows import Row

__all__ = ["GROUPS", "chosen"]

GROUPS = {  # group → where its rows are, and its heading
    "solve": ("processes:process_rows", "From nothing to solved"),
    "rollouts": ("collecting:collecting_rows", "Rollouts"),
    "train": ("training:training_rows", "Training"),
    "gradients": ("gradients:gradient_rows", "Gradients"),
    "scores": ("gradients:gradient_rows", "Score matrices"),
    "fisher": ("gradients:gradient_rows", "Fisher products"),
    "returns": ("collecting:collecting_rows", "Returns"),
    "act": ("processes:process_rows", "One action"),
    "start": ("processes:process_rows", "Imports and start"),
    "threads": ("processes:process_rows", "A second thread"),
    "growth": ("growth:growth_rows", "How cost grows"),
}


def chosen(names: Iterable[str] = ()) -> list[Row]:
    """The rows whose names, or beginnings of names up to a dash, are given; all, if none is.

    Raises
    ------
    UnknownName
        If there is none of that name.

    Examples
    --------
    >>> [row.name for row in chosen(["fisher"])]
    ['fisher-float32', 'fisher-float64']
    """
    rows: dict[str, Row] = {}
    wanted = list(names) or list(GROUPS)
    for name in wanted:
        group = name.partition("-")[0]
        if group not in GROUPS:
            raise UnknownName("benchmark", name, GROUPS)
        module, function = GROUPS[group][0].split(":")
        made = [row for row in getattr(import_module(f".{module}", __package__), function)() if row.group == group]
        fitting = [row for row in made if f"{row.name}-".startswith(f"{name}-")]
        if not fitting:
            raise UnknownName("benchmark", name, [row.name for row in made])
        rows |= {row.name: row for row in fitting}
    return list(rows.values())
