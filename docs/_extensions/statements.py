"""The directive ``statements``: the catalogue, each row with its derivation in short, its check and its source."""

import re

from docstrings import escaped, with_literal_blocks
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from npgrad.verify import CATALOGUE

SECTIONS = {
    1: "Objectives and values",
    2: "The log-derivative trick",
    3: "Scores, derived by hand",
    4: "Estimators of the gradient",
    5: "Baselines and variance",
    6: "Critics",
    7: "Off-policy",
    8: "Natural and trust-region steps",
    9: "Imitation",
    10: "Errata",
}


class Statements(SphinxDirective):
    """A section of the page for every section of the catalogue that has a statement."""

    def run(self):
        result = []
        for number, title in SECTIONS.items():
            rows = [row for row in CATALOGUE.values() if row.section == number]
            if rows:
                section = nodes.section("", nodes.title("", f"{number} {title}"), ids=[f"section-{number}"])
                section += self.parse_text_to_nodes("\n".join(line for row in rows for line in lines_of(row)))
                result.append(section)
        return result


def lines_of(row):
    """One statement, under an anchor of its own."""
    said, source = escaped([primed(row.statement), row.source])
    text = escaped(with_literal_blocks(primed(row.derivation).splitlines()))
    check = f"{source} · {row.kind}, to {row.tolerance:.0e}"
    body = [f"**{row.id}** {said}", "", *text, "", f"*{check}*"]
    return [
        "",
        f".. _catalogue-{row.id.lower()}:",
        "",
        ".. container:: statement",
        "",
        *(f"   {line}".rstrip() for line in body),
    ]


def primed(text):
    """The text with ′ for the ' behind a symbol, as in π' and t'', but not in words, as in Seita's."""
    return re.sub(r"(?<=\w)(?<![A-Za-z]{2})'+(?!\w)", lambda quotes: "′" * len(quotes[0]), text)


def setup(app):
    app.add_directive("statements", Statements)
    return {"parallel_read_safe": True}
