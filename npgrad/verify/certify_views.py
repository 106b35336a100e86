"""A certificate to read and to look at."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MissingExtra

if TYPE_CHECKING:
    from .certify import Certificate, Measured
    from .certify_cases import Settings

__all__ = ["draw", "pyplot", "table", "target_of"]

ZERO = 1e-9  # relative biases below it are rounding
COLUMN, NAME = 13, 26
INK, SOFT, YOURS = "#1f2933", "#65727f", "#d9480f"
COLOURS = ("#1c6dd0", "#2b8a3e", "#e8590c", "#7048e8", "#0c8599", "#c2255c")


def target_of(settings: Settings) -> str:
    """What the mean should be, in symbols."""
    name = {"undiscounted": "∇J", "discounted": "∇J_γ", "surrogate": "∇L_β"}[settings.target]
    return name + (f" + {settings.ent_coef:g} ∇E Σ γ^t H_t" if settings.ent_coef else "")


def table(certificate: Certificate) -> str:
    """Two blocks, bias and variance: an estimator a line, a problem a column."""
    s = certificate.settings
    who = "their own policy" if s.behaviour == "policy" else "another policy"
    lines = [
        f"{certificate.name}: batches of {s.n} of {who}, γ = {s.gamma:g}, target {target_of(s)}",
        "",
        _line("bias, of ‖∇‖", [row.case for row in certificate.rows]),
    ]
    estimators = {f"» {certificate.name}": certificate.rows, **certificate.library}
    lines += [_line(name, [_bias(row) for row in rows]) for name, rows in estimators.items()]
    lines += ["", _line("variance", [row.case for row in certificate.rows])]
    lines += [_line(name, [_variance(row) for row in rows]) for name, rows in estimators.items()]
    return "\n".join([*lines, "", _verdict(certificate)])


def _verdict(certificate: Certificate) -> str:
    worst = max(certificate.rows, key=lambda row: row.relative_bias)
    if certificate.unbiased:
        return f"unbiased on all {len(certificate.rows)} problems, to {worst.relative_bias:.0e}"
    biased = sum(row.relative_bias > ZERO for row in certificate.rows)
    return (
        f"BIASED on {biased} of {len(certificate.rows)} problems, by up to {worst.relative_bias:.3g} of ‖∇‖ "
        f"({worst.case}); npgrad.diagnose names known mistakes"
    )


def _line(name: str, cells: list[str]) -> str:
    shown = name if len(name) <= NAME else name[: NAME - 1] + "…"
    return (shown.ljust(NAME) + "".join(c.rjust(COLUMN + 1) for c in cells)).rstrip()


def _bias(row: Measured | None) -> str:
    if row is None:
        return "–"
    return "0" if row.relative_bias <= ZERO else f"{row.relative_bias:.4f}"


def _variance(row: Measured | None) -> str:
    return "–" if row is None else f"{row.variance:.4g}"


def pyplot() -> Any:
    """matplotlib.pyplot, or what to do about its absence."""
    try:
        import_module("matplotlib").use("agg")
        return import_module("matplotlib.pyplot")
    except ImportError as error:
        raise MissingExtra('pictures need matplotlib: pip install "npgrad[plots]"') from error


def draw(certificate: Certificate, path: str | Path | None = None) -> Any:
    """Bias on the left, variance on the right: an estimator a row, a problem a colour."""
    plt = pyplot()
    estimators = {certificate.name: certificate.rows, **certificate.library}
    fig, (left, right) = plt.subplots(
        1, 2, sharey=True, figsize=(10, 1.7 + 0.42 * len(estimators)), layout="constrained"
    )
    for k, row in enumerate(certificate.rows):
        ys, biases, variances = [], [], []
        for y, rows in enumerate(estimators.values()):
            found = rows[k]
            if found is not None:
                ys.append(y + 0.09 * (k - (len(certificate.rows) - 1) / 2))
                biases.append(0.0 if found.relative_bias <= ZERO else found.relative_bias)
                variances.append(found.variance)
        style = dict(marker="o", linestyle="none", markersize=6, color=COLOURS[k % len(COLOURS)], label=row.case)
        left.plot(biases, ys, **style)
        right.plot(variances, ys, **style)
    left.axvline(0, color=SOFT, linewidth=1)
    left.set_xlim(left=-0.03 * max(left.get_xlim()[1], 0.1))
    left.set_xlabel(f"bias: ‖E ĝ − {target_of(certificate.settings)}‖ / ‖{target_of(certificate.settings)}‖")
    right.set_xlabel("variance: tr Cov ĝ")
    right.set_xscale("log")
    ticker = import_module("matplotlib.ticker")
    right.xaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    right.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    right.xaxis.set_minor_formatter(ticker.NullFormatter())
    left.set_yticks(range(len(estimators)), list(estimators))
    left.invert_yaxis()
    left.get_yticklabels()[0].set(color=YOURS, fontweight="bold")
    for axes in (left, right):
        axes.axhspan(-0.5, 0.5, color=YOURS, alpha=0.07, linewidth=0)
        axes.grid(axis="x", alpha=0.3)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
    s = certificate.settings
    fig.suptitle(f"{certificate.name}: exact, batches of {s.n}, γ = {s.gamma:g}", color=INK)
    fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False)
    if path is not None:
        fig.savefig(path, dpi=150)
    plt.close(fig)
    return fig
