"""The directive ``names``: everything a module offers in ``__all__``, kernels, constants and type aliases included.

First a table, one line a name, then each name with its docstring; names from another package are described there alone.
"""

import inspect
from importlib import import_module

from docstrings import escaped
from sphinx.util.docutils import SphinxDirective


class Names(SphinxDirective):
    """``.. names:: npgrad.kernels``"""

    required_arguments = 1

    def run(self):
        module = import_module(self.arguments[0])
        names = [name for name in module.__all__ if not name.startswith("_")]
        lines = [f".. currentmodule:: {module.__name__}", "", ".. list-table::", "   :class: names", ""]
        own = {name: value for name in names if is_own(value := getattr(module, name), module)}
        for name in names:
            value = getattr(module, name)
            home = module.__name__ if name in own else ".".join(value.__module__.split(".")[:2])
            lines += [f"   * - `{name} <{home}.{name}>`", f"     - {summary(value)}"]
        for name, value in own.items():
            lines += ["", *entry(name, value)]
        return self.parse_text_to_nodes("\n".join(lines))


def is_own(value, module):
    """Whether it was written in this module, or in one within; data do not know, and are."""
    return is_data(value) or f"{value.__module__}.".startswith(f"{module.__name__}.")


def is_data(value):
    """Whether it is neither a class nor something to call with a docstring of its own."""
    return not (inspect.isclass(value) or inspect.isroutine(value) or hasattr(value, "py_func"))


def summary(value):
    """The first line of its docstring; of data, its kind."""
    if isinstance(value, (int, float, str)):
        return f"``{value!r}``"
    if is_data(value):
        return "table" if isinstance(value, dict) else "type"
    return escaped([(inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")])[0]


def entry(name, value):
    """The lines that document one name."""
    if inspect.isclass(value):
        if issubclass(value, BaseException):
            return [f".. autoexception:: {name}", "   :members:", "   :show-inheritance:"]
        return [f".. autoclass:: {name}", "   :members:"]
    if not is_data(value):
        return [f".. autofunction:: {name}"]
    lines = [f".. py:data:: {name}"]
    if not isinstance(value, dict):
        return [*lines, f"   :value: {value!r}"]
    said = {key: item if isinstance(item, str) else summary(item) for key, item in value.items()}
    return [*lines, "", *(f"   - ``{key!r}``: {escaped([text])[0]}" for key, text in said.items())]


def setup(app):
    app.add_directive("names", Names)
    return {"parallel_read_safe": True}
