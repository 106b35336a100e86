"""Settings that are known to solve an environment, from `presets.json`."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["preset", "presets"]


@cache
def presets() -> dict[str, dict[str, dict[str, Any]]]:
    """Environment id → algorithm → settings."""
    text = (files("npgrad.algorithms") / "presets.json").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, dict[str, Any]]] = json.loads(text)
    return loaded


def preset(env_id: str, algo: str | None = None) -> dict[str, Any]:
    """Settings for an environment and an algorithm (by default the first in the file, which did best); may be empty.

    Examples
    --------
    >>> preset("CartPole-v1")["algo"]
    'reinforce'
    >>> preset("NoSuch-v0")
    {}
    """
    known = presets().get(env_id, {})
    name = algo if algo is not None else next(iter(known), None)
    return {"algo": name} | known[name] if name in known else {}
