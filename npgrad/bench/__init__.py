"""Speed, as ratios taken in one run: candidates alternate, so that a slow minute of the machine hits all of them."""

from .timing import Timing, compare, table

__all__ = ["Timing", "compare", "table"]
