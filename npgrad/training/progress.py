"""What the user sees while a run goes on: a bar in a terminal, a line now and then in a file."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import IO, Any

__all__ = ["ProgressBar"]

BAR_FORMAT = "{percentage:3.0f}% {bar:25} {n_fmt}/{total_fmt} steps · {rate_fmt}{postfix} · {remaining} left"
ERASE = "\x1b[K"  # the rest of the line, where a terminal may have put ^C


class ProgressBar:
    """Timesteps done, steps per second, time left, and the mean return of late.

    Nothing is shown of runs shorter than half a second. Where the stream is no terminal, a plain line is written
    every `every` seconds.

    Parameters
    ----------
    total : int
        Timesteps of the whole run.
    done : int
        Timesteps before this session.
    show : bool
        False: nothing is written but what goes through `write`.
    stream : text file, optional
        Standard error if not given.
    """

    def __init__(
        self, total: int, done: int = 0, show: bool = True, stream: IO[str] | None = None, every: float = 10.0
    ) -> None:
        self.total = total
        self.first = done
        self.show = show
        self.stream = stream or sys.stderr
        self.every = every
        self.began = self.last = time.monotonic()
        self.terminal = self.stream.isatty()
        self._bar: Any = None

    def update(self, timesteps: int, mean_return: float | None) -> None:
        """Note where the run is."""
        now = time.monotonic()
        if not self.show or now - self.last < (0.1 if self.terminal else self.every):
            return
        self.last = now
        try:
            if not self.terminal:
                self._line(timesteps, mean_return, now)
            elif now - self.began > 0.5:
                self._draw(timesteps, mean_return)
        except OSError:  # the reader of a pipe has gone
            self.show = False

    def write(self, message: str) -> None:
        """Write a line without disturbing the bar; may be called by a signal handler."""
        with contextlib.suppress(OSError, RuntimeError):  # the reader has gone; another write was interrupted
            if self._bar is not None:
                self._bar.clear()
            print(message + (ERASE if self.terminal else ""), file=self.stream, flush=True)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            with contextlib.suppress(OSError):
                self._bar.close()
            self._bar = None

    def _draw(self, timesteps: int, mean_return: float | None) -> None:
        if self._bar is None:
            from tqdm import tqdm  # not for runs that end before a bar is of use

            self._bar = tqdm(
                total=self.total,
                initial=self.first,
                file=self.stream,
                unit=" steps",
                unit_scale=True,
                bar_format=BAR_FORMAT,
                dynamic_ncols=True,
                leave=False,
                mininterval=0,
            )
            self._bar.start_t -= time.monotonic() - self.began  # the clock starts with the run
        if mean_return is not None:
            self._bar.set_postfix_str(f"return {mean_return:.4g}", refresh=False)
        self._bar.update(min(timesteps, self.total) - self._bar.n)

    def _line(self, timesteps: int, mean_return: float | None, now: float) -> None:
        rate = (timesteps - self.first) / (now - self.began)
        left = max(0, self.total - timesteps) / rate if rate else float("inf")
        shown = "" if mean_return is None else f", return {mean_return:.4g}"
        line = f"{timesteps:,}/{self.total:,} steps{shown}, {rate:,.0f} steps/s, {left:.0f} s left"
        print(line, file=self.stream, flush=True)
