import pytest

from npgrad.verify import CATALOGUE, statement


@pytest.fixture
def register():
    """Register a check under an id for the length of a test."""
    mine = []

    def add(check, id="MINE", kind="exact", **more):
        check.__doc__ = "A derivation."
        statement(id=id, statement="a statement", source="a test", kind=kind, **more)(check)
        mine.append(id)
        return id

    yield add
    for id in mine:
        CATALOGUE.remove(id)
