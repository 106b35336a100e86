"""What the user sees while a run goes on: a bar in a terminal, a line now and then in a file."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Mapping
from typing import IO, Any

__all__ = ["ProgressBar"]

BAR_FORMAT = "{percentage:3.0f}% {bar:WIDTH} {n_fmt}/{total_fmt} steps · {rate_fmt}{postfix} · {remaining} left"
CLOCK_FORMAT = "{percentage:3.0f}% {bar:WIDTH} {elapsed}{postfix} · {remaining} left"
ERASE = "\x1b[K"  # the rest of the line, where a terminal may have put ^C

# column → what the bar calls it; in order of importance, for a narrow terminal has room for the first alone
SHOWN = {
    "rollout/ep_rew_mean": "return",
    "train/signal_to_noise": "S/N",
    "train/approx_kl": "KL",
    "train/entropy_loss": "H",
    "train/explained_variance": "EV",
}


def figures_of(row: Mapping[str, float | None], most: int = len(SHOWN)) -> str:
    """The figures of a row that are worth a glance.

    Examples
    --------
    >>> figures_of({"rollout/ep_rew_mean": 123.4567, "train/approx_kl": 0.0123, "train/entropy_loss": -0.5})
    'return 123.5, KL 0.012, H 0.5'
    """
    shown = []
    for key, name in SHOWN.items():
        value = row.get(key)
        if value is not None:
            sign = -1.0 if name == "H" else 1.0
            at_least_0 = max(value, 0.0) if name == "S/N" else sign * value  # S/N is an estimate around 0
            shown.append(f"{name} {at_least_0:.{4 if name == 'return' else 2}g}")
    return ", ".join(shown[:most])


class ProgressBar:
    """Timesteps done, steps per second, time left, and the figures of late.

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
    every : float
        Seconds between lines.
    seconds : float, optional
        How long the session may take; the bar then shows the clock.
    """

    def __init__(
        self,
        total: int,
        done: int = 0,
        show: bool = True,
        stream: IO[str] | None = None,
        every: float = 10.0,
        seconds: float | None = None,
    ) -> None:
        self.total = total
        self.first = done
        self.show = show
        self.stream = stream or sys.stderr
        self.every = every
        self.seconds = seconds
        self.began = self.last = time.monotonic()
        self.terminal = self.stream.isatty()
        self._bar: Any = None
        self._compiling = False

    def update(self, timesteps: int, row: Mapping[str, float | None]) -> None:
        """Note where the run is, and its last row."""
        now = time.monotonic()
        if not self.show or now - self.last < (0.1 if self.terminal else self.every):
            return
        self.last = now
        try:
            if not self.terminal:
                self._line(timesteps, row, now)
            elif now - self.began > 0.5:
                self._draw(timesteps, row, now)
        except OSError:  # the reader of a pipe has gone
            self.show = False

    def write(self, message: str) -> None:
        """Write a line without disturbing the bar; may be called by a signal handler."""
        with contextlib.suppress(OSError, RuntimeError):  # the reader has gone; another write was interrupted
            if self._bar is not None:
                self._bar.clear()
            print(message + (ERASE if self.terminal else ""), file=self.stream, flush=True)

    def compiling(self, name: str) -> None:
        """Say why nothing moves: in a terminal in passing, else in one line for all there is to compile."""
        if not self.show or (self._compiling and not self.terminal):
            return
        self._compiling = True
        what = f"compiling {name}, this once: it is kept for later runs"
        with contextlib.suppress(OSError):
            if self.terminal:
                print(f"\r{what}{ERASE}", end="", file=self.stream, flush=True)
            else:
                print(what, file=self.stream, flush=True)

    def close(self) -> None:
        """Take the bar away."""
        if self._compiling and self.terminal:
            with contextlib.suppress(OSError):
                self._erase()
        if self._bar is not None:
            with contextlib.suppress(OSError):
                self._bar.close()
            self._bar = None

    def _erase(self) -> None:
        print(f"\r{ERASE}", end="", file=self.stream, flush=True)
        self._compiling = False

    def _draw(self, timesteps: int, row: Mapping[str, float | None], now: float) -> None:
        columns = shutil.get_terminal_size().columns
        if self._bar is None:
            from tqdm import tqdm  # not for runs that end before a bar is of use

            if self._compiling:
                self._erase()

            by_clock = self.seconds is not None
            self._bar = tqdm(
                total=self.seconds if by_clock else self.total,
                initial=0 if by_clock else self.first,
                file=self.stream,
                unit=" steps",
                unit_scale=True,
                bar_format=(CLOCK_FORMAT if by_clock else BAR_FORMAT).replace("WIDTH", "20" if columns >= 100 else "8"),
                dynamic_ncols=True,
                leave=False,
                mininterval=0,
                delay=1e-9,  # nothing is drawn before there are figures
            )
            self._bar.start_t -= now - self.began  # the clock starts with the run
            self._bar.last_print_t = self._bar.start_t  # and so does the rate
        shown = figures_of(row, most=1 if columns < 100 else 2 if columns < 120 else len(SHOWN)).replace(", ", " · ")
        if self.seconds is not None:
            rate = (timesteps - self.first) / (now - self.began)
            shown = f"{timesteps:,} steps · {rate:,.0f} steps/s" + (f" · {shown}" if shown else "")
        self._bar.set_postfix_str(shown, refresh=False)
        at = min(timesteps, self.total) if self.seconds is None else min(now - self.began, self.seconds)
        self._bar.update(at - self._bar.n)

    def _line(self, timesteps: int, row: Mapping[str, float | None], now: float) -> None:
        rate = (timesteps - self.first) / (now - self.began)
        left = max(0, self.total - timesteps) / rate if rate else float("inf")
        of = f"{timesteps:,}/{self.total:,}"
        if self.seconds is not None:
            of, left = f"{timesteps:,}", max(0.0, self.seconds - (now - self.began))
        figures = figures_of(row)
        line = f"{of} steps{', ' if figures else ''}{figures}, {rate:,.0f} steps/s, {left:.0f} s left"
        print(line, file=self.stream, flush=True)
