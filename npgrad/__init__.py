"""npgrad: policy gradients with every gradient derived by hand.

Public names are imported at their first use, so that `import npgrad` costs what NumPy costs, and acting with a trained
agent needs neither numba nor Gymnasium.
"""

from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .algorithms.reinforce import REINFORCE as REINFORCE
    from .deploy import Agent as Agent
    from .deploy import load_agent as load_agent
    from .policies import make_policy as make_policy
    from .rollouts import make_rollout as make_rollout
    from .training import evaluate_policy as evaluate_policy
    from .types import Batch as Batch
    from .types import State as State

_HOMES = {  # public name: its module
    "Agent": "deploy",
    "Batch": "types",
    "REINFORCE": "algorithms.reinforce",
    "State": "types",
    "evaluate_policy": "training",
    "load_agent": "deploy",
    "make_policy": "policies",
    "make_rollout": "rollouts",
}

__all__ = [
    "REINFORCE",
    "Agent",
    "Batch",
    "State",
    "__version__",
    "evaluate_policy",
    "load_agent",
    "make_policy",
    "make_rollout",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
