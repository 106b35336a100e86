"""Export to one Python file that needs NumPy alone: the runtime word for word, and the numbers behind it."""

from __future__ import annotations

import base64
import textwrap
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ...files import write_text
from ...policies import Clip, Offset, Rescale, Tanh
from ...spaces import Box, MultiBinary
from ...types import Array
from ..agent import Agent
from ..program import Numbers, Program
from .text import LICENCE, description

__all__ = ["export_numpy"]


def export_numpy(agent: Agent, path: str | PathLike[str]) -> Path:
    """Write an agent as one Python file that needs NumPy and the standard library alone.

    It offers ``act(obs, noise=None)``, ``log_prob(obs, latent)`` and ``DRAWS``, the kinds of the numbers that `noise`
    takes. An observation is an array as the environment gives it where its space is a Box, and flattened otherwise,
    with the mask over actions behind it if there is one; with an axis more it is a batch.

    Parameters
    ----------
    agent : Agent
        Affine layers, categorical, Gaussian and Bernoulli distributions and their products; see `Program`.
    path : path
        Where to; its folder is made if it is not there.

    Returns
    -------
    path

    Raises
    ------
    InvalidInput
        If the agent has a part that cannot be exported.

    Examples
    --------
    >>> import runpy, tempfile
    >>> from npgrad.policies import make_policy
    >>> from npgrad.spaces import Discrete
    >>> agent = Agent(make_policy((Box(-1.0, 1.0, (1,)), Discrete(2))), np.array([-1.0, 1.0, 0.0, 0.0]))
    >>> exported = runpy.run_path(str(export_numpy(agent, tempfile.mkdtemp() + "/agent.py")))
    >>> exported["act"]([0.5]), exported["act"]([[0.5], [-0.5]])
    (1, array([1, 0]))
    """
    program = Program.of(agent.policy, agent.theta)
    _, runtime = (files(__package__) / "runtime.py").read_text(encoding="utf-8").split('"""\n\n', 1)
    out = Path(path)
    out.parent.mkdir(parents=True, exist_ok=True)
    about = f"{description(agent, program)}\n\n{LICENCE}"
    write_text(out, f'"""{about}\n"""\n\nimport base64\n{runtime}\n\n{_data(program)}')
    return out


def _data(program: Program) -> str:
    """The policy as a literal, and its methods as functions."""
    policy, space = program.policy, program.policy.observation_space
    as_given = isinstance(space, Box | MultiBinary) and not policy.n_masked
    shape: tuple[int, ...] = getattr(space, "shape", ()) if as_given else (policy.n_obs,)
    layer = policy.normaliser
    parts = [
        (part.at, part.n)
        if isinstance(part, Numbers)
        else [(a.n, a.m, a.weights, a.bias, a.activation) for a in part.layers]
        for part in program.parts
    ]
    action: Any = policy.action_space
    fields = {
        "numbers": _array(program.numbers),
        "shape": repr(shape),
        "dtype": repr(getattr(space, "dtype", "float64") if as_given else "float64"),
        "n_masked": repr(policy.n_masked),
        "normaliser": "None"
        if layer is None
        else f"({_array(layer.mean)}, {_array(layer.std)}, {float(layer.bound)!r})",
        "parts": repr(parts),
        "heads": repr([(head.kind, head.n) for head in program.heads]),
        "action_map": f"({', '.join(_map(program))},)",
        "action_shape": repr(action.shape),
        "action_dtype": repr(action.dtype),
    }
    lines = [f"    {name}={value}," for name, value in fields.items()]
    return "\n".join(
        ["", "POLICY = Policy(", *lines, ")", "act, log_prob, DRAWS = POLICY.act, POLICY.log_prob, POLICY.draws", ""]
    )


def _map(program: Program) -> list[str]:
    action_map = program.policy.action_map
    name = repr(type(action_map).__name__.lower())
    match action_map:
        case Offset(start=start):
            return [name, _array(np.atleast_1d(start))]
        case Clip(low=low, high=high) | Rescale(low=low, high=high) | Tanh(low=low, high=high):
            return [name, _array(np.array(low)), _array(np.array(high))]
        case _:
            return [name]


def _array(values: Array) -> str:
    """An expression that gives the array back to the bit."""
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    lines = textwrap.wrap(base64.b64encode(little.tobytes()).decode(), 100)
    text = "\n".join(f'        "{line}"' for line in lines)
    return f'np.frombuffer(\n        base64.b64decode(\n{text}\n        ),\n        "{little.dtype.str}",\n    )'
