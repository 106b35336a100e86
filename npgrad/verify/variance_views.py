"""A study of variances to read and to look at."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .certify_views import pyplot

if TYPE_CHECKING:
    from .variance import Row, VarianceStudy

__all__ = ["draw", "table"]

NAME = 32
LINE, MARK, INK = "#1c6dd0", "#d9480f", "#1f2933"


def table(study: VarianceStudy) -> str:
    """An estimator a line."""
    exact = any(row.exact is not None for row in study.rows)
    head = ["variance", "95 % interval", "of reward-to-go", "95 % interval", "signal/noise"] + ["exact"] * exact
    widths = [10, 22, 16, 16, 13, 10]
    lines = [
        f"{study.env_id}: {study.batches} batches of {study.batch_episodes} episodes, {study.steps:.0f} steps each, "
        f"γ = {study.gamma:g}",
        "",
        _line("estimator", head, widths),
    ]
    lines += [_line(row.name, _cells(row, exact), widths) for row in study.rows]
    return "\n".join([*lines, *([""] if study.notes else []), *study.notes])


def _cells(row: Row, exact: bool) -> list[str]:
    cells = [
        f"{row.variance:.4g}",
        _interval(row.interval, ".4g"),
        f"{row.ratio:.3f}",
        _interval(row.ratio_interval, ".3f"),
    ]
    cells.append(f"{row.signal_to_noise:.3g}")
    return cells + (["–" if row.exact is None else f"{row.exact:.4g}"] if exact else [])


def _interval(ends: tuple[float, float], digits: str) -> str:
    low, high = ends
    return f"{low:{digits}} … {high:{digits}}" if np.isfinite(low + high) else "–"


def _line(name: str, cells: list[str], widths: list[int]) -> str:
    columns = zip(cells, widths[: len(cells)], strict=True)
    return (name.ljust(NAME) + "".join(c.rjust(w + 1) for c, w in columns)).rstrip()


def draw(study: VarianceStudy, path: str | Path | None = None) -> Any:
    """Variance with its interval as a dot and a bar, the exact one as a diamond."""
    plt = pyplot()
    names = [row.name for row in study.rows]
    fig, axes = plt.subplots(figsize=(8.5, 1.5 + 0.4 * len(names)), layout="constrained")
    y = np.arange(len(names))
    s2 = np.array([row.variance for row in study.rows])
    bars = np.nan_to_num(np.abs(np.array([row.interval for row in study.rows]).T - s2))
    axes.errorbar(s2, y, xerr=bars, fmt="o", color=LINE, capsize=3, label="measured, 95 % interval")
    known = [k for k, row in enumerate(study.rows) if row.exact is not None]
    if known:
        exact = [study.rows[k].exact for k in known]
        axes.plot(exact, y[known] + 0.22, "D", color=MARK, markersize=5, linestyle="none", label="exact")
    axes.set_yticks(y, names)
    axes.invert_yaxis()
    if (s2 > 0).all():
        axes.set_xscale("log")
        ticker = import_module("matplotlib.ticker")
        axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.set_xlabel(f"variance of ĝ: tr Cov, batches of {study.batch_episodes} episodes")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    fig.suptitle(f"{study.env_id}, γ = {study.gamma:g}", color=INK)
    fig.legend(loc="outside lower center", ncols=2, frameon=False)
    if path is not None:
        fig.savefig(path, dpi=150)
    plt.close(fig)
    return fig
