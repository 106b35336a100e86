"""Who computes which unit of work; never what, nor in which order results are joined.

A unit is fixed by the settings. Results come back in the order of the units and are summed in that order, so that the
same settings give the same bits on any number of threads or processes.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from .errors import InvalidInput

__all__ = ["Threads", "map_ordered", "ordered_sum", "single_blas_thread", "thread_pool", "usable_cores"]

Unit = TypeVar("Unit")
Result = TypeVar("Result")
Term = TypeVar("Term")


def map_ordered(
    function: Callable[[Unit], Result], units: Iterable[Unit], executor: Executor | None = None
) -> list[Result]:
    """[function(u) for u in units], by any `concurrent.futures.Executor`.

    Parameters
    ----------
    function : callable
        Of one unit; must depend on nothing else that changes.
    units : iterable
        The units of work.
    executor : Executor, optional
        None computes one after the other in this thread.

    Returns
    -------
    list
        Results in the order of `units`.

    Raises
    ------
    Exception
        The first one in the order of `units`, which need not be the first in time; units not yet begun are cancelled.

    Examples
    --------
    >>> with thread_pool(2) as executor:
    ...     map_ordered(abs, [-1, -2, 3], executor)
    [1, 2, 3]
    """
    if executor is None:
        return [function(unit) for unit in units]
    if isinstance(executor, Threads):
        return executor.together(function, list(units))
    futures = [executor.submit(function, unit) for unit in units]
    try:
        return [future.result() for future in futures]
    finally:
        for future in futures:
            future.cancel()


class Threads(ThreadPoolExecutor):
    """As many threads, of which the one that calls `map_ordered` is one: a thread less to be woken.

    Parameters
    ----------
    n_threads : int
        2 or more.
    **settings
        Of a `ThreadPoolExecutor`.
    """

    def __init__(self, n_threads: int, **settings: Any) -> None:
        super().__init__(n_threads - 1, thread_name_prefix="npgrad", **settings)
        self._n_others = n_threads - 1

    def together(self, function: Callable[[Unit], Result], units: Sequence[Unit]) -> list[Result]:
        """[function(u) for u in units]; each thread takes the next unit when it is done with one."""
        left, done, errors = deque(range(len(units))), dict[int, Result](), dict[int, BaseException]()
        taken = {_this_core()}

        def work() -> None:
            while left:
                try:
                    i = left.popleft()
                except IndexError:  # another thread was faster
                    return
                try:
                    done[i] = function(units[i])
                except BaseException as error:  # raised below, by the thread that called
                    errors[i] = error
                    left.clear()

        def elsewhere() -> None:
            _leave(taken)
            work()

        try:
            futures = [self.submit(elsewhere) for _ in range(min(self._n_others, len(units) - 1))]
            work()
            for future in futures:
                if not future.cancel():
                    future.result()
        finally:
            left.clear()  # an interrupt may come between units: the others are not to go on alone
        if errors:
            raise errors[min(errors)]
        return [done[i] for i in range(len(units))]


def _this_core() -> int:
    """The number of the core on which this thread runs; -1 where nobody says."""
    return _who_says()()


@functools.cache
def _who_says() -> Callable[[], int]:
    try:
        return ctypes.PyDLL(None).sched_getcpu
    except (AttributeError, OSError, TypeError):  # no Linux
        return lambda: -1


def _leave(taken: set[int]) -> None:
    """Go to a core that no other thread has, and add it to those that are taken; from there it may go where it will.

    Linux may wake a thread on the core of the one that wakes it, and leave both there for milliseconds, though another
    core is idle: a gradient then takes as long as by one thread (measured).
    """
    if (core := _this_core()) >= 0 and core in taken:
        allowed = os.sched_getaffinity(0)
        with suppress(OSError):  # its cores are others by now, or none is left
            os.sched_setaffinity(0, allowed - taken)
            core = _this_core()
            os.sched_setaffinity(0, allowed)
    taken.add(core)


@contextmanager
def thread_pool(n_threads: int) -> Iterator[Executor | None]:
    """`Threads`, or None, which `map_ordered` takes as well, for one.

    Raises
    ------
    InvalidInput
        If `n_threads` is no integer above 0.
    """
    if isinstance(n_threads, bool) or not isinstance(n_threads, int) or n_threads < 1:
        raise InvalidInput(f"n_threads is {n_threads!r}, expected an integer of 1 or more")
    if n_threads == 1:
        yield None
        return
    with Threads(n_threads) as executor:
        yield executor


@contextmanager
def single_blas_thread() -> Iterator[None]:
    """Hold NumPy's matrix products to one thread: on more they round otherwise, and wait for one another.

    The limit is one for the whole process: set it around the pool, not inside its threads.
    """
    with _blas().limit(limits=1, user_api="blas"):
        yield


@functools.cache
def _blas() -> Any:
    """The libraries for matrix products, looked for once: that takes half a millisecond."""
    importlib.import_module("numpy")  # which loads its own
    return importlib.import_module("threadpoolctl").ThreadpoolController()


def ordered_sum(parts: Sequence[Term]) -> Term:
    """parts[0] + parts[1] + …, from left to right; the parts are left as they are.

    Parameters
    ----------
    parts : sequence of arrays or numbers
        At least one.

    Examples
    --------
    >>> ordered_sum([0.1, 0.2, 0.3]) == (0.1 + 0.2) + 0.3
    True
    """
    if not parts:
        raise InvalidInput("parts is empty, expected at least one array or number to sum")
    total = parts[0]
    for part in parts[1:]:
        total = total + part  # type: ignore[operator]
    return total


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
