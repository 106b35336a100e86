"""Checks of a density, its score, its draws and its mode."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from ..types import Array, FloatArray
from .derivatives import BY_DIFFERENCES
from .diagnosis import HALF_LOG_2PI, Suspect, linear_in, scales_in
from .expectation import Expectation
from .family import Family
from .report import Recorder

__all__ = ["check_change_of_variables", "check_mode", "check_score", "check_total"]


def check_total(record: Recorder, f: Family, e: Expectation) -> None:
    """Σ p = 1 (L7)."""
    if e.name == "draws":
        record.skip("Σ p(a) = 1: too many actions to sum, or p too rough to integrate")
        return
    sign = "Σ p(a)" if e.name == "sum" else "∫ p(a) da"
    suspects = [("−log Σ_j exp y_j, the normaliser, is missing in log_prob", lambda: np.log(np.exp(f.y).sum(axis=1)))]

    def look(got: Array, expected: Array) -> str:
        return _name_of_total(f.y, got)

    record.equal(
        f"{sign} = 1 at every y: log {sign} = 0",
        lambda: e.log_total,
        lambda: np.zeros(len(f.y)),
        e.tolerance,
        suspects,
        look,
        rows=True,
    )


TOTALS = {
    1.0: "−log σ is missing in log_prob",
    2.0: "+log σ stands where −log σ belongs",
    -1.0: "σ² is missing under (a − μ)², or −log σ is there twice",
    -0.5: "σ where σ² belongs under (a − μ)²",
}


def _name_of_total(y: Array, log_total: Array) -> str:
    """Which term log p lacks if the log of its total is linear in y."""
    found = linear_in(log_total, y)
    if found is None:
        return "the normaliser depends on y in another way than it should"
    c, rest = found
    if not c.any():
        return ""
    powers = set(c[c != 0].tolist())
    name = TOTALS.get(powers.pop(), "a term is wrong") if len(powers) == 1 else "terms are wrong"
    which = " + ".join(f"{x:g}·y[:, {j}]" for j, x in enumerate(c) if x)
    if abs(rest) > 1e-6:
        which += f" {rest:+.6g}"
    return f"log of the total is {which}: {name}, if that y is log σ"


def check_change_of_variables(record: Recorder, f: Family, e: Expectation) -> None:
    """log p(a(ε)) + log |det ∂a/∂ε| = log density of ε, for as many numbers in the noise as in a real action."""
    if not e.continuous or f.pi.act_shape != (len(f.pi.draws),):
        return
    normal = np.array([kind == "normal" for kind in f.pi.draws])

    def of_action(noise: FloatArray) -> Array:
        slope = BY_DIFFERENCES.jacobian_of_rows(lambda x: f.pi.draw(f.y, x), noise)
        log_p: Array = f.pi.log_prob(f.y, f.pi.draw(f.y, noise)) + np.linalg.slogdet(slope)[1]
        return log_p

    def of_noise(noise: FloatArray) -> FloatArray:
        log_p: FloatArray = np.where(normal, -0.5 * noise**2 - HALF_LOG_2PI, 0.0).sum(axis=1)
        return log_p

    def look(got: Array, expected: Array) -> str:
        centre = np.broadcast_to(np.where(normal, 0.0, 0.5), f.noise.shape)  # where nothing but the width is left
        found = linear_in(of_action(centre) - of_noise(centre), f.y)
        if found is None or not found[0].any():
            return ""
        which = " + ".join(f"{x:g}·y[:, {j}]" for j, x in enumerate(found[0]) if x)
        return f"at its centre off by {which}: draw and log_prob use different powers of σ, if that y is log σ"

    record.equal(
        "draw: log p(a(ε)) + log |det ∂a/∂ε| = log density of the noise ε",
        lambda: of_action(f.noise),
        lambda: of_noise(f.noise),
        1e-7,
        look=look,
        rows=True,
    )


def check_score(record: Recorder, f: Family, e: Expectation) -> None:
    """∂ log p/∂y, and its mean of zero (L4)."""
    right = f.right_score(f.act)
    record.equal(
        f"score = ∂ log p/∂y, by {f.method.name}",
        lambda: f.pi.score(f.y, f.act),
        lambda: right,
        f.method.tolerance,
        _suspects_of_score(f, right),
    )
    e.mean_is_zero(record, "E score = 0", lambda: f.at(f.pi.score, f.y, e.act))


def _suspects_of_score(f: Family, right: FloatArray) -> Iterator[Suspect]:
    yield from scales_in(right, f.y)
    act, T = f.act, len(f.act)
    if act.dtype.kind == "i" and act.ndim == 1:  # first: those that put it elsewhere miss it too, where it belongs
        here = np.arange(right.shape[1]) == act[:, None]
        yield "1[i = a], the gradient of y_a, is missing", lambda: right - here
    for shift, name in ((1, "before"), (-1, "after")):
        rolled = np.roll(act, shift, axis=0)
        yield f"wrong row: the action of the row {name} it is taken", partial(f.right_score, rolled)
        yield f"wrong row: the score of the row {name} it", partial(np.roll, right, shift, axis=0)
    if act.dtype.kind == "i":
        low, high = act.min(), f.draws.max()
        for shift in (1, -1):
            moved = low + (act - low + shift) % (high - low + 1)
            yield f"the action's index is shifted by {shift:+d}", partial(f.right_score, moved)
    p = np.exp(f.y - f.y.max(axis=1, keepdims=True))
    softmax = p / p.sum(axis=1, keepdims=True)
    yield "−p, the gradient of −log Σ exp y (the normaliser), is missing", lambda: right + softmax
    other = f.draws[np.arange(T), np.arange(T)]
    yield (
        "off by a row that is the same for every action: the gradient of the normaliser is wrong or missing",
        lambda: right + f.pi.score(f.y, other) - f.right_score(other),
    )


def check_mode(record: Recorder, f: Family, e: Expectation) -> None:
    """The mode is the likeliest of all actions at hand."""

    def excess() -> float:
        most = np.asarray(f.pi.log_prob(f.y, f.pi.mode(f.y)))
        others = [f.at(f.pi.log_prob, f.y, act) for act in (e.act, f.draws)]
        return float(max(0.0, *((log_p - most[:, None]).max() for log_p in others)))

    record.value(
        "mode: log p(mode) ≥ log p of every other action",
        excess,
        1e-9,
        "there are likelier actions than the mode; pass exact_mode=False if it is an approximation",
    )
