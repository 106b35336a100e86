"""Results for readers: a table for terminals, one for pages, and derivations with their numbers."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from itertools import zip_longest

from .catalogue import CATALOGUE
from .runner import Result, run

__all__ = ["explain", "header", "residual_table", "summary", "table", "table_row"]

WIDTHS = {"id": 4, "source": 14, "kind": 10, "residual": 8, "tolerance": 9, "verdict": 7}
GAP = 2


def table(results: Iterable[Result], width: int = 100) -> str:
    """Results as a table for a terminal of `width` columns.

    Examples
    --------
    >>> print(table(run(["L4"]), width=80))
    id    statement         source          kind        residual  tolerance  verdict
    L4    E_{a~π}[f] = 0    Seita           quadrature   ...  1e-10  holds
    <BLANKLINE>
    1 of 1 statements hold
    """
    results = list(results)
    return "\n".join([header(width), *(table_row(r, width) for r in results), "", summary(results)])


def header(width: int = 100) -> str:
    """The first line of the table."""
    return _line({"id": "id", "statement": "statement", **{k: k for k in WIDTHS if k != "id"}}, width)


def table_row(result: Result, width: int = 100) -> str:
    """One result; long texts take several lines."""
    r, lines = result, []
    text = zip_longest(
        textwrap.wrap(r.statement, _room(width)), textwrap.wrap(r.source, WIDTHS["source"]), fillvalue=""
    )
    for i, (said, source) in enumerate(text):
        cells = {"statement": said, "source": source}
        if i == 0:
            cells |= {"id": r.id, "kind": r.kind, "residual": f"{r.residual:.1e}", "tolerance": f"{r.tolerance:.0e}"}
            cells["verdict"] = "holds" if r.passed else "FAILS"
        lines.append(_line(cells, width))
    indent = " " * (WIDTHS["id"] + GAP)
    if r.residual_printed is not None:
        lines.append(f"{indent}as printed: residual {r.residual_printed:.1e}")
    lines += textwrap.wrap(r.error, width, initial_indent=indent, subsequent_indent=indent)
    return "\n".join(lines)


def summary(results: Iterable[Result]) -> str:
    """How many hold, and which do not."""
    results = list(results)
    failed = [r.id for r in results if not r.passed]
    short = f"; short of it fall {', '.join(failed)}" if failed else ""
    return f"{len(results) - len(failed)} of {len(results)} statements hold{short}"


def explain(id: str, seed: int = 0, result: Result | None = None) -> str:
    """The derivation of a statement, and the numbers that its check finds.

    Parameters
    ----------
    id : str
    seed : int, optional
    result : Result, optional
        What `run` found, if it is known.

    Raises
    ------
    UnknownName
        If there is no statement of that id.

    Examples
    --------
    >>> print(explain("O10").splitlines()[0])
    O10  J(π') − J(π) = Σ_t E_{d_t^π'} Σ_a (π' − π) A^π; raising one good action can lower J
    """
    row = CATALOGUE[id]
    r = run([id], seed)[0] if result is None else result
    lines = [f"{row.id}  {row.statement}", f"{row.source} · {row.kind}", "", row.derivation, ""]
    lines.append(f"residual {r.residual:.1e}, tolerance {r.tolerance:.0e}: {'holds' if r.passed else 'FAILS'}")
    if r.residual_printed is not None:
        lines.append(f"as printed {r.residual_printed:.1e}")
    if r.error:
        lines.append(r.error)
    lines += [f"{name}: {_number(value)}" for name, value in r.numbers.items()]
    return "\n".join(lines)


def residual_table(section: int, seed: int = 0, results: Iterable[Result] | None = None) -> str:
    """What `verify` measures for a section, as a table in Markdown, for pages that derive its statements.

    Parameters
    ----------
    section : int
    seed : int, optional
    results : iterable of Result, optional
        What `run` found, if it is known.

    Examples
    --------
    >>> print(residual_table(2).splitlines()[5])
    | L4 | E\\_\\{a\\~π\\}\\[f\\] = 0 | quadrature | ... | 1e-10 |
    """
    rows = run([row.id for row in CATALOGUE.section(section)], seed) if results is None else results
    lines = ["| id | statement | kind | residual | tolerance |", "|---|---|---|---|---|"]
    for r in rows:
        said = re.sub(r"([\\`*_{}\[\]<>|$~])", r"\\\1", r.statement.replace("'", "′"))  # letters, not markup
        printed = "" if r.residual_printed is None else f", as printed {r.residual_printed:.1e}"
        verdict = "" if r.passed else " **fails**"
        lines.append(f"| {r.id} | {said} | {r.kind} | {r.residual:.1e}{printed}{verdict} | {r.tolerance:.0e} |")
    return "\n".join(lines)


def _room(width: int) -> int:
    """Columns left for the statement."""
    return max(16, width - sum(WIDTHS.values()) - GAP * len(WIDTHS))


def _line(cells: dict[str, str], width: int) -> str:
    widths = {"id": WIDTHS["id"], "statement": _room(width), **WIDTHS}
    right = ("residual", "tolerance")
    parts = [cells.get(k, "").rjust(w) if k in right else cells.get(k, "").ljust(w) for k, w in widths.items()]
    return (" " * GAP).join(parts).rstrip()


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
