"""Every statement of the catalogue, on several seeds and on problems that Hypothesis chooses."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.verify import CATALOGUE, run

IDS = list(CATALOGUE)
SECTIONS = sorted({row.section for row in CATALOGUE.values()})
EXACT = {n: [row.id for row in CATALOGUE.section(n) if row.kind in ("exact", "identity")] for n in SECTIONS}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("id", IDS)
def test_every_statement_holds(id, seed):
    (result,) = run([id], seed)
    assert result.passed, f"{id}: {result.residual:.1e}, as printed {result.residual_printed}; {result.error}"


@pytest.mark.parametrize("section", [n for n in SECTIONS if EXACT[n]])
def test_exact_rows_hold_on_random_problems(section):
    @settings(max_examples=200, deadline=None, database=None)
    @given(st.sampled_from(EXACT[section]), st.integers(0, 2**32))
    def holds(id, seed):
        (result,) = run([id], seed)
        assert result.passed, f"{id}: {result.residual:.1e}; {result.error}"

    holds()
