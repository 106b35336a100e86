"""Executors whose calls can find the worker again that they knew in the last map."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from functools import partial
from typing import Any

from .calls import held_back

__all__ = ["DaskExecutor", "Lanes"]

Call = tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]


class Lanes(Executor):
    """Many pools of one process each as one executor: at most one call at a time in each, the others wait their turn.

    A pool of many processes breaks as a whole when one of them dies, and CPython's may then forget calls: one that is
    just being handed in, or all, if one has been cancelled. Here nothing is cancelled that a pool has, a lane that
    breaks is replaced, and its call says so. The call of the same number in the next map meets the same process, and
    what that remembers.

    Parameters
    ----------
    n : int
        Lanes.
    make : callable
        A pool of one process.
    """

    def __init__(self, n: int, make: Callable[[], ProcessPoolExecutor]) -> None:
        self._make = make
        self._pools: list[ProcessPoolExecutor | None] = [None] * n  # made when they are needed
        self._calls: list[Future[Any] | None] = [None] * n  # what each lane is at
        self._waiting: deque[Call] = deque()
        self._dead: list[ProcessPoolExecutor] = []
        self._lock = threading.RLock()

    @property
    def processes(self) -> list[Any]:
        """Those that live, or did until just now."""
        with self._lock:
            return [process for pool in self._pools for process in processes_of(pool)]

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """A call for any lane that is free."""
        return self.submit_to(0, partial(fn, **kwargs) if kwargs else fn, *args)

    def submit_to(self, lane: int, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """A call for that lane (modulo n) if it is free, and for any other if not."""
        future: Future[Any] = Future()
        self.look()
        with self._lock:
            n = len(self._pools)
            self._waiting.append((future, fn, args))
            for i in range(n):
                self._begin((lane + i) % n)
        return future

    def _begin(self, lane: int) -> None:
        """The next call that waits, if the lane is free."""
        while self._waiting and self._calls[lane] is None:
            future, fn, args = self._waiting.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            self._calls[lane] = future
            try:
                inner = self._handed_in(lane, fn, args)
            except BrokenExecutor:  # it died at rest
                self._leave(lane)
                inner = self._handed_in(lane, fn, args)
            inner.add_done_callback(partial(self._end, lane, future))

    def _handed_in(self, lane: int, fn: Callable[..., Any], args: tuple[Any, ...]) -> Future[Any]:
        pool = self._pools[lane]
        if pool is None:
            pool = self._pools[lane] = self._make()  # not held back: it may begin a process that lets signals in again
        with held_back():
            return pool.submit(fn, *args)

    def _end(self, lane: int, future: Future[Any], inner: Future[Any]) -> None:
        """Pass on what a lane's call came to, and begin the next one."""
        with self._lock:
            if self._calls[lane] is not future:  # nobody waits for it any more
                return
            error = inner.exception()
            if isinstance(error, BrokenExecutor):
                self._leave(lane)
            self._calls[lane] = None
            if error is None:
                future.set_result(inner.result())
            else:
                future.set_exception(error)
            self._begin(lane)

    def _leave(self, lane: int) -> None:
        """Give up a pool, which cleans up by itself: whoever forgets it waits for a lock that this thread may hold."""
        pool, self._pools[lane] = self._pools[lane], None
        if pool is not None:
            self._dead.append(pool)

    def look(self) -> None:
        """End the calls of lanes that broke and did not say so; forget what is dead, with no lock held."""
        with self._lock:
            forgotten, self._dead = self._dead, []
            for lane, future in enumerate(self._calls):
                if future is not None and getattr(self._pools[lane], "_broken", False):
                    self._give_up(lane, future)
                    self._begin(lane)
        del forgotten

    def _give_up(self, lane: int, future: Future[Any]) -> None:
        self._leave(lane)
        self._calls[lane] = None
        future.set_exception(BrokenExecutor("a worker process died"))

    def renew(self) -> None:
        """Kill the lanes that are at work, and forget what waits; lanes that are free stay as they are."""
        with self._lock:
            self._cancel()
            for lane, future in enumerate(self._calls):
                if future is not None:
                    processes = processes_of(self._pools[lane])
                    self._give_up(lane, future)
                    for process in processes:
                        process.kill()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the lanes when they have done what they are at; what waits is cancelled in any case."""
        with self._lock:
            self._cancel()
            pools = [pool for pool in self._pools if pool is not None]
        for pool in pools:
            pool.shutdown(wait)

    def kill(self) -> None:
        """End the lanes at once."""
        with self._lock:
            self._cancel()
        for process in self.processes:
            process.kill()
        self.shutdown()

    def _cancel(self) -> None:
        while self._waiting:
            future = self._waiting.popleft()[0]
            if future.cancel():
                future.set_running_or_notify_cancel()


def processes_of(pool: ProcessPoolExecutor | None) -> list[Any]:
    """The processes that a pool has begun."""
    return list((getattr(pool, "_processes", None) or {}).values())


class DaskExecutor(Executor):
    """Dask's own executors: one for any worker, and one for each, where the others take part if that one is gone."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._any: Executor = client.get_executor(pure=False)
        self._of: dict[str, Executor] = {}
        self.homes: list[str] = []  # workers, as of late

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """A call for any worker."""
        return self._any.submit(fn, *args, **kwargs)

    def submit_to(self, number: int, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """A call for the worker of that number (modulo theirs)."""
        if not self.homes:
            return self.submit(fn, *args)
        home = self.homes[number % len(self.homes)]
        if home not in self._of:
            self._of[home] = self._client.get_executor(pure=False, workers=[home], allow_other_workers=True)
        return self._of[home].submit(fn, *args)
