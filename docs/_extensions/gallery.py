"""The directive ``gallery``: every demo with its story, its picture, and itself as a script and as a notebook."""

import re
from pathlib import Path

import jupytext
from sphinx.util.docutils import SphinxDirective

DEMOS = Path(__file__).parents[2] / "demos"
FOLDER = "notebooks"  # in the folder of the pages; made anew at each build


class Gallery(SphinxDirective):
    """``gallery::``, a section a demo, in the order of their numbers."""

    def run(self):
        source = Path(self.env.srcdir)
        lines = []
        for script in sorted(DEMOS.glob("*.py")):
            self.env.note_dependency(str(script))
            title, story = told(script)
            lines += ["", f"({anchor(script)})=", f"## {title}", "", *story, ""]
            for picture in sorted(source.glob(f"pictures/demos/{script.stem}.*")):
                lines += [f"```{{image}} pictures/demos/{picture.name}", f":alt: {title}", ":width: 100%", "```", ""]
            notebook = f"{FOLDER}/{script.stem}.ipynb"
            lines += [f"`python demos/{script.name}`, or as a {{download}}`notebook <{notebook}>`."]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def told(script):
    """The title of a demo and the lines of its story: the first cell of text."""
    text = re.match(r"# %% \[markdown\]\n((?:#.*\n)+)", script.read_text(encoding="utf-8")).group(1)
    lines = [line[2:].rstrip() for line in text.splitlines()]
    return lines[0].removeprefix("# "), lines[1:]


def anchor(script):
    """What ``{ref}`` finds the demo by: demo-03."""
    return f"demo-{script.stem.partition('_')[0]}"


def notebooks(app):
    """Write the notebooks."""
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(exist_ok=True)
    for script in DEMOS.glob("*.py"):
        notebook = jupytext.read(script)
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        jupytext.write(notebook, folder / f"{script.stem}.ipynb")


def setup(app):
    app.add_directive("gallery", Gallery)
    app.connect("builder-inited", notebooks)
    return {"parallel_read_safe": True}
