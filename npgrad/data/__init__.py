"""Demonstrations: what somebody saw and did, in a file of their own, recorded from agents and functions, or Minari's.

Names resolve at first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .acting import Actor, FunctionPolicy
    from .demonstrations import Demonstrations
    from .goals import GoalColumns, goal_columns, relabel
    from .minari_datasets import from_minari, to_minari
    from .recording import demonstrations_of, record
    from .storage import load_demonstrations, save_demonstrations

_WHERE = {
    "Actor": "acting",
    "Demonstrations": "demonstrations",
    "FunctionPolicy": "acting",
    "GoalColumns": "goals",
    "demonstrations_of": "recording",
    "from_minari": "minari_datasets",
    "goal_columns": "goals",
    "load_demonstrations": "storage",
    "record": "recording",
    "relabel": "goals",
    "save_demonstrations": "storage",
    "to_minari": "minari_datasets",
}

__all__ = [
    "Actor",
    "Demonstrations",
    "FunctionPolicy",
    "GoalColumns",
    "demonstrations_of",
    "from_minari",
    "goal_columns",
    "load_demonstrations",
    "record",
    "relabel",
    "save_demonstrations",
    "to_minari",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f".{_WHERE[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
