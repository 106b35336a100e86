"""A linker for C text: of the functions in `c_parts/*.c`, those that generated code calls, in order, and no others.

The files hold sections, each behind a line ``/*= */``, ``/*= double */`` or ``/*= float */`` (only for that precision).
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

__all__ = ["linked"]

ORDER = ("elementary", "noise", "layers", "heads", "maps", "policy", "learn")

_MARK = re.compile(r"^/\*= ?(double|float|) \*/\n", re.MULTILINE)
_DEFINED = re.compile(r"^(?:(?:static|void|int)\b[^(;={]*?\b(npg_\w+)\(|#define (npg_\w+)|\} (npg_\w+);)", re.MULTILINE)
_NAME = re.compile(r"\bnpg_\w+")


def linked(generated: str, wanted: set[str], precision: str) -> tuple[list[str], list[str]]:
    """The sections that generated code needs, and those that need it.

    Parameters
    ----------
    generated : str
        C text that defines functions of its own.
    wanted : set of str
        Names that must be there whether or not it calls them.
    precision : {"double", "float"}

    Returns
    -------
    below, above : list of str
        Sections to stand before and behind the generated code: the latter call what it defines.

    Examples
    --------
    >>> below, above = linked("static int npg_forward(void) { return npg_finite(1); }", {"npg_act"}, "float")
    >>> len(below), "int npg_act(" in above[0]
    (1, True)
    """
    sections = _sections(precision)
    own = _defined(generated)
    names, chosen = wanted | set(_NAME.findall(generated)), set[int]()
    while True:
        more = {i for i, text in enumerate(sections) if i not in chosen and names & _defined(text)}
        if not more:
            break
        chosen |= more
        names |= {name for i in more for name in _NAME.findall(sections[i])}
    above = set[int]()
    for i in sorted(chosen):  # a section is above if it calls generated code, or a section that does
        if set(_NAME.findall(sections[i])) & own.union(*(_defined(sections[j]) for j in above)):
            above.add(i)
    return [sections[i] for i in sorted(chosen - above)], [sections[i] for i in sorted(above)]


@cache
def _sections(precision: str) -> tuple[str, ...]:
    found = []
    for name in ORDER:
        text = (files(__package__) / "c_parts" / f"{name}.c").read_text(encoding="ascii")
        _, *marked = _MARK.split(text)
        found += [body.strip() for kind, body in zip(marked[::2], marked[1::2], strict=True) if kind in ("", precision)]
    return tuple(found)


def _defined(text: str) -> set[str]:
    return {name for groups in _DEFINED.findall(text) for name in groups if name}
