"""A word, now and then, when a figure says that a run is not well."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["HINTS", "Hint", "Hints"]


@dataclass(frozen=True)
class Hint:
    """What to say when the mean of a figure over some iterations is beyond a limit.

    Parameters
    ----------
    key : str
        Column of the log.
    limit : float
        The last value that is not sick.
    above : bool
        Whether values above the limit are sick, or those below.
    says : str
        With ``{value}`` in it.
    """

    key: str
    limit: float
    above: bool
    says: str

    def sick(self, value: float) -> bool:
        """Whether `value` is; NaN is not."""
        return value > self.limit if self.above else value < self.limit


HINTS = (
    Hint("train/signal_to_noise", 0.05, False, "signal-to-noise {value:.2g}: a larger batch or a baseline may help"),
    Hint("train/approx_kl", 0.5, True, "KL of a step {value:.2g}: a smaller learning rate may help"),
    Hint(
        "train/explained_variance",
        0.0,
        False,
        "explained variance {value:.2g}, less than a constant has: let the critic learn faster, or do without",
    ),
    Hint(
        "train/effective_sample_share",
        0.1,
        False,
        "{value:.0%} of the samples speak for the new policy: fewer or smaller steps on a batch may help",
    ),
    Hint(
        "train/clipped_actions", 0.5, True, "{value:.0%} of the actions are beyond their bounds: a smaller σ may help"
    ),
)


class Hints:
    """Looks at every row of the log, and says each hint at most once, one in a while.

    Parameters
    ----------
    window : int
        Iterations that a mean is over; before there are as many nothing is said.
    every : float
        Seconds between two hints.

    Examples
    --------
    >>> hints = Hints(window=2)
    >>> hints.look({"train/approx_kl": 3.0}), hints.look({"train/approx_kl": 1.0})
    (None, 'KL of a step 2: a smaller learning rate may help (mean of 2 iterations)')
    """

    def __init__(self, window: int = 50, every: float = 60.0) -> None:
        self.every = every
        self._last = {hint: deque[float](maxlen=window) for hint in HINTS}
        self._quiet_until = float("-inf")

    def look(self, row: Mapping[str, float | None]) -> str | None:
        """What there is to say after an iteration with this row, or nothing."""
        said = None
        for hint, values in list(self._last.items()):
            value = row.get(hint.key)
            if value is None or math.isnan(value):
                continue
            values.append(value)
            n, now = len(values), time.monotonic()
            mean = sum(values) / n
            if said is None and n == values.maxlen and hint.sick(mean) and now >= self._quiet_until:
                said = f"{hint.says.format(value=mean)} (mean of {n} iterations)"
                self._quiet_until = now + self.every
                del self._last[hint]
        return said
