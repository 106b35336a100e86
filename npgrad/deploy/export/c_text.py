"""The C of one policy: its numbers, its forward and backward passes and its heads, written out for its sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ...errors import InvalidInput
from ...policies import Clip, Offset, Rescale, Tanh
from ...types import Array
from ..program import Chain, Numbers, Program

__all__ = ["constants", "forward", "heads", "inputs", "literal", "score", "table"]

Namer = Callable[[int, int], str]  # (chain, layer) → the array that holds the layer's input


def literal(value: float, precision: str = "double") -> str:
    """A constant that reads back to the same bits.

    Raises
    ------
    InvalidInput
        If it is too large for float.

    Examples
    --------
    >>> literal(0.1), literal(0.1, "float"), literal(3)
    ('0.1', '0.1f', '3')
    """
    if isinstance(value, int):
        return str(value)
    if np.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    if precision == "double":
        return repr(value)
    with np.errstate(over="ignore"):
        single = np.float32(value)
    if np.isinf(single):
        raise InvalidInput(f"{value} is too large for precision='float'; export with precision='double'")
    text = str(single)
    return (text if set(text) & set(".e") else f"{text}.0") + "f"


def table(kind: str, name: str, values: Any, precision: str = "double") -> str:
    """A constant array of one or two axes."""
    array = np.asarray(values)
    if array.ndim == 1:
        body = _lines(array, precision)
    else:
        body = ",\n    ".join(f"{{{_lines(row, precision)}}}" for row in array)
    size = "".join(f"[{n}]" for n in array.shape)
    return f"static const {kind} {name}{size} = {{\n    {body}}};"


def _lines(values: Array, precision: str) -> str:
    literals = [literal(value, precision) for value in values.tolist()]
    return ",\n    ".join(", ".join(literals[i : i + 6]) for i in range(0, len(literals), 6))


def constants(program: Program, precision: str) -> Iterator[str]:
    """Numbers, normaliser, kinds of noise and bounds as tables."""
    policy = program.policy

    def reals(name: str, values: Any) -> str:
        return table("npg_real", name, np.asarray(values, np.float64), precision)

    yield reals("npg_numbers", program.numbers)
    if policy.normaliser is not None:
        mean, std = (np.broadcast_to(a, program.n_in) for a in (policy.normaliser.mean, policy.normaliser.std))
        yield reals("npg_mean", mean)
        if precision == "float":
            yield reals("npg_mean_rest", mean - mean.astype(np.float32))
        yield reals("npg_std", std)
        yield f"#define NPG_BOUND {literal(float(policy.normaliser.bound), precision)}"
    yield "/* 0 uniform, 1 normal */"
    yield table("unsigned char", "npg_kinds", [int(kind == "normal") for kind in policy.draws])
    match policy.action_map:
        case Offset(start=start):
            first = np.broadcast_to(start, program.n_act)
            last = first + np.repeat([h.n - 1 for h in program.heads], [h.columns for h in program.heads])
            if first.min() < -(2**31) or last.max() >= 2**31:
                raise InvalidInput(
                    f"actions from {first.min()} to {last.max()} do not fit an int32_t; number them from 0"
                )
            yield table("npg_action", "npg_start", first)
        case Clip(low=low, high=high) | Rescale(low=low, high=high) | Tanh(low=low, high=high):
            yield reals("npg_low", low)
            yield reals("npg_high", high)


def inputs(program: Program) -> str:
    """From an observation to what the function gets."""
    copied = "npg_copy(obs, NPG_N_IN, x);" if program.policy.normaliser is None else "npg_normalise(obs, x);"
    return _block("static void npg_inputs(const npg_real *obs, npg_real *x)", [copied])


def forward(program: Program) -> str:
    """y of an observation, on two buffers in turn."""
    lines = [_reals("x[NPG_N_IN]", *_arrays(program, _in_turn))]
    lines += _y(program, _in_turn)
    return _block("static int npg_forward(const npg_real *numbers, const npg_real *obs, npg_real *y)", lines)


def heads(program: Program) -> Iterator[str]:
    """Mode, draw, log-probability and validity of a latent action, head by head."""
    modes = _each(program, "npg_{kind}_mode(y + {y}, {n}, latent + {act});")
    draws = _each(program, "npg_{kind}_draw(y + {y}, {n}, noise + {noise}, latent + {act});")
    terms = _each(program, "sum += npg_{kind}_log_prob(y + {y}, {n}, latent + {act});")
    checks = _each(program, "valid &= npg_{kind}_valid(latent + {act}, {n});")
    finite = "NPG_OK" if program.integral else "npg_all_finite(latent, NPG_N_ACT) ? NPG_OK : NPG_NONFINITE"
    yield _block("static void npg_mode(const npg_real *y, npg_action *latent)", modes)
    yield _block(
        "static int npg_draw_from(const npg_real *y, const double *noise, npg_action *latent)",
        [*draws, f"return {finite};"],
    )
    yield _block(
        "static npg_real npg_log_prob_from(const npg_real *y, const npg_action *latent)",
        ["npg_real sum = 0;", *terms, "return sum;"],
    )
    yield _block("static int npg_valid(const npg_action *latent)", ["int valid = 1;", *checks, "return valid;"])
    name = type(program.policy.action_map).__name__.lower()
    yield _block("void npg_map(const npg_action *latent, npg_action *action)", [f"npg_map_{name}(latent, action);"])


def score(program: Program) -> str:
    """The score of an action: the forward pass with its activations kept, then the backward pass."""
    arrays = [*_arrays(program, _kept), *_arrays(program, _derivative)]
    lines = [_reals("x[NPG_N_IN]", "y[NPG_N_Y]", "row[NPG_N_Y]", *arrays), "int status;"]
    lines += _y(program, _kept, "status = ")
    lines += ["if (status == NPG_OK && !npg_valid(latent))", "    status = NPG_BAD_ACTION;"]
    lines += ["if (status != NPG_OK)", "    return status;"]
    lines += _each(program, "npg_{kind}_score(y + {y}, {n}, latent + {act}, row + {y});")
    for i, chain in _chains(program):
        lines += _backward(chain, i)
    for part in program.parts:
        if isinstance(part, Numbers) and part.at < program.policy.n_params:
            lines.append(f"npg_copy(row + {part.first}, {part.n}, score + {part.at});")
    lines.append("return npg_all_finite(score, NPG_N_PARAMS) ? NPG_OK : NPG_NONFINITE;")
    head = "int npg_score(const npg_real *numbers, const npg_real *obs, const npg_action *latent, npg_real *score)"
    return _block(head, lines)


def _chains(program: Program) -> Iterator[tuple[int, Chain]]:
    yield from ((i, part) for i, part in enumerate(program.parts) if isinstance(part, Chain))


def _each(program: Program, pattern: str) -> list[str]:
    return [pattern.format(**vars(head)) for head in program.heads]


def _y(program: Program, name: Namer, give: str = "return ") -> Iterator[str]:
    """The lines that fill y and give the status."""
    yield "if (!npg_all_finite(obs, NPG_N_OBS))"
    yield "    return NPG_NONFINITE;"
    yield "npg_inputs(obs, x);"
    for part in program.parts:
        if isinstance(part, Numbers):
            yield f"npg_copy(numbers + {part.at}, {part.n}, y + {part.first});"
    for i, chain in _chains(program):
        for l, layer in enumerate(chain.layers):
            last = l == len(chain.layers) - 1
            z = f"y + {chain.first}" if last else name(i, l + 1)
            bias = "0" if layer.bias is None else f"numbers + {layer.bias}"
            yield f"npg_affine({name(i, l)}, {layer.n}, numbers + {layer.weights}, {bias}, {layer.m}, {z});"
            if layer.activation != "identity":
                yield f"npg_layer_{layer.activation}({z}, {layer.m});"
    if program.policy.n_masked:
        yield "if (!npg_all_finite(y, NPG_N_Y))"
        yield "    return NPG_NONFINITE;"
        yield f"{give}npg_mask(obs + NPG_N_IN, y);"
    else:
        yield f"{give}npg_all_finite(y, NPG_N_Y) ? NPG_OK : NPG_NONFINITE;"


def _arrays(program: Program, name: Namer) -> Iterator[str]:
    """The arrays that a namer names for layers beyond the first, each as wide as the widest input that it holds."""
    widths: dict[str, int] = {}
    for i, chain in _chains(program):
        for l, layer in enumerate(chain.layers[1:], start=1):
            widths[name(i, l)] = max(widths.get(name(i, l), 0), layer.n)
    yield from (f"{array}[{width}]" for array, width in widths.items())


def _reals(*arrays: str) -> str:
    return f"npg_real {', '.join(arrays)};"


def _in_turn(i: int, l: int) -> str:
    """The array that holds the input of layer l of chain i, one of two in turn."""
    return "ab"[l % 2] if l else "x"


def _kept(i: int, l: int) -> str:
    """The array that holds the input of layer l of chain i where activations are kept."""
    return f"x{i}_{l}" if l else "x"


def _derivative(i: int, l: int) -> str:
    """The array that holds the derivative in the input of layer l of chain i, one of two in turn."""
    return f"d{l % 2}"


def _backward(chain: Chain, i: int) -> Iterator[str]:
    """The lines that fill the score of one chain, from its last layer to its first."""
    D = f"row + {chain.first}"
    for l, layer in reversed(list(enumerate(chain.layers))):
        bias = "0" if layer.bias is None else f"score + {layer.bias}"
        yield f"npg_affine_vjp({_kept(i, l)}, {layer.n}, {D}, {layer.m}, score + {layer.weights}, {bias});"
        if l:
            dx = _derivative(i, l)
            yield f"npg_affine_vjp_x(numbers + {layer.weights}, {layer.n}, {D}, {layer.m}, {dx});"
            if chain.layers[l - 1].activation != "identity":
                yield f"npg_slope_{chain.layers[l - 1].activation}({_kept(i, l)}, {layer.n}, {dx});"
            D = dx


def _block(head: str, lines: Iterable[str]) -> str:
    return "\n".join([head, "{", *(f"    {line}" for line in lines), "}"])
