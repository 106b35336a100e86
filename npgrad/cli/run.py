"""One run: built, trained in its folder, summed up."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from ..errors import InvalidInput
from .plan import Plan

if TYPE_CHECKING:
    from ..deploy import Agent
    from ..training import RunFolder, TrainingResult, TrainSettings
    from ..workers import Workers

__all__ = ["agent_at", "build", "run", "settings_of_agent", "train_in", "versions", "why_it_ended"]

OF_A_GAUSSIAN = ("std", "log_std_init", "action_map")


def agent_at(path: str | Path) -> Agent:
    """The agent in a run folder, or in an agent file.

    Raises
    ------
    RunFolderError
        If a folder has none.
    """
    from ..deploy import load_agent
    from ..errors import RunFolderError
    from ..training.folder import AGENT

    place = Path(path)
    file = place / AGENT if place.is_dir() else place
    if not file.exists():
        raise RunFolderError(f"{place} has no {AGENT}: it is no run folder, or its run has saved nothing yet")
    return load_agent(file)


def settings_of_agent(agent: Agent, own: Collection[str]) -> dict[str, Any]:
    """The settings that give a run the agent's policy; `own` are the algorithm's."""
    found = {"policy": agent.info["policy"]} if "policy" in agent.info else {}
    found |= dict(agent.info.get("policy_options", {}))
    if "normalize_observations" in own:
        found["normalize_observations"] = getattr(agent.policy, "normaliser", None) is not None
    return found


def build(plan: Plan, given: Collection[str] = ()) -> Any:
    """The algorithm on its environment; `given` are the settings that the user named.

    Raises
    ------
    InvalidInput
        If the environment or its policy has no use for something that was given, no policy fits, or the environment
        is not the one that a run began with.
    """
    from ..algorithms.registry import algorithm
    from ..spaces import Box
    from ..training import TensorBoardLog
    from ..training.callbacks import load_callback

    settings = plan.settings
    model = algorithm(settings.algo).load()(
        settings.env,
        policy=settings.policy,
        policy_kwargs=asdict(plan.policy),
        seed=settings.seed,
        engine=settings.engine,
        threads=max(settings.threads, settings.workers or 1) if settings.executor == "threads" else settings.threads,
        n_envs=settings.n_envs,
        env_kwargs=dict(settings.env_kwargs or {}),
        fresh=settings.fresh,
        n_blocks=settings.n_blocks,
        workers=workers_of(settings),
        overlap=settings.overlap,
        **plan.hyper,
    )
    for name in OF_A_GAUSSIAN:
        if name in given and not isinstance(model.policy.action_space, Box):
            raise InvalidInput(
                f"{name} is {getattr(plan.policy, name)}, but {settings.env} takes {model.policy.action_space}, and "
                "that is no Gaussian's; drop it"
            )
    if settings.callback:
        load_callback(settings.callback)
    if settings.tensorboard:
        TensorBoardLog(os.devnull)
    if settings.resume:
        require_same_spaces(Path(settings.resume), model)
    if settings.init_from and not begun(settings.resume):
        model.state = model.state_from(agent_at(settings.init_from))
    return model


def workers_of(settings: TrainSettings) -> Workers | None:
    """Those of the settings, not started yet; None if there are none in other processes."""
    from ..workers import open_workers

    elsewhere = (
        settings.workers is not None or settings.address is not None or settings.executor in ("dask", "mpi", "ray")
    )
    if settings.executor == "threads" or not elsewhere:
        return None
    return open_workers(settings.executor, settings.workers, settings.address, settings.time_limit)


def begun(folder: str | Path | None) -> bool:
    """Whether there is a checkpoint to go on from."""
    from ..training.folder import CHECKPOINT

    return folder is not None and (Path(folder) / CHECKPOINT).exists()


def require_same_spaces(folder: Path, model: Any) -> None:
    """Raise if the environment is no longer the one that the run in `folder` began with."""
    from ..deploy import load_agent
    from ..training.folder import LAST_AGENT

    if not (folder / LAST_AGENT).exists():
        return
    before = load_agent(folder / LAST_AGENT).policy
    for name in ("observation_space", "action_space"):
        was, now = getattr(before, name), getattr(model.rollout, name)
        if was != now:
            raise InvalidInput(
                f"{model.rollout.env_id} has changed since the run in {folder} began: its {name.replace('_', ' ')} was "
                f"{was} and is {now}; go on in the environment as it was, or start a new run"
            )


def run(plan: Plan, model: Any) -> None:
    """Train in a run folder, and say what came of it."""
    from ..training import RunFolder

    settings = plan.settings
    say = (lambda _line: None) if settings.quiet else click.echo
    say(model.env_description)
    config = plan.config() | {"environment": model.env_description, "versions": versions()}
    if settings.resume:
        folder = RunFolder.reopen(settings.resume)
        begun, now = folder.config.get("versions", {}), config["versions"]
        changed = [f"{name} {begun[name]}" for name in begun if now.get(name) != begun[name]]
        if changed:
            say(f"begun with {', '.join(changed)}: the bits of an uninterrupted run are not promised")
        folder.write_config({**config, "versions": begun or now})
    elif settings.out:
        folder = RunFolder.create(settings.out, config)
    else:
        folder = RunFolder.create_default(settings.env, settings.algo, settings.seed, config)
    result = train_in(folder, plan, model)
    say(_summary(plan, result, folder))
    if model.workers is not None and model.workers.widest < model.workers.most:
        by_steps = plan.hyper.get("n_steps") is not None
        say(
            f"workers   at most {model.workers.widest} of {model.workers.most} had something to do: "
            f"{'more --n-blocks' if by_steps else 'fewer --n-envs or more --n-episodes'} make more units"
        )


def train_in(folder: RunFolder, plan: Plan, model: Any) -> TrainingResult:
    """Train in a folder, which is closed at the end."""
    from ..training import TensorBoardLog, train
    from ..training.callbacks import load_callback

    settings = plan.settings
    with ExitStack() as stack:
        stack.callback(folder.close)
        if model.workers is not None:
            stack.enter_context(model.workers)
        callbacks: list[Any] = [load_callback(settings.callback)] if settings.callback else []
        if settings.tensorboard:
            log = TensorBoardLog(folder.path / "tensorboard")
            stack.callback(log.close)
            callbacks.append(log)
        return train(
            model.recipe_for(settings.total_timesteps),
            seed=settings.seed,
            total_timesteps=settings.total_timesteps,
            folder=folder,
            evaluate=model.evaluate,
            eval_every=settings.eval_every or 0,
            eval_episodes=settings.eval_episodes,
            stop_at=settings.stop_at,
            minutes=settings.minutes,
            callbacks=callbacks,
            progress=not settings.quiet,
            resume=bool(settings.resume),
            checkpoint_every=settings.checkpoint_every,
            state=model.state,
        )


def versions() -> dict[str, str]:
    """Of what a run rests on, as far as it is installed."""
    from importlib import metadata

    from .._version import __version__

    found = {"python": ".".join(map(str, sys.version_info[:3])), "npgrad": __version__}
    for package in ("numpy", "numba", "gymnasium"):
        with suppress(metadata.PackageNotFoundError):  # all runs without numba, slowly
            found[package] = metadata.version(package)
    return found


def _summary(plan: Plan, result: TrainingResult, folder: RunFolder) -> str:
    from ..training.evaluation import rounded

    lines = []
    if result.best is not None:
        best = result.best.result
        mean, low, high = rounded(best.mean_return, *best.interval)
        lines.append(
            f"return    {mean}  (95% interval {low} to {high}; "
            f"{len(best.returns)} greedy episodes, best of {len(result.evaluations)} evaluations)"
        )
    elif result.recent_return is not None:
        lines.append(f"return    {rounded(result.recent_return)[0]}  (last training episodes; no evaluation yet)")
    lines.append(f"steps     {result.state.timesteps:,} in {result.seconds:.1f} s{why_it_ended(plan, result, folder)}")
    lines.append(f"folder    {folder.path}")
    lines.append(f"evaluate  npgrad eval {quote(folder.path.as_posix())}")
    return "\n".join(lines)


def why_it_ended(plan: Plan, result: TrainingResult, folder: RunFolder) -> str:
    """Behind the number of steps: nothing if they are all."""
    settings = plan.settings
    if result.stopped == "threshold":
        goes_on = "; --stop-at none goes on" if settings.resume else ""
        return f", stopped at a return of {settings.stop_at:g}{goes_on}"
    if result.stopped == "time":
        return f", the {settings.minutes:g} minutes are over"
    if result.stopped == "callback":
        return f", stopped by {settings.callback}"
    if result.stopped == "interrupted":
        return f", stopped by you; go on with: npgrad train --resume {quote(folder.path.as_posix())}"
    return ""
