"""`npgrad info`."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import click

from .app import debug_option

__all__ = ["info"]


@click.command("info", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("path", metavar="DIR|FILE", type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@debug_option
def info(path: Path, as_json: bool) -> None:
    """Say what the agent in the run folder DIR, or in an agent FILE, is, its score, and how fast it acts here."""
    from ..algorithms.registry import ALGORITHMS
    from ..training.card import card, card_text
    from ..training.folder import AGENT
    from .run import agent_at

    facts = card(agent_at(path), path / AGENT if path.is_dir() else path)
    entry = ALGORITHMS.get(str(facts.get("algo")))
    usual = {f.name: f.default for f in fields(entry.Settings)} if entry else {}
    click.echo(json.dumps(facts) if as_json else card_text(facts, usual))
