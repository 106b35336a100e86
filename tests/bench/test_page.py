"""The page is made from measurements, new and kept; the exponents are those of the points."""

import json
from dataclasses import replace
from functools import partial

import pytest

from npgrad.bench.catalogue import chosen
from npgrad.bench.growth import growth_rows, points, slope
from npgrad.bench.limits import Limits
from npgrad.bench.machine import facts
from npgrad.bench.page import update_page
from npgrad.bench.peer import Peers
from npgrad.bench.report import line
from npgrad.bench.rows import Measured, measure

LIMITS = {"bandwidth": 4e10, "bandwidth_of_one": 3e10, "flops32": 4e11, "flops64": 2e11, "latency": 1e-9}
ABOUT = {"processor": "a small one", "peers": "none"}


def new(rows, **changes):
    return {"about": ABOUT, "limits": LIMITS, "rows": rows} | changes


def test_a_page_grows_by_what_is_measured(tmp_path):
    page = tmp_path / "benchmarks.md"
    first = {"act-linear": {"busy": 0.0, "seconds": {"npgrad, NumPy": [2e-6], "npgrad, compiled": [2e-6]}}}
    update_page(page, chosen(), new(first))
    text = page.read_text(encoding="utf-8")
    assert "✓ NumPy 2 µs, ≤ 5 µs reached<br>✗ compiled 2 µs, ≤ 1.5 µs missed by 33%" in text
    assert "1 of 2 goals are reached." in text
    assert "- one action, linear, 4 inputs: compiled 2 µs, ≤ 1.5 µs missed by 33%" in text

    second = {"returns-gae": {"busy": 1.5, "seconds": {"npgrad, 1 thread": [4e-9], "JAX": [8e-9]}}}
    slower = LIMITS | {"latency": 2e-9, "bandwidth": 1e10}
    update_page(page, chosen(), new(second, about=ABOUT | {"peers": "jax 1.0"}, limits=slower))
    text = page.read_text(encoding="utf-8")
    assert text.index("## Returns") < text.index("## One action")
    assert "| 4 ns | 8 ns | 2 ns, latency |" in text
    assert "2.0 × JAX (2.0 to 2.0), beyond ≥ 2 ×" in text
    assert "a step: 4 ns on a busy machine, ≤ 3 ns open; 2.0 × the bound by latency" in text
    assert "Other programs used more than 0.25 of a core at 1 of 2 rows: times are longer" in text
    kept = json.loads(page.with_suffix(".json").read_text())
    assert set(kept["rows"]) == {"act-linear", "returns-gae"}
    assert kept["limits"] == LIMITS  # the best that was seen
    assert kept["about"]["peers"] == "jax 1.0"


def test_growth_on_the_page(tmp_path):
    pytest.importorskip("matplotlib")
    page = tmp_path / "benchmarks.md"
    rows = {
        row.name: {"busy": 0.0, "seconds": {str(x): [1e-6 * x**0.5] for x in (1, 16, 256)}} for row in growth_rows()
    }
    update_page(page, chosen(), new(rows))
    assert page.read_text(encoding="utf-8").count("| 1 … 256 | 0.50 | 0.50 | 16 µs, ") == len(rows)
    assert "slope 0.50" in (tmp_path / "pictures" / "benchmarks_growth.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("b", [0.0, 1.0, 1.7])
def test_slopes(b):
    found = Measured("x", {str(x): [3.0 * x**b, 4.0 * x**b, 1.0 * x**b] for x in (1, 10, 100, 1000)})
    assert slope(found) == pytest.approx((b, b))
    assert points(found)[0].tolist() == [1, 10, 100, 1000]


def test_a_curve_is_measured_at_every_point():
    row = next(row for row in growth_rows() if row.name == "growth-episodes")
    row = replace(row, candidates=partial(row.candidates.func, [4, 16, 64]), rounds=2)
    with Peers(None) as peers:
        found = measure(row, peers)
    assert list(found.seconds) == ["4", "16", "64"]
    assert "time ~ episodes^" in line(row, found)


def test_bounds_are_below_what_is_possible():
    """Every bound is a positive time with a reason, and grows with the work."""
    limits = Limits(**LIMITS)
    for row in chosen():
        if row.bound is not None:
            seconds, why = row.bound(limits)
            assert 0 < seconds < 10
            assert why in ("bandwidth", "flops", "latency")
    for row in growth_rows():
        few, many = row.least(1, limits)[0], row.least(2, limits)[0]
        assert many > 0
        assert many <= few if row.x == "threads" else many == pytest.approx(2 * few)


def test_facts():
    assert all(isinstance(text, str) and text for text in facts().values())
