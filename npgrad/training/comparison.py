"""Which of two runs, or series of runs, is better, and how surely."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InvalidInput, RunFolderError
from ..types import FloatArray
from .checkpoint import load_checkpoint
from .evaluation import interquartile_mean, mean_interval
from .folder import CHECKPOINT
from .runs import find_runs, one_environment
from .statistics import difference, improvement

__all__ = ["Comparison", "compare"]

Evaluate = Callable[[Path], FloatArray]


@dataclass(frozen=True)
class Comparison:
    """Two samples of scores.

    Parameters
    ----------
    env : str
        That all runs are of.
    over : {"runs", "episodes"}
        What a score is: the mean return of one run's agent, or the return of one episode.
    x, y : array, shape (n,) and (m,)
        Of the first and the second.
    """

    env: str
    over: str
    x: FloatArray
    y: FloatArray

    def summary(self, seed: int = 0) -> dict[str, Any]:
        """Ready for JSON: of each its mean, interval and interquartile mean, then the comparison."""
        probability, interval = improvement(self.x, self.y, seed=seed)
        gain, gain_interval = difference(self.x, self.y, seed=seed)
        return {
            "env": self.env,
            "over": self.over,
            "first": _of(self.x, seed),
            "second": _of(self.y, seed),
            "probability_of_improvement": probability,
            "probability_ci95": list(interval),
            "difference": gain,
            "difference_ci95": list(gain_interval),
        }


def _of(scores: FloatArray, seed: int) -> dict[str, Any]:
    return {
        "scores": len(scores),
        "mean": float(scores.mean()),
        "ci95": list(mean_interval(scores, seed=seed)),
        "iqm": interquartile_mean(scores),
    }


def compare(first: str | Path, second: str | Path, evaluate: Evaluate | None = None) -> Comparison:
    """The scores of two run folders, or folders of run folders.

    Where both hold several runs, a score is the mean return of one run; where both are one run, that of one episode.

    Parameters
    ----------
    first, second : path
    evaluate : function (run folder) → returns, optional
        Fresh returns of the agent there. By default those of the evaluation that chose it, which flatter it a little.

    Raises
    ------
    RunFolderError
        If a path holds no run.
    InvalidInput
        If the runs are of several environments, one was never evaluated, or one side is a series and the other not.
    """
    sides = [find_runs([path]) for path in (first, second)]
    several = all(len(side) > 1 for side in sides)
    if not several and any(len(side) > 1 for side in sides):
        raise InvalidInput(
            f"{first} holds {len(sides[0])} runs, {second} {len(sides[1])}: episodes of one run say nothing of other "
            "seeds; compare two runs, or two series of them"
        )
    env = one_environment(run for side in sides for run in side)
    returns = [[(evaluate or stored_returns)(run.path) for run in side] for side in sides]
    x, y = (np.array([r.mean() for r in side]) if several else np.concatenate(side) for side in returns)
    return Comparison(env, "runs" if several else "episodes", x, y)


def stored_returns(folder: Path) -> FloatArray:
    """The returns of the evaluation that chose the agent in a run folder."""
    try:
        best = load_checkpoint(folder / CHECKPOINT).best_evaluation
    except FileNotFoundError as error:
        what = "wait for it; a clone has none: --episodes 100 evaluates its agent now"
        raise RunFolderError(f"{folder} has no {CHECKPOINT}; {what}") from error
    if best is None:
        raise InvalidInput(f"the run in {folder} was never evaluated; --episodes 100 evaluates its agent now")
    return best.result.returns
