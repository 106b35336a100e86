"""How the pages are built: python -m sphinx -W --keep-going docs docs/_build."""

import sys
from importlib.metadata import files
from pathlib import Path

import npgrad

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "npgrad"
author = "the npgrad authors"
release = version = npgrad.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "catalogue",
    "docstrings",
    "gallery",
    "listings",
    "names",
    "residuals",
    "settings",
    "statements",
]
exclude_patterns = ["_build"]
default_role = "py:obj"  # `name` in a docstring

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # types and shapes stand in the docstrings
autosummary_generate = True
toc_object_entries_show_parents = "hide"
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_param = False
napoleon_use_rtype = False
nitpicky = True  # a role that names no object is an error; docstrings may name arguments between backticks
nitpick_ignore_regex = [("py:obj", ".*"), ("py:.*", r"(?!npgrad\.).*")]
python_maximum_signature_line_length = 100
templates_path = ["_templates"]

# formulas: MathJax, one file beside the pages
MATHJAX = "tex-svg-full.js"
mathjax_path = MATHJAX
mathjax3_config = {"svg": {"scale": 0.95}, "options": {"enableMenu": False}}

html_theme = "furo"
html_title = "npgrad"
html_static_path = ["_static", *(str(f.locate()) for f in files("sphinx-mathjax-offline") or () if f.name == MATHJAX)]
html_favicon = "_static/favicon.svg"
html_css_files = ["npgrad.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
