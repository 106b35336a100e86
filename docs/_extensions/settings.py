"""The directive ``settings``: a table of a dataclass of settings, as keywords and as flags of the command line."""

import re
from dataclasses import fields
from importlib import import_module

from docstrings import escaped
from sphinx.util.docutils import SphinxDirective

from npgrad.algorithms import ALGORITHMS
from npgrad.cli.options import flag_of


class Settings(SphinxDirective):
    """``settings:: module:Class``, or ``settings:: algorithms`` for all algorithms, each under its name."""

    required_arguments = 1

    def run(self):
        lines = []
        if self.arguments[0] == "algorithms":
            for name, algorithm in ALGORITHMS.items():
                lines += ["", f".. rubric:: {name}", "", algorithm.summary, "", *table(algorithm.Settings)]
        else:
            module, name = self.arguments[0].split(":")
            lines += table(getattr(import_module(module), name))
        return self.parse_text_to_nodes("\n".join(lines))


def table(kind):
    """The lines of the table of one dataclass."""
    lines = [".. list-table::", "   :class: names", "   :header-rows: 1", ""]
    lines += ["   * - keyword", "     - flag", "     - default", "     - meaning"]
    for field in fields(kind):
        default = "" if field.default in ("", None) else f"``{field.default}``"
        meaning = re.sub(r"--[\w-]+", r"``\g<0>``", escaped([field.metadata.get("help", "")])[0])
        choices = field.metadata.get("choices")
        if choices:
            meaning += ": " + ", ".join(f"``{choice}``" for choice in choices)
        lines += [f"   * - ``{field.name}``", f"     - {flags(field)}", f"     - {default}", f"     - {meaning}"]
    return lines


def flags(field):
    """How the command line spells it."""
    flag = flag_of(field)
    if field.name == "env":
        return "``ENV``, the argument"
    return f"``--no-{flag[2:]}``" if field.default is True else f"``{flag}``"


def setup(app):
    app.add_directive("settings", Settings)
    return {"parallel_read_safe": True}
