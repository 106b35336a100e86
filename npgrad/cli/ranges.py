"""Where `npgrad tune` looks for settings: ranges by name, or as the command line says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from ..errors import InvalidInput, UnknownName
from .options import value_of

__all__ = ["Range", "default_ranges", "ranges_of", "typed"]

# what decides most, in the order in which the algorithms name it; a number is searched around its start
SEARCHED = (
    "learning_rate", "n_episodes", "n_steps", "delta", "damping", "n_delta", "delta_std", "n_pairs", "sigma", "epsilon",
    "n_population", "sigma_learning_rate", "clip_range", "n_epochs", "critic_learning_rate",
)  # fmt: skip
CHOICES: dict[str, tuple[Any, ...]] = {  # spaced evenly in log(1 − x), which no range around a start would be
    "gamma": (0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 1.0),
    "gae_lambda": (0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 1.0),
    "normalize_observations": (False, True),
    "normalize_advantage": (False, True),
}
WIDTH = {float: 10.0, int: 4.0}  # a range goes from the start over this to the start times this


def typed(value: Any) -> Any:
    """Widths as they are typed, which a file keeps as they are; what else there is as it is.

    Examples
    --------
    >>> typed((64, 64)), typed(0.9)
    ('64,64', 0.9)
    """
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value


@dataclass(frozen=True)
class Range:
    """The values of one setting: some choices, or all numbers from `low` to `high`.

    Examples
    --------
    >>> Range("learning_rate", low=1e-3, high=1e-1, log=True)
    Range(name='learning_rate', choices=(), low=0.001, high=0.1, log=True, whole=False)
    """

    name: str
    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False

    def suggest(self, trial: Any) -> Any:
        """The value of an optuna trial."""
        if self.choices:
            chosen = trial.suggest_categorical(self.name, list(map(typed, self.choices)))
            return next(choice for choice in self.choices if typed(choice) == chosen)
        if self.whole:
            return trial.suggest_int(self.name, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, log=self.log)

    def holds(self, value: Any) -> bool:
        """Whether a value is one of them."""
        if self.choices:
            return value in self.choices
        return isinstance(value, (int, float)) and self.low <= value <= self.high


def default_ranges(start: Mapping[str, Any], fixed: Mapping[str, Any]) -> tuple[Range, ...]:
    """Ranges around the values of `start`, but for what is fixed.

    Examples
    --------
    >>> default_ranges({"learning_rate": 0.1, "n_episodes": 8, "gamma": 0.9}, {"gamma": 0.9})
    (Range(name='learning_rate', choices=(), low=0.01, high=1.0, log=True, whole=False),
     Range(name='n_episodes', choices=(), low=2, high=32, log=True, whole=True))
    """
    found = []
    no_perceptron = start.get("baseline", "value") != "value" or start.get("critic") != "mlp"
    for name in (*SEARCHED, *CHOICES):
        value = start.get(name)
        if name in fixed or not isinstance(value, (int, float)) or (no_perceptron and name.startswith("critic_")):
            continue
        if name in CHOICES:
            found.append(Range(name, choices=CHOICES[name]))
        elif value > 0:
            width = WIDTH[type(value)]
            low = max(1, round(value / width)) if isinstance(value, int) else value / width
            high = round(value * width) if isinstance(value, int) else value * width
            found.append(Range(name, low=low, high=high, log=True, whole=isinstance(value, int)))
    return tuple(found)


def ranges_of(texts: Sequence[str], kinds: Sequence[type[Any]]) -> tuple[Range, ...]:
    """``NAME=LOW..HIGH`` (on a logarithmic scale where LOW is above 0), ``NAME=LOW..HIGH:linear`` or ``NAME=A,B,C``.

    Parameters
    ----------
    texts : sequence of str
    kinds : sequence of dataclass
        Whose fields may be searched.

    Raises
    ------
    InvalidInput
        If a text is none of these, or its values are none of the setting's.
    UnknownName
        If there is no such setting.

    Examples
    --------
    >>> from npgrad.algorithms.settings import ReinforceSettings
    >>> ranges_of(["gamma=0.9,0.99", "n_episodes=4..16:linear"], [ReinforceSettings])
    (Range(name='gamma', choices=(0.9, 0.99), low=0.0, high=0.0, log=False, whole=False),
     Range(name='n_episodes', choices=(), low=4, high=16, log=False, whole=True))
    """
    where = {name: kind for kind in kinds for name in kind.__dataclass_fields__}
    found: dict[str, Range] = {}
    for text in texts:
        given, equals, values = text.partition("=")
        name = given.strip().removeprefix("--").replace("-", "_")
        if not equals or not values:
            raise InvalidInput(f"search is {text}, expected NAME=LOW..HIGH or NAME=A,B,C, as in learning_rate=1e-3..1")
        if name not in where:
            raise UnknownName("setting", given, where)
        if name in found:
            raise InvalidInput(f"search names {name} twice")
        found[name] = _range(name, values, where[name])
    return tuple(found.values())


def _range(name: str, text: str, kind: type[Any]) -> Range:
    first, dots, last = text.partition("..")
    if not dots:
        several = text.split(";" if ";" in text else ",")  # 64,64;32,32 are two values with commas of their own
        return Range(name, choices=tuple(value_of(kind, name, part.strip()) for part in several))
    last, _, scale = last.partition(":")
    low, high = value_of(kind, name, first), value_of(kind, name, last)
    if any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in (low, high)) or not low < high:
        raise InvalidInput(f"search is {name}={text}, expected two numbers, the smaller one first")
    if scale not in ("", "log", "linear") or (scale == "log" and low <= 0):
        raise InvalidInput(f"search is {name}={text}, expected nothing, :linear, or above 0 :log behind a range")
    return Range(name, (), low, high, log=scale != "linear" and low > 0, whole=isinstance(low, int))


def require_search(ranges: Sequence[Range], fixed: Mapping[str, Any]) -> None:
    """Raise unless there is something to search, and nothing of it is fixed."""
    if not ranges:
        raise click.UsageError("there is nothing to search: every setting is given; name one by --search")
    for r in ranges:
        if r.name in fixed:
            raise click.UsageError(f"{r.name} is {fixed[r.name]}, and --search is to find it; drop one")
