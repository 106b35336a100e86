"""`npgrad bench`: names, figures as text and as JSON, and a page that is added to."""

import json
import sys

import pytest

from npgrad.bench import rows as rows_module
from npgrad.bench.limits import Limits
from npgrad.bench.rows import Goal, Row


@pytest.fixture
def small(monkeypatch):
    """Two rows of no work, and a machine whose limits need no measuring."""

    def rows(names=()):
        both = [
            Row(f"sum-{n}", f"sum of {n}", lambda p, s, n=n: {"npgrad": lambda: sum(range(n))}, (Goal(1.0),), rounds=2)
            for n in (10, 1000)
        ]
        return [row for row in both if row.name in (names or ("sum-10", "sum-1000"))]

    monkeypatch.setattr("npgrad.bench.catalogue.chosen", rows)
    monkeypatch.setattr("npgrad.bench.catalogue.GROUPS", {"sum": ("", "Sums")})
    monkeypatch.setattr("npgrad.bench.page.GROUPS", {"sum": ("", "Sums")})
    monkeypatch.setattr("npgrad.bench.limits.measured_limits", lambda: Limits(4e10, 3e10, 4e11, 2e11, 1e-9))


def test_text(npgrad, small):
    status, out, _ = npgrad("bench", "--only", "sum-10")
    assert status == 0
    assert out.startswith("sum of 10\n    npgrad ")
    assert "    ✓ " in out
    assert "sum of 1000" not in out
    assert "processor  " in out


def test_json(npgrad, small, monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    status, out, _ = npgrad("bench", "--json", "--peers", sys.executable)
    found = json.loads(out)
    assert status == 0
    assert list(found) == ["about", "limits", "rows"]
    assert list(found["rows"]) == ["sum-10", "sum-1000"]
    assert found["rows"]["sum-10"]["seconds"]["npgrad"][0] > 0
    assert found["about"]["peers"] == "none"  # none was needed
    assert "Haswell" not in found["about"]["environment variables"]


def test_page(npgrad, small, tmp_path):
    for name in ("sum-10", "sum-1000"):
        assert npgrad("bench", "--only", name, "--out", tmp_path / "page.md")[0] == 0
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "| sum of 10 | " in text
    assert "| sum of 1000 | " in text
    assert "2 of 2 goals are reached." in text


def test_the_list_is_that_of_all_rows(npgrad):
    out = npgrad("bench", "--list", "--only", "act,fisher-float32")[1]
    assert [line.split()[0] for line in out.splitlines()] == ["act-linear", "act-mlp", "fisher-float32"]


@pytest.mark.parametrize(
    ("args", "message"),
    [(("--only", "gradient"), "did you mean"), (("--peers", "/nowhere/python"), "--peers /nowhere/python")],
)
def test_wrong_usage(npgrad, args, message):
    status, out, err = npgrad("bench", *args)
    assert (status, out) == (2, "")
    assert message in err


def test_ctrl_c_keeps_what_is_done(npgrad, small, monkeypatch):
    def second_is_stopped(row, peers, measure=rows_module.measure):
        if row.name == "sum-1000":
            raise KeyboardInterrupt
        return measure(row, peers)

    monkeypatch.setattr(rows_module, "measure", second_is_stopped)
    status, out, err = npgrad("bench", "--json")
    assert (status, list(json.loads(out)["rows"])) == (0, ["sum-10"])
    assert err == "stopped after 1 of 2 rows, which are kept\n"
    assert npgrad("bench", "--only", "sum-1000")[0] == 130
