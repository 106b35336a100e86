import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad.training import Evaluation, EvaluationResult, learning_curve_svg
from npgrad.training.curve import HEIGHT, WIDTH, nice_ticks

NUMBER = r"-?\d+\.?\d*"


def at(timesteps, value):
    return Evaluation(timesteps, EvaluationResult(np.array([value]), np.array([1])))


@given(st.floats(-1e9, 1e9), st.floats(1e-9, 1e12))
def test_ticks_are_round_inside_and_few(low, span):
    high = low + span
    if high - low < 1e-9 * max(abs(low), abs(high)):
        return  # too close for floats
    ticks = nice_ticks(low, high)
    steps = np.diff(ticks)
    assert 2 <= len(ticks) <= 9
    assert ticks[0] >= low - 1e-6 * span
    assert ticks[-1] <= high + 1e-6 * span
    mantissa = steps[0] / 10.0 ** np.floor(np.log10(steps[0]) + 1e-6)
    assert min(abs(mantissa - m) for m in (1, 2, 5, 10)) < 1e-3


@pytest.mark.parametrize(
    ("returns", "evaluations", "threshold"),
    [
        ([], [], None),
        ([3.0], [], None),
        ([3.0, 3.0], [], 3.0),
        ([0.0] * 5, [], 0.0),
        ([], [at(10, -5.0)], None),
        (list(range(-500, 3000)), [at(1000, 2.0), at(2000, 1e6)], -1e4),
        ([1.0, float("nan"), float("inf"), 2.0], [at(3, float("nan"))], None),
    ],
)
def test_all_is_drawn_inside(returns, evaluations, threshold):
    svg = learning_curve_svg(np.array(returns), np.full(len(returns), 10), evaluations, "t", threshold)
    root = ET.fromstring(svg)
    for path in root.iter("{http://www.w3.org/2000/svg}path"):
        for x, y in re.findall(rf"[ML]({NUMBER}) ({NUMBER})", path.get("d")):
            assert 0 <= float(x) <= WIDTH
            assert -10 <= float(y) <= HEIGHT
    circles = [c for c in root.iter("{http://www.w3.org/2000/svg}circle") if float(c.get("cy")) > 0]
    assert len(circles) == len(evaluations)
    assert "nan" not in svg


def test_higher_is_higher_and_later_is_further_right():
    svg = learning_curve_svg(np.zeros(0), np.zeros(0, int), [at(10, 1.0), at(20, 2.0)])
    (x0, y0), (x1, y1) = re.findall(rf'cx="({NUMBER})" cy="({NUMBER})"', svg)[:2]
    assert float(x1) > float(x0)
    assert float(y1) < float(y0)


def test_titles_are_text():
    svg = learning_curve_svg(np.zeros(0), np.zeros(0, int), title='<script>"&')
    assert "<script>" not in svg
    assert ET.fromstring(svg).get("aria-label") == 'Learning curve: <script>"&'


def test_many_episodes_make_no_large_file():
    n = 100_000
    svg = learning_curve_svg(np.sin(np.arange(n)), np.full(n, 10))
    assert len(svg) < 60_000
    assert svg == learning_curve_svg(np.sin(np.arange(n)), np.full(n, 10))
