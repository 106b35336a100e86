"""Ctrl-C once: finish the iteration, save, stop. Twice: stop now."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

__all__ = ["StopRequest", "stop_on_signal"]


@dataclass
class StopRequest:
    """Whether the user, or the system, has asked for the end."""

    made: bool = False


@contextmanager
def stop_on_signal(tell: Callable[[str], None]) -> Iterator[StopRequest]:
    """Within the block, SIGINT and SIGTERM only note the request; the second one raises `KeyboardInterrupt`.

    Outside the main thread, where Python allows no handlers, signals do what they did before.
    """
    request = StopRequest()

    def handle(number: int, _frame: FrameType | None) -> None:
        if request.made:
            raise KeyboardInterrupt
        request.made = True
        again = "Ctrl-C again" if number == signal.SIGINT else "a second signal"
        tell(f"stopping after this iteration and saving ({again} stops at once)")

    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, handle)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
