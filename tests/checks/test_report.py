"""Reports, and how a wrong array is explained."""

import numpy as np
import pytest

from npgrad.checks import Line, Report, check_function
from npgrad.checks.diagnosis import explain, linear_in, transposed_in
from npgrad.checks.report import Recorder, distance
from npgrad.errors import CheckFailed, NotImplementedBy, NpgradError
from npgrad.functions import Linear


def test_a_report_shows_every_line_and_what_failed():
    report = Report("f", (Line("a = b", 1e-16, 1e-12), Line("c = d", 0.5, 1e-12, "half")), ("e: not provided",))
    text = str(report).splitlines()
    assert text[0] == "f: 1 of 2 statements fail"
    assert text[1].startswith("✓ a = b")
    assert text[2].startswith("✗ c = d")
    assert text[3] == "    → half"
    assert text[4] == "– e: not provided"
    assert [line.statement for line in report.failures] == ["c = d"]
    with pytest.raises(CheckFailed, match="c = d"):
        report.raise_if_failed()
    assert issubclass(CheckFailed, NpgradError)


def test_a_report_without_failures():
    report = check_function(Linear(2, 1))
    assert report.passed
    assert report.raise_if_failed() is None
    assert "all 13 statements hold" in str(report)


@pytest.mark.parametrize(("residual", "passed"), [(0.0, True), (1e-12, True), (2e-12, False), (np.nan, False)])
def test_a_line_passes_within_its_tolerance(residual, passed):
    assert Line("", residual, 1e-12).passed is passed


def test_the_recorder_goes_on_after_an_error():
    record = Recorder("f")
    record.equal("raises", lambda: 1 / 0, lambda: np.ones(2), 1e-12)
    record.none("raises too", lambda: [1 / 0])
    record.attempt("raises outside", lambda: 1 / 0)

    def absent():
        raise NotImplementedBy("none there")

    record.equal("absent", absent, lambda: np.ones(2), 1e-12)
    record.equal("holds", lambda: np.ones(2), lambda: np.ones(2), 1e-12)
    report = record.report()
    assert [line.passed for line in report.lines] == [False, False, False, True]
    assert report.skipped == ("absent: none there",)


def test_violations_are_listed_up_to_three():
    record = Recorder("f")
    record.none("many", lambda: [f"v{i}" for i in range(5)])
    (line,) = record.report().lines
    assert line.finding == "v0; v1; v2; and 2 more"
    assert line.residual == 5


def test_distance_is_relative_to_the_largest_entry_above_one():
    assert distance(np.array([10.0, 11.0]), np.array([10.0, 10.0])) == 0.1
    assert distance(np.array([0.1]), np.array([0.2])) == pytest.approx(0.1)
    assert distance(np.ones(2), np.ones(3)) == np.inf
    assert distance(np.array([np.nan]), np.ones(1)) == np.inf


right = np.random.default_rng(0).normal(size=(5, 3))


@pytest.mark.parametrize(
    ("got", "says"),
    [
        (-right, "the sign is flipped"),
        (0.5 * right, "half"),
        (2 * right, "twice"),
        (-0.5 * right, "the sign is flipped, and it is half"),
        (-2 * right, "the sign is flipped, and it is twice"),
        (0 * right, "zero"),
        (3.5 * right, "off by the constant factor 3.5"),
        (right + 0.25, "off by the constant +0.25"),
        (right.T, "transposed"),
        (right[:4], "shape (4, 3), expected (5, 3)"),
        (right * [1, -1, 1], "column 1: the sign is flipped"),
        (right * [1, -1, 2], "column 1: the sign is flipped; column 2: twice"),
        (np.where(right > 1, np.nan, right), "nan at"),
        (right**2, "largest at"),
    ],
)
def test_explanations(got, says):
    assert says in explain(got, right)


def test_suspects_come_first_and_only_where_they_fit():
    suspects = [("no", lambda: right[:2]), ("raises", lambda: 1 / 0), ("rolled", lambda: np.roll(right, 1, axis=0))]
    assert explain(np.roll(right, 1, axis=0), right, suspects).startswith("rolled")
    assert "rolled" not in explain(np.roll(right, 2, axis=0), right, suspects)


def test_a_small_error_is_not_taken_for_a_suspect_close_by():
    close = [("close to what is right", lambda: right + 1e-7)]
    assert "close" not in explain(right + 1e-6 * np.sin(np.arange(15)).reshape(5, 3), right, close)


def test_linear_in_wants_more_rows_than_coefficients():
    y = np.random.default_rng(1).normal(size=(6, 3))
    c, rest = linear_in(y @ [0.0, -2.0, 0.5] + 1.5, y)
    assert c.tolist() == [0.0, -2.0, 0.5]
    assert rest == 1.5
    assert linear_in(np.sin(y[:, 0]), y) is None
    assert linear_in(y[:4, 0], y[:4]) is None


@pytest.mark.parametrize("shape", [(2, 3), (3, 3), (4, 2)])
@pytest.mark.parametrize("before", [0, 1, 5])
def test_a_transposed_block_is_found_where_it_is(shape, before):
    rng = np.random.default_rng(2)
    first, W, last = rng.normal(size=before), rng.normal(size=shape), rng.normal(size=2)
    got = np.concatenate([first, W.T.ravel(), last])
    found = transposed_in(got, np.concatenate([first, W.ravel(), last]))
    assert found == f"entries {before}–{before + W.size - 1}, a {shape} matrix, are transposed"
    assert transposed_in(got, got) == ""
    assert transposed_in(-got, got) == ""
