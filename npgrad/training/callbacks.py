"""Callbacks for `train` and `learn`; any function of a `LoopState` is one, and ends the run by returning False."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from ..errors import InvalidInput, UnknownName
from .iteration import Callback, LoopState

__all__ = ["KeepBest", "StopAtReturn", "load_callback"]


class StopAtReturn:
    """Ends the run when a column of the log reaches a threshold.

    Parameters
    ----------
    threshold : float
        The value to reach.
    column : str, optional
        The mean return of the last hundred training episodes by default; ``eval/mean_reward`` is that of evaluations.

    Examples
    --------
    >>> from npgrad import REINFORCE
    >>> model = REINFORCE("CartPole-v1", learning_rate=0.3, n_episodes=8).learn(10**6, callback=StopAtReturn(60.0))
    >>> model.state.timesteps < 10**5
    True
    """

    def __init__(self, threshold: float, column: str = "rollout/ep_rew_mean") -> None:
        self.threshold, self.column = threshold, column

    def __call__(self, seen: LoopState) -> bool:
        """False at the threshold."""
        return not seen.row.get(self.column, float("-inf")) >= self.threshold


class KeepBest:
    """Saves the agent whenever an evaluation is the best so far; a run folder does that by itself.

    Parameters
    ----------
    path : path
        Of the agent file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.best = float("-inf")

    def __call__(self, seen: LoopState) -> None:
        """Save, if this was the best."""
        if seen.evaluation is not None and seen.evaluation.result.mean_return >= self.best:
            self.best = seen.evaluation.result.mean_return
            seen.agent.save(self.path)


def load_callback(name: str) -> Callback:
    """The function that ``module:function`` names.

    Raises
    ------
    InvalidInput
        If there is no such module, or what it has under that name cannot be called.
    UnknownName
        If the module has no such name.

    Examples
    --------
    >>> load_callback("npgrad.training.callbacks:StopAtReturn").__name__
    'StopAtReturn'
    """
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise InvalidInput(f"callback is {name}, expected module:function, as in my_callbacks:stop_when_tired")
    try:
        found: Callable[[LoopState], bool | None] | None = getattr(import_module(module), attribute, None)
    except ImportError as error:
        raise InvalidInput(f"callback is {name}, but: {error}; is the module installed, or beside you?") from error
    if found is None:
        names = [n for n in vars(import_module(module)) if not n.startswith("_")]
        raise UnknownName(f"function of {module}", attribute, names)
    if not callable(found):
        raise InvalidInput(f"callback is {name}, a {type(found).__name__}, expected a function of a LoopState")
    return found
