"""What a run is to be: flags before files before presets before defaults."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ..errors import InvalidInput, UnknownName
from ..training.config import read_config
from ..training.settings import PolicySettings, TrainSettings
from .options import flag_of, value_of

__all__ = ["MAY_CHANGE", "NOT_KEPT", "Plan", "new_plan", "read_settings", "resumed_plan", "settings_of_pairs"]

MAY_CHANGE = (
    "total_timesteps", "minutes", "stop_at", "threads", "workers", "executor", "address", "time_limit", "callback",
    "checkpoint_every", "tensorboard", "quiet",
)  # on resume  # fmt: skip
NOT_KEPT = ("out", "resume", "callback", "quiet")
NO_END = 10**15  # timesteps of a run that ends by the clock
OF_OTHERS = ("leave-one-out", "constant", "optimal", "optimal-per-coordinate")  # baselines of the other episodes
EITHER = (("n_steps", "n_episodes"), ("n_episodes", "n_steps"))  # how much an iteration collects, said one way
OF_A_FOLDER = ("environment", "versions")  # in config.json, but no settings
GROUPS = ("hyperparameters", "policy_options")  # settings in config.json one level down


@dataclass(frozen=True)
class Plan:
    """What to run.

    Parameters
    ----------
    settings : TrainSettings
    policy : PolicySettings
    hyper : mapping
        The algorithm's own settings, complete.
    from_preset : tuple of str
        Which of all these a preset has filled in.
    """

    settings: TrainSettings
    policy: PolicySettings
    hyper: Mapping[str, Any]
    from_preset: tuple[str, ...] = field(default=())

    def with_settings(self, **changes: Any) -> Plan:
        """The same run but for some of its settings."""
        return replace(self, settings=replace(self.settings, **changes))

    def config(self) -> dict[str, Any]:
        """For ``config.json``."""
        shared = {name: value for name, value in asdict(self.settings).items() if name not in NOT_KEPT}
        return shared | {"policy_options": asdict(self.policy), "hyperparameters": dict(self.hyper)}


def new_plan(
    chosen: Mapping[str, Any], preset: Mapping[str, Any], Settings: type[Any], said: Collection[str] = ()
) -> Plan:
    """A run of its own.

    Parameters
    ----------
    chosen : mapping
        What the user wants, with ``env`` and ``algo``.
    preset : mapping
        What is known to work.
    Settings : type
        Of the algorithm.
    said : collection of str
        Those in `chosen` that must be of use, as they were named just now.

    Raises
    ------
    InvalidInput
        If something is out of range, or contradicts something else.
    """
    shared, options, own = ({f.name for f in fields(kind)} for kind in (TrainSettings, PolicySettings, Settings))
    values = {**preset, **chosen}
    for name, other in EITHER:  # one of them leaves no room for the other from lower down
        rank, below = ((chosen.get(k) is not None) * (1 + (k in said)) for k in (name, other))
        if rank > below and other in own:
            values[other] = None
    settings = TrainSettings(**{k: v for k, v in values.items() if k in shared})
    if settings.eval_every is None:
        settings = replace(settings, eval_every=max(1, settings.total_timesteps // 20))
    if settings.minutes is not None and "total_timesteps" not in chosen:
        settings = replace(settings, total_timesteps=NO_END)
    policy = PolicySettings(**{k: v for k, v in values.items() if k in options})
    hyper = asdict(Settings(**{k: v for k, v in values.items() if k not in shared | options}))
    _require_sense({k: chosen[k] for k in said if k in chosen}, settings, hyper)
    return Plan(settings, policy, hyper, tuple(k for k in preset if k not in chosen and values[k] == preset[k]))


def _require_sense(given: Mapping[str, Any], settings: TrainSettings, hyper: Mapping[str, Any]) -> None:
    """Raise if two things that were asked for contradict each other."""
    if settings.minutes is not None and not 0 < settings.minutes < math.inf:
        raise InvalidInput(f"minutes is {settings.minutes:g}, expected more than 0, and an end")
    if not settings.seed < 2**64:
        raise InvalidInput(f"seed is {settings.seed}, expected 0 <= seed < 2**64")
    falls = hyper.get("learning_rate_schedule", "constant") != "constant" and hyper.get("schedule_steps") is None
    if falls and settings.total_timesteps == NO_END:
        raise InvalidInput(
            f"learning_rate_schedule is {hyper['learning_rate_schedule']}, but with --minutes alone nobody knows when "
            "the run ends; give --steps or --schedule-steps too"
        )
    if given.get("stop_at") is not None and given.get("eval_every") == 0:
        raise InvalidInput(
            f"stop_at is {given['stop_at']:g}, but with --eval-every 0 nothing is evaluated before the end; drop one"
        )
    if hyper.get("n_episodes") == 1 and hyper.get("baseline") in OF_OTHERS:
        raise InvalidInput(
            f"n_episodes is 1, but baseline {hyper['baseline']} is made of the other episodes; give 2 or more, or "
            "--baseline none"
        )
    for option, policies in (("hidden", ("mlp", "recurrent")), ("activation", ("mlp",)), ("bias", ("linear",))):
        if option in given and settings.policy not in policies:
            raise InvalidInput(
                f"{option} is {_shown(given[option])}, but a {settings.policy} policy has none; "
                f"add --policy {policies[0]}, or drop it"
            )
    for option in ("critic", "critic_hidden", "critic_learning_rate", "critic_epochs"):
        if option in given and hyper.get("baseline", "value") != "value":
            raise InvalidInput(
                f"{option} is {_shown(given[option])}, but baseline {hyper['baseline']} has no critic; "
                "add --baseline value, or drop it"
            )
        if option in given and option != "critic" and hyper.get("critic", "mlp") != "mlp":
            raise InvalidInput(
                f"{option} is {_shown(given[option])}, but a {hyper['critic']} critic has none; "
                "add --critic mlp, or drop it"
            )


def resumed_plan(given: Mapping[str, Any], folder: str | Path, config: Mapping[str, Any]) -> Plan:
    """The run whose configuration is `config`, but for what may change.

    Raises
    ------
    InvalidInput
        If something else would.
    """
    kept = {f.name: config[f.name] for f in fields(TrainSettings) if f.name in config}
    options: dict[str, Any]
    hyper: dict[str, Any]
    options, hyper = (
        {name: tuple(value) if isinstance(value, list) else value for name, value in config.get(group, {}).items()}
        for group in ("policy_options", "hyperparameters")
    )
    before = {**{f.name: f.default for f in fields(TrainSettings)}, **kept, **options, **hyper}
    for name, value in given.items():
        if name not in (*MAY_CHANGE, "resume") and value != before.get(name):
            raise InvalidInput(
                f"{name} is {_shown(value)}, but the run in {folder} has {_shown(before.get(name))}; a resumed run "
                "keeps its settings but for --steps, --minutes, --stop-at, --threads, --workers, --callback and "
                "--checkpoint-every; start a new run to change others"
            )
    changed = {name: given[name] for name in (*MAY_CHANGE, "resume") if name in given}
    return Plan(TrainSettings(**{**kept, **changed}), PolicySettings(**options), hyper)


def read_settings(path: str | Path, kinds: Iterable[type[Any]]) -> dict[str, Any]:
    """Settings from a JSON or TOML file, a run's ``config.json`` among them.

    Parameters
    ----------
    path : path
        Of the file, or of a run folder.
    kinds : iterable of dataclass
        Whose fields are known; with none, nothing is checked.

    Raises
    ------
    InvalidInput
        If the file cannot be read, or has a name or a value that is no setting.
    """
    file = Path(path)
    if file.is_dir():
        content: Any = read_config(file)
    else:
        try:
            text = file.read_text(encoding="utf-8")
            content = tomllib.loads(text) if file.suffix.lower() == ".toml" else json.loads(text)
        except (OSError, ValueError) as error:
            raise InvalidInput(f"config is {path}, which cannot be read as TOML or JSON: {error}") from error
    if not isinstance(content, dict):
        raise InvalidInput(f"config is {path}, which holds a {type(content).__name__}, expected names and values")
    flat = {k: v for k, v in content.items() if k not in (*OF_A_FOLDER, *GROUPS)}
    for group in GROUPS:
        if not isinstance(content.get(group, {}), dict):
            raise InvalidInput(f"{group} in {path} is {content[group]!r}, expected names and values")
        flat |= content.get(group, {})
    return _typed(flat, tuple(kinds), f"setting in {path}")


def settings_of_pairs(texts: Iterable[str], kinds: Iterable[type[Any]]) -> dict[str, Any]:
    """Settings from ``NAME=VALUE`` texts; arguments and errors as for `read_settings`."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidInput(f"set is {text}, expected NAME=VALUE, as in learning_rate=0.1")
        if name in found:
            raise InvalidInput(f"set names {name} twice")
        found[name] = value
    return _typed(found, tuple(kinds), "setting")


def _typed(values: Mapping[str, Any], kinds: tuple[type[Any], ...], what: str) -> dict[str, Any]:
    known: dict[str, tuple[type[Any], str]] = {}
    for kind in kinds:
        for f in fields(kind):
            known[f.name] = known[flag_of(f).removeprefix("--").replace("-", "_")] = kind, f.name
    found = {}
    for given, value in values.items():
        name = given.strip().removeprefix("--").replace("-", "_")
        if not kinds:
            found[name] = value
        elif name not in known:
            raise UnknownName(what, given, known)
        else:
            kind, field_name = known[name]
            found[field_name] = value_of(kind, field_name, value)
    return found


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
