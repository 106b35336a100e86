"""The page of benchmarks: tables and pictures, made anew from all measurements that are kept beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from ..errors import MissingExtra
from ..files import write_text
from .catalogue import GROUPS
from .growth import Growth, points, slope
from .limits import Limits
from .report import QUIET, family, section, verdicts
from .rows import Measured, Row
from .timing import shown_time

__all__ = ["update_page", "write_page"]

COLOURS = ("#1c6dd0", "#d9480f", "#2b8a3e", "#7048c8", "#c2255c", "#0c8599")
INK, SOFT, OURS, LEAST = "#1f2933", "#65727f", "#1c6dd0", "#d9480f"

INTRODUCTION = """# Benchmarks

Made by `npgrad bench --peers PYTHON --out {name}`, where PYTHON is the interpreter of an environment that has the
other libraries.

npgrad and its peers take turns in one run, each library in a process of its own, all on the same numbers; before
anything is timed, their results are compared. Each measurement follows a call that does not count, as caches then
hold what they hold in training, and no other library's threads still spin. Figures are medians. A ratio is taken
round by round, so that a slow minute of the machine falls on both sides; beside its median stand the quartiles, and
ratios below 1.3 are ties. Of a library that was measured with one thread and with two, the faster counts. Two
threads at short work may take as long as one, where Linux leaves both on the same core: npgrad's then part, those
of others stay as they are, and their quartiles are wide. *Bound* is what the machine allows at least:
floating-point operations in matrix products of this size, bytes through memory, or operations that wait for one
another, each measured on the same machine. Gradients are those of `estimators.log_surrogate_gradient`, the
surrogate alone, as the peers compute it. Where an algorithm has a perceptron and estimates by scores, it takes the
same pass over the rows, with a term for each episode; PPO, whose ratios are clipped, and linear policies take two.
"""


def update_page(path: Path, rows: Sequence[Row], new: Mapping[str, Any]) -> None:
    """Write the page with new measurements and those that earlier calls left beside it; arguments as `write_page`."""
    file = path.with_suffix(".json")
    old = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"about": {}, "limits": {}, "rows": {}}
    about = old["about"] | new["about"]
    peers = {*old["about"].get("peers", "").split(", "), *new["about"]["peers"].split(", ")} - {"", "none"}
    best = {
        name: (min if name == "latency" else max)(value, old["limits"].get(name, value))
        for name, value in new["limits"].items()
    }
    kept = {
        "about": about | {"peers": ", ".join(sorted(peers)) or "none"},
        "limits": best,
        "rows": old["rows"] | new["rows"],
    }
    write_page(path, rows, kept)


def write_page(path: Path, rows: Sequence[Row], kept: Mapping[str, Any]) -> None:
    """Write the page, its pictures into ``pictures/`` beside it, and what it is made from.

    Parameters
    ----------
    path : path
        Of the page.
    rows : sequence of Row
        All of them; those that were never measured are left out.
    kept : dict
        ``about``, ``limits`` and ``rows``, from name to seconds.
    """
    found = {name: Measured(name, row["seconds"], row["busy"]) for name, row in kept["rows"].items()}
    limits = Limits(**kept["limits"])
    parts = [INTRODUCTION.format(name=path), _machine(kept["about"], limits, found)]
    for group, (_, title) in GROUPS.items():
        there = [row for row in rows if row.group == group and row.name in found]
        if there and group != "growth":
            parts.append(f"## {title}\n\n{section(there, found, limits)}\n")
    parts.append(_missed(rows, found, limits))
    pictures = path.parent / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    if any(found[row.name].ratio(goal) for row in rows if row.name in found for goal in row.goals):
        draw_ratios([row for row in rows if row.name in found], found, pictures / f"{path.stem}_ratios.svg")
        alt = "Times faster than each peer, with quartiles, and goals"
        parts.insert(2, _image(f"pictures/{path.stem}_ratios.svg", alt))
    curves = [row for row in rows if isinstance(row, Growth) and row.name in found]
    if curves:
        draw_growth(curves, found, limits, pictures / f"{path.stem}_growth.svg")
        parts.append(_growth(curves, found, limits, f"pictures/{path.stem}_growth.svg"))
    write_text(path, "\n".join(parts))
    lines = [f"{json.dumps(name)}: {json.dumps(row)}" for name, row in sorted(kept["rows"].items())]
    head = f'"about": {json.dumps(kept["about"], ensure_ascii=False)},\n"limits": {json.dumps(kept["limits"])}'
    write_text(path.with_suffix(".json"), "{\n" + head + ',\n"rows": {\n' + ",\n".join(lines) + "\n}\n}\n")


def _machine(about: Mapping[str, str], limits: Limits, found: Mapping[str, Measured]) -> str:
    lines = ["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in about.items())]
    lines.append(f"| bandwidth | {limits.bandwidth / 1e9:.0f} GB/s, of one core {limits.bandwidth_of_one / 1e9:.0f} |")
    products = f"{limits.flops32 / 1e9:.0f} GFLOP/s in float32, {limits.flops64 / 1e9:.0f} in float64"
    lines.append(f"| products of 2,048×64 by 64×64 | {products} |")
    lines.append(f"| an addition that waits for another | {shown_time(limits.latency)} |")
    busy = [each for each in found.values() if each.busy > QUIET]
    text = (
        f"\n\nOther programs used more than {QUIET:g} of a core at {len(busy)} of {len(found)} rows: times are longer "
        "there than they would be, and ratios less sure."
        if busy
        else ""
    )
    return "\n".join(lines) + text + "\n"


def _missed(rows: Sequence[Row], found: Mapping[str, Measured], limits: Limits) -> str:
    """Every goal that is missed, by how much, and what bounds it."""
    judged = [(row, verdict) for row in rows if row.name in found for verdict in verdicts(row, found[row.name])]
    n_reached, n_open = (sum(getattr(v, what) for _, v in judged) for what in ("reached", "open"))
    lines = ["## What is missed", "", f"{n_reached} of {len(judged)} goals are reached."]
    if n_open:
        lines[-1] += f" {n_open} are open: such figures need a machine that does nothing else."
    lines.append("")
    for row, verdict in judged:
        if not verdict.reached:
            why = f"; {bound_text(row, found[row.name], limits)}" if row.bound else ""
            lines.append(f"- {row.text}: {verdict}{why}")
    return "\n".join([*lines, ""])


def bound_text(row: Row, found: Measured, limits: Limits) -> str:
    """How far npgrad is from what the machine allows."""
    if row.bound is None:
        return ""
    least, why = row.bound(limits)
    ours = found.best("npgrad")
    return f"{found.median(ours) / least:.1f} × the bound by {why}" if ours is not None and least > 0 else ""


def _growth(curves: Sequence[Growth], found: Mapping[str, Measured], limits: Limits, picture: str) -> str:
    lines = [
        "## How cost grows\n",
        "The exponent b of time ~ xᵇ, a slope on the plots, over all points and over the upper half of them; and how",
        "far the last point lies above what bounds it.\n",
        "| work | x | from … to | exponent | upper half | at the last point |",
        "|---|---|---|---|---|---|",
    ]
    for row in curves:
        measured = found[row.name]
        x, t = points(measured)
        whole, upper = slope(measured)
        least, why = row.least(x[-1], limits)
        span = f"{x[0]:,.0f} … {x[-1]:,.0f}"
        last = f"{shown_time(t[-1])}, {t[-1] / least:.1f} × the bound by {why}"
        lines.append(f"| {row.text} | {row.x} | {span} | {whole:.2f} | {upper:.2f} | {last} |")
    alt = "Time against steps, parameters, episodes and threads on logarithmic axes, with bounds"
    return "\n".join([*lines, "", _image(picture, alt)])


def _image(picture: str, alt: str) -> str:
    return f"```{{image}} {picture}\n:alt: {alt}\n:width: 100%\n```\n"


def draw_ratios(rows: Sequence[Row], found: Mapping[str, Measured], path: Path) -> None:
    """How many times faster npgrad is than each peer, with quartiles, and what it should be.

    Raises
    ------
    MissingExtra
        Without matplotlib.
    """
    there = [row for row in rows if any(goal.ours == "npgrad" and found[row.name].ratio(goal) for goal in row.goals)]
    figure = _figure(9.6, 0.9 + 0.19 * len(there))
    axes = figure.add_subplot()
    colours: dict[str, str] = {}
    for i, row in enumerate(there):
        for goal in row.goals:
            ratio, theirs = found[row.name].ratio(goal), found[row.name].best(*goal.against)
            if ratio is None or theirs is None:
                continue
            colour = colours.setdefault(family(theirs), COLOURS[len(colours) % len(COLOURS)])
            axes.plot(ratio[1:], [i, i], color=colour, linewidth=2.2, solid_capstyle="butt")
            axes.plot(ratio[0], i, "o", color=colour, markersize=4.5)
            axes.plot(goal.reach, i, "|", color=colour, markersize=9)
    for name, colour in colours.items():
        axes.plot([], [], "o-", color=colour, markersize=4.5, label=name)
    axes.plot([], [], "|", color=SOFT, markersize=9, label="to reach")
    axes.axvline(1, color=SOFT, linewidth=0.8)
    axes.set_xscale("log")
    ticks = [tick for tick in (0.2, 0.5, 1, 2, 5, 10, 20, 50) if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks(range(len(there)), [row.text for row in there], fontsize=7)
    axes.set_ylim(len(there) - 0.4, -0.6)
    axes.set_xlabel("times faster", color=SOFT)
    axes.tick_params(colors=SOFT)
    figure.legend(fontsize=8, frameon=False, loc="outside upper center", ncols=8)
    axes.grid(True, axis="x", color="#e3e8ed", linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("the page's plots need matplotlib; pip install 'npgrad[plots]'") from error
    return Figure(figsize=(width, height), layout="constrained")


def draw_growth(curves: Sequence[Growth], found: Mapping[str, Measured], limits: Limits, path: Path) -> None:
    """A panel a row: points, the bound, and the slope in words.

    Raises
    ------
    MissingExtra
        Without matplotlib.
    """
    n = len(curves)
    figure = _figure(9.6, 3.1 * ((n + 2) // 3))
    for i, row in enumerate(curves):
        axes = figure.add_subplot((n + 2) // 3, min(n, 3), i + 1)
        measured = found[row.name]
        x, t = points(measured)
        least = np.array([row.least(each, limits)[0] for each in x])
        axes.loglog(x, t, "o-", color=OURS, markersize=4, linewidth=1.4, label=f"slope {slope(measured)[1]:.2f}")
        axes.loglog(x, least, "--", color=LEAST, linewidth=1.2, label=row.least(x[-1], limits)[1])
        axes.set_xlabel(row.x, color=SOFT)
        axes.set_ylabel("seconds" if i % 3 == 0 else "", color=SOFT)
        axes.set_title(fill(row.text, 40), fontsize=9, color=INK)
        axes.tick_params(colors=SOFT, labelsize=8, which="both")
        if x[-1] < 10 * x[0]:  # few numbers, not powers of ten
            axes.set_xticks(x, [f"{each:g}" for each in x])
            axes.minorticks_off()
            axes.set_ylim(least.min() / 2, 2 * t.max())
        axes.legend(fontsize=8, frameon=False)
        axes.grid(True, color="#e3e8ed", linewidth=0.6)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
