"""Measurements beside their goals: as lines for a terminal, as a Markdown page, as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .limits import Limits
from .rows import Goal, Measured, Row
from .timing import shown_time

__all__ = ["QUIET", "Verdict", "family", "figure", "line", "section", "verdicts"]

QUIET = 0.25  # cores that other programs may use before figures of its own say nothing against the library


@dataclass(frozen=True)
class Verdict:
    """What became of one goal.

    Parameters
    ----------
    figure : str
        What was found, as ``2.9 × JAX (2.7 to 3.0)``.
    goal : str
        What it should be, as ``≥ 2.5``.
    reached, beyond : bool
    short : float
        By which part of the goal it falls short; 0 where it is reached.
    open : bool, optional
        It is not reached, but cannot be judged either: other programs kept the machine busy.
    """

    figure: str
    goal: str
    reached: bool
    beyond: bool
    short: float
    open: bool = False

    def __str__(self) -> str:
        if self.open:
            return f"{self.figure} on a busy machine, {self.goal} open"
        if self.beyond:
            return f"{self.figure}, beyond {self.goal}"
        return f"{self.figure}, {self.goal} {'reached' if self.reached else f'missed by {self.short:.0%}'}"


def figure(row: Row, seconds: float) -> str:
    """A candidate's figure: a time, or a rate where the row counts units.

    Examples
    --------
    >>> figure(Row("x", "", lambda peers, stack: {}), 0.0021)
    '2.1 ms'
    >>> figure(Row("y", "", lambda peers, stack: {}, unit="steps"), 1 / 6e7)
    '60 M steps/s'
    """
    return _rate(1 / seconds, row.unit) if row.unit else shown_time(seconds)


def _rate(rate: float, unit: str) -> str:
    for prefix, scale in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if rate >= scale:
            return f"{rate / scale:.3g} {prefix} {unit}/s"
    return f"{rate:.3g} {unit}/s"


def verdicts(row: Row, found: Measured) -> list[Verdict]:
    """Each goal of a row that can be judged by what was measured.

    Examples
    --------
    >>> row = Row("sum", "a sum", lambda peers, stack: {}, (Goal(2.0, 4.0, ("JAX",)), Goal(0.4)))
    >>> [str(v) for v in verdicts(row, Measured("sum", {"npgrad": [0.5] * 5, "JAX": [1.5] * 5}))]
    ['3.0 × JAX (3.0 to 3.0), ≥ 2 × reached', '500 ms, ≤ 400 ms missed by 25%']
    """
    return [verdict for goal in row.goals if (verdict := _verdict(row, found, goal)) is not None]


def _verdict(row: Row, found: Measured, goal: Goal) -> Verdict | None:
    if goal.against:
        ratio, theirs = found.ratio(goal), found.best(*goal.against)
        if ratio is None or theirs is None:
            return None
        middle, low, high = ratio
        shown = f"{middle:.1f} × {family(theirs)} ({low:.1f} to {high:.1f})"
        beyond = goal.beyond is not None and middle >= goal.beyond
        target = goal.beyond if beyond and goal.beyond is not None else goal.reach
        reached = middle >= goal.reach
        hidden = not reached and found.busy > QUIET and theirs.startswith("npgrad")  # a second thread had no core
        short = max(0.0, 1 - middle / goal.reach)
        return Verdict(shown, f"≥ {target:.2g} ×", reached, beyond, short, hidden)
    ours = found.best(goal.ours)
    if ours is None:
        return None
    seconds = found.median(ours)
    value, sense = (1 / seconds, 1) if row.unit else (seconds, -1)  # more is better, or less
    beyond = goal.beyond is not None and sense * value >= sense * goal.beyond
    target = goal.beyond if beyond and goal.beyond is not None else goal.reach
    reached = sense * value >= sense * goal.reach
    short = 0.0 if reached else abs(value / goal.reach - 1)
    text = f"≥ {_rate(target, row.unit)}" if row.unit else f"≤ {shown_time(target)}"
    name = "" if goal.ours == "npgrad" else f"{goal.ours.removeprefix('npgrad, ')} "
    return Verdict(name + figure(row, seconds), text, reached, beyond, short, not reached and found.busy > QUIET)


def family(name: str) -> str:
    """A candidate without its number of threads."""
    return name.partition(",")[0]


def families(found: Iterable[Measured]) -> list[str]:
    """The candidates of some rows without their numbers of threads, npgrad's first."""
    names = dict.fromkeys(family(name) for each in found for name in each.seconds)
    return sorted(names, key=lambda name: name != "npgrad")


def line(row: Row, found: Measured) -> str:
    """A row for the terminal: figures, then a verdict a line."""
    best = [(name, found.best(name)) for name in families([found])]
    figures = "   ".join(f"{name} {figure(row, found.median(each))}" for name, each in best if each is not None)
    lines = [row.text, f"    {figures}"]
    lines += [f"    {_mark(verdict)} {verdict}" for verdict in verdicts(row, found)]
    lines += [f"    {text}" for text in row.summary(found)]
    return "\n".join(lines)


def _bound(row: Row, limits: Limits) -> str:
    if row.bound is None:
        return ""
    seconds, why = row.bound(limits)
    return f"{figure(row, seconds)}, {why}"


def _mark(verdict: Verdict) -> str:
    return "✓" if verdict.reached else "?" if verdict.open else "✗"


def section(rows: Sequence[Row], found: Mapping[str, Measured], limits: Limits | None = None) -> str:
    """A table of some rows: figures of every library, bounds, ratios with quartiles, and goals."""
    there = [row for row in rows if row.name in found]
    names = families(found[row.name] for row in there)
    titles = ["work", *names]
    if limits is not None and any(row.bound for row in there):
        titles.append("bound")
    lines = [f"| {' | '.join(titles)} | goal |", "|---" * (len(titles) + 1) + "|"]
    for row in there:
        measured = found[row.name]
        best = [measured.best(name) for name in names]
        cells = [figure(row, measured.median(each)) if each is not None else "" for each in best]
        if "bound" in titles:
            cells.append(_bound(row, limits) if limits is not None else "")
        goals = "<br>".join(f"{_mark(verdict)} {verdict}" for verdict in verdicts(row, measured))
        lines.append(f"| {row.text} | {' | '.join(cells)} | {goals} |")
    return "\n".join(lines)
