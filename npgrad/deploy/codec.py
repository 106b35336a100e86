"""Descriptions as JSON and named arrays: frozen dataclasses field by field, of classes on a list.

Nothing is imported or called by a name from a file but the constructors on that list, which check their arguments. What
JSON lacks is tagged: ``{"$class": "functions.Linear", "n_in": 4, …}``, ``{"$array": "policy.normaliser.mean"}`` and
``{"$float": "inf"}``. Lists come back as tuples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

from .. import distributions, functions, policies, spaces
from ..errors import InvalidInput, UnknownName
from ..types import Array

__all__ = ["decode", "encode", "register"]

T = TypeVar("T")

_classes: dict[str, type] = {}
_names: dict[type, str] = {}


def register(cls: type[T], name: str | None = None) -> type[T]:
    """Let a class of yours stand in agent files; where the file is loaded, it must be registered too.

    Parameters
    ----------
    cls : type
        A frozen dataclass: a function, distribution, action map, … Its fields are numbers, strings, None, tuples,
        dicts, arrays and other such dataclasses, and its constructor checks them, for they come from a file.
    name : str, optional
        The name in the file, ``module.Class`` if not given.

    Returns
    -------
    type
        The class, so that this works as a decorator.

    Raises
    ------
    InvalidInput
        If it is no frozen dataclass, or the name is taken by another class.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @register
    ... @dataclass(frozen=True)
    ... class Doubled:
    ...     factor: float = 2.0
    """
    if not _is_frozen(cls):
        raise InvalidInput(f"{cls.__name__} is no frozen dataclass; put @dataclass(frozen=True) above it")
    name = f"{cls.__module__}.{cls.__qualname__}" if name is None else name
    if _classes.setdefault(name, cls) is not cls:
        raise InvalidInput(f"the name {name} is taken by {_classes[name]}; pass another one")
    _names[cls] = name
    return cls


def _is_frozen(cls: Any) -> bool:
    return isinstance(cls, type) and is_dataclass(cls) and bool(cls.__dataclass_params__.frozen)  # type: ignore[attr-defined]


for _package in (spaces, functions, distributions, policies):
    for _name in _package.__all__:
        if _is_frozen(getattr(_package, _name)):
            register(getattr(_package, _name), f"{_package.__name__.rpartition('.')[2]}.{_name}")


def encode(value: Any, path: str, arrays: dict[str, Array]) -> Any:
    """`value` as JSON data; its arrays are put into `arrays` under names that begin with `path`.

    Raises
    ------
    InvalidInput
        If something in it is no plain data and of no registered class.
    """
    match value:
        case None | bool() | str():
            return value
        case np.generic():
            return encode(value.item(), path, arrays)
        case int():
            return value
        case float():
            return value if math.isfinite(value) else {"$float": str(value)}
        case list() | tuple():
            return [encode(item, f"{path}.{i}", arrays) for i, item in enumerate(value)]
        case Mapping():
            if not all(isinstance(key, str) and not key.startswith("$") for key in value):
                raise InvalidInput(f"{path} has keys {list(value)}, expected strings that do not begin with $")
            return {key: encode(item, f"{path}.{key}", arrays) for key, item in value.items()}
        case np.ndarray():
            arrays[path] = value
            return {"$array": path}
    name = _names.get(type(value))
    if name is None:
        raise InvalidInput(
            f"{path} is a {type(value).__name__}, which has no place in an agent file; "
            "for a frozen dataclass of your own, call npgrad.deploy.register on its class"
        )
    content = {f.name: encode(getattr(value, f.name), f"{path}.{f.name}", arrays) for f in fields(value) if f.init}
    return {"$class": name} | content


def decode(data: Any, arrays: Mapping[str, Array]) -> Any:
    """The inverse of `encode`.

    Raises
    ------
    UnknownName
        If a class is not registered.
    Exception
        Whatever the constructors of registered classes raise on wrong arguments.
    """
    if isinstance(data, list):
        return tuple(decode(item, arrays) for item in data)
    if not isinstance(data, dict):
        return data
    if "$array" in data:
        return arrays[data["$array"]]
    if "$float" in data:
        return float(data["$float"])
    content = {key: decode(item, arrays) for key, item in data.items() if key != "$class"}
    if "$class" not in data:
        return content
    name = str(data["$class"])
    if name not in _classes:
        raise UnknownName("class", name, _classes)
    return _classes[name](**content)
