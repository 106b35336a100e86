"""Export to C99: one file and its header, for controllers, games and whatever has a C compiler."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.resources import files
from os import PathLike
from pathlib import Path

import numpy as np

from ...errors import InvalidInput
from ...files import write_text
from ...validation import require_in
from ..agent import Agent
from ..program import Program
from . import c_text
from .golden import golden_vectors
from .link import linked
from .text import LICENCE, description

__all__ = ["PRECISIONS", "export_c"]

PRECISIONS = ("double", "float")
TOLERANCE = {"double": 1e-10, "float": 1e-4}  # of the self-test
PUBLIC = ("npg_act", "npg_act_sampled", "npg_noise", "npg_draw", "npg_map", "npg_log_prob")
LEARNER = ("npg_learner_init", "npg_learner_begin", "npg_learner_act", "npg_learner_update")


def export_c(
    agent: Agent,
    out_dir: str | PathLike[str],
    precision: str = "double",
    learning: bool = False,
    name: str = "npg",
) -> tuple[Path, Path]:
    """Write an agent as ``NAME.c`` and ``NAME.h``: C99 that allocates nothing and needs no library but math.h.

    Normaliser, function, distribution, action map and noise are inside. In double the noise has the library's bits and
    actions and log-probabilities differ from the library's by rounding alone. exp and tanh are its own, so that every
    machine acts the same.

    Parameters
    ----------
    agent : Agent
        Affine layers, categorical, Gaussian and Bernoulli distributions and their products; see `Program`.
    out_dir : path
        A folder; made if it is not there.
    precision : {"double", "float"}
        Of all numbers but the noise, which is double.
    learning : bool
        Add the score and an online actor-critic with eligibility traces.
    name : str
        Of the files, and the prefix of every function.

    Returns
    -------
    tuple of two paths
        The C file and its header.

    Raises
    ------
    InvalidInput
        If the agent has a part that cannot be exported, a number too large for float, or the name is no C name.

    Examples
    --------
    >>> import tempfile
    >>> from npgrad.policies import make_policy
    >>> from npgrad.spaces import Box, Discrete
    >>> agent = Agent(make_policy((Box(-1.0, 1.0, (4,)), Discrete(2))), np.zeros(10))
    >>> [path.name for path in export_c(agent, tempfile.mkdtemp())]
    ['npg.c', 'npg.h']
    """
    require_in("precision", precision, PRECISIONS)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise InvalidInput(f"name is {name!r}, expected a C name in small letters, as in 'npg'")
    program = Program.of(agent.policy, agent.theta)
    if learning and not agent.policy.n_params:
        raise InvalidInput("learning=True, but the policy has no parameters to learn")
    about = f"{description(agent, program)}\n\n{LICENCE}"
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / f"{name}.c", folder / f"{name}.h"
    for path, text in zip(
        paths, (_source(program, precision, learning), _header(program, precision, learning)), strict=True
    ):
        renamed = text.replace("npg_", f"{name}_").replace("NPG_", f"{name.upper()}_").replace("npg.h", f"{name}.h")
        write_text(path, f"{_comment(about)}\n\n{renamed}")
    return paths


def _comment(text: str) -> str:
    lines = text.splitlines()
    return "/* " + "\n".join(f"   {line}".rstrip() for line in lines).lstrip() + " */"


def _header(program: Program, precision: str, learning: bool) -> str:
    action = "npg_real" if not program.integral else "int32_t"
    sizes = {
        "N_OBS": (program.policy.n_obs, "numbers in an observation"),
        "N_ACT": (program.n_act, "numbers in an action"),
        "N_DRAWS": (len(program.policy.draws), "numbers of noise an action takes"),
    }
    if learning:
        sizes["N_PARAMS"] = (program.policy.n_params, "numbers in theta")
        sizes["N_NUMBERS"] = (len(program.numbers), "and with those that are not learned")
        sizes["N_CRITIC"] = (program.n_in + 1, "numbers in the critic")
    lines = [f"typedef {precision} npg_real;", f"typedef {action} npg_action;"]
    lines += [f"#define NPG_{size} {n} /* {what} */" for size, (n, what) in sizes.items()]
    learner = _text("learner.h") if learning else ""
    return _text("interface.h").replace("@DEFINES@", "\n".join(lines)).replace("@LEARNER@", learner)


def _source(program: Program, precision: str, learning: bool) -> str:
    own = [c_text.inputs(program), c_text.forward(program), *c_text.heads(program)]
    wanted = set(PUBLIC)
    if learning:
        own.append(c_text.score(program))
        wanted |= set(LEARNER)
    below, above = linked("\n".join(own), wanted, precision)
    return (
        "\n\n".join(
            [
                _preamble(program),
                *c_text.constants(program, precision),
                *below,
                *own,
                *above,
                *_test(program, precision),
            ]
        )
        + "\n"
    )


def _preamble(program: Program) -> str:
    return f"""\
#include "npg.h"

#include <float.h>
#include <math.h>

#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(_M_FP_FAST)
#error "this file needs its arithmetic as it is written: compile it without -ffast-math"
#endif
#if FLT_EVAL_METHOD < 0 || FLT_EVAL_METHOD == 1 || FLT_EVAL_METHOD == 2
#error "this file needs every number rounded to its type: on 32-bit x86, compile it with -msse2 -mfpmath=sse"
#endif
#if DBL_MANT_DIG != 53
#error "this file needs doubles of 64 bits, for its noise: with avr-gcc, compile it with -mdouble=64"
#endif

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#define NPG_N_IN {program.n_in} /* numbers that the function gets: an observation without its mask */
#define NPG_N_Y {program.n_y} /* numbers that the distribution gets */"""


def _test(program: Program, precision: str) -> Iterator[str]:
    """The self-test, under its macro."""
    golden = golden_vectors(program)
    yield "#ifdef NPG_SELF_TEST"
    yield f"#define NPG_N_GOLDEN {len(golden.obs)}"
    yield f"#define NPG_TOLERANCE {TOLERANCE[precision]}"
    yield c_text.table("npg_real", "npg_golden_obs", golden.obs, precision)
    yield c_text.table("double", "npg_golden_noise", golden.noise)
    for name in ("action", "latent", "drawn", "log_prob", "size"):
        yield c_text.table("double", f"npg_golden_{name}", np.asarray(getattr(golden, name), np.float64))
    seeds, episodes, steps = zip(*golden.places, strict=True)
    yield _integers("uint64_t", "npg_golden_seed", seeds)
    yield _integers("uint64_t", "npg_golden_episode", episodes)
    yield _integers("uint32_t", "npg_golden_step", steps)
    yield _text("self_test.c")
    yield "#endif"


def _integers(kind: str, name: str, values: Iterable[int]) -> str:
    return f"static const {kind} {name}[] = {{{', '.join(f'{i}u' for i in values)}}};"


def _text(name: str) -> str:
    return (files(__package__) / "c_parts" / name).read_text(encoding="ascii").strip()
