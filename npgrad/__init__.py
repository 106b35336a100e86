"""npgrad: policy gradients with every gradient derived by hand.

Public names are imported at their first use, so that ``import npgrad`` costs less than NumPy, and acting with a trained
agent needs neither numba nor Gymnasium.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .algorithms.reinforce import REINFORCE
    from .compiled_agent import compile_agent
    from .deploy import Agent, load_agent
    from .policies import make_policy
    from .rollouts import make_rollout
    from .training import evaluate_policy
    from .types import Batch, State
    from .verify.certify import certify
    from .verify.diagnose import diagnose

_WHERE = {
    "Agent": "deploy",
    "Batch": "types",
    "REINFORCE": "algorithms.reinforce",
    "State": "types",
    "certify": "verify.certify",
    "compile_agent": "compiled_agent",
    "diagnose": "verify.diagnose",
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
    "certify",
    "compile_agent",
    "diagnose",
    "evaluate_policy",
    "load_agent",
    "make_policy",
    "make_rollout",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f".{_WHERE[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
