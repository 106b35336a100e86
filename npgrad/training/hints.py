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
    """What to say when the mean of a figure over some iterations is between two limits.

    Parameters
    ----------
    key : str
        Column of the log.
    says : str
        With ``{value}`` in it, the mean.
    above, below : float, optional
        The limits.
    """

    key: str
    says: str
    above: float = -math.inf
    below: float = math.inf

    def sick(self, value: float) -> bool:
        """Whether `value` is."""
        return self.above < value < self.below or math.inf == value == self.below


HINTS = (
    Hint(
        "train/entropy_loss",
        "no entropy left, the policy tries nothing new: a smaller learning rate or an entropy bonus may help",
        above=-0.003,
        below=0.003,
    ),
    Hint("train/approx_kl", "KL of a step {value:.2g}: a smaller learning rate may help", above=0.5),
    Hint("train/signal_to_noise", "signal-to-noise {value:.2g}: a larger batch or a baseline may help", below=0.05),
    Hint(
        "train/explained_variance",
        "explained variance {value:.2g}, less than a constant has: let the critic learn faster, or do without",
        below=0.0,
    ),
    Hint(
        "train/effective_sample_share",
        "{value:.0%} of the samples speak for the new policy: fewer or smaller steps on a batch may help",
        below=0.1,
    ),
    Hint(
        "train/clipped_actions", "{value:.0%} of the actions are beyond their bounds: a smaller σ may help", above=0.5
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
        said, waits = None, False
        for hint, values in list(self._last.items()):
            value = row.get(hint.key)
            if value is None or math.isnan(value):
                continue
            values.append(value)
            n, now = len(values), time.monotonic()
            mean = sum(values) / n
            if not (said or waits) and n == values.maxlen and hint.sick(mean) and now >= self._quiet_until:
                shown = max(mean, 0.0) if hint.key == "train/signal_to_noise" else mean  # an estimate around 0
                said = f"{hint.says.format(value=shown)} (mean of {n} iterations)"
                self._quiet_until = now + self.every
                del self._last[hint]
            elif hint.key == "train/entropy_loss":
                waits = hint.sick(value)  # without entropy there is no signal either: the cause comes first
        return said
