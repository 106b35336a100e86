"""The check of a function y = f_θ(x)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..types import Array, FloatArray, IntArray
from .contract import check_contract, check_float32
from .diagnosis import Suspect
from .products import IDENTITY, ThetaMap, check_products
from .report import Recorder, Report

__all__ = ["check_function"]


def check_function(
    function: Any,
    *,
    seed: int = 0,
    theta: npt.ArrayLike | None = None,
    obs: npt.ArrayLike | None = None,
    offsets: npt.ArrayLike | None = None,
) -> Report:
    """Check a function's products against complex step, against one another, and its steps against its batches.

    Parameters
    ----------
    function : Function
        As in docs/architecture.md: ``n_in``, ``n_out``, ``n_params``, ``n_memory``, ``init``, ``at``, ``advance``.
    seed : int, optional
        Of all that is drawn.
    theta : array, shape (P,), optional
        Where to linearise; by default near what ``init`` draws.
    obs : array, shape (T, d), optional
        Inputs, normally distributed by default. Give some if the function takes integers, say.
    offsets : int array, shape (N + 1,), optional
        Borders of episodes; needed only with `obs`, and then one episode by default.

    Returns
    -------
    Report
        Print it, or call its ``raise_if_failed``.

    Notes
    -----
    S7, S13 of the catalogue. Where the function does not work on complex θ, central differences stand in (1e-7).

    Examples
    --------
    >>> from npgrad.functions import Linear
    >>> check_function(Linear(3, 2)).passed
    True
    """
    rng = np.random.default_rng(seed)
    record = Recorder(f"check_function of {function}, seed {seed}")
    if not record.none("init(rng) gives a flat float64 vector of n_params numbers", lambda: _init_violations(function)):
        return record.report()
    if obs is None:
        obs, offsets = rng.normal(size=(7, function.n_in)), [0, 3, 4, 7]
    x = np.asarray(obs)
    edges = np.asarray([0, len(x)] if offsets is None else offsets, dtype=np.int64)
    start = function.init(rng) + 0.3 * rng.normal(size=function.n_params) if theta is None else np.array(theta)

    n_memory = function.n_memory
    f = ThetaMap(
        "y",
        linearise=lambda th: function.at(th, x, edges),
        value=lambda lin: lin.y,
        row=None if n_memory else lambda th, t: function.at(th, x[t : t + 1]),
    )
    shape = (len(x), function.n_out)
    if not record.none(f"y has shape (T, K) = {shape}", lambda: _shape_violations(f(start), shape)):
        return record.report()
    calls = _Calls(function, start, x, edges, rng)
    record.attempt("the contract can be checked", lambda: calls.check_contract(record))
    record.attempt("the products can be checked", lambda: check_products(record, f, start, edges, rng))
    record.equal(
        "advance, step by step from memory 0 at each offset, gives the y of at",
        lambda: f(start),
        lambda: _stepped(function, start, x, edges),
        IDENTITY,
        _suspects_of_memory(function, start, x, edges) if n_memory else (),
    )
    record.attempt("float32 can be checked", lambda: calls.check_float32(record))
    return record.report()


def _init_violations(function: Any) -> Iterator[str]:
    theta = function.init(np.random.default_rng(0))
    if theta.shape != (function.n_params,) or theta.dtype != np.float64:
        yield f"shape {theta.shape} and dtype {theta.dtype}, expected ({function.n_params},) and float64"
    elif not np.array_equal(theta, function.init(np.random.default_rng(0))):
        yield "two calls with the same rng differ: randomness from elsewhere"


def _shape_violations(y: Array, shape: tuple[int, ...]) -> Iterator[str]:
    if y.shape != shape:
        yield f"shape {y.shape}"
    if not np.isfinite(y).all():
        yield "y is not finite"


def _stepped(function: Any, theta: Array, obs: Array, offsets: IntArray, keep: FloatArray | float = 0.0) -> FloatArray:
    """y by `advance`, a row at a time; at each of `offsets` memory is multiplied by `keep`."""
    y = np.empty((len(obs), function.n_out))
    memory = np.zeros((1, function.n_memory))
    for t in range(len(obs)):
        if t in offsets:
            memory = memory * keep
        y[t : t + 1], memory = function.advance(theta, obs[t : t + 1], memory)
    return y


def _suspects_of_memory(function: Any, theta: Array, obs: Array, offsets: IntArray) -> Iterator[Suspect]:
    def stepped(edges: IntArray, keep: float = 0.0) -> FloatArray:
        return _stepped(function, theta, obs, edges, keep)

    yield "the offsets are ignored: at keeps its memory across episodes", lambda: stepped(offsets, 1.0)
    for shift, name in ((1, "late"), (-1, "early")):
        moved = np.array([0, *(offsets[1:-1] + shift)])
        yield f"the offsets are off by one: at clears its memory a row too {name}", partial(stepped, moved)
    every = np.arange(len(obs))
    yield "at clears its memory at every row", lambda: stepped(every)


class _Calls:
    """Every call of a function, on one set of inputs."""

    def __init__(self, function: Any, theta: Array, obs: Array, offsets: IntArray, rng: np.random.Generator) -> None:
        self._function = function
        w, v = rng.normal(size=(len(obs), function.n_out)), rng.normal(size=len(theta))
        memory = 0.1 * rng.normal(size=(len(obs), function.n_memory))
        self._inputs = {"theta": theta, "obs": obs, "offsets": offsets, "w": w, "v": v, "memory": memory}

    def check_contract(self, record: Recorder) -> None:
        calls, inputs = self._calls(np.float64), dict(self._inputs)
        lin = self._function.at(inputs["theta"], inputs["obs"], inputs["offsets"])
        for name in ("vjp", "jvp", "vjp_rows"):
            argument = inputs["v" if name == "jvp" else "w"]
            calls[f"{name} of one linearisation"] = partial(getattr(lin, name), argument)
        if not self._function.n_memory:  # a function without memory passes it on as it is
            memory = inputs.pop("memory")
            calls["advance"] = lambda: self._function.advance(inputs["theta"], inputs["obs"], memory)[0]
        check_contract(record, calls, inputs)

    def check_float32(self, record: Recorder) -> None:
        check_float32(record, self._calls(np.float64), self._calls(np.float32))

    def _calls(self, dtype: type[np.floating[Any]]) -> dict[str, Any]:
        theta, obs, offsets, w, v, memory = self._inputs.values()
        theta, memory = theta.astype(dtype, copy=False), memory.astype(dtype, copy=False)

        def lin() -> Any:
            return self._function.at(theta, obs, offsets)

        return {
            "at(…).y": lambda: lin().y,
            "vjp": lambda: lin().vjp(w),
            "jvp": lambda: lin().jvp(v),
            "vjp_rows": lambda: lin().vjp_rows(w),
            "vjp_segments": lambda: lin().vjp_segments(w, offsets),
            "advance": lambda: self._function.advance(theta, obs, memory),
        }
