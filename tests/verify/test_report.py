import json

import pytest

from npgrad.errors import CorruptFile, UnknownName
from npgrad.verify import (
    CATALOGUE,
    Finding,
    check_certificate,
    explain,
    make_certificate,
    residual_table,
    run,
    table,
    write_certificate,
)

SOME = ["O1", "L6", "S10"]


def test_the_table_fits_its_width(register):
    wrong = register(lambda problem: Finding(1e-12, printed=0.25))
    broken = register(lambda problem: 1 / 0, id="BROKEN")
    results = run([*SOME, wrong, broken])
    for width in (80, 100, 140):
        lines = table(results, width).splitlines()
        assert max(map(len, lines)) <= width
        assert lines[0].split() == ["id", "statement", "source", "kind", "residual", "tolerance", "verdict"]
        assert lines[-1] == "4 of 5 statements hold; short of it fall BROKEN"
        text = " ".join(" ".join(lines).split())
        assert "as printed: residual 2.5e-01" in text
        assert "ZeroDivisionError" in text


def test_the_table_of_everything_fits_a_terminal_of_100_columns():
    results = [
        r.__class__(row.id, row.section, row.statement, row.source, row.kind, row.tolerance, 1.2e-13)
        for row in CATALOGUE.values()
        for r in run(["O1"])
    ]
    assert max(map(len, table(results).splitlines())) <= 100


def test_a_row_shows_its_verdict():
    holds = table(run(["O1"])).splitlines()[1]
    assert holds.split()[0] == "O1"
    assert holds.endswith("holds")


def test_explain_shows_derivation_and_numbers():
    text = explain("O10", seed=3)
    assert "telescoping" in text
    assert "J before: -1.7" in text
    assert "tolerance 1e-10: holds" in text
    with pytest.raises(UnknownName, match="did you mean"):
        explain("O11")


def test_explain_shows_failures(register):
    text = explain(register(lambda problem: Finding(0.5, printed=0.125)))
    assert "FAILS" in text
    assert "as printed 1.2e-01" in text


def test_residual_table_is_markdown():
    lines = residual_table(2).splitlines()
    assert len(lines) == 2 + len(CATALOGUE.section(2))
    assert {line.replace("\\|", "").count("|") for line in lines} == {6}
    assert residual_table(2, results=run(["L4"])).splitlines()[2].startswith("| L4 | E\\_")
    with pytest.raises(UnknownName, match="unknown section"):
        residual_table(99)


def test_certificates_are_whole_or_refused(tmp_path):
    results, path = run(SOME, 4), tmp_path / "certificate.json"
    write_certificate(path, results, 4)
    content = check_certificate(path)
    assert [row["id"] for row in content["results"]] == SOME
    assert content["passed"] is True
    assert content["seed"] == 4
    assert {"npgrad", "python", "numpy"} <= set(content["versions"])
    assert json.loads(path.read_text())["sha256"] == make_certificate(results, 4)["sha256"]

    text = path.read_text()
    for changed in (text.replace('"tolerance": 1e-10', '"tolerance": 1e-9', 1), text.replace("O1", "O2", 1)):
        path.write_text(changed)
        with pytest.raises(CorruptFile, match="the certificate was changed"):
            check_certificate(path)
    for foreign, words in (("{}", "no certificate of format 1"), ("[]", "holds a list"), ("{", "is not JSON")):
        path.write_text(foreign)
        with pytest.raises(CorruptFile, match=words):
            check_certificate(path)


def test_certificates_of_failures_and_errata(register):
    wrong = register(lambda problem: Finding(float("inf"), printed=0.5))
    content = make_certificate(run([wrong]), 0)
    assert content["passed"] is False
    assert content["results"][0]["residual"] is None
    assert content["results"][0]["residual_printed"] == 0.5
    check_certificate(content)
