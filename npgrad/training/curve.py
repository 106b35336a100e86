"""The learning curve as a small SVG, drawn without a plotting library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from ..types import FloatArray, IntArray
from .checkpoint import Evaluation

__all__ = ["learning_curve_svg", "nice_ticks", "short_number"]

WIDTH, HEIGHT = 720, 405
LEFT, RIGHT, TOP, BOTTOM = 62, 30, 66, 50  # margins
MAX_DOTS = 1500
POINTS = 160  # of the mean line

PAPER, INK, SOFT, GRID, LINE, MARK = "#ffffff", "#1f2933", "#65727f", "#e3e8ed", "#1c6dd0", "#d9480f"
STYLE = """
  text { font: 12px system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; }
  .title { font-size: 15px; font-weight: 600; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #12171d; } .title { fill: #e4e9ee; } .soft { fill: #93a1af; } .grid { stroke: #29323b; }
    .rule { stroke: #93a1af; } .band { fill: #6aa9f7; } .line { stroke: #6aa9f7; }
    .mark { stroke: #ff9d5c; } .dot { fill: #12171d; }
  }
"""


def nice_ticks(low: float, high: float, count: int = 6) -> list[float]:
    """About `count` round numbers (1, 2 or 5 times a power of ten apart) from `low` to `high`.

    Examples
    --------
    >>> nice_ticks(0.0, 47.0)
    [0.0, 10.0, 20.0, 30.0, 40.0]
    """
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next(m for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) + 0.0 for i in range(first, last + 1)]


def learning_curve_svg(
    returns: FloatArray,
    lengths: IntArray,
    evaluations: Sequence[Evaluation] = (),
    title: str = "",
    threshold: float | None = None,
) -> str:
    """Return against timesteps: every episode faintly, their running mean, the evaluations.

    Parameters
    ----------
    returns, lengths : array, shape (n,)
        Of the training episodes, in the order in which they ended.
    evaluations : sequence of Evaluation
        Drawn as points.
    title : str
        Above the picture.
    threshold : float, optional
        A level to mark.

    Returns
    -------
    str
        An SVG document, light or dark as the reader prefers. The same arguments give the same text.
    """
    timesteps = np.cumsum(lengths)
    frame = _Frame(timesteps, returns, evaluations, threshold)
    parts = [_axes(frame), _episodes(frame, timesteps, returns), _threshold(frame, threshold)]
    parts += [_evaluations(frame, evaluations), _legend(len(returns) > 0, bool(evaluations))]
    label = escape(title, quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="Learning curve: {label}">\n<style>{STYLE}</style>\n'
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="8" fill="{PAPER}"/>\n'
        f'<text class="title" x="16" y="28" fill="{INK}">{escape(title)}</text>\n'
        + "\n".join(part for part in parts if part)
        + "\n</svg>\n"
    )


class _Frame:
    """From timesteps and returns to places in the picture."""

    def __init__(
        self, timesteps: IntArray, returns: FloatArray, evaluations: Sequence[Evaluation], threshold: float | None
    ) -> None:
        values = np.concatenate(
            [returns, [e.result.mean_return for e in evaluations], [] if threshold is None else [threshold]]
        )
        values = values[np.isfinite(values)]
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
        span = (high - low) or max(1.0, abs(high))
        self.low, self.high = low - 0.04 * span, high + 0.06 * span
        ends = [*timesteps[-1:].tolist(), *(e.timesteps for e in evaluations)]
        self.end = max(ends, default=1)
        self.width, self.height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(self, timestep: float) -> float:
        return round(LEFT + self.width * timestep / self.end, 1)

    def y(self, value: float) -> float:
        inside = min(max(value, self.low), self.high) if math.isfinite(value) else self.low
        return round(TOP + self.height * (self.high - inside) / (self.high - self.low), 1)


def _axes(frame: _Frame) -> str:
    lines, labels = [], []
    bottom = TOP + frame.height
    for value in nice_ticks(frame.low, frame.high):
        y = frame.y(value)
        lines.append(f"M{LEFT} {y}H{WIDTH - RIGHT}")
        labels.append(f'<text x="{LEFT - 9}" y="{y + 4:.1f}" text-anchor="end">{short_number(value)}</text>')
    for value in nice_ticks(0, frame.end, 6):
        x = frame.x(value)
        lines.append(f"M{x} {bottom}v5")
        labels.append(f'<text x="{x}" y="{bottom + 19}" text-anchor="middle">{short_number(value)}</text>')
    labels.append(f'<text x="{LEFT + frame.width / 2}" y="{HEIGHT - 11}" text-anchor="middle">timesteps</text>')
    labels.append(f'<text x="16" y="{TOP - 13}">return of an episode</text>')
    return (
        f'<path class="grid" d="{"".join(lines)}" fill="none" stroke="{GRID}"/>\n'
        f'<path class="rule" d="M{LEFT} {bottom}H{WIDTH - RIGHT}" fill="none" stroke="{SOFT}"/>\n'
        f'<g class="soft" fill="{SOFT}">{"".join(labels)}</g>'
    )


def _episodes(frame: _Frame, timesteps: IntArray, returns: FloatArray) -> str:
    """A dot an episode (of many, evenly chosen ones); around each of some timesteps their mean and quartiles."""
    n = len(returns)
    if not n:
        return ""
    chosen = np.unique(np.linspace(0, n - 1, min(n, MAX_DOTS)).round().astype(int))
    dots = "".join(f"M{frame.x(t)} {frame.y(r)}h0" for t, r in zip(timesteps[chosen], returns[chosen], strict=True))
    half = max(4, n // 100)  # episodes on either side
    grid = np.linspace(timesteps[0], timesteps[-1], min(n, POINTS))
    windows = [returns[max(0, i - half) : i + half + 1] for i in np.searchsorted(timesteps, grid)]
    xs = [frame.x(t) for t in grid]
    mean = _path(xs, [frame.y(float(w.mean())) for w in windows])
    low, high = ([frame.y(float(np.percentile(w, q))) for w in windows] for q in (25, 75))
    band = _path(xs + xs[::-1], high + low[::-1])
    return (
        f'<path class="line" d="{dots}" fill="none" stroke="{LINE}" stroke-width="3" stroke-linecap="round" '
        f'opacity="0.16"/>\n<path class="band" d="{band}Z" fill="{LINE}" opacity="0.18"/>\n'
        f'<path class="line" d="{mean}" fill="none" stroke="{LINE}" stroke-width="2" stroke-linejoin="round"/>'
    )


def _evaluations(frame: _Frame, evaluations: Sequence[Evaluation]) -> str:
    if not evaluations:
        return ""
    xs = [frame.x(e.timesteps) for e in evaluations]
    ys = [frame.y(e.result.mean_return) for e in evaluations]
    points = "".join(_point(x, y) for x, y in zip(xs, ys, strict=True))
    return f'<path class="mark" d="{_path(xs, ys)}" fill="none" stroke="{MARK}" opacity="0.6"/>\n<g>{points}</g>'


def _threshold(frame: _Frame, threshold: float | None) -> str:
    if threshold is None:
        return ""
    y = frame.y(threshold)
    return (
        f'<path class="rule" d="M{LEFT} {y}H{WIDTH - RIGHT}" fill="none" stroke="{SOFT}" stroke-dasharray="5 4"/>\n'
        f'<text class="soft" x="{WIDTH - RIGHT}" y="{y - 6:.1f}" text-anchor="end" fill="{SOFT}">'
        f"stop at {short_number(threshold)}</text>"
    )


def _legend(episodes: bool, evaluations: bool) -> str:
    entries = []
    if evaluations:
        entries.append((_point(9, -4), "evaluation", 90))
    if episodes:
        shown = (
            f'<rect class="band" y="-10" width="18" height="12" fill="{LINE}" opacity="0.18"/>'
            f'<path class="line" d="M0 -4h18" stroke="{LINE}" stroke-width="2"/>'
        )
        entries.append((shown, "training: mean, quartiles", 186))
    x, parts = WIDTH - RIGHT, []
    for shown, text, width in entries:
        x -= width
        label = f'<text class="soft" x="25" fill="{SOFT}">{text}</text>'
        parts.append(f'<g transform="translate({x} 28)">{shown}{label}</g>')
    return "".join(parts)


def _point(x: float, y: float) -> str:
    return f'<circle class="dot mark" cx="{x}" cy="{y}" r="3.5" fill="{PAPER}" stroke="{MARK}" stroke-width="2"/>'


def _path(xs: Sequence[float], ys: Sequence[float]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in zip(xs, ys, strict=True))


def short_number(value: float) -> str:
    """A number for a tick.

    Examples
    --------
    >>> [short_number(x) for x in (1500.0, 20_000.0, 3e6, -0.5)]
    ['1,500', '20k', '3M', '−0.5']
    """
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= max(unit, 1e4):
            return f"{value / unit:g}{name}".replace("-", "−")
    return f"{value:,.6g}".replace("-", "−")
