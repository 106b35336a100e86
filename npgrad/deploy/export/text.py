"""What the exports say in words: the licence, and what the agent is."""

from __future__ import annotations

import re

from ..._version import __version__
from ..agent import Agent
from ..program import Chain, Numbers, Program

__all__ = ["LICENCE", "description", "plain"]

LICENCE = """\
SPDX-License-Identifier: 0BSD

Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN
ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF
THIS SOFTWARE."""

LISTED = 64  # entries of an observation that are named one by one


def description(agent: Agent, program: Program) -> str:
    """What the policy takes and gives, line by line, in plain ASCII."""
    policy = program.policy
    names = [f"[{i}] {name}" for i, name in enumerate(program.names) if name != f"obs[{i}]"]
    lines = [
        f"A policy exported by npgrad {__version__}.",
        f"environment   {agent.info.get('env_id', 'not said')}",
        f"function      {' + '.join(_sizes(program))}",
        f"distribution  {policy.distribution}",
        f"action map    {policy.action_map}",
        f"observations  {policy.observation_space}, flattened to {policy.n_obs} numbers",
        *[f"              {name}" for name in names[:LISTED]],
        *[f"              ... {len(names)} in all" for _ in names[LISTED : LISTED + 1]],
        f"actions       {policy.action_space}",
    ]
    return "\n".join(plain(line) for line in lines)


def plain(line: str) -> str:
    """`line` fit for a comment or a docstring: names come from files, and may try to end it.

    Examples
    --------
    >>> plain("obs['*/ system(1) /*']")
    "obs['__ system(1) __']"
    """
    ascii_only = line.encode("ascii", "replace").decode()
    return re.sub(r"[^\w \[\](){}.,:;=+<>|'-]", "_", ascii_only)[:300].rstrip()


def _sizes(program: Program) -> list[str]:
    return [
        f"{part.n} numbers" if isinstance(part, Numbers) else "-".join(str(n) for n in _widths(part))
        for part in program.parts
    ]


def _widths(chain: Chain) -> list[int]:
    return [chain.layers[0].n, *(layer.m for layer in chain.layers)]
