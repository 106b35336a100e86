"""What a compiled function is made of: itself, the functions it calls, and the constants it reads.

Numba compiles a function against the globals of its module. Two things follow. A plain function called from there has
to be compiled too, so `link` replaces it; and an entry of the disk cache is right only as long as *everything* the
function reaches is unchanged, in whichever file it stands, so the cache is keyed by `digest`, a hash over the bytecode
and the constants of all of it.
"""

from __future__ import annotations

import dis
import functools
import hashlib
import pickle
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["UncacheableError", "copy", "digest", "link", "plain"]

_FOREIGN = sys.stdlib_module_names | {"numpy", "numba", "llvmlite"}


class UncacheableError(Exception):
    """Compiled code that cannot be kept on disk: it is recursive, or reads a value without a lasting description."""


@dataclass(frozen=True)
class Reads:
    """The values that a function finds outside itself, by name."""

    names: dict[str, Any]  # globals
    cells: dict[str, Any]  # variables of the enclosing function


def is_foreign(module: str | None) -> bool:
    """Whether a module belongs to Python, NumPy or numba, which numba knows by itself."""
    return (module or "").partition(".")[0] in _FOREIGN


def plain(value: Any) -> Any:
    """What is compiled for a value: the plain function that a kernel, or a function compiled by numba, is made of.

    A function with an attribute ``compiled`` names another function for that; other values stay as they are.
    """
    function = getattr(value, "py_func", value)
    return getattr(function, "compiled", function) if isinstance(function, types.FunctionType) else value


def is_callee(value: Any) -> bool:
    """Whether `value` is a plain function or one of our kernels, and so must be compiled along."""
    function = plain(value)
    if not isinstance(function, types.FunctionType) or is_foreign(function.__module__):
        return False
    return isinstance(value, types.FunctionType) or not is_foreign(type(value).__module__)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A code object and those of the functions defined inside it."""
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from _codes(const)


@functools.cache
def _loaded(code: types.CodeType) -> tuple[str, ...]:
    """The global names that a code object loads."""
    loads = ("LOAD_GLOBAL", "LOAD_NAME")
    instructions = (step for inner in _codes(code) for step in dis.get_instructions(inner))
    return tuple(sorted({str(step.argval) for step in instructions if step.opname in loads}))


def reads(function: types.FunctionType) -> Reads:
    """The globals and closure variables that `function` names; builtins and names not yet defined are left out."""
    names = {name: function.__globals__[name] for name in _loaded(function.__code__) if name in function.__globals__}
    cells = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            cells[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return Reads(names, cells)


def module_members(module: types.ModuleType, function: types.FunctionType) -> dict[str, Any]:
    """The members of `module` that `function` may read: those it names anywhere."""
    named = {name for code in _codes(function.__code__) for name in code.co_names}
    return {name: vars(module)[name] for name in sorted(named & vars(module).keys())}


def copy(function: types.FunctionType, name: str) -> types.FunctionType:
    """`function` under another qualified name, with globals and closure variables of its own, for `link` to fill."""
    names = dict(function.__globals__, __name__=__name__)  # numba imports this name when it loads from the cache
    cells = tuple(types.CellType() for _ in function.__code__.co_freevars)
    twin = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__, cells)
    twin.__kwdefaults__ = function.__kwdefaults__
    twin.__qualname__ = name
    return twin


def link(twin: types.FunctionType, function: types.FunctionType, translate: Callable[[Any], Any]) -> None:
    """Give `twin` what `function` reads, with ``translate(callee)`` for every plain function and kernel it calls.

    The user's own module is not touched.
    """

    def swap(value: Any) -> Any:
        if is_callee(value):
            return translate(value)
        if isinstance(value, types.ModuleType) and not is_foreign(value.__name__):
            stand_in = types.ModuleType(value.__name__)
            vars(stand_in).update({key: swap(member) for key, member in module_members(value, function).items()})
            return stand_in
        return value

    found = reads(function)
    twin.__globals__.update({key: swap(value) for key, value in found.names.items()})
    for key, cell in zip(function.__code__.co_freevars, twin.__closure__ or (), strict=True):
        if key in found.cells:
            cell.cell_contents = swap(found.cells[key])


def digest(function: types.FunctionType) -> str:
    """A hash over all that `function` reaches; equal hashes mean equal compiled code.

    Raises
    ------
    UncacheableError
        If a value it reads cannot be described, or a function among them calls itself.
    """
    text: list[str] = []
    seen: dict[types.FunctionType, int] = {}
    unfinished: set[types.FunctionType] = set()

    def describe(value: Any, reader: types.FunctionType) -> str:
        value = plain(value)
        if isinstance(value, types.FunctionType):
            return f"{value.__module__}.{value.__qualname__}" if is_foreign(value.__module__) else f"#{visit(value)}"
        if isinstance(value, types.ModuleType):
            if is_foreign(value.__name__):
                return value.__name__
            return describe(tuple(module_members(value, reader).items()), reader)
        if isinstance(value, (tuple, list)):
            return f"({', '.join(describe(item, reader) for item in value)})"
        if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
            return f"{type(value).__name__} {value!r}"
        if isinstance(value, (type, types.BuiltinFunctionType)):
            return f"{value.__module__}.{value.__qualname__}"
        if isinstance(value, (np.ndarray, np.generic)) and not value.dtype.hasobject:
            return f"{value.dtype.str}{value.shape}{hashlib.sha256(value.tobytes()).hexdigest()}"
        try:
            return hashlib.sha256(pickle.dumps(value)).hexdigest()
        except Exception as error:
            raise UncacheableError(f"{reader.__qualname__} reads {value!r}") from error

    def describe_const(const: Any) -> str:
        if isinstance(const, types.CodeType):
            return describe_code(const)
        if isinstance(const, frozenset):
            return f"set {sorted(map(describe_const, const))}"
        if isinstance(const, tuple):
            return f"({', '.join(map(describe_const, const))})"
        return f"{type(const).__name__} {const!r}"

    def describe_code(code: types.CodeType) -> str:
        head = (code.co_name, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        return f"{head} {names} {code.co_code.hex()} {' '.join(map(describe_const, code.co_consts))}"

    def visit(current: types.FunctionType) -> int:
        if current in unfinished:  # measured, numba 0.68: loads from its cache, then crashes when it is called
            raise UncacheableError(f"{current.__qualname__} calls itself")
        if current not in seen:
            unfinished.add(current)
            place = seen[current] = len(seen)
            found = reads(current)
            values = {**found.names, **found.cells}
            defaults = (current.__defaults__, tuple((current.__kwdefaults__ or {}).items()))
            lines = [f"{key} = {describe(value, current)}" for key, value in values.items()]
            text.append("\n".join((f"#{place}", describe_code(current.__code__), describe(defaults, current), *lines)))
            unfinished.remove(current)
        return seen[current]

    visit(function)
    return hashlib.sha256("\n\n".join(text).encode("utf-8", "surrogatepass")).hexdigest()
