"""What the pages make of docstrings: mathematics stays, markup stays, indented paragraphs are kept as they are."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "_extensions"))
import docstrings

sys.path.pop(0)

ESCAPED = {
    "log |det J| of π(a|s)": r"log \|det J\| of π(a\|s)",
    "b* and (*S, n)": r"b\* and (\*S, n)",
    "a *kernel* and **both**": "a *kernel* and **both**",
    "`name|x` and ``a*b|c``": "`name|x` and ``a*b|c``",
    "the trailing underscore_ of x_t": r"the trailing underscore\_ of x_t",
    ">>> a | b": ">>> a | b",
}


@pytest.mark.parametrize("line", ESCAPED)
def test_characters_are_taken_literally(line):
    assert docstrings.escaped([line]) == [ESCAPED[line]]


def test_an_indented_paragraph_is_a_literal_block():
    text = [
        "One line.",
        "",
        "    y = |x|",
        "    z = b*",
        "",
        "Then.",
        "",
        "Parameters",
        "----------",
        "x : array",
        "    |x|.",
    ]
    lines = docstrings.escaped(docstrings.with_literal_blocks(text))
    block = [".. code-block:: text", "", "    y = |x|", "    z = b*", ""]
    assert lines == ["One line.", "", *block, "Then.", "", "Parameters", "----------", "x : array", r"    \|x\|."]
