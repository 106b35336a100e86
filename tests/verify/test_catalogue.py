import subprocess
import sys

import pytest

from npgrad.errors import InvalidInput, UnknownName
from npgrad.verify import CATALOGUE, KINDS, Problem, statement
from npgrad.verify.catalogue import Catalogue, Statement


def test_ids_are_those_of_the_lectures_in_order():
    ids = list(CATALOGUE)
    expected = [f"{letter}{i}" for letter, n in (("O", 10), ("L", 7), ("S", 13)) for i in range(1, n + 1)]
    assert ids[: len(expected)] == expected
    assert len(ids) == len(CATALOGUE) == len(set(ids))


@pytest.mark.parametrize("row", CATALOGUE.values(), ids=list(CATALOGUE))
def test_each_row_says_what_it_is(row):
    assert row.kind in KINDS
    assert row.statement
    assert row.source
    assert row.tolerance > 0
    assert len(row.derivation) > 40, "the docstring derives the statement"
    assert 1 <= row.section <= 10
    assert not row.own


def test_unknown_ids_and_sections():
    with pytest.raises(UnknownName, match="unknown statement 'O11'; did you mean 'O1' or "):
        CATALOGUE["O11"]
    with pytest.raises(UnknownName, match="unknown section '77'"):
        CATALOGUE.section(77)
    assert [row.id for row in CATALOGUE.section(2)] == [f"L{i}" for i in range(1, 8)]


def test_duplicates_are_refused(register):
    register(lambda problem: 0.0)
    for id in ("MINE", "O1"):
        with pytest.raises(InvalidInput, match=f"id {id} is taken by"):
            register(lambda problem: 0.0, id=id)


def test_the_librarys_statements_stay():
    with pytest.raises(InvalidInput, match="O1 is a statement of the library"):
        CATALOGUE.remove("O1")
    with pytest.raises(UnknownName):
        CATALOGUE.remove("NONE")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": "two words"}, "expected one word"),
        ({"id": ""}, "expected one word"),
        ({"kind": "certain"}, "kind is 'certain', expected one of 'exact'"),
        ({"statement": " "}, "says too little"),
        ({"tolerance": -1.0}, "tolerance is -1.0, expected a number above 0"),
    ],
)
def test_bad_registrations(change, words):
    with pytest.raises(InvalidInput, match=words):

        @statement(**{"id": "BAD", "statement": "x", "source": "me", "kind": "exact", **change})
        def check(problem):
            """Why."""

    assert "BAD" not in CATALOGUE


def test_a_check_without_a_derivation_is_refused():
    with pytest.raises(InvalidInput, match="the derivation as the docstring"):
        statement(id="BAD", statement="x", source="me", kind="exact")(lambda problem: 0.0)


def test_own_statements_come_last(register):
    register(lambda problem: 0.0, id="A1")
    assert list(CATALOGUE)[-1] == "A1"
    assert CATALOGUE["A1"].own
    assert [row.id for row in CATALOGUE.section(0)] == ["A1"]


def test_sections_are_imported_at_the_first_look():
    code = """
import sys, npgrad.verify
sections = lambda: [m for m in sys.modules if m.startswith("npgrad.verify.section_")]
assert not sections(), sections()
npgrad.verify.CATALOGUE["O1"]
assert sections()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_catalogue_of_its_own_order():
    rows = Catalogue()
    rows._loaded = True  # none of the library's
    for id, section in (("X2", 10), ("O10", 1), ("MY", 0), ("O2", 1)):
        rows.add(Statement(id, section, "x", "me", "exact", 1e-10, test_a_catalogue_of_its_own_order.__class__))
    assert list(rows) == ["O2", "O10", "X2", "MY"]


def test_problems_are_functions_of_the_seed_alone():
    a, b, other = Problem(3), Problem(3), Problem(4)
    assert (b.discounted.gamma, b.endless.gamma) == (b.discounted.gamma, a.endless.gamma)  # looked at in another order
    assert (a.mdp.P == b.mdp.P).all()
    assert not (a.tiny.P == other.tiny.P).all()
    policy, theta = a.policy(a.mdp)
    assert (theta == b.policy(b.mdp)[1]).all()
    assert not (theta == a.theta(policy, 1)).all()
    assert not (a.random_mdp(3, 2, 2, stream=8).P == a.random_mdp(3, 2, 2, stream=9).P).all()
    with pytest.raises(InvalidInput, match="kind is 'quadratic'"):
        a.policy(a.mdp, "quadratic")
