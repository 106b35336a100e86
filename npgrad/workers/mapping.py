"""A map over workers that outlives them: units that are lost are computed again."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from typing import TYPE_CHECKING, Self, TypeVar

from ..errors import InvalidInput, NpgradError, WorkerFailure
from .calls import Garbage, answer, opened, packed
from .lanes import DaskExecutor, Lanes

if TYPE_CHECKING:
    from .engines import Engine

__all__ = ["TIME_LIMIT", "Workers", "split"]

Unit = TypeVar("Unit")
Result = TypeVar("Result")

TIME_LIMIT = 600.0  # seconds without any unit done
LOOK_EVERY = 1.0  # seconds without any unit done
ATTEMPTS = 3  # losses in a row, without a unit done in between, after which something else is wrong


class Workers:
    """Workers of one engine, opened at their first unit; a context that closes them.

    Parameters
    ----------
    engine : Engine
        Where executors come from.
    time_limit : float, optional
        Seconds without any unit done after which those at work are taken for hung, and replaced; None: wait for ever.

    Attributes
    ----------
    sent, received : int
        Bytes of all calls and of all answers so far, as they are handed to the engine.
    lost : int
        Units that had to be computed again.
    widest, most : int
        Units of the widest map so far, and workers when they were last counted.
    """

    def __init__(self, engine: Engine, time_limit: float | None = TIME_LIMIT) -> None:
        self.engine, self.time_limit = engine, time_limit
        self.sent = self.received = self.lost = self.widest = self.most = 0
        self._executor: Executor | None = None
        self._lock = threading.RLock()

    @property
    def n(self) -> int:
        """How many work at a time."""
        self.most = self.engine.size(self._open())
        return self.most

    def map(
        self,
        function: Callable[[Unit], Result],
        units: Iterable[Unit],
        *,
        fits: Callable[[Unit, Result], bool] | None = None,
        done: Callable[[int, Result], None] | None = None,
    ) -> list[Result]:
        """[function(u) for u in units], wherever they are computed.

        Parameters
        ----------
        function : callable
            Importable, of one unit alone.
        units : iterable
            Picklable.
        fits : callable, optional
            Whether a result is one of its unit; if not, the unit is computed again.
        done : callable, optional
            Told of each result as it arrives, with the index of its unit.

        Raises
        ------
        InvalidInput
            If a unit cannot be sent.
        WorkerFailure
            If workers are lost again and again.
        Exception
            What a unit raised: the first in the order of the units. Those after it that have not begun are cancelled.
        """
        with self._lock:  # one at a time: who replaces workers must not take them from another
            return self._map(function, list(units), fits, done)

    def _map(
        self,
        function: Callable[[Unit], Result],
        asked: list[Unit],
        fits: Callable[[Unit, Result], bool] | None,
        done: Callable[[int, Result], None] | None,
    ) -> list[Result]:
        results, failed = dict[int, Result](), dict[int, Exception]()
        calls = [self._packed(function, unit) for unit in asked]
        self.widest = max(self.widest, len(calls))

        def take(i: int, reply: bytes) -> bool:
            try:
                result = opened(reply)
            except Garbage:
                raise
            except Exception as error:
                failed[i] = error
                return False
            if fits is not None and not fits(asked[i], result):
                raise Garbage("a worker answered another question")
            self.received += len(reply)
            results[i] = result
            if done is not None:
                done(i, result)
            return True

        missing, losses, turn = list(range(len(calls))), 0, 0
        while missing:
            reason = self._round({i: calls[i] for i in missing}, take, turn)
            turn += 1
            end = min(failed, default=len(calls))
            left = [i for i in range(end) if i not in results]
            self.lost += len(left)
            losses = 0 if len(left) < len(missing) else losses + 1
            missing = left
            if losses == ATTEMPTS:
                raise WorkerFailure(
                    f"{len(missing)} of {len(calls)} units could not be computed in {ATTEMPTS} attempts: {reason}; a "
                    "unit may take too much memory, or longer than the time limit allows"
                )
        if failed:
            raise failed[min(failed)]
        return [results[i] for i in range(len(calls))]

    def _round(self, calls: dict[int, bytes], take: Callable[[int, bytes], bool], turn: int) -> str | None:
        """All calls, once, but for those after one that fails; why some have no answer."""
        futures: dict[Future[bytes], int] = {}
        lost = None
        try:
            try:
                submit = self._submit(turn, one_each=len(calls) <= self.most)
                for i, call in calls.items():
                    futures[submit(i, call)] = i
                    self.sent += len(call)
            except (OSError, RuntimeError) as error:  # BrokenExecutor is one
                if isinstance(error, NpgradError):
                    raise
                lost = _said(error)
            running, last = set(futures), time.monotonic()
            while running:
                limit = math.inf if self.time_limit is None else self.time_limit
                finished, running = wait(running, min(limit, LOOK_EVERY), FIRST_COMPLETED)
                if finished:
                    last = time.monotonic()
                elif time.monotonic() - last >= limit:
                    lost = f"no unit was done within {limit:g} s"
                    break
                elif isinstance(self._executor, Lanes):
                    self._executor.look()
                for future in finished:
                    try:
                        well = future.cancelled() or take(futures[future], _answer_of(future))
                    except Garbage as error:
                        lost = str(error)
                    else:
                        if not well:
                            running -= {f for f in running if futures[f] > futures[future] and f.cancel()}
        except BaseException:
            for future in futures:
                future.cancel()
            raise
        if lost:
            self._replace(lost)
        return lost

    def _packed(self, function: Callable[[Unit], Result], unit: Unit) -> bytes:
        try:
            return packed(function, unit)
        except Exception as error:
            raise InvalidInput(
                f"a unit of work cannot be sent to another process ({error}); environments, policies and callbacks "
                "must be importable: put functions and classes into a module, and name environments by id"
            ) from error

    def _submit(self, turn: int, one_each: bool) -> Callable[[int, bytes], Future[bytes]]:
        """How call i is handed in: to the worker that had it in the last map, but not to one that has just lost it."""
        executor = self._open()
        if isinstance(executor, Lanes) or (one_each and isinstance(executor, DaskExecutor)):
            return lambda i, call: executor.submit_to(i + turn, answer, call)
        return lambda i, call: executor.submit(answer, call)

    def _open(self) -> Executor:
        if self._executor is None:
            self._executor = self.engine.open()
        return self._executor

    def _replace(self, why: str) -> None:
        """New workers for those that are lost."""
        try:
            self._executor = self.engine.renew(self._open())
        except Exception as error:
            what = str(error) if isinstance(error, NpgradError) else f"the engine gives no others: {_said(error)}"
            raise WorkerFailure(f"workers were lost ({why}), and {what}") from error

    def close(self, at_once: bool = False) -> None:
        """End the workers; `at_once`: without waiting for what they are at."""
        executor, self._executor = self._executor, None
        if executor is not None:
            self.engine.close(executor, at_once)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.close(at_once=kind is not None)


def split(n: int, parts: int) -> list[tuple[int, int]]:
    """0, …, n − 1 in at most so many runs (first, end) of nearly equal length.

    Examples
    --------
    >>> split(7, 3)
    [(0, 3), (3, 5), (5, 7)]
    """
    parts = min(n, max(1, parts))
    sizes = [n // parts + (i < n % parts) for i in range(parts)]
    ends = [sum(sizes[: i + 1]) for i in range(parts)]
    return [(end - size, end) for end, size in zip(ends, sizes, strict=True)]


def _answer_of(future: Future[bytes]) -> bytes:
    """Calls report their own errors inside their answers, so whatever is raised here is the engine's."""
    try:
        return future.result()
    except (Exception, CancelledError) as error:
        raise Garbage(_said(error)) from error


def _said(error: BaseException) -> str:
    return f"the engine said {type(error).__name__}{f': {error}' if str(error) else ''}"
