"""Ids of the catalogue (S1, P3, B5, …) in prose become links: to the heading under which they are derived, wherever
that is written, else to the catalogue.
"""

import re

from docutils import nodes

ID = re.compile(r"(?<![\w-])([OLSPBVWNIX]\d{1,2})(?![\w-])")
CLOSED = (nodes.title, nodes.reference, nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw)


def setup(app):
    app.connect("doctree-resolved", link_ids)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def link_ids(app, doctree, docname):
    """Put a reference around every id that is an anchor on some page."""
    labels = app.env.domains.standard_domain.anonlabels
    for text in list(doctree.findall(nodes.Text)):
        if not ID.search(text) or inside(text, CLOSED):
            continue
        parts = []
        for i, part in enumerate(ID.split(text)):
            target = labels.get(part.lower()) or labels.get(f"catalogue-{part.lower()}") if i % 2 else None
            if target is None or at_home(text, target, docname):
                parts.append(nodes.Text(part))
            else:
                uri = app.builder.get_relative_uri(docname, target[0]) + "#" + target[1]
                parts.append(nodes.reference("", part, refuri=uri, internal=True, classes=["id"]))
        text.parent.replace(text, parts)


def inside(node, kinds):
    """Whether the node lies in one of these."""
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False


def at_home(text, target, docname):
    """Whether the text stands in the very section that the id names."""
    if target[0] != docname:
        return False
    node = text
    while node.parent is not None:
        node = node.parent
        if isinstance(node, nodes.section):
            return target[1] in node["ids"]
    return False
