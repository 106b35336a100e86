"""The training loop: step, evaluate, log, save, until there is a reason to stop."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .. import jit
from ..deploy import Agent
from ..errors import InvalidInput, RunFolderError
from ..pool import single_blas_thread
from ..types import State
from ..validation import require_positive
from .checkpoint import Checkpoint, Evaluation
from .folder import RunFolder
from .hints import Hints
from .iteration import Callback, Evaluate, Limits, Running, Stopped
from .progress import ProgressBar
from .recipe import Recipe
from .signals import stop_on_signal

__all__ = ["TrainingResult", "train"]

DRAW_EVERY = 60.0  # seconds


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
    stopped : {"steps", "threshold", "time", "interrupted", "callback"}
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
    evaluate: Evaluate | None = None,
    eval_every: int = 0,
    eval_episodes: int = 10,
    stop_at: float | None = None,
    minutes: float | None = None,
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
    minutes : float, optional
        End with the first iteration that is done so long after the start of the session.
    callbacks : sequence of functions (LoopState) → bool or None
        Called after each iteration; False ends the run.
    progress : bool
        Show a bar on standard error, and now and then a hint when a figure is sick.
    resume : bool
        Go on from the checkpoint in `folder`; start over if there is none.
    checkpoint_every : float
        Seconds between checkpoints; 0: after every iteration.
    state : State, optional
        Where to begin, in place of ``recipe.init(seed)``, unless a checkpoint is resumed.

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
    limits = Limits(total_timesteps, stop_at, None if minutes is None else 60 * minutes)
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
    running = Running(recipe, run, limits, folder, evaluate, eval_every, eval_episodes, callbacks)
    bar = ProgressBar(total_timesteps, run.state.timesteps, show=progress, seconds=limits.seconds)
    hints = Hints() if progress else None
    saved = time.monotonic()
    draw_at = saved + DRAW_EVERY
    stopped = running.reached()
    try:
        with single_blas_thread(), jit.announcing(bar.compiling), stop_on_signal(bar.write) as request:
            while stopped is None:
                stopped = running.iterate() or ("interrupted" if request.made else None)
                bar.update(running.run.state.timesteps, running.row)
                if hints and (hint := hints.look(running.row)):
                    bar.write(f"hint: {hint}")
                if stopped is None and time.monotonic() - saved >= checkpoint_every:
                    running.save()
                    saved = time.monotonic()
                    if saved >= draw_at:
                        running.draw()
                        drawn = time.monotonic()
                        draw_at = drawn + max(DRAW_EVERY, 20 * (drawn - saved))  # a long run takes long to draw
            running.finish()
    except Exception:
        with contextlib.suppress(RunFolderError):  # the first error is the one to tell of
            running.finish()
        raise
    finally:
        bar.close()
    run = running.run
    agent = recipe.agent(run.best or run.state)
    return TrainingResult(
        run.state, agent, run.evaluations, stopped, run.best_evaluation, running.mean_return, run.elapsed
    )
