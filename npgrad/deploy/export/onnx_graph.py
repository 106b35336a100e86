"""Export to ONNX: everything from the raw observation to the environment's action as one graph."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..._version import __version__
from ...errors import MissingExtra
from ...files import write_atomically
from ...policies import Clip, Offset, Rescale, Tanh
from ...validation import require_in
from ..agent import Agent
from ..program import Chain, Head, Program
from .c import PRECISIONS
from .text import LICENCE, description

__all__ = ["export_onnx"]

OPSET, IR_VERSION = 17, 8
REALS: dict[str, np.dtype[Any]] = {"double": np.dtype(np.float64), "float": np.dtype(np.float32)}
HALF_LOG_2PI = 0.5 * float(np.log(2 * np.pi))


def export_onnx(agent: Agent, path: str | PathLike[str], precision: str = "double") -> Path:
    """Write an agent as an ONNX model (opset 17) that takes the most likely action.

        obs       (B, d)  of the precision: flat observations, behind them the mask over actions if there is one
        action    (B, …)  in the space's dtype: what the environment gets
        log_prob  (B,)    of the precision: log π of the latent action, before the action map
        finite    (B,)    bool: whether the observation is finite; where it is not, the rest means nothing

    Where a mask allows no action, log_prob is NaN and action means nothing.

    Parameters
    ----------
    agent : Agent
        Affine layers, categorical, Gaussian and Bernoulli distributions and their products; see `Program`.
    path : path
        Where to; its folder is made if it is not there.
    precision : {"double", "float"}
        Of the input and of all arithmetic but the normaliser's, which is double.

    Returns
    -------
    path

    Raises
    ------
    InvalidInput
        If the agent has a part that cannot be exported.
    MissingExtra
        If onnx is not installed.
    """
    require_in("precision", precision, PRECISIONS)
    program = Program.of(agent.policy, agent.theta)
    try:
        onnx: Any = import_module("onnx")
        import_module("onnx.checker")
    except ImportError as error:
        raise MissingExtra("onnx is not installed; try: pip install 'npgrad[onnx]'") from error
    model = _model(onnx, program, REALS[precision])
    model.doc_string = f"{description(agent, program)}\n\n{LICENCE}"
    onnx.checker.check_model(model, full_check=True)
    out = Path(path)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, lambda file: file.write(model.SerializeToString(deterministic=True)))
    return out


class _Graph:
    """Nodes and constants as they come; every operation gives the name of its result."""

    def __init__(self, onnx: Any, real: np.dtype[Any]) -> None:
        self._onnx, self._real = onnx, real
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def __call__(self, op: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        name = name or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(self._onnx.helper.make_node(op, list(inputs), [name], name, **attributes))
        return name

    def constant(self, values: Any, dtype: Any = None) -> str:
        name = f"constant_{len(self.constants)}"
        array = np.asarray(values, dtype or self._real)
        self.constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def cast(self, x: str, dtype: Any) -> str:
        return self("Cast", x, to=self.type(dtype))

    def type(self, dtype: Any) -> int:
        return int(self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def columns(self, x: str, first: int, last: int) -> str:
        starts, ends, axes = (self.constant([i], np.int64) for i in (first, last, 1))
        return self("Slice", x, starts, ends, axes)

    def sum(self, x: str) -> str:
        """Σ over the columns."""
        return self("ReduceSum", x, self.constant([1], np.int64), keepdims=0)


def _model(onnx: Any, program: Program, real: np.dtype[Any]) -> Any:
    g = _Graph(onnx, real)
    action_space: Any = program.policy.action_space
    bad = g.cast(g("Or", g("IsNaN", "obs"), g("IsInf", "obs")), np.int64)
    g("Equal", g.sum(bad), g.constant(0, np.int64), name="finite")

    y = _y(g, program, real)
    latents, terms = zip(*(_head(g, head, y) for head in program.heads), strict=True)
    kind = np.int64 if program.integral else real
    latent = g("Concat", *(g.cast(a, kind) for a in latents), axis=1)
    log_prob = terms[0]
    for term in terms[1:]:
        log_prob = g("Add", log_prob, term)
    g("Identity", log_prob, name="log_prob")
    mapped = g.cast(_mapped(g, program, latent), action_space.dtype)
    g("Reshape", mapped, g.constant([-1, *action_space.shape], np.int64), name="action")

    def value(name: str, dtype: Any, *shape: int) -> Any:
        return onnx.helper.make_tensor_value_info(name, g.type(dtype), ["batch", *shape])

    outputs = [value("action", action_space.dtype, *action_space.shape), value("log_prob", real), value("finite", bool)]
    graph = onnx.helper.make_graph(
        g.nodes, "policy", [value("obs", real, program.policy.n_obs)], outputs, initializer=g.constants
    )
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    return onnx.helper.make_model(
        graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="npgrad", producer_version=__version__
    )


def _y(g: _Graph, program: Program, real: np.dtype[Any]) -> str:
    """y of the observation, logits of masked actions −∞."""
    policy = program.policy
    x = g.columns("obs", 0, program.n_in) if policy.n_masked else "obs"
    if (layer := policy.normaliser) is not None:
        mean, std, low, high = (
            g.constant(values, np.float64) for values in (layer.mean, layer.std, -layer.bound, layer.bound)
        )
        z = g("Div", g("Sub", g.cast(x, np.float64), mean), std)
        x = g.cast(g("Clip", z, low, high), real)
    columns = []
    for part in program.parts:
        if isinstance(part, Chain):
            columns.append(_chain(g, program, part, x))
        else:
            rows = g("Concat", g("Shape", "obs", start=0, end=1), g.constant([part.n], np.int64), axis=0)
            columns.append(g("Expand", g.constant(program.numbers[part.at : part.at + part.n]), rows))
    y = g("Concat", *columns, axis=1)
    if not policy.n_masked:
        return y
    mask = g.cast(g.columns("obs", program.n_in, policy.n_obs), bool)
    return g("Where", mask, y, g.constant(-np.inf))


def _chain(g: _Graph, program: Program, chain: Chain, x: str) -> str:
    for layer in chain.layers:
        W, b = program.weights(layer)
        x = g("MatMul", x, g.constant(W))
        if b is not None:
            x = g("Add", x, g.constant(b))
        if layer.activation != "identity":
            x = g(layer.activation.capitalize(), x)  # Tanh, Relu
    return x


def _head(g: _Graph, head: Head, y: str) -> tuple[str, str]:
    """The mode (B, columns) and its log-probability (B,)."""
    n = head.n
    if head.kind == "categorical":
        logits = g.columns(y, head.y, head.y + n)
        log_p = g("ReduceMax", g("LogSoftmax", logits, axis=1), axes=[1], keepdims=0)
        return g("ArgMax", logits, axis=1, keepdims=1), log_p
    if head.kind == "gaussian":
        log_std = g.columns(y, head.y + n, head.y + 2 * n)
        log_p = g("Neg", g.sum(g("Add", log_std, g.constant(HALF_LOG_2PI))))
        return g.columns(y, head.y, head.y + n), log_p
    logits = g.columns(y, head.y, head.y + n)
    odds = g("Exp", g("Neg", g("Abs", logits)))  # −log(1 + e^−|y|)
    log_p = g("Neg", g.sum(g("Log", g("Add", odds, g.constant(1.0)))))
    return g("Greater", logits, g.constant(0.0)), log_p


def _mapped(g: _Graph, program: Program, latent: str) -> str:
    """What the environment gets, (B, columns)."""

    def clipped(u: str, low: str, high: str) -> str:
        return g("Min", g("Max", u, low), high)

    def scaled(u: str, low: Sequence[float], high: Sequence[float]) -> str:
        half = g("Div", g("Add", u, g.constant(1.0)), g.constant(2.0))
        return g("Add", g.constant(low), g("Mul", half, g.constant(np.subtract(high, low))))

    match program.policy.action_map:
        case Offset(start=start):
            return g("Add", latent, g.constant(np.broadcast_to(start, program.n_act), np.int64))
        case Clip(low=low, high=high):
            return clipped(latent, g.constant(low), g.constant(high))
        case Rescale(low=low, high=high):
            return clipped(scaled(latent, low, high), g.constant(low), g.constant(high))
        case Tanh(low=low, high=high):
            return scaled(g("Tanh", latent), low, high)
        case _:
            return latent
