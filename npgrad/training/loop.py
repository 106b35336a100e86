"""The training loop: step, evaluate, log, save, until there is a reason to stop."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ..deploy import Agent
from ..errors import EnvironmentFailure, InvalidInput, NonFinite, RunFolderError
from ..pool import single_blas_thread
from ..types import State
from ..validation import require_finite, require_positive
from .checkpoint import Checkpoint, Evaluation
from .evaluation import EvaluationResult
from .folder import RunFolder
from .metrics import Metrics
from .progress import ProgressBar
from .recipe import Recipe
from .signals import stop_on_signal

__all__ = ["Callback", "LoopState", "TrainingResult", "train"]

RECENT = 100  # episodes in rollout/ep_rew_mean
DRAW_EVERY = 60.0  # seconds

Stopped = Literal["steps", "threshold", "interrupted", "callback"]


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
class TrainingResult:
    """What a run came to.

    Parameters
    ----------
    state : State
        After the last iteration.
    agent : Agent
        The best evaluated, or the last if there was no evaluation.
    evaluations : tuple of Evaluation
        All, in order.
    stopped : {"steps", "threshold", "interrupted", "callback"}
        Why it ended.
    best : Evaluation or None
        That of `agent`.
    recent_return : float or None
        Mean over the last hundred training episodes, if any ended.
    seconds : float
        Of training, sessions before a resume included.
    """

    state: State
    agent: Agent
    evaluations: tuple[Evaluation, ...]
    stopped: Stopped
    best: Evaluation | None
    recent_return: float | None
    seconds: float


def train(
    recipe: Recipe,
    *,
    seed: int,
    total_timesteps: int,
    folder: RunFolder | None = None,
    evaluate: Callable[[Agent, int], EvaluationResult] | None = None,
    eval_every: int = 0,
    eval_episodes: int = 10,
    stop_at: float | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool = False,
    resume: bool = False,
    checkpoint_every: float = 5.0,
    state: State | None = None,
) -> TrainingResult:
    """Run a recipe for a number of timesteps.

    An iteration is `recipe.step`, an evaluation where one is due, a row of the log, the callbacks, and a checkpoint
    where one is due. Only `recipe`, `seed`, `evaluate`, `eval_every` and `eval_episodes` have an influence on what is
    computed; a run that was killed at any moment and resumed equals the uninterrupted one to the bit, clocks aside.

    Parameters
    ----------
    recipe : Recipe
        The algorithm.
    seed : int
        Key of all noise.
    total_timesteps : int
        The run ends with the first iteration that reaches it.
    folder : RunFolder, optional
        Where to write; nowhere if not given.
    evaluate : function (agent, n_episodes) → EvaluationResult, optional
        On noise of its own.
    eval_every : int
        Timesteps from one evaluation to the next; 0: only one at the end.
    eval_episodes : int
        Episodes of each evaluation.
    stop_at : float, optional
        End when an evaluation has this mean return.
    callbacks : sequence of functions (LoopState) → bool or None
        Called after each iteration; False ends the run.
    progress : bool
        Show a bar on standard error.
    resume : bool
        Go on from the checkpoint in `folder`; start over if there is none.
    checkpoint_every : float
        Seconds between checkpoints; 0: after every iteration.
    state : State, optional
        Where to begin, in place of ``recipe.init(seed)``.

    Raises
    ------
    InvalidInput
        If a number is out of range, or `stop_at` is given without `evaluate`.
    NonFinite, EnvironmentFailure
        With iteration and timestep. Whatever is raised in mid-run, the state before that iteration is saved first.
    KeyboardInterrupt
        At the second Ctrl-C. The first finishes the iteration, saves, and returns.
    RunFolderError
        If the folder cannot be written.
    """
    require_positive("total_timesteps", total_timesteps)
    require_positive("eval_episodes", eval_episodes)
    if eval_every < 0 or checkpoint_every < 0:
        raise InvalidInput(f"eval_every is {eval_every}, checkpoint_every {checkpoint_every}, expected 0 or more")
    if evaluate is None and stop_at is not None:
        raise InvalidInput("stop_at is given, but nothing evaluates the agent; pass evaluate=")
    if resume and folder is None:
        raise InvalidInput("resume needs the folder of the run; pass folder=RunFolder.reopen(path)")

    run = (folder.load() if resume and folder else None) or Checkpoint(state or recipe.init(seed))
    if folder and not run.state.iteration:
        folder.start()
    loop = _Loop(recipe, run, total_timesteps, folder, evaluate, eval_every, eval_episodes, stop_at, callbacks)
    bar = ProgressBar(total_timesteps, run.state.timesteps, show=progress)
    saved = time.monotonic()
    draw_at = saved + DRAW_EVERY
    stopped = loop.reached()
    try:
        with single_blas_thread(), stop_on_signal(bar.write) as request:
            while stopped is None:
                stopped = loop.iterate() or ("interrupted" if request.made else None)
                bar.update(loop.run.state.timesteps, loop.mean_return)
                if stopped is None and time.monotonic() - saved >= checkpoint_every:
                    loop.save()
                    saved = time.monotonic()
                    if saved >= draw_at:
                        loop.draw()
                        drawn = time.monotonic()
                        draw_at = drawn + max(DRAW_EVERY, 20 * (drawn - saved))  # a long run takes long to draw
            loop.finish()
    except Exception:
        with contextlib.suppress(RunFolderError):  # the first error is the one to tell of
            loop.finish()
        raise
    finally:
        bar.close()
    run = loop.run
    agent = recipe.agent(run.best or run.state)
    return TrainingResult(
        run.state, agent, run.evaluations, stopped, run.best_evaluation, loop.mean_return, run.elapsed
    )


class _Loop:
    """One run in progress; `run` is what it is between two iterations, and is replaced whole."""

    def __init__(
        self,
        recipe: Recipe,
        run: Checkpoint,
        total_timesteps: int,
        folder: RunFolder | None,
        evaluate: Callable[[Agent, int], EvaluationResult] | None,
        eval_every: int,
        eval_episodes: int,
        stop_at: float | None,
        callbacks: Sequence[Callback],
    ) -> None:
        self.recipe = recipe
        self.run = run
        self.total_timesteps = total_timesteps
        self.folder = folder
        self.evaluate = evaluate
        self.eval_every = eval_every
        self.eval_episodes = eval_episodes
        self.stop_at = stop_at
        self.callbacks = callbacks
        self.began = time.monotonic()
        self.before = run  # this session

    @property
    def mean_return(self) -> float | None:
        """Of the last episodes."""
        return float(np.mean(self.run.recent_returns)) if len(self.run.recent_returns) else None

    def reached(self) -> Stopped | None:
        """Whether the run, as it stands, is at its end."""
        best = self.run.best_evaluation
        if self.stop_at is not None and best is not None and best.result.mean_return >= self.stop_at:
            return "threshold"
        return "steps" if self.run.state.timesteps >= self.total_timesteps else None

    def iterate(self) -> Stopped | None:
        """One iteration; why it was the last, if it was."""
        state, metrics = self._step()
        run = replace(
            self.run,
            state=state,
            recent_returns=np.concatenate([self.run.recent_returns, metrics.returns])[-RECENT:],
            recent_lengths=np.concatenate([self.run.recent_lengths, metrics.lengths])[-RECENT:],
        )
        due = self.eval_every and state.timesteps >= (run.next_evaluation or self.eval_every)
        evaluation = None
        if self.evaluate and (due or state.timesteps >= self.total_timesteps):
            evaluation = Evaluation(state.timesteps, self.evaluate(self.recipe.agent(state), self.eval_episodes))
            run = _with_evaluation(run, evaluation, self.eval_every)
        session = time.monotonic() - self.began
        run = replace(run, elapsed=self.before.elapsed + session)
        row = self._row(run, metrics, evaluation, session)
        if self.folder:
            self.folder.record(metrics.returns, metrics.lengths, round(run.elapsed, 6))
            self.folder.log(row)
            progress_rows, monitor_rows = self.folder.rows
            run = replace(run, progress_rows=progress_rows, monitor_rows=monitor_rows)
        self.run = run
        logged = {key: value for key, value in row.items() if value is not None}
        seen = LoopState(state, logged, evaluation, self.recipe) if self.callbacks else None
        asked = [callback(seen) is False for callback in self.callbacks if seen]
        return self.reached() or ("callback" if any(asked) else None)

    def _step(self) -> tuple[State, Metrics]:
        """`recipe.step`, with the place in every error of a number or an environment."""
        before = self.run.state
        try:
            state, metrics = self.recipe.step(before)
            require_finite("theta", state.theta, "a smaller learning rate may help")
        except (NonFinite, EnvironmentFailure) as error:
            where = f"in iteration {before.iteration + 1}, after timestep {before.timesteps}"
            kept = f"; the last good agent is in {self.folder.path}" if self.folder else ""
            raise type(error)(f"{where}: {error}{kept}") from error
        if state.timesteps <= before.timesteps:
            raise InvalidInput(
                f"step went from timestep {before.timesteps} to {state.timesteps}, expected it to rise; "
                "a recipe counts the environment's steps in State.timesteps"
            )
        return state, metrics

    def _row(
        self, run: Checkpoint, metrics: Metrics, evaluation: Evaluation | None, session: float
    ) -> dict[str, float | None]:
        """A row of ``progress.csv``, under Stable-Baselines3's keys; None where there is nothing to say."""
        any_episode = len(run.recent_returns) > 0
        row: dict[str, float | None] = {
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
            self.folder.draw(self.run.evaluations, self.stop_at)

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
