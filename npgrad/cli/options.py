"""Command-line options made from the fields of settings dataclasses."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

import click

from ..errors import UnknownName

__all__ = ["Setting", "flag_of", "options_of"]


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
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def _parse(self, text: str) -> Any:
        if get_origin(self.kind) is tuple:
            item = Setting(get_args(self.kind)[0])
            return tuple(item._parse(part) for part in text.split(",") if part.strip())
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
        if self.least is not None and not number >= self.least:
            raise ValueError(f"{text} is not allowed, expected {self.least:g} or more")
        return number


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
    return [_option(f, hints[f.name], preset or {}, preset_of) for f in fields(settings) if f.name not in skip]


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
    return click.Option([flag, field.name], type=kind, default=None, help=text, metavar=field.metadata.get("metavar"))


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (tuple, list)):
        return ",".join(_show(v) for v in value)
    if isinstance(value, float) and value.is_integer() and math.fabs(value) < 1e15:
        return f"{value:g}"
    return str(value)
