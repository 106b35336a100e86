"""Docstrings as the pages need them: |x| and b* are mathematics, an indented paragraph is an equation or code."""

import inspect
import re
from dataclasses import MISSING, fields, is_dataclass

# markup, which stays: ``literal``, `name`, **strong**, *emphasis*; or a character that would mean something to docutils
MARKUP = re.compile(
    r"``.*?``|`[^`]*`|(?<![\w*])\*\*[^\s*][^*]*\*\*(?!\w)|(?<![\w*])\*[^\s*][^*]*\*(?!\w)|([|*])|(?<=\w)(_)(?!\w)"
)
COMMON = "As for every algorithm"
UNDERLINE = re.compile(r"-{3,}$")


def setup(app):
    app.connect("autodoc-process-docstring", process, priority=100)  # before napoleon
    app.connect("autodoc-process-signature", signature)
    return {"parallel_read_safe": True}


def process(app, what, name, obj, options, lines):
    """Change the lines of one docstring in place."""
    if what == "class" and is_dataclass(obj):
        lines[:] = with_fields(lines, obj)
    lines[:] = [line.replace(COMMON, f"{COMMON[:12]} `~npgrad.algorithms.base.Algorithm`") for line in lines]
    lines[:] = escaped(with_literal_blocks(lines))


def with_fields(lines, kind):
    """The lines, with the fields of a dataclass as parameters unless they say themselves what these are."""
    if any(line.strip() in ("Parameters", "Attributes") for line in lines):
        return lines
    described = ["Parameters", "----------"]
    for field in fields(kind):
        annotation = field.type if isinstance(field.type, str) else inspect.formatannotation(field.type)
        optional = "" if field.default is MISSING and field.default_factory is MISSING else ", optional"
        described.append(f"{field.name} : {annotation.replace('|', 'or')}{optional}")
        if meaning := field.metadata.get("help"):
            described.append(f"    {meaning}.")
    first = next((i - 1 for i, line in enumerate(lines) if UNDERLINE.match(line)), len(lines))
    return [*lines[:first], "", *described, "", *lines[first:]]


def signature(app, what, name, obj, options, arguments, returns):
    """No arguments for a protocol, which nobody calls."""
    return ("", None) if what == "class" and getattr(obj, "_is_protocol", False) else None


def with_literal_blocks(lines):
    """The lines, each indented paragraph before the first section (Parameters, …) made a literal block."""
    section = next((i - 1 for i, line in enumerate(lines) if UNDERLINE.match(line)), len(lines))
    result, in_block = [], False
    for i, line in enumerate(lines):
        if line.strip():
            indented = i < section and line.startswith("    ")
            if indented and not in_block and i > 0 and not lines[i - 1].strip():
                result += [".. code-block:: text", ""]
            in_block = indented
        result.append(line)
    return result


def escaped(lines):
    """The lines, with | and * and a trailing _ taken literally outside markup, doctests and literal blocks."""
    result, in_block = [], False
    for line in lines:
        if line.strip() and not line.startswith(" "):
            in_block = line.startswith(".. code-block::")
        is_code = in_block or line.lstrip().startswith((">>>", "..."))
        result.append(line if is_code else MARKUP.sub(escape, line))
    return result


def escape(match):
    """One match of MARKUP: itself, or the bare character behind a backslash."""
    bare = match[1] or match[2]
    return "\\" + bare if bare else match[0]
