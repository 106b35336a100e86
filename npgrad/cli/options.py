"""Command-line options made from the fields of settings dataclasses."""

from __future__ import annotations

import json
import math
import os
import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

import click

from ..errors import InvalidInput, UnknownName

__all__ = [
    "Setting", "flag_of", "given_by", "import_from_here", "in_a_folder", "options_of", "pairs_of", "seeds_of",
    "value_of",
]  # fmt: skip


if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # generic in newer releases alone


class Setting(_ParamType):
    """A value of a field's type: int, float, str, a tuple of these by commas; ``none`` where None is allowed.

    Parameters
    ----------
    hint : type
        Of the field.
    choices : tuple of str, optional
        The values a string may take.
    least : float, optional
        The smallest number allowed.
    """

    def __init__(self, hint: Any, choices: tuple[str, ...] | None = None, least: float | None = None) -> None:
        options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
        self.optional = type(None) in options
        (self.kind,) = (o for o in options if o is not type(None))
        self.choices = choices
        self.least = least
        kind = get_args(self.kind)[0] if get_origin(self.kind) is tuple else self.kind
        self.name = {int: "integer", float: "number"}.get(kind, "text")
        if get_origin(self.kind) is tuple:
            self.name += ",…"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str | None:
        """As the help shows it."""
        return "|".join(self.choices) if self.choices else None

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """From what the user typed."""
        if not isinstance(value, str):
            return value
        if self.optional and value.lower() == "none":
            return None
        try:
            return self.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def parse(self, text: str) -> Any:
        """From text; raises ValueError."""
        if get_origin(self.kind) is tuple:
            item = Setting(get_args(self.kind)[0])
            return tuple(item.parse(part) for part in text.split(",") if part.strip())
        if self.choices and text not in self.choices:
            raise UnknownName("value", text, self.choices)
        if self.kind is str:
            return text
        try:
            number = float(text)
        except ValueError:
            raise ValueError(f"'{text}' is no number") from None
        if self.kind is int:
            if not number.is_integer():
                raise ValueError(f"'{text}' is no whole number")
            number = int(text) if text.strip("+-").isdecimal() else int(number)  # 1e6 is one million
        elif math.isnan(number):
            raise ValueError(f"'{text}' is no number")
        if self.least is not None and not number >= self.least:
            raise ValueError(f"{text} is not allowed, expected {self.least:g} or more")
        return number


def given_by(ctx: click.Context, values: Mapping[str, Any]) -> dict[str, Any]:
    """What the user typed, of all the values that a command gets."""
    typed = click.core.ParameterSource.COMMANDLINE
    return {name: value for name, value in values.items() if ctx.get_parameter_source(name) is typed}


def import_from_here() -> None:
    """Let modules beside the user be found, as `python -m` does."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())


def in_a_folder(ctx: click.Context, param: click.Parameter, file: Path | None) -> Path | None:
    """Refuse a file that could not be written, before the work that it is to hold."""
    if file is not None and not file.absolute().parent.is_dir():
        raise click.UsageError(f"{param.opts[0]} {file}: there is no folder {file.absolute().parent}", ctx)
    return file


def flag_of(field: Field[Any]) -> str:
    """``learning_rate`` → ``--learning-rate``, unless the field names another."""
    return str(field.metadata.get("flag", "--" + field.name.replace("_", "-")))


def options_of(
    settings: type[Any], skip: tuple[str, ...] = (), preset: Mapping[str, Any] | None = None, preset_of: str = ""
) -> list[click.Option]:
    """An option for each field of a settings dataclass, with its help and default.

    Parameters
    ----------
    settings : dataclass
        Fields may carry ``help``, ``choices``, ``flag``, ``metavar`` and ``least`` in their metadata.
    skip : tuple of str
        Fields that are no options.
    preset : mapping, optional
        Values that come before the defaults, of `preset_of`.
    """
    hints = get_type_hints(settings)
    depth = {name: i for i, base in enumerate(settings.__mro__) for name in getattr(base, "__dataclass_fields__", {})}
    own_first = sorted(fields(settings), key=lambda f: depth[f.name])
    return [_option(f, hints[f.name], preset or {}, preset_of) for f in own_first if f.name not in skip]


def value_of(settings: type[Any], name: str, value: Any) -> Any:
    """What a file or ``--set`` says of a field, as the field's type has it.

    Raises
    ------
    InvalidInput
        If it is nothing that the field takes.
    """
    (field,) = (f for f in fields(settings) if f.name == name)
    hint = get_type_hints(settings)[name]
    kind = Setting(hint, field.metadata.get("choices"), field.metadata.get("least"))
    expected = ""
    if value is None or (kind.optional and value == "none"):
        if kind.optional:
            return None
        expected = f"a {kind.name}"
    elif kind.kind is bool:
        said = {"true": True, "yes": True, "false": False, "no": False}.get(str(value).lower())
        if said is not None:
            return said
        expected = "true or false"
    elif get_origin(kind.kind) is Mapping:
        if isinstance(value, Mapping):
            return dict(value)
        expected = "an object of names and values"
    if not expected:
        many = isinstance(value, (list, tuple)) and get_origin(kind.kind) is tuple
        try:
            return kind.parse(",".join(map(str, value)) if many else str(value))
        except ValueError as error:
            raise InvalidInput(f"{name} is {value!r}: {error}") from error
    raise InvalidInput(f"{name} is {value!r}, expected {expected}")


def _option(field: Field[Any], hint: Any, preset: Mapping[str, Any], preset_of: str) -> click.Option:
    flag = flag_of(field)
    default = None if field.default is MISSING else field.default
    shown = "" if default is None or default is False else f"[default: {_show(default)}]"
    if field.name in preset and preset[field.name] != default:
        shown = f"[{preset_of}: {_show(preset[field.name])}]"
    text = f"{field.metadata.get('help', '')}  {shown}".rstrip()
    if hint is bool:
        names = [flag] if default is False and "flag" in field.metadata else [f"{flag}/--no-{flag[2:]}"]
        return click.Option([*names, field.name], is_flag=True, default=None, help=text)
    kind = Setting(hint, field.metadata.get("choices"), field.metadata.get("least"))
    if get_origin(kind.kind) is Mapping:
        return click.Option([flag, field.name], multiple=True, callback=_pairs, help=text, metavar="KEY=VALUE")
    return click.Option([flag, field.name], type=kind, default=None, help=text, metavar=field.metadata.get("metavar"))


def _pairs(ctx: click.Context, param: click.Parameter, given: Sequence[str]) -> dict[str, Any] | None:
    return pairs_of(given) if given else None


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (tuple, list)):
        return ",".join(_show(v) for v in value)
    if isinstance(value, float) and value.is_integer() and math.fabs(value) < 1e15:
        return f"{value:g}"
    return str(value)


def pairs_of(texts: Sequence[str]) -> dict[str, Any]:
    """``KEY=VALUE`` texts as a dict; a value is JSON, or, where it is none, the text itself.

    Examples
    --------
    >>> pairs_of(["gravity=9.8", "continuous=true", "map_name=8x8"])
    {'gravity': 9.8, 'continuous': True, 'map_name': '8x8'}
    """
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"'{text}' is no KEY=VALUE")
        if key in found:
            raise click.BadParameter(f"'{key}' is given twice")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = {"True": True, "False": False, "None": None}.get(value, value)
    return found


def seeds_of(text: str) -> tuple[int, ...]:
    """``0..9`` and ``1,4,7..9`` as numbers, in order.

    Examples
    --------
    >>> seeds_of("3,0..2")
    (3, 0, 1, 2)
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, dots, last = part.strip().partition("..")
        if not first.isdecimal() or (dots and not last.isdecimal()):
            raise click.BadParameter(f"'{text}' is no list of seeds; expected something like 0..9 or 1,4,7")
        seeds += range(int(first), int(last or first) + 1)
    if not seeds or len(set(seeds)) < len(seeds):
        raise click.BadParameter(f"'{text}' names {'a seed twice' if seeds else 'no seed'}")
    return tuple(seeds)
