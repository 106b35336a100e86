"""Curves of several runs in one picture, with matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import InvalidInput, MissingExtra
from ..validation import require_in
from .curve import short_number
from .runs import LOSSES, TIMES, Run, common_column, grouped, one_environment
from .statistics import STATISTICS, curves_on_grid, over_runs

__all__ = ["FORMATS", "plot_runs"]

FORMATS = (".png", ".svg", ".pdf")
INK, SOFT, GRID = "#1f2933", "#65727f", "#e3e8ed"
COLOURS = ("#1c6dd0", "#d9480f", "#2b8a3e", "#7048c8", "#c2255c", "#0c8599", "#8a6d00", "#495057")
NAMES = {
    "eval/mean_reward": "return of an evaluation",
    "eval/mean_ep_length": "length of an evaluation's episodes",
    "rollout/ep_rew_mean": "return of an episode, mean of 100",
    "rollout/ep_len_mean": "length of an episode, mean of 100",
    "eval/loss": "−log π of actions held out; dashed, of those it learns from",
    "train/loss": "−log π of the actions it learns from",
}
CALLED = {"mean": "mean", "iqm": "interquartile mean"}
STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "axes.edgecolor": SOFT,
    "text.color": INK,
    "axes.labelcolor": SOFT,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "svg.hashsalt": "npgrad",
    "svg.fonttype": "none",
}


def plot_runs(
    runs: Sequence[Run], out: str | Path, column: str | None = None, statistic: str = "mean", title: str | None = None
) -> list[str]:
    """Draw a column of the log against time: for each group of runs a statistic over them, with its interval.

    Parameters
    ----------
    runs : sequence of Run
        Of one environment; those that differ in their seeds alone are a group.
    out : path
        Where to; its ending says what: png, svg or pdf.
    column : str, optional
        By default the return of evaluations, or, if there are none, of training episodes; of clones the loss.
    statistic : {"mean", "iqm"}, optional
        Over the runs of a group.
    title : str, optional
        By default the environment.

    Returns
    -------
    list of str
        A line for each group: label, runs, value at the end.

    Raises
    ------
    MissingExtra
        If matplotlib is not installed.
    InvalidInput
        If the ending is another, the runs are of several environments or kinds, or one has no such column.
    """
    require_in("statistic", statistic, STATISTICS)
    path = Path(out)
    if path.suffix.lower() not in FORMATS:
        raise InvalidInput(f"out is {out}, expected a name that ends in one of {', '.join(FORMATS)}")
    env, column = one_environment(runs), common_column(runs, column)
    first, *others = runs
    for run in others:
        if run.time != first.time:
            raise InvalidInput(
                f"{first.path} goes along {TIMES[first.time]}, {run.path} along {TIMES[run.time]}; draw them apart"
            )
    along = TIMES[first.time]
    try:
        import matplotlib
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as error:
        raise MissingExtra("plots need matplotlib; pip install 'npgrad[plots]'") from error

    lines = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8, 4.8), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1))
        axes, groups = figure.add_subplot(), grouped(runs)
        for i, (label, group) in enumerate(groups.items()):
            lines.append(_draw(axes, label, [run.curve(column) for run in group], statistic, COLOURS[i % len(COLOURS)]))
            if column == LOSSES[0]:
                for run in group:
                    axes.plot(*run.curve(LOSSES[1]), "--", color=COLOURS[i % len(COLOURS)], linewidth=0.8)
        over = f": {CALLED[statistic]} over runs, 95% interval" if len(groups) < len(runs) else ""
        _dress(axes, title or env, NAMES.get(column, column) + over, along, len(groups))
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else {}
        figure.savefig(path, dpi=160, metadata=metadata)
    return lines


def _draw(axes: Any, label: str, curves: list[Any], statistic: str, colour: str) -> str:
    """The curves of a group; a line about them."""
    n = len(curves)
    for t, v in curves if n > 1 else ():
        axes.plot(t, v, color=colour, linewidth=0.6, alpha=0.25)
    grid, values = curves_on_grid(curves)
    center, low, high = over_runs(values, statistic)
    if n == 1:
        grid, center = curves[0]
        low = high = center
    else:
        axes.fill_between(grid, low, high, color=colour, alpha=0.16, linewidth=0)
    axes.plot(grid, center, color=colour, linewidth=2, label=label, marker="o" if len(grid) == 1 else None)
    over = f"{CALLED[statistic]} of {n} runs" if n > 1 else "one run"
    interval = f"  (95% interval {low[-1]:.4g} to {high[-1]:.4g})" if n > 1 else ""
    return f"{label}: {center[-1]:.4g} at the end, {over}{interval}"


def _dress(axes: Any, title: str, ylabel: str, along: str, n_groups: int) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_title(title, loc="left", fontsize=13, fontweight="bold", color=INK, pad=26)
    axes.text(0, 1.03, ylabel, transform=axes.transAxes, color=SOFT, fontsize=10)
    axes.set_xlabel(along)
    axes.grid(axis="y", color=GRID, linewidth=1)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: short_number(x)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: short_number(y)))
    axes.xaxis.set_major_locator(MaxNLocator(7))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.margins(x=0.01, y=0.06)
    axes.set_xlim(left=min(0, axes.get_xlim()[0]) if axes.get_xlim()[0] < 0.1 * axes.get_xlim()[1] else None)
    if n_groups > 1:
        axes.legend(facecolor="white", framealpha=0.85, edgecolor="none", labelcolor=INK, loc="best")
