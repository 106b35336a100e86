"""Listings of methods start at the margin."""

import textwrap

from docutils import nodes


def setup(app):
    app.connect("doctree-read", dedent)
    return {"parallel_read_safe": True}


def dedent(app, doctree):
    """Take the common indentation from every listing."""
    for block in doctree.findall(nodes.literal_block):
        text = textwrap.dedent(block.astext())
        if text != block.astext():
            block.rawsource = text
            block.children = []
            block += nodes.Text(text)
