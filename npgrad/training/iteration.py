"""A run in progress: one iteration after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ..deploy import Agent
from ..errors import EnvironmentFailure, InvalidInput, NonFinite
from ..types import State
from ..validation import require_finite, require_positive
from .checkpoint import Checkpoint, Evaluation
from .evaluation import EvaluationResult
from .folder import RunFolder
from .metrics import Metrics
from .recipe import Recipe

__all__ = ["Callback", "Evaluate", "Limits", "LoopState", "Row", "Running", "Stopped"]

RECENT = 100  # episodes in rollout/ep_rew_mean
PLACED = (NonFinite, EnvironmentFailure, InvalidInput)  # errors that say in which iteration they arose

Evaluate = Callable[[Agent, int], EvaluationResult]
Row = dict[str, float | None]
Stopped = Literal["steps", "threshold", "time", "interrupted", "callback"]


@dataclass(frozen=True)
class LoopState:
    """What a callback sees after an iteration.

    Parameters
    ----------
    state : State
        Of the recipe.
    row : dict of str to float
        What was logged.
    evaluation : Evaluation or None
        Of this iteration, if there was one.
    recipe : Recipe
        What is run.
    """

    state: State
    row: dict[str, float]
    evaluation: Evaluation | None
    recipe: Recipe

    @property
    def agent(self) -> Agent:
        """As the iteration left it."""
        return self.recipe.agent(self.state)


Callback = Callable[[LoopState], bool | None]


@dataclass(frozen=True)
class Limits:
    """When a run is at its end.

    Parameters
    ----------
    total_timesteps : int
        At the first iteration that reaches it.
    stop_at : float, optional
        At an evaluation with this mean return.
    seconds : float, optional
        At the first iteration that ends later, counted from the start of the session.
    """

    total_timesteps: int
    stop_at: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        require_positive("total_timesteps", self.total_timesteps)
        if self.seconds is not None:
            require_positive("minutes", self.seconds / 60)


class Running:
    """One run in progress; `run` is what it is between two iterations, and is replaced whole."""

    def __init__(
        self,
        recipe: Recipe,
        run: Checkpoint,
        limits: Limits,
        folder: RunFolder | None,
        evaluate: Evaluate | None,
        eval_every: int,
        eval_episodes: int,
        callbacks: Sequence[Callback],
    ) -> None:
        self.recipe = recipe
        self.run = run
        self.limits = limits
        self.folder = folder
        self.evaluate = evaluate
        self.eval_every = eval_every
        self.eval_episodes = eval_episodes
        self.callbacks = callbacks
        self.began = time.monotonic()
        self.before = run  # this session
        self.row: Row = {}

    @property
    def mean_return(self) -> float | None:
        """Of the last episodes."""
        return float(np.mean(self.run.recent_returns)) if len(self.run.recent_returns) else None

    def reached(self) -> Stopped | None:
        """Whether the run, as it stands, is at its end."""
        best, limits = self.run.best_evaluation, self.limits
        if limits.stop_at is not None and best is not None and best.result.mean_return >= limits.stop_at:
            return "threshold"
        return "steps" if self.run.state.timesteps >= limits.total_timesteps else None

    def iterate(self) -> Stopped | None:
        """One iteration; why it was the last, if it was."""
        with self._placed():
            state, metrics = self._step()
        run = replace(
            self.run,
            state=state,
            recent_returns=np.concatenate([self.run.recent_returns, metrics.returns])[-RECENT:],
            recent_lengths=np.concatenate([self.run.recent_lengths, metrics.lengths])[-RECENT:],
        )
        due = self.eval_every and state.timesteps >= (run.next_evaluation or self.eval_every)
        late = self.limits.seconds is not None and time.monotonic() - self.began >= self.limits.seconds
        evaluation = None
        if self.evaluate and (due or late or state.timesteps >= self.limits.total_timesteps):
            with self._placed():
                result = self.evaluate(self.recipe.agent(state), self.eval_episodes)
            evaluation = Evaluation(state.timesteps, result)
            run = _with_evaluation(run, evaluation, self.eval_every)
        session = time.monotonic() - self.began
        run = replace(run, elapsed=self.before.elapsed + session)
        self.row = self._row(run, metrics, evaluation, session)
        if self.folder:
            self.folder.record(metrics.returns, metrics.lengths, round(run.elapsed, 6))
            self.folder.log(self.row)
            progress_rows, monitor_rows = self.folder.rows
            run = replace(run, progress_rows=progress_rows, monitor_rows=monitor_rows)
        self.run = run
        logged = {key: value for key, value in self.row.items() if value is not None}
        seen = LoopState(state, logged, evaluation, self.recipe) if self.callbacks else None
        asked = [callback(seen) is False for callback in self.callbacks if seen]
        return self.reached() or ("time" if late else None) or ("callback" if any(asked) else None)

    @contextmanager
    def _placed(self) -> Iterator[None]:
        """The place in every error of a number or an environment; no warnings, since the error says what is wrong."""
        before = self.run.state
        try:
            with np.errstate(all="ignore"):
                yield
        except PLACED as error:
            kind = next(kind for kind in PLACED if isinstance(error, kind))
            where = f"in iteration {before.iteration + 1}, after timestep {before.timesteps}"
            kept = f"; the last good agent is in {self.folder.path}" if self.folder else ""
            raise kind(f"{where}: {error}{kept}") from error

    def _step(self) -> tuple[State, Metrics]:
        """`recipe.step`, whose θ and critic must be finite."""
        before = self.run.state
        state, metrics = self.recipe.step(before)
        require_finite("theta", state.theta, "a smaller learning rate may help")
        for name, array in state.group("critic").items():
            if array.dtype.kind == "f":
                require_finite(f"critic/{name}", array, "a smaller critic_learning_rate or reward_scale may help")
        if state.timesteps <= before.timesteps:
            raise InvalidInput(
                f"step went from timestep {before.timesteps} to {state.timesteps}, expected it to rise; "
                "a recipe counts the environment's steps in State.timesteps"
            )
        return state, metrics

    def _row(self, run: Checkpoint, metrics: Metrics, evaluation: Evaluation | None, session: float) -> Row:
        """A row of ``progress.csv``, under Stable-Baselines3's keys; None where there is nothing to say."""
        any_episode = len(run.recent_returns) > 0
        row: Row = {
            "time/iterations": run.state.iteration,
            "time/total_timesteps": run.state.timesteps,
            "time/time_elapsed": round(run.elapsed, 6),
            "time/fps": int((run.state.timesteps - self.before.state.timesteps) / max(session, 1e-9)),
            "rollout/ep_rew_mean": float(np.mean(run.recent_returns)) if any_episode else None,
            "rollout/ep_len_mean": float(np.mean(run.recent_lengths)) if any_episode else None,
        }
        if self.evaluate:
            row["eval/mean_reward"] = evaluation.result.mean_return if evaluation else None
            row["eval/mean_ep_length"] = evaluation.result.mean_length if evaluation else None
        return row | dict(metrics.values)

    def save(self, final: bool = False) -> None:
        """Agents and checkpoint."""
        if self.folder:
            last = self.recipe.agent(self.run.state)
            best = self.recipe.agent(self.run.best) if self.run.best else last
            self.folder.save(self.run, best, last, final=final)

    def draw(self) -> None:
        """The learning curve so far."""
        if self.folder:
            self.folder.draw(self.run.evaluations, self.limits.stop_at)

    def finish(self) -> None:
        """All files as they are to stay."""
        self.save(final=True)
        self.draw()


def _with_evaluation(run: Checkpoint, evaluation: Evaluation, eval_every: int) -> Checkpoint:
    """`run` after an evaluation of its state."""
    so_far = run.best_evaluation
    better = so_far is None or evaluation.result.mean_return >= so_far.result.mean_return
    return replace(
        run,
        evaluations=(*run.evaluations, evaluation),
        best=run.state if better else run.best,
        next_evaluation=(evaluation.timesteps // eval_every + 1) * eval_every if eval_every else 0,
    )
