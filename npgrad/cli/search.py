"""A search of settings with optuna: trials on several seeds, cut short where others did better, kept on disk."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InvalidInput, MissingExtra, NonFinite, RunFolderError
from .plan import Plan, new_plan
from .ranges import Range, typed

if TYPE_CHECKING:
    from ..training import LoopState

__all__ = ["Found", "Search", "run_search"]

JOURNAL, BEST = "trials.log", "best.json"
POINTS = 10  # of a run where trials are compared


@dataclass(frozen=True)
class Search:
    """What to search.

    Parameters
    ----------
    start : Plan
        The run that the search begins with.
    chosen : mapping
        The settings that `start` was made of, but for defaults.
    ranges : tuple of Range
    seeds : tuple of int
        A trial trains each of them.
    score : {"last", "curve"}
        Of a run: its last evaluation, or the mean over the whole budget, where a run that ended early keeps its last.
    folder : path
    """

    start: Plan
    chosen: Mapping[str, Any]
    ranges: tuple[Range, ...]
    seeds: tuple[int, ...]
    score: str
    folder: Path

    def plan(self, values: Mapping[str, Any]) -> Plan:
        """The run with these values."""
        from ..algorithms.registry import algorithm

        return new_plan({**self.chosen, **values}, {}, algorithm(self.start.settings.algo).Settings, values)

    def identity(self) -> str:
        """What trials must have in common to be compared."""
        what = self.start.config() | {"seeds": list(self.seeds), "score": self.score}
        del what["seed"]
        return json.dumps(what | {"search": [asdict(r) for r in self.ranges]}, sort_keys=True)


@dataclass(frozen=True)
class Found:
    """The best trial so far, and how many there were."""

    values: dict[str, Any]
    score: float
    number: int
    n_trials: int
    n_pruned: int


def run_search(search: Search, *, trials: int, minutes: float | None, quiet: bool) -> Found | None:
    """Try settings until there are `trials` of them in the folder; None if none has come to its end.

    Raises
    ------
    MissingExtra
        If optuna is not installed.
    RunFolderError
        If the folder cannot be written, or holds another search.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingExtra("npgrad tune needs optuna; pip install 'npgrad[tune]'") from error
    from optuna.trial import TrialState

    from ..training.evaluation import rounded

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = _study(search)
    until = None if minutes is None else time.monotonic() + 60 * minutes
    while _begun(study) < trials and (until is None or time.monotonic() < until):
        trial = study.ask()
        values = {r.name: _short(r.suggest(trial)) for r in search.ranges}
        trial.set_user_attr("values", values)
        began = time.monotonic()
        score, note = None, ""
        try:
            score = _score(search, values, trial)
        except (InvalidInput, NonFinite) as error:
            note = " ".join(str(error).split())
        except BaseException:
            study.tell(trial, state=TrialState.FAIL)
            raise
        study.tell(trial, score, state=TrialState.COMPLETE if score is not None else TrialState.PRUNED)
        if not quiet:
            shown = f"{rounded(score)[0]:>9}" if score is not None else "cut short"
            click.echo(
                f"{trial.number:>5}  {shown}  {time.monotonic() - began:6.1f} s  {_named(values)}  {note}".rstrip()
            )
        _write_best(search, study)
    return _found(study)


def _study(search: Search) -> Any:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    try:
        search.folder.mkdir(parents=True, exist_ok=True)
        storage = JournalStorage(JournalFileBackend(str(search.folder / JOURNAL)))
    except OSError as error:
        raise RunFolderError(f"cannot write to {search.folder} ({error.strerror or error})") from error
    study = optuna.create_study(
        storage=storage,
        study_name="npgrad",
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=len(search.seeds)),
        pruner=optuna.pruners.PercentilePruner(75.0, n_startup_trials=5, n_warmup_steps=POINTS - 1),
        load_if_exists=True,
    )
    identity = study.user_attrs.get("search")
    if identity is None:
        study.set_user_attr("search", search.identity())
        start = {**search.start.hyper, **asdict(search.start.policy), **asdict(search.start.settings)}
        study.enqueue_trial({r.name: typed(start[r.name]) for r in search.ranges if r.holds(start[r.name])})
    elif identity != search.identity():
        raise RunFolderError(f"{search.folder} holds a search of other settings, seeds or ranges; choose another --out")
    return study


def _score(search: Search, values: Mapping[str, Any], trial: Any) -> float | None:
    """Mean over the seeds; None if the trial was cut short."""
    watch = _Watch(search.score, trial)
    goes_on = (watch.run(search.plan(values).with_settings(seed=seed)) for seed in search.seeds)
    return watch.mean if all(goes_on) else None


class _Watch:
    """Runs of one trial: reports how they go, and ends where three quarters of others were better at the same point."""

    def __init__(self, kind: str, trial: Any) -> None:
        self.kind, self.trial = kind, trial
        self.scores: list[float] = []  # of the runs so far

    @property
    def mean(self) -> float:
        """Over the runs so far."""
        return sum(self.scores) / len(self.scores)

    def run(self, plan: Plan) -> bool:
        """Train one seed; False if the trial is to end here."""
        from ..training import train
        from .run import build

        model, settings, total = build(plan), plan.settings, plan.settings.total_timesteps
        earlier, seen = list(self.scores), [(0, 0.0)]  # timestep and mean return of every evaluation
        reported = 0

        def report(until: int, points: int) -> bool:
            nonlocal reported
            self.scores = [*earlier, _score_of(seen, self.kind, until)]
            due = range(reported, min(points, POINTS))
            for point in due:  # the same ones in every trial
                self.trial.report(self.mean, len(earlier) * POINTS + point)
            reported = max(reported, points)
            return not (due and self.trial.should_prune())

        def look(state: LoopState) -> bool:
            if state.evaluation is None:
                return True
            timesteps = state.state.timesteps
            seen.append((timesteps, state.evaluation.result.mean_return))
            return report(timesteps, POINTS * timesteps // total)

        try:
            result = train(
                model.recipe_for(total),
                seed=settings.seed,
                total_timesteps=total,
                evaluate=model.evaluate,
                eval_every=settings.eval_every or 0,
                eval_episodes=settings.eval_episodes,
                stop_at=settings.stop_at,
                callbacks=[look],
            )
        finally:
            model.rollout.close()
            if model.workers is not None:
                model.workers.close()
        if result.stopped == "interrupted":
            raise KeyboardInterrupt
        go_on = report(max(seen[-1][0], total), POINTS)
        return go_on and result.stopped != "callback"


def _score_of(seen: list[tuple[int, float]], kind: str, until: int) -> float:
    """The last mean return, or the mean over timesteps of a curve that steps up or down at evaluations.

    Examples
    --------
    >>> _score_of([(0, 0.0), (10, 2.0), (20, 4.0)], "curve", 40)  # (10 · 2 + 10 · 4 + 20 · 4) / 40
    3.5
    """
    last = seen[-1][1]
    if kind == "last":
        return last
    area = sum((t - before) * value for (before, _), (t, value) in pairwise(seen))
    return (area + (until - seen[-1][0]) * last) / until


def _short(value: Any) -> Any:
    """Floats with three digits: as good, and they can be typed."""
    return float(f"{value:.3g}") if isinstance(value, float) else value


def _named(values: Mapping[str, Any]) -> str:
    return "  ".join(f"{name}={typed(value)}" for name, value in values.items())


def _begun(study: Any) -> int:
    from optuna.trial import TrialState

    return sum(t.state != TrialState.WAITING for t in study.get_trials(deepcopy=False))


def _best(study: Any) -> Any:
    from optuna.trial import TrialState

    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return max(done, key=lambda t: t.value, default=None)


def _found(study: Any) -> Found | None:
    from optuna.trial import TrialState

    best = _best(study)
    if best is None:
        return None
    pruned = study.get_trials(deepcopy=False, states=(TrialState.PRUNED,))
    return Found(best.user_attrs["values"], best.value, best.number, _begun(study), len(pruned))


def _write_best(search: Search, study: Any) -> None:
    """The settings of the best trial, as ``--config`` takes them."""
    from ..files import write_text

    best = _best(study)
    if best is not None:
        config = search.plan(best.user_attrs["values"]).config()
        del config["seed"]
        write_text(search.folder / BEST, json.dumps(config, indent=2) + "\n")
