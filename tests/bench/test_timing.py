"""Alternating measurements: ratios, spread, and the table."""

import numpy as np
import pytest

from npgrad.bench import Timing, compare, table
from npgrad.errors import InvalidInput


def test_a_candidate_that_does_twice_the_work_takes_longer():
    once, twice = compare(
        {"once": lambda: sum(range(20_000)), "twice": lambda: [sum(range(20_000)) for _ in range(4)]}, 5
    )
    assert once.ratio == 1
    assert twice.ratio < 1  # four times the work, on whatever machine
    assert twice.spread[0] <= twice.ratio <= twice.spread[1]
    assert once.seconds.shape == (5,)


def test_ratios_are_taken_round_by_round():
    seconds = np.array([1.0, 10.0]), np.array([0.5, 5.0])
    timing = Timing("b", seconds[1], seconds[0] / seconds[1])
    assert (timing.ratio, timing.spread, timing.median) == (2.0, (2.0, 2.0), 2.75)
    assert table([("x", [Timing("a", seconds[0], np.ones(2)), timing])]).splitlines()[2] == (
        "| x | 5.5 s | 2.75 s, 2.0 × (2.0 to 2.0) |"
    )


def test_nothing_to_compare_is_refused():
    with pytest.raises(InvalidInput, match="at least one"):
        compare({})
