"""What every part promises beside its formulas: arguments left alone, results of its own, dtypes kept."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from ..types import Array
from .report import Recorder, distance

__all__ = ["Calls", "check_contract", "check_float32"]

Calls = Mapping[str, Callable[[], Array | tuple[Array, ...]]]


def check_contract(record: Recorder, calls: Calls, inputs: Mapping[str, Array]) -> None:
    """No call writes to an input, returns one, or returns what a later call reads or fills.

    Parameters
    ----------
    record : Recorder
    calls : mapping of str to function
        Each calls one method on the inputs.
    inputs : mapping of str to array
        All arrays that the calls are given.
    """
    before = {name: array.copy() for name, array in inputs.items()}

    def mutations() -> Iterator[str]:
        for call, run in calls.items():
            run()
            for name, array in inputs.items():
                if not np.array_equal(array, before[name], equal_nan=True):
                    yield f"{call} writes to {name}"
                    array[...] = before[name]

    def lent() -> Iterator[str]:
        kept = {call: [part.copy() for part in _parts(run())] for call, run in calls.items()}
        results = {call: _parts(run()) for call, run in calls.items()}
        for call, run in calls.items():
            for result, again in zip(results[call], _parts(run()), strict=True):
                yield from (f"{call} returns {n} itself" for n, a in inputs.items() if np.shares_memory(result, a))
                if np.shares_memory(result, again):
                    yield f"{call} returns the same memory at every call"
        for result in itertools.chain(*results.values()):
            if result.flags.writeable and not any(np.shares_memory(result, a) for a in inputs.values()):
                result[...] = 0
        for call, run in calls.items():
            if not all(map(_same, _parts(run()), kept[call])):
                yield f"{call} changes when a result is written into"

    record.none("no argument is written to", mutations)
    record.none("every result is an array of its own", lent)


def check_float32(record: Recorder, fine: Calls, coarse: Calls, loosely: float = 1e-3) -> None:
    """The `coarse` calls, on float32, give float32 of about the values of the `fine` ones."""

    def violations() -> Iterator[str]:
        for name, run in coarse.items():
            for got, expected in zip(_parts(run()), _parts(fine[name]()), strict=True):
                if got.dtype != np.float32:
                    yield f"{name} gives {got.dtype} where float32 is put in"
                elif distance(got.astype(np.float64), expected) > loosely:
                    yield f"{name} in float32 is off by {distance(got.astype(np.float64), expected):.1e}"

    record.none("float32 is kept, and gives the same to its precision", violations)


def _parts(result: Array | tuple[Array, ...]) -> list[Array]:
    return [np.asarray(part) for part in (result if isinstance(result, tuple) else (result,))]


def _same(a: Array, b: Array) -> bool:
    return bool(np.array_equal(a, b, equal_nan=True))
