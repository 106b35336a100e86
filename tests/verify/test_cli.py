import json
import sys

import pytest

from npgrad.cli import main
from npgrad.verify import CATALOGUE, check_certificate

OWN = """
from npgrad.verify import statement

@statement(id="OWN1", statement="1 + 1 = 2", source="me", kind="identity")
def sum_of_ones(problem):
    '''Count.'''
    return abs(1 + 1 - 2)
"""


@pytest.fixture
def verify(capsys, tmp_path, monkeypatch):
    """Run `npgrad verify` in an empty folder: status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run(*args):
        with pytest.raises(SystemExit) as end:
            main(["verify", "--processes", "1", *map(str, args)])
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    return run


def test_a_table(verify):
    status, out, err = verify("O1", "S12")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("id ")
    assert max(map(len, lines)) <= 100
    assert lines[-1] == "2 of 2 statements hold"
    assert out.index("O1 ") < out.index("S12")


def test_a_section_and_an_id_once_each(verify):
    status, out, _ = verify("l4", "--section", 2, "--seed", 5, "--json")
    assert status == 0
    rows = json.loads(out)
    assert sorted(row["id"] for row in rows) == [f"L{i}" for i in range(1, 8)]
    for row in rows:
        assert {"id", "kind", "residual", "tolerance", "passed"} <= set(row)
        assert row["passed"] is True
        assert 0 <= row["residual"] <= row["tolerance"]
        assert "residual_printed" not in row


def test_seeds_change_the_problem(verify):
    first, again, other = (verify("O1", "O3", "--json", "--seed", seed)[1] for seed in (0, 0, 1))
    assert first == again != other


def test_a_failure_exits_1(verify, register):
    id = register(lambda problem: 1e-3)
    status, out, _ = verify(id, "O1")
    assert status == 1
    assert out.splitlines()[-1] == f"1 of 2 statements hold; short of it fall {id}"
    status, out, _ = verify(id, "--json")
    assert status == 1
    assert json.loads(out)[0]["passed"] is False


def test_explain(verify):
    for args in (("--explain", "O10"), ("O10", "--explain")):
        status, out, _ = verify(*args)
        assert status == 0
        assert "telescoping" in out
        assert "J after: -1.8" in out


def test_a_certificate(verify, tmp_path):
    status, _, _ = verify("O1", "L1", "--certificate", "mine.json", "--seed", 2)
    assert status == 0
    content = check_certificate(tmp_path / "mine.json")
    assert [row["id"] for row in content["results"]] == ["O1", "L1"]
    assert content["seed"] == 2
    status, _, err = verify("O1", "--certificate", "nowhere/mine.json")
    assert status == 2
    assert "there is no folder" in err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("O11",), "unknown statement 'O11'; did you mean 'O1' or "),
        (("--section", "77"), "unknown section '77'"),
        (("--section", "two"), "'two' is no number"),
        (("--seed", "-1"), "-1 is not allowed"),
        (("--import", "no_such_module_at_all"), "No module named"),
    ],
)
def test_wrong_usage(verify, args, words):
    status, out, err = verify(*args)
    assert status in (1, 2)
    assert words in err
    assert "Traceback" not in err + out


def test_statements_of_ones_own(verify, tmp_path):
    (tmp_path / "own_statements.py").write_text(OWN)
    status, out, _ = verify("--import", "own_statements", "OWN1")
    CATALOGUE.remove("OWN1")
    sys.modules.pop("own_statements")
    assert status == 0
    assert "1 + 1 = 2" in out
