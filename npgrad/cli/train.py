"""`npgrad train`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import click

from ..errors import InvalidInput, NpgradError
from ..training.config import read_config
from ..training.settings import TrainSettings
from .app import debug_option
from .options import options_of

if TYPE_CHECKING:
    from ..training import RunFolder, TrainingResult

__all__ = ["train"]

FLAGS = "npgrad.flags"
MAY_CHANGE = ("total_timesteps", "stop_at", "threads", "checkpoint_every", "quiet")  # on resume
NOT_KEPT = ("out", "resume", "quiet")


@dataclass(frozen=True)
class _Plan:
    """What to run."""

    settings: TrainSettings
    hyper: Mapping[str, Any]


@dataclass(frozen=True)
class _Flags:
    """The options that the command line in question has."""

    algo: str = ""
    shared: tuple[click.Option, ...] = ()
    own: tuple[click.Option, ...] = ()


class _TrainCommand(click.Command):
    """A command with the flags of the algorithm that the command line names."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with _as_usage_error(ctx):
            ctx.meta[FLAGS] = _flags(args)
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        flags = ctx.meta.get(FLAGS, _Flags())
        env, *rest = super().get_params(ctx)
        return [env, *flags.shared, *flags.own, *rest]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        flags: _Flags = ctx.meta[FLAGS]
        shared = [p for p in self.get_params(ctx) if isinstance(p, click.Option) and p not in flags.own]
        for title, options in (("Options", shared), (f"Settings of {flags.algo}", flags.own)):
            with formatter.section(title):
                formatter.write_dl([record for option in options if (record := option.get_help_record(ctx))])


def _flags(args: list[str]) -> _Flags:
    from ..algorithms.presets import preset
    from ..algorithms.registry import algorithm

    env = next((a for a in args if preset(a)), "")  # only where there is a preset does it matter which it is
    algo = _option_in(args, "--algo") or _algorithm_of_run(_option_in(args, "--resume"))
    algo = algo or preset(env).get("algo") or TrainSettings.algo
    known = preset(env, algo)
    shared = options_of(TrainSettings, skip=("env",), preset=known, preset_of=env)
    return _Flags(algo, tuple(shared), tuple(options_of(algorithm(algo).Settings, preset=known, preset_of=env)))


def _option_in(args: list[str], flag: str) -> str | None:
    """The value of an option before the command line is parsed."""
    for i, arg in enumerate(args):
        if arg == flag and i + 1 < len(args):
            return args[i + 1]
        if arg.startswith(flag + "="):
            return arg.removeprefix(flag + "=")
    return None


def _algorithm_of_run(folder: str | None) -> str | None:
    try:
        return str(read_config(folder).get("algo", "")) or None if folder else None
    except NpgradError:
        return None  # told later, with the remedy


@click.command(cls=_TrainCommand, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.argument("env", required=False, metavar="ENV")
@debug_option
@click.pass_context
def train(ctx: click.Context, /, env: str | None, **values: Any) -> None:
    """Train an agent in ENV: a Gymnasium id as CartPole-v1, or module:Id for one of your own.

    Environments with a preset need no flag. A flag comes before the preset, the preset before the default.
    --algo NAME --help shows the settings of another algorithm.

    Ctrl-C finishes the iteration, saves, and exits with status 0; --resume DIR goes on from there. A second Ctrl-C
    stops at once, with status 130.
    """
    command_line = click.core.ParameterSource.COMMANDLINE
    given = {name: value for name, value in values.items() if ctx.get_parameter_source(name) is command_line}
    if env is not None:
        given["env"] = env
    with _as_usage_error(ctx):
        plan = _resumed(ctx, given) if given.get("resume") else _new(ctx, given)
        model = _build(plan)
    _run(plan, model)


def _new(ctx: click.Context, given: dict[str, Any]) -> _Plan:
    """Flags before presets before defaults."""
    from ..algorithms.presets import preset
    from ..algorithms.registry import algorithm

    if "env" not in given:
        raise click.UsageError("name an environment, as in: npgrad train CartPole-v1; or --resume DIR", ctx)
    algo = ctx.meta[FLAGS].algo
    chosen = {**preset(given["env"], algo), "algo": algo, **given}
    Settings = algorithm(algo).Settings
    shared = {f.name for f in fields(TrainSettings)}
    settings = TrainSettings(**{k: v for k, v in chosen.items() if k in shared})
    if settings.eval_every is None:
        settings = replace(settings, eval_every=max(1, settings.total_timesteps // 20))
    hyper = Settings(**{k: v for k, v in chosen.items() if k not in shared})
    return _Plan(settings, asdict(hyper))


def _resumed(ctx: click.Context, given: dict[str, Any]) -> _Plan:
    """The settings of a run that is there, but for what may change."""
    config = read_config(given["resume"])
    kept = {f.name: config[f.name] for f in fields(TrainSettings) if f.name in config}
    stored = config.get("hyperparameters", {})
    hyper = {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}
    for name, value in given.items():
        before = kept.get(name, hyper.get(name))
        if name == "out":
            raise click.UsageError("--out and --resume exclude each other: a resumed run stays in its folder", ctx)
        if name not in (*MAY_CHANGE, "resume") and value != before:
            raise InvalidInput(
                f"{name} is {value}, but the run in {given['resume']} has {before}; a resumed run keeps its settings "
                "but for --steps, --stop-at, --threads and --checkpoint-every; start a new run to change others"
            )
    changed = {name: given[name] for name in (*MAY_CHANGE, "resume") if name in given}
    return _Plan(TrainSettings(**{**kept, **changed}), hyper)


def _build(plan: _Plan) -> Any:
    """The algorithm on its environment."""
    from ..algorithms.registry import algorithm

    settings = plan.settings
    if ":" in settings.env and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` has it, so that a module beside the user is found
    return algorithm(settings.algo).load()(
        settings.env,
        policy=settings.policy,
        seed=settings.seed,
        engine=settings.engine,
        threads=settings.threads,
        n_envs=settings.n_envs,
        **plan.hyper,
    )


def _run(plan: _Plan, model: Any) -> None:
    """Train in a run folder, and say what came of it."""
    from ..training import RunFolder
    from ..training import train as run

    settings = plan.settings
    say = (lambda _line: None) if settings.quiet else click.echo
    say(model.env_description)
    config = _config(plan, model)
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
    try:
        result = run(
            model.recipe,
            seed=settings.seed,
            total_timesteps=settings.total_timesteps,
            folder=folder,
            evaluate=model.evaluate,
            eval_every=settings.eval_every or 0,
            eval_episodes=settings.eval_episodes,
            stop_at=settings.stop_at,
            progress=not settings.quiet,
            resume=bool(settings.resume),
            checkpoint_every=settings.checkpoint_every,
        )
    finally:
        folder.close()
    say(_summary(settings, result, folder))


def _config(plan: _Plan, model: Any) -> dict[str, Any]:
    from importlib import metadata

    shared = {name: value for name, value in asdict(plan.settings).items() if name not in NOT_KEPT}
    packages = ("npgrad", "numpy", "numba", "gymnasium")
    versions = {"python": ".".join(map(str, sys.version_info[:3]))} | {p: metadata.version(p) for p in packages}
    return shared | {"hyperparameters": dict(plan.hyper), "environment": model.env_description, "versions": versions}


def _summary(settings: TrainSettings, result: TrainingResult, folder: RunFolder) -> str:
    from ..training.evaluation import mean_interval

    lines = []
    if result.best is not None:
        returns = result.best.result.returns
        low, high = mean_interval(returns, seed=settings.seed)
        lines.append(
            f"return    {result.best.result.mean_return:.1f}  (95% interval {low:.1f} to {high:.1f}; "
            f"{len(returns)} greedy episodes, best of {len(result.evaluations)} evaluations)"
        )
    elif result.recent_return is not None:
        lines.append(f"return    {result.recent_return:.1f}  (last training episodes; no evaluation yet)")
    ended = ""
    if result.stopped == "threshold":
        ended = f", stopped at a return of {settings.stop_at:g}" + (
            "; --stop-at none goes on" if settings.resume else ""
        )
    if result.stopped == "interrupted":
        ended = f", stopped by you; go on with: npgrad train --resume {folder.path}"
    lines.append(f"steps     {result.state.timesteps:,} in {result.seconds:.1f} s{ended}")
    lines.append(f"folder    {folder.path}")
    lines.append(f"evaluate  npgrad eval {folder.path}")
    return "\n".join(lines)


@contextmanager
def _as_usage_error(ctx: click.Context) -> Iterator[None]:
    """Settings that are wrong in themselves are wrong usage, under the names of their flags."""
    try:
        yield
    except InvalidInput as error:
        text = str(error)
        for param in ctx.command.get_params(ctx):
            if text.startswith(f"{param.name} is "):
                text = param.opts[0] + text.removeprefix(str(param.name))
        raise click.UsageError(text, ctx) from error
