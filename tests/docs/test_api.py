"""Every public name is on a page, and says what it is, and of what shape its arrays are."""

import inspect
import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

import npgrad

INDEX = Path(__file__).parents[2] / "docs" / "api" / "index.md"
PRIVATE = ("cli",)  # the command line is on a page of its own
SHAPE = re.compile(r"\([\w+*, ·²]+,?\)|\brows\b|elementwise|array\(")  # (T, k), in words, in an example

pytestmark = pytest.mark.skipif(not INDEX.exists(), reason="installed without its pages")


def listed():
    return re.findall(r"^   (npgrad[\w.]*)$", INDEX.read_text(encoding="utf-8"), re.MULTILINE)


def public():
    """Every class and function that a listed module, or npgrad itself, offers."""
    found = {}
    for module in ["npgrad", *listed()]:
        for name in import_module(module).__all__:
            thing = getattr(import_module(module), name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                found.setdefault(thing, f"{module}.{name}")
    return found


def faults(thing):
    """What its docstring leaves open."""
    text = inspect.getdoc(thing)
    if not text or not text[0].strip():
        return ["no docstring"]
    if inspect.isclass(thing) and (issubclass(thing, BaseException) or getattr(thing, "_is_protocol", False)):
        return []
    signature = str(inspect.signature(thing))
    says_fields = hasattr(thing, "__dataclass_fields__")  # the pages list them with their types
    said = "Array" not in signature or "shape" in signature + text or SHAPE.search(text) or says_fields
    return [] if said else ["arrays without a shape"]


def test_every_package_is_on_a_page():
    names = {f"npgrad.{info.name}" for info in iter_modules(npgrad.__path__) if not info.name.startswith("_")}
    assert names - set(listed()) == {f"npgrad.{name}" for name in PRIVATE}


def test_every_public_name_comes_from_a_module_on_a_page():
    homes = set(listed())
    for thing, name in public().items():
        assert any(thing.__module__ == home or thing.__module__.startswith(home + ".") for home in homes), name


def test_every_public_name_says_what_it_is():
    assert {name: found for thing, name in public().items() if (found := faults(thing))} == {}


def test_what_is_left_open_is_seen():
    def silent(x):
        pass

    def shapeless(x: "npgrad.types.FloatArray") -> None:
        """Something of x."""

    assert faults(silent) == ["no docstring"]
    assert faults(shapeless) == ["arrays without a shape"]
    assert faults(npgrad.make_policy) == []
