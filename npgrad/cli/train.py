"""`npgrad train`."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import click

from ..errors import InvalidInput, NpgradError
from ..training.config import read_config
from ..training.settings import PolicySettings, TrainSettings
from .app import debug_option
from .options import flag_of, given_by, import_from_here, options_of, seeds_of
from .plan import Plan, new_plan, read_settings, resumed_plan, settings_of_pairs

__all__ = ["FLAGS", "TrainCommand", "as_usage_error", "kinds_of", "preset_for", "said_by", "train"]

FLAGS = "npgrad.flags"
OF_THE_ENVIRONMENT = ("env_kwargs", "engine", *(f.name for f in fields(PolicySettings)))  # what may not fit it


@dataclass(frozen=True)
class _Flags:
    """The options that the command line in question has."""

    algo: str = ""
    shared: tuple[click.Option, ...] = ()
    policy: tuple[click.Option, ...] = ()
    own: tuple[click.Option, ...] = ()


class TrainCommand(click.Command):
    """A command with the flags of the algorithm that the command line names, but for those left out."""

    left_out: tuple[str, ...] = ("env",)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with as_usage_error(ctx):
            ctx.meta[FLAGS] = _flags(args, self.left_out)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            owners = _owners(error.option_name)
            if not owners:
                raise
            algo = ctx.meta[FLAGS].algo
            text = f"{algo} has no {error.option_name}; add --algo {' or '.join(owners[:3])}, whose setting it is"
            raise click.UsageError(text, ctx) from error

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        flags = ctx.meta.get(FLAGS, _Flags())
        env, *rest = super().get_params(ctx)
        return [env, *flags.shared, *flags.policy, *flags.own, *rest]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        flags: _Flags = ctx.meta[FLAGS]
        special = {*flags.policy, *flags.own}
        shared = [p for p in self.get_params(ctx) if isinstance(p, click.Option) and p not in special]
        groups = (("Options", shared), ("Policy", flags.policy), (f"Settings of {flags.algo}", flags.own))
        for title, options in groups:
            with formatter.section(title):
                formatter.write_dl([record for option in options if (record := option.get_help_record(ctx))])


def _flags(args: list[str], left_out: tuple[str, ...]) -> _Flags:
    from ..algorithms.presets import preset
    from ..algorithms.registry import algorithm

    said: dict[str, Any] = {}
    for path in _values_of(args, "--config")[-1:]:
        said |= read_settings(path, ())
    said |= settings_of_pairs(_values_of(args, "--set"), ())
    env = next((a for a in (*args, str(said.get("env", ""))) if preset(a)), "")  # else it does not matter which it is
    env = "" if "--no-preset" in args else env
    algo = next(reversed(_values_of(args, "--algo")), None) or said.get("algo") or _algorithm_of_run(args)
    algo = str(algo or preset(env).get("algo") or TrainSettings.algo)
    policy = next(reversed(_values_of(args, "--policy")), None) or said.get("policy")
    known = preset_for(env, algo, policy)
    return _Flags(
        algo,
        tuple(options_of(TrainSettings, skip=left_out, preset=known, preset_of=env)),
        tuple(options_of(PolicySettings, preset=known, preset_of=env)),
        tuple(options_of(algorithm(algo).Settings, preset=known, preset_of=env)),
    )


def _owners(flag: str) -> list[str]:
    """The algorithms that have a flag."""
    from ..algorithms.registry import ALGORITHMS

    name = flag.replace("--no-", "--", 1)
    return [algo for algo, entry in ALGORITHMS.items() if name in map(flag_of, fields(entry.Settings))]


def preset_for(env: str, algo: str, policy: str | None) -> dict[str, Any]:
    """What is known to work; if that is another policy, only how long to train and how to judge."""
    from ..algorithms.presets import preset

    known = preset(env, algo)
    if policy is None or policy == known.get("policy", policy):
        return known
    shared = {f.name for f in fields(TrainSettings)} - {"policy"}
    return {name: value for name, value in known.items() if name in shared}


def _values_of(args: list[str], flag: str) -> list[str]:
    """The values of an option before the command line is parsed."""
    after = [b for a, b in itertools.pairwise(args) if a == flag]
    return after + [a.removeprefix(flag + "=") for a in args if a.startswith(flag + "=")]


def _algorithm_of_run(args: list[str]) -> str | None:
    from .series import read_series

    try:
        for folder in _values_of(args, "--resume"):
            series = read_series(folder)
            config = series[1] if series else read_config(folder)
            return str(config.get("algo", "")) or None
    except NpgradError:
        pass  # told later, with the remedy
    return None


@click.command(cls=TrainCommand, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.argument("env", required=False, metavar="ENV")
@click.option("--seeds", metavar="LIST", help="One run a seed, as in 0..9 or 1,4,7, and a table at the end.")
@click.option("--config", metavar="FILE", help="Settings as JSON or TOML; another run's config.json is one.")
@click.option("--set", "pairs", metavar="NAME=VALUE", multiple=True, help="A setting by its name in config.json.")
@click.option("--preset/--no-preset", "use_preset", default=True, help="Begin with what is known to work.")
@debug_option
@click.pass_context
def train(
    ctx: click.Context,
    /,
    env: str | None,
    seeds: str | None,
    config: str | None,
    pairs: tuple[str, ...],
    use_preset: bool,
    **values: Any,
) -> None:
    """Train an agent in ENV: a Gymnasium id as CartPole-v1, or module:Id for one of your own.

    Environments with a preset need no flag. A flag comes before --set, that before --config, that before the preset,
    and the preset before the default. --algo NAME --help shows the settings of another algorithm.

    Ctrl-C finishes the iteration, saves, and exits with status 0; --resume DIR goes on from there. A second Ctrl-C
    stops at once, with status 130.
    """
    given = given_by(ctx, values)
    if env is not None:
        given["env"] = env
    import_from_here()
    with as_usage_error(ctx):
        said = said_by(ctx, given, pairs)
        several = _seeds(said, seeds)
        if said.get("resume"):
            _require_alone(ctx, said, seeds=seeds, config=config)
            several, plan = _resumed(said)
        else:
            plan = _new(ctx, said, config, use_preset)
    if several:
        from .series import run_series

        ctx.exit(run_series(plan, several))
    from .run import build, run

    with as_usage_error(ctx, plan.settings.env, plan.from_preset):
        model = build(plan, tuple(said))
    run(plan, model)


def kinds_of(ctx: click.Context) -> tuple[type[Any], ...]:
    """The dataclasses of settings that the command line may name."""
    from ..algorithms.registry import algorithm

    return TrainSettings, PolicySettings, algorithm(ctx.meta[FLAGS].algo).Settings


def said_by(ctx: click.Context, given: Mapping[str, Any], pairs: tuple[str, ...]) -> dict[str, Any]:
    """What the command line says, by flags and by --set."""
    in_pairs = settings_of_pairs(pairs, kinds_of(ctx))
    for name in in_pairs:
        if name in given and given[name] != in_pairs[name]:
            raise InvalidInput(f"--set says {name}={in_pairs[name]}, but a flag says {given[name]}; drop one")
    return {**in_pairs, **given}


def _seeds(given: dict[str, Any], seeds: str | None) -> tuple[int, ...]:
    if seeds is None:
        return ()
    if "seed" in given:
        raise InvalidInput(f"seed is {given['seed']}, and --seeds is {seeds}; drop one")
    return seeds_of(seeds)


def _require_alone(ctx: click.Context, given: Mapping[str, Any], **others: Any) -> None:
    """Raise if --resume is given with what it leaves no room for."""
    for name, value in {**others, "out": given.get("out")}.items():
        if value is not None:
            why = "a resumed run stays in its folder" if name == "out" else "a resumed run keeps its settings"
            raise click.UsageError(f"--{name} and --resume exclude each other: {why}", ctx)


def _resumed(given: dict[str, Any]) -> tuple[tuple[int, ...], Plan]:
    """A run, or a series of them, that is there."""
    from .series import read_series

    series = read_series(given["resume"])
    seeds, config = series or ((), read_config(given["resume"]))
    return seeds, resumed_plan(given, given["resume"], config)


def _new(ctx: click.Context, said: dict[str, Any], config: str | None, use_preset: bool) -> Plan:
    in_file = read_settings(config, kinds_of(ctx)) if config else {}
    chosen = {**in_file, **said, "algo": ctx.meta[FLAGS].algo}
    if not chosen.get("env"):
        raise click.UsageError("name an environment, as in: npgrad train CartPole-v1; or --resume DIR", ctx)
    Settings = kinds_of(ctx)[-1]
    if chosen.get("init_from"):
        from .run import agent_at, settings_of_agent

        own = {f.name for f in fields(Settings)}
        chosen = {**settings_of_agent(agent_at(chosen["init_from"]), own), **chosen}
    known = preset_for(chosen["env"], chosen["algo"], chosen.get("policy")) if use_preset else {}
    with as_usage_error(ctx, chosen["env"], [name for name in known if name not in chosen]):
        return new_plan(chosen, known, Settings, said)


@contextmanager
def as_usage_error(ctx: click.Context, env: str = "", from_preset: Collection[str] = ()) -> Iterator[None]:
    """Settings that are wrong in themselves are wrong usage, under the names of their flags.

    If what is wrong may have come from the preset of `env`, which gave the settings `from_preset`, it says so.
    """
    try:
        yield
    except InvalidInput as error:
        text = str(error)
        named = [name for name in from_preset if re.search(rf"\b{name}\b", text)]
        blamed = named or [name for name in from_preset if name in OF_THE_ENVIRONMENT]
        for param in ctx.command.get_params(ctx):
            if text.startswith(f"{param.name} is "):
                text = param.opts[0] + text.removeprefix(str(param.name))
            text = re.sub(rf"\b{param.name}=(True|False|'[\w-]+')", partial(_as_flag, param), text)
        if blamed:
            text += f" (the preset of {env} gave {', '.join(blamed)}; --no-preset leaves it out)"
        raise click.UsageError(text, ctx) from error


def _as_flag(param: click.Parameter, said: re.Match[str]) -> str:
    """``name=value`` in a message as one types it."""
    value = said[1].strip("'")
    if value in ("True", "False"):
        return (param.opts if value == "True" else param.secondary_opts or param.opts)[0]
    return f"{param.opts[0]} {value}"
