"""Training: the loop, the run folder, checkpoints, evaluation, the learning curve.

Names resolve at first use, so that `npgrad.training.settings` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .callbacks import KeepBest, StopAtReturn
    from .checkpoint import Checkpoint, Evaluation, load_checkpoint, save_checkpoint
    from .curve import learning_curve_svg
    from .diagnostics import diagnose
    from .evaluation import EvaluationResult, evaluate_policy, summarise
    from .folder import RunFolder
    from .iteration import Callback, LoopState
    from .loop import TrainingResult, train
    from .metrics import Metrics
    from .recipe import Recipe
    from .rewards import RewardScaling
    from .schedules import Schedule
    from .settings import TrainSettings
    from .tensorboard import TensorBoardLog

_WHERE = {
    "Callback": "iteration",
    "Checkpoint": "checkpoint",
    "Evaluation": "checkpoint",
    "EvaluationResult": "evaluation",
    "KeepBest": "callbacks",
    "LoopState": "iteration",
    "Metrics": "metrics",
    "Recipe": "recipe",
    "RewardScaling": "rewards",
    "RunFolder": "folder",
    "Schedule": "schedules",
    "StopAtReturn": "callbacks",
    "TensorBoardLog": "tensorboard",
    "TrainSettings": "settings",
    "TrainingResult": "loop",
    "diagnose": "diagnostics",
    "evaluate_policy": "evaluation",
    "learning_curve_svg": "curve",
    "load_checkpoint": "checkpoint",
    "save_checkpoint": "checkpoint",
    "summarise": "evaluation",
    "train": "loop",
}

__all__ = [
    "Callback",
    "Checkpoint",
    "Evaluation",
    "EvaluationResult",
    "KeepBest",
    "LoopState",
    "Metrics",
    "Recipe",
    "RewardScaling",
    "RunFolder",
    "Schedule",
    "StopAtReturn",
    "TensorBoardLog",
    "TrainSettings",
    "TrainingResult",
    "diagnose",
    "evaluate_policy",
    "learning_curve_svg",
    "load_checkpoint",
    "save_checkpoint",
    "summarise",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f".{_WHERE[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
