"""The pages that list the catalogue leave nothing out: every lecture's statements, every id, every demo's picture."""

import re
from pathlib import Path

import pytest

from npgrad.verify import CATALOGUE

ROOT = Path(__file__).parents[2]
LECTURES = {"COL778": "COL778", "10-703": "CMU 10-703", "CS224R": "CS224R", "Seita": "Seita", "CS285": "CS285"}

pytestmark = pytest.mark.skipif(not (ROOT / "docs").exists(), reason="installed without its pages")


def page(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def tables(text):
    """The rows under each heading, as lists of cells."""
    found = {}
    for title, body in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE):
        rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in body.splitlines() if line.startswith("|")]
        found[title] = [[cell.strip() for cell in row] for row in rows]
    return found


def missing(text):
    """Statements that a lecture makes and its table does not have."""
    ids = {
        title: {id for row in rows for id in re.findall(r"[A-Z]\d+", row[2])} for title, rows in tables(text).items()
    }
    return [
        (title, row.id)
        for row in CATALOGUE.values()
        for name, title in LECTURES.items()
        if (name in row.source or row.source == "all") and row.id not in ids[title]
    ]


def test_every_statement_stands_beside_its_lecture():
    assert missing(page("lecturers.md")) == []


def test_a_row_that_is_missing_is_seen():
    text = re.sub(r"^.*\| X35 \|.*\n", "", page("lecturers.md"), flags=re.MULTILINE)
    assert missing(text) == [("CS224R", "X35")]


def test_rows_are_whole_and_their_ids_known():
    demos = {path.stem.partition("_")[0] for path in (ROOT / "demos").glob("*.py")}
    for rows in tables(page("lecturers.md")).values():
        for row in rows[2:]:
            assert len(row) == 6, row
            assert set(re.findall(r"[A-Z]\d+", row[2])) <= set(CATALOGUE), row
            assert set(re.findall(r"<demo-(\w+)>", row[5])) <= demos, row


def test_the_index_of_derivations_has_every_id():
    assert set(re.findall(r"\b[A-Z]\d{1,2}\b", page("derivations/index.md"))) >= set(CATALOGUE)
