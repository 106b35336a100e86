"""Residuals that ``npgrad verify`` measures, put into the pages while they are built.

Under a heading with the anchor of a statement, as in ``(O1)=``, stands what its check found. The directive
``residuals`` is the table of a section, or without an argument of all of them.
"""

from functools import cache

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from npgrad.verify import CATALOGUE, residual_table, run

logger = logging.getLogger(__name__)


def setup(app):
    app.add_directive("residuals", Residuals)
    app.connect("doctree-read", under_headings)
    return {"parallel_read_safe": True}


class Residuals(SphinxDirective):
    """``residuals:: 1``"""

    optional_arguments = 1

    def run(self):
        numbers = self.arguments or sorted({row.section for row in CATALOGUE.values()})
        lines = []
        for number in map(int, numbers):
            results = [found(row.id) for row in CATALOGUE.section(number)]
            lines += ["", *residual_table(number, results=results).split("\n")]
        return self.parse_text_to_nodes("\n".join(lines))


@cache
def found(id):
    """The result of one statement; a statement that falls short is a warning, and so an error with ``-W``."""
    (result,) = run([id])
    if not result.passed:
        logger.warning("%s falls short: residual %.1e, %s", id, result.residual, result.error)
    return result


def under_headings(app, doctree):
    """A line under each heading that is the anchor of a statement."""
    by_anchor = {id.lower(): id for id in CATALOGUE}
    for section in doctree.findall(nodes.section):
        named = sorted(by_anchor[name] for name in {*section["ids"], *section["names"]} & by_anchor.keys())
        for place, id in enumerate(named, start=section.first_child_matching_class(nodes.title) + 1):
            section.insert(place, line(found(id)))


def line(result):
    """What a reader sees of a result."""
    printed = "" if result.residual_printed is None else f"; as printed {result.residual_printed:.1e}"
    text = nodes.Text(f": {result.kind}, residual {result.residual:.1e}{printed}, tolerance {result.tolerance:.0e}")
    command = nodes.literal("", f"npgrad verify {result.id}")
    return nodes.paragraph("", "", command, text, classes=["residual"])
